// What is looked at: axes, and a camera that stays while points move.
//
//   const views = new Views(scene)
//   views.rows(mode, turn, frame)        the three axes of the picture: right, up, depth
//   views.camera(mode, position, rows, rests)  its middle and reach, one all through a stage

import { identity, multiply } from "./scene.js";

const AROUND = 1.07; // room about what is drawn
const NEAR = 1.7; // reaches that are still drawn on one scale: no camera moves at all then
const FAR = 3; // a grid that goes farther than so many reaches of the data is cut off

/** Rotations of space, from how far a hand has moved. */
function turnedBy([right, up, depth], dx, dy) {
  const [c, s, d, z] = [Math.cos(dx), Math.sin(dx), Math.cos(dy), Math.sin(dy)];
  const about = [[c, 0, s], [-z * s, d, z * c], [-d * s, -z, d * c]];
  return multiply(about, [right, up, depth]);
}

/** Rows made orthonormal; row `first` keeps its direction. */
function orthonormal(rows) {
  const made = [];
  for (const row of rows) {
    let left = row.slice();
    for (const known of made) {
      const share = left.reduce((sum, value, k) => sum + value * known[k], 0);
      left = left.map((value, k) => value - share * known[k]);
    }
    const length = Math.hypot(...left) || 1;
    made.push(left.map((value) => value / length));
  }
  return made;
}

/** The frame two axes of which are seen, at a time: each pair of axes turns at its own pace. */
function toured(frame, seconds) {
  const size = frame[0].length;
  let turn = identity(size);
  for (let i = 0; i < size; i++) {
    for (let j = Math.max(i + 1, 2); j < size; j++) {
      const angle = seconds * 0.22 * (0.6 + ((i * 0.618 + j * 0.414) % 1));
      const plane = identity(size);
      plane[i][i] = plane[j][j] = Math.cos(angle);
      plane[j][i] = Math.sin(angle);
      plane[i][j] = -plane[j][i];
      turn = multiply(turn, plane);
    }
  }
  return orthonormal(multiply(frame, turn));
}

/** A frame whose axis `k` points to a place of the picture, as a hand has drawn it there. */
function dragged(frame, k, x, y) {
  const long = Math.hypot(x, y);
  const [u, v] = long > 0.98 ? [(0.98 * x) / long, (0.98 * y) / long] : [x, y];
  const moved = frame.map((row) => row.slice());
  [moved[0][k], moved[1][k]] = [u, v];
  // The other axes give way: columns stay as they are where they can.
  for (const [row, value] of [[0, u], [1, v]]) {
    const rest = Math.hypot(...moved[row].filter((_, j) => j !== k)) || 1;
    const wanted = Math.sqrt(Math.max(1 - value * value, 1e-4));
    moved[row] = moved[row].map((entry, j) => (j === k ? value : (entry * wanted) / rest));
  }
  return orthonormal(moved);
}

class Views {
  /** With the views of `before` what holds the same, while a network trains. */
  constructor(scene, before = null) {
    this.scene = scene;
    const ends = scene.stages.map((_, k) => [k + 1e-9, k + 0.5, k + 1]);
    this.size = Math.max(
      3, ...scene.stages.map((_, k) => scene.seen(k + 1)[0][0].length),
      scene.seen(0)[0][0].length
    );
    // Whether anything leaves the plane, and space, on its way.
    const stages = ends.map((places) => this.boxes(places));
    this.deep = Math.max(...stages.flat().map((box) => box.depth));
    this.stages = stages.map((boxes) => boxes.reduce(joined));
    this.states = this.boxes(scene.states.map((_, k) => k));
    if (before?.size === this.size) this.hold(before);
    const whole = [...this.stages, ...this.states].reduce(joined);
    this.together = {};
    for (const mode of ["2-D", "3-D", "tour"]) {
      const least = Math.min(...this.states.map((box) => reach(box, mode)));
      if (reach(whole, mode) <= NEAR * least) this.together[mode] = whole;
    }
  }

  /** The boxes of before as long as all is in them, else larger ones: so they change seldom. */
  hold(before) {
    const held = (box, old) => {
      const inside = box.low.every((value, k) => value >= old.low[k] && box.high[k] <= old.high[k]);
      return inside ? old : wider(joined(old, box));
    };
    this.deep = Math.max(this.deep, before.deep);
    this.stages = this.stages.map((box, k) => held(box, before.stages[k]));
    this.states = this.states.map((box, k) => held(box, before.states[k]));
  }

  get modes() {
    return ["2-D", ...(this.deep > 2 ? ["3-D"] : []), ...(this.deep > 3 ? ["tour"] : [])];
  }

  boxes(positions) {
    const { scene, size } = this;
    return positions.map((position) => {
      const all = scene.sum(scene.seen(position));
      const width = all.length / scene.total;
      const [low, high] = [Array(size).fill(0), Array(size).fill(0)];
      let depth = Math.min(width, 2);
      const spans = Array.from({ length: width }, (_, k) => [
        ends(all, width, k, 0, scene.count), ends(all, width, k, scene.count, scene.total),
      ]);
      // Of a point alone, and of points in one place, the whole grid is seen.
      const far = FAR * Math.max(...spans.map(([data]) => data[1] - data[0])) || Infinity;
      spans.forEach(([data, rest], k) => {
        low[k] = Math.min(data[0], Math.max(rest[0], data[0] - far));
        high[k] = Math.max(data[1], Math.min(rest[1], data[1] + far));
        if (k >= 2 && high[k] - low[k] > 1e-6) depth = k + 1;
      });
      return { low, high, depth };
    });
  }

  rows(mode, turn, frame) {
    if (mode === "2-D") return identity(3);
    return mode === "3-D" ? turn : [...frame, frame[0].map(() => 0)];
  }

  /** Where the camera stands during the stage of a position; or, where it `rests` on a
   * tick, for the value there. */
  camera(mode, position, rows, rests) {
    const [stage] = this.scene.place(position);
    const own = rests ? this.states[Math.round(position)] : this.stages[stage];
    const box = this.together[mode] ?? own;
    const key = this.together[mode] ? "" : rests ? `at ${position}` : String(stage);
    const middle = box.low.map((value, k) => (value + box.high[k]) / 2);
    const [x, y, z] = rows.map((row) => row.reduce((sum, v, k) => sum + v * (middle[k] ?? 0), 0));
    return { x, y, z, reach: reach(box, mode) * AROUND, key: `${mode} ${key}` };
  }
}

const joined = (a, b) => ({
  low: a.low.map((value, k) => Math.min(value, b.low[k])),
  high: a.high.map((value, k) => Math.max(value, b.high[k])),
  depth: Math.max(a.depth, b.depth),
});

/** A box with room around it. */
const wider = ({ low, high, depth }) => {
  const room = 0.15 * Math.max(...low.map((value, k) => high[k] - value));
  return { low: low.map((value) => value - room), high: high.map((value) => value + room), depth };
};

function reach({ low, high }, mode) {
  const halves = high.map((value, k) => (value - low[k]) / 2);
  if (mode === "2-D") return Math.max(halves[0], halves[1]) || 1;
  // A ball about the middle: whichever way it is turned, all is in the picture.
  return Math.hypot(...(mode === "3-D" ? halves.slice(0, 3) : halves)) * 0.86 || 1;
}

/** The least and the largest finite value of a column. */
function ends(all, width, column, from, to) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = from; i < to; i++) {
    const value = all[i * width + column];
    if (value < low && value > -1e30) low = value;
    if (value > high && value < 1e30) high = value;
  }
  return [low, high];
}

export { Views, dragged, orthonormal, toured, turnedBy };
