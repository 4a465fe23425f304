// Numbers of 16 bits, which not every browser reads by itself.

let table = null;

/** `count` numbers from a place of a buffer, as Float32Array. */
function halves(buffer, offset, count) {
  if (!table) {
    table = new Float32Array(65536);
    for (let bits = 0; bits < 65536; bits++) {
      const [sign, power, rest] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
      if (power === 31) table[bits] = rest ? NaN : sign * Infinity;
      else if (power) table[bits] = sign * 2 ** (power - 15) * (1 + rest / 1024);
      else table[bits] = sign * 2 ** -14 * (rest / 1024);
    }
  }
  const bits = new Uint16Array(buffer, offset, count);
  const made = new Float32Array(count);
  for (let i = 0; i < count; i++) made[i] = table[bits[i]];
  return made;
}

export { halves };
