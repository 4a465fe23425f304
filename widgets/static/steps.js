// What repeats, as views/unroll/packed.py packs it: strips of numbers at every step.

class Steps {
  constructor(part, buffer) {
    Object.assign(this, part);
    const numbers = ({ offset, shape }) => ({
      shape, data: new Float32Array(buffer, offset, shape.reduce((a, b) => a * b, 1)),
    });
    const strip = (each) => ({ ...each, array: numbers(each.array), size: each.array.shape[1] });
    this.elements = part.elements.map(strip);
    this.chains = part.chains.map((chain) => ({
      ...chain, states: chain.states.map(strip), outputs: chain.outputs.map(strip),
    }));
    this.path = part.path && { ...part.path, array: numbers(part.path.array) };
    this.tree = part.tree && { ...part.tree, place: numbers(part.tree.place), held: part.tree.held.map(numbers) };
    this.backward = this.chains.every((chain) => chain.reverse);
  }

  /** The numbers of a strip in a row. */
  row({ array, size }, k) {
    return array.data.subarray(k * size, (k + 1) * size);
  }

  /** At which step, from 1, a chain is at a place of the sequence. */
  stepAt(chain, place) {
    return chain.reverse ? this.count - place : place + 1;
  }

  /** The place in the sequence of a step, from 1. */
  placeOf(chain, step) {
    return chain.reverse ? this.count - step : step - 1;
  }

  /** The states after a step, and how far they have moved in it. */
  moved(chain, step) {
    let sum = 0;
    for (const strip of chain.states) {
      const [before, after] = [this.row(strip, step - 1), this.row(strip, step)];
      for (let k = 0; k < strip.size; k++) sum += (after[k] - before[k]) ** 2;
    }
    return Math.sqrt(sum);
  }
}

export { Steps };
