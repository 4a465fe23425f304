// Where the answer changes, over a plane: the same triangles as views/scene/plane.py.
//
//   mesh([low, high], fine)               points [fine * fine, 2], laid end to end
//   boundary(box, fine, outputs, size, level)   the ends of segments, x y x y each

/** A square grid of points over a box. */
function mesh([low, high], fine) {
  const made = new Float64Array(2 * fine * fine);
  const at = (axis, k) => low[axis] + ((high[axis] - low[axis]) * k) / (fine - 1);
  for (let i = 0, k = 0; i < fine; i++) {
    for (let j = 0; j < fine; j++, k += 2) [made[k], made[k + 1]] = [at(0, i), at(1, j)];
  }
  return made;
}

/** Functions that are zero where the answer changes: one output against the level, of several
 * each against the largest other one. */
function margins(outputs, size, level) {
  const count = outputs.length / size;
  const margin = (of) => Float64Array.from({ length: count }, (_, i) => {
    const value = of(size * i);
    return Number.isNaN(value) ? 0 : value;
  });
  if (size === 1) return [margin((i) => outputs[i] - level)];
  if (size === 2) return [margin((i) => outputs[i] - outputs[i + 1])];
  return Array.from({ length: size }, (_, k) => margin((i) => {
    let top = -Infinity;
    for (let j = 0; j < size; j++) if (j !== k && outputs[i + j] > top) top = outputs[i + j];
    return outputs[i + k] - top;
  }));
}

function boundary([low, high], fine, outputs, size, level) {
  const found = [];
  const x = (i) => low[0] + ((high[0] - low[0]) * i) / (fine - 1);
  const y = (j) => low[1] + ((high[1] - low[1]) * j) / (fine - 1);
  for (const margin of margins(outputs, size, level)) {
    const triangle = (places) => {
      const above = places.map(([i, j]) => margin[i * fine + j] > 0);
      const count = above.filter(Boolean).length;
      if (count === 0 || count === 3) return;
      // The corner that is alone on its side: the zeros are on its two edges.
      const alone = above.indexOf(count === 1);
      for (const turn of [1, 2]) {
        const [[i, j], [k, l]] = [places[alone], places[(alone + turn) % 3]];
        const [a, b] = [margin[i * fine + j], margin[k * fine + l]];
        const share = a / (a - b);
        found.push(x(i + share * (k - i)), y(j + share * (l - j)));
      }
    };
    for (let i = 0; i + 1 < fine; i++) {
      for (let j = 0; j + 1 < fine; j++) {
        const at = i * fine + j;
        const sides = (margin[at] > 0) + (margin[at + 1] > 0) + (margin[at + fine] > 0) + (margin[at + fine + 1] > 0);
        if (sides === 0 || sides === 4) continue;
        triangle([[i, j], [i + 1, j], [i + 1, j + 1]]);
        triangle([[i, j], [i + 1, j + 1], [i, j + 1]]);
      }
    }
  }
  return Float64Array.from(found);
}

export { boundary, mesh };
