// Where all points are after every stage, of weights that a hand is changing.
//
//   const forward = new Forward(header, grid)
//   forward.frame(weights, points)       a Frame, at once; null where a kernel has to be asked
//
// A frame's points are the data, then the grid, then the ends of the boundary, as in a scene.

import { boundary, mesh } from "./marching.js";
import { Tape } from "./tape.js";

const WORK = 2.5e6; // operations in which the boundary is looked for: some 3 ms
const QUICK = 1e6; // the same while a hand moves
const LEAST = 25; // samples along an axis

class Forward {
  constructor(header, grid) {
    Object.assign(this, { header, grid });
    this.size = header.inputs.reduce((a, b) => a + b, 0);
    this.wanted = [...new Set([
      ...header.states.flatMap(({ columns }) => columns), ...header.layers.map(({ column }) => column),
    ])];
    this.missing = header.tape.missing;
    if (this.missing) return;
    this.tape = new Tape(header.tape.steps);
    this.answers = new Tape(header.tape.steps); // of the points among which the boundary is sought
    this.meshes = [WORK, QUICK].map((work) => {
      const most = Math.floor(Math.sqrt(work / Math.max(this.tape.work, 1)));
      const fine = Math.max(Math.min(header.fine, most), LEAST);
      return { fine, points: header.level === null ? null : mesh(header.box, fine) };
    });
  }

  /** `quick`: the boundary is looked for less finely. */
  frame(weights, points, quick = false) {
    if (this.missing) return null;
    const ends = this.boundary(weights, quick);
    const whole = new Float64Array(points.length + this.grid.length + ends.length);
    whole.set(points);
    whole.set(this.grid, points.length);
    whole.set(ends, points.length + this.grid.length);
    const rows = whole.length / this.size;
    const columns = this.tape.run(weights, this.inputs(whole, rows), rows, this.wanted);
    return new Frame(this.header, points.length / this.size, ends.length / this.size,
      (number) => columns[number].data);
  }

  boundary(weights, quick) {
    const { header } = this;
    if (header.level === null) return new Float64Array(0);
    const { columns } = header.states.at(-1);
    const { fine, points } = this.meshes[+quick];
    const rows = fine * fine;
    const found = this.answers.run(weights, this.inputs(points, rows), rows, columns);
    const outputs = joined(columns.map((k) => found[k].data), rows);
    return boundary(header.box, fine, outputs, outputs.length / rows, header.level);
  }

  /** The points as the function takes them: each input's numbers by themselves. */
  inputs(whole, rows) {
    const sizes = this.header.inputs;
    if (sizes.length === 1) return [whole];
    let from = 0;
    return sizes.map((size) => {
      const own = new Float64Array(rows * size);
      for (let i = 0; i < rows; i++) {
        for (let k = 0; k < size; k++) own[i * size + k] = whole[i * this.size + from + k];
      }
      from += size;
      return own;
    });
  }
}

/** Columns beside each other: rows of all their numbers. */
function joined(columns, rows) {
  if (columns.length === 1) return columns[0];
  const sizes = columns.map((data) => data.length / rows);
  const size = sizes.reduce((a, b) => a + b, 0);
  const made = new Float64Array(rows * size);
  let from = 0;
  columns.forEach((data, k) => {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < sizes[k]; j++) made[i * size + from + j] = data[i * sizes[k] + j];
    }
    from += sizes[k];
  });
  return made;
}

class Frame {
  /** `column(number)` has the numbers of a column, at all points. */
  constructor(header, count, ends, column) {
    const { lines, samples } = header;
    Object.assign(this, { count, lines, samples, column, circles: [0, 0] });
    this.gridEnd = count + lines * samples;
    this.boundaryEnd = this.total = this.gridEnd + ends;
  }

  /** The coordinates of all points after a state, or of a layer: [total, size]. */
  values(columns) {
    return joined(columns.map((number) => this.column(number)), this.total);
  }
}

export { Forward, Frame };
