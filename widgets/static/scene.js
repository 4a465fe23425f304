// A scene, as views/scene/packed.py writes it: arrays, and where points are at any place.
//
//   const scene = new Scene(header, buffer)
//   scene.project(position, view, out)    x, y, depth of every point, seen along a view
//
// A position is stage + t, from 0 to the number of stages. Nothing here knows of a page.

import { halves } from "./halves.js";

// Matrices are arrays of rows.
const multiply = (a, b) =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const scaled = (a, factor) => a.map((row) => row.map((value) => factor * value));
const minus = (a, b) => a.map((row, i) => row.map((value, j) => value - b[i][j]));
const identity = (size) =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => +(i === j)));
const transposed = (a) => a[0].map((_, j) => a.map((row) => row[j]));

/** Q^t, a rotation: turns of planes in an orthonormal basis. */
function turned({ basis, turns }, t) {
  if (!turns.length) return identity(basis.length);
  const turn = identity(basis.length);
  for (const [i, j, angle] of turns) {
    turn[i][i] = turn[j][j] = Math.cos(t * angle);
    turn[j][i] = Math.sin(t * angle);
    turn[i][j] = -turn[j][i];
  }
  return multiply(multiply(basis, turn), transposed(basis));
}

/** A(t) = Q^t ((1 - t) I + t P). */
function linear(motion, t) {
  const size = motion.stretch.length;
  const stretch = motion.stretch.map((row, i) => row.map((v, j) => (1 - t) * (i === j) + t * v));
  return size ? multiply(turned(motion, t), stretch) : stretch;
}

/** Where points are at t: terms (matrix, array), whose sum it is. At the ends one alone. */
function terms(motion, t) {
  if (motion.form === "blocks") {
    return motion.blocks.flatMap((block) => {
      const lifted = ([matrix, array]) => {
        const zeros = () => matrix[0].map(() => 0);
        const whole = Array.from({ length: motion.size }, zeros);
        matrix.forEach((row, k) => (whole[block.offset + k] = row));
        return [whole, array];
      };
      if (block.still) return [lifted([identity(block.still.shape[1]), block.still])];
      const count = block.stages.length;
      const place = Math.min(Math.floor(t * count), count - 1);
      return terms(block.stages[place], t * count - place).map(lifted);
    });
  }
  if (motion.form === "positions") {
    const last = motion.states.length - 1;
    const place = Math.min(Math.floor(t * last), Math.max(last - 1, 0));
    const rest = t * last - place;
    const made = [[scaled(motion.last, 1 - rest), motion.states[place]]];
    if (rest > 0) made.push([scaled(motion.last, rest), motion.states[place + 1]]);
    return made;
  }
  if (t <= 0) return [[motion.first, motion.before]];
  if (t >= 1) return [[motion.last, motion.after]];
  const going =
    motion.form === "affine"
      ? multiply(minus(linear(motion, t), scaled(motion.atEnd, t)), motion.first)
      : scaled(motion.first, 1 - t);
  return [[going, motion.before], [scaled(motion.last, t), motion.after]];
}

/** The sum of terms at one point. */
function one(found, point) {
  const sum = found[0][0].map(() => 0);
  for (const [matrix, { shape, data }] of found) {
    matrix.forEach((row, i) => {
      for (let j = 0; j < shape[1]; j++) if (row[j]) sum[i] += row[j] * data[point * shape[1] + j];
    });
  }
  return sum;
}

class Scene {
  constructor(header, buffer) {
    Object.assign(this, header);
    const view = (place) => {
      const Type = place.type === "u8" ? Uint8Array : Float32Array;
      const size = place.shape.reduce((a, b) => a * b, 1);
      const half = place.type === "f16";
      const data = half ? halves(buffer, place.offset, size) : new Type(buffer, place.offset, size);
      return { shape: place.shape, data };
    };
    const known = new Map();
    const array = (place) => {
      if (!known.has(place.offset)) known.set(place.offset, view(place));
      return known.get(place.offset);
    };
    const motion = (said) => {
      if (said.form === "blocks") {
        const blocks = said.blocks.map((block) =>
          block.still
            ? { ...block, still: array(block.still) }
            : { ...block, stages: block.stages.map(motion) }
        );
        return { ...said, blocks };
      }
      if (said.form === "positions") return { ...said, states: said.states.map(array) };
      const made = { ...said, before: array(said.before), after: array(said.after) };
      return said.form === "affine" ? { ...made, atEnd: linear(said, 1) } : made;
    };
    this.states = header.states.map((state) => ({ ...state, array: array(state.array) }));
    this.stages = header.stages.map((stage) => ({ ...stage, motion: motion(stage.motion) }));
    if (header.colour) this.colour = { ...header.colour, array: array(header.colour.array) };
    this.total = this.states[0].array.shape[0]; // the points of data, grid, boundary, circles and sheet
    this.gridEnd = this.count + this.lines * this.samples;
    this.sheet = header.sheet ?? [0, 0];
    this.circlesEnd = this.total - this.sheet[0] * this.sheet[1];
    this.boundaryEnd = this.circlesEnd - this.circles[0] * this.circles[1];
  }

  /** A position's stage and t. On a tick it is the end of the stage before. */
  place(position) {
    const last = this.stages.length - 1;
    const stage = Math.min(Math.max(Math.ceil(position) - 1, 0), last);
    return [stage, Math.min(Math.max(position - stage, 0), 1)];
  }

  /** Terms of the picture's axes: right, up, depth, and what else there is. */
  seen(position) {
    const [place, t] = this.place(position);
    const { motion, camera } = this.stages[place];
    if (position <= 0) {
      // A fold begins with a state of its own: before it, the input is seen.
      const { array, axes } = this.states[0];
      return [[axes ?? identity(array.shape[1]), array]];
    }
    const found = terms(motion, t);
    if (!camera) return found;
    const turn = multiply(turned(camera, t), camera.first);
    return found.map(([matrix, array]) => [multiply(turn, matrix), array]);
  }

  /** Coordinates [total, d] in the space of the path, as the function has them. */
  coordinates(position) {
    const [place, t] = this.place(position);
    return this.sum(terms(this.stages[place].motion, t));
  }

  /** x, y and depth of points along a view, 3 rows; into `out`, [total, 3]. */
  project(position, view, out = new Float32Array(3 * this.total)) {
    const found = this.seen(position).map(([matrix, array]) => [
      multiply(view.map((row) => matrix.map((_, k) => row[k] ?? 0)), matrix),
      array,
    ]);
    return this.sum(found, out);
  }

  /** The coordinates of one point, in the space of the path. */
  at(point, position) {
    const [place, t] = this.place(position);
    const { axes, array } = this.states[Math.round(position)];
    if (Number.isInteger(position) && (axes || position === 0)) {
      const width = array.shape[1];
      return array.data.subarray(point * width, (point + 1) * width);
    }
    return one(terms(this.stages[place].motion, t), point);
  }

  /** Where one point is seen along the rows of a view. */
  seenAt(point, position, view) {
    const found = one(this.seen(position), point);
    return view.map((row) => found.reduce((sum, value, k) => sum + value * (row[k] ?? 0), 0));
  }

  sum(found, out = new Float32Array(found[0][0].length * this.total)) {
    const size = found[0][0].length;
    out.fill(0);
    for (const [matrix, { shape, data }] of found) {
      const width = shape[1];
      for (let row = 0; row < size; row++) {
        for (let column = 0; column < width; column++) {
          const factor = matrix[row][column];
          if (factor === 0) continue;
          for (let i = row, j = column; i < out.length; i += size, j += width) {
            out[i] += factor * data[j];
          }
        }
      }
    }
    return out;
  }

  /** The values of a point after a state, if all are there. */
  values(state, point) {
    const { array, axes } = this.states[state];
    const width = array.shape[1];
    const row = array.data.subarray(point * width, (point + 1) * width);
    return axes ? row : null;
  }
}

export { Scene, identity, multiply, transposed };
