// A film, as views/film/packed.py writes it: where points are at a time of the training, in every
// state of the function.
//
//   const reel = new Reel(header, buffer)
//   reel.project(time, state, rows, out)    x, y, depth of every point, seen along rows of a view
//
// A time is an index of moments, whole or between two. What is painted of a scene has its names
// here: count, lines, samples, gridEnd, boundaryEnd, circles, colour.

import { halves } from "./halves.js";
import { across } from "./points.js";

const FAR = 2; // a grid that goes farther than so many reaches of the data is cut off

class Reel {
  constructor(header, buffer) {
    Object.assign(this, header);
    this.fixed = this.count + this.lines * this.samples;
    this.gridEnd = this.fixed;
    this.circles = [0, 0];
    if (header.colour) {
      const { offset, shape, type } = header.colour.array;
      const Type = type === "u8" ? Uint8Array : Float32Array;
      this.colour = { ...header.colour, array: { data: new Type(buffer, offset, shape[0]) } };
    }
    this.still = { place: header.moments[0].states[0], buffer, thinned: new Map() };
    this.moments = header.moments.map((moment) => this.read(moment, buffer));
    this.live = null; // a moment that is seen while it is trained, and is not kept
    this.bounds = header.states.map(() => null);
    this.measure(this.moments);
  }

  /** A moment whose arrays are read when they are first looked at. */
  read(moment, buffer) {
    const every = moment.every ?? 1;
    return { ...moment, buffer, every, found: new Map() };
  }

  get all() {
    return this.live ? [...this.moments, this.live] : this.moments;
  }

  get last() {
    return this.moments.length - 1 + (this.live ? 1 : 0);
  }

  /** How many points there are, with room for the longest boundary. */
  get total() {
    return this.boundaryEnd;
  }

  get boundaryEnd() {
    const most = this.all.reduce((sum, { boundary }) => Math.max(sum, boundary[0].shape[0]), 0);
    return this.fixed + most;
  }

  /** Points [N, k] of a moment: of the data and the grid, or of the boundary. */
  points(moment, state, of = "states") {
    if (of === "states" && state === 0) return this.input(moment.every);
    const key = `${of} ${state}`;
    if (!moment.found.has(key)) moment.found.set(key, unpacked(moment[of][state], moment.buffer));
    return moment.found.get(key);
  }

  /** The data and the grid in the input, which do not move. */
  input(every) {
    const { place, buffer, thinned } = this.still;
    if (!thinned.has(1)) thinned.set(1, unpacked(place, buffer));
    if (!thinned.has(every)) {
      const { data, width } = thinned.get(1);
      const rows = Array.from({ length: this.fixed }, (_, i) => i).filter((i) => i >= this.count || i % every === 0);
      const some = rows.flatMap((i) => Array.from(data.subarray(i * width, (i + 1) * width)));
      thinned.set(every, { data: Float32Array.from(some), width });
    }
    return thinned.get(every);
  }

  /** The place of the i-th of data and grid in a moment that has only some of the data. */
  row(moment, i) {
    const { every } = moment;
    if (every === 1) return i;
    const kept = Math.ceil(this.count / every);
    if (i >= this.count) return kept + i - this.count;
    return i % every ? -1 : i / every;
  }

  /** Bounds of each state: all data that were ever there, and what of the grid is near. They
   * never shrink while something moves. */
  measure(moments) {
    for (const moment of moments) {
      this.bounds = this.bounds.map((known, state) => {
        const { data, width } = this.points(moment, state);
        const kept = Math.ceil(this.count / moment.every) * width;
        const box = known ?? { low: Array(3).fill(Infinity), high: Array(3).fill(-Infinity) };
        for (let i = 0; i < kept; i++) {
          const value = data[i];
          if (!(Math.abs(value) < 1e30)) continue;
          const k = i % width;
          if (value < box.low[k]) box.low[k] = value;
          if (value > box.high[k]) box.high[k] = value;
        }
        for (let k = width; k < 3; k++) box.low[k] = box.high[k] = 0;
        return box;
      });
    }
    this.views = this.bounds.map((box, state) => this.around(box, state, moments));
  }

  /** What is seen of a state: its middle, and how far it reaches in the plane and in space. */
  around({ low, high }, state, moments) {
    const own = [...low], most = [...high];
    const reach = Math.max(...low.map((value, k) => high[k] - value)) || 1;
    for (const moment of moments) {
      const { data, width } = this.points(moment, state);
      const from = Math.ceil(this.count / moment.every) * width;
      for (let i = from; i < data.length; i++) {
        const k = i % width;
        if (data[i] < own[k]) own[k] = Math.max(data[i], low[k] - 0.15 * FAR * reach);
        if (data[i] > most[k]) most[k] = Math.min(data[i], high[k] + 0.15 * FAR * reach);
      }
    }
    const half = own.map((value, k) => (most[k] - value) / 2 || 0);
    const seen = {
      middle: own.map((value, k) => (value + most[k]) / 2 || 0),
      plane: Math.max(half[0], half[1]) || 1,
      space: 0.86 * Math.hypot(...half) || 1,
    };
    // While it goes on the camera moves in leaps, so that it moves seldom.
    const before = this.live && this.views?.[state];
    if (!before) return seen;
    const far = (axes, reach) => axes.some((k) => Math.abs(seen.middle[k] - before.middle[k]) + half[k] > reach + 1e-9);
    const out = far([0, 1], before.plane) || far([0, 1, 2], before.space / 0.86);
    return out ? { ...seen, plane: 1.3 * seen.plane, space: 1.3 * seen.space } : before;
  }

  /** The two moments about a time, and how far it is between them. */
  between(time) {
    const { all } = this;
    const first = Math.min(Math.max(Math.floor(time + 1e-9), 0), all.length - 1);
    const share = Math.min(Math.max(time - first, 0), 1);
    const rest = share < 1e-6 ? 0 : share;
    return [all[first], all[Math.min(first + 1, all.length - 1)], rest];
  }

  /** Its epoch, loss and step, between two moments in proportion. */
  at(time) {
    const [a, b, t] = this.between(time);
    const mixed = (name) => (a[name] === null || b[name] === null ? a[name] ?? b[name] : a[name] + t * (b[name] - a[name]));
    return { epoch: mixed("epoch"), step: Math.round(mixed("step")), loss: (t < 0.5 ? a : b).loss };
  }

  /** The time of an epoch. */
  timeOf(epoch) {
    const { all } = this;
    let k = 0;
    while (k < all.length - 1 && all[k + 1].epoch <= epoch) k++;
    if (k === all.length - 1) return k;
    const gap = all[k + 1].epoch - all[k].epoch;
    return k + (gap > 0 ? Math.min(Math.max((epoch - all[k].epoch) / gap, 0), 1) : 0);
  }

  /** x, y and depth along the rows of a view, into `out`, [total, 3]. A state on a line is
   * spread across it, so that many in one place are seen to be many. */
  project(time, state, rows, out) {
    const [a, b, t] = this.between(time);
    const one = this.points(a, state), other = this.points(b, state);
    const { width } = one;
    const line = width === 1;
    const high = line ? 0.3 * this.views[state].plane : 0;
    for (let i = 0; i < this.fixed; i++) {
      const from = this.row(a, i) * width, to = this.row(b, i) * width;
      let x = 0, y = 0, z = 0;
      if (from < 0 || to < 0) x = NaN;
      for (let k = 0; k < width; k++) {
        const value = t ? (1 - t) * one.data[from + k] + t * other.data[to + k] : one.data[from + k];
        x += rows[0][k] * value;
        y += rows[1][k] * value;
        z += rows[2][k] * value;
      }
      out[3 * i] = x;
      out[3 * i + 1] = line ? (i < this.count ? high * across(i) : NaN) : y;
      out[3 * i + 2] = z;
    }
    // A boundary has no way from one moment to the next: the nearer one's is seen.
    const { data } = this.points(t < 0.5 ? a : b, state, "boundary");
    for (let i = this.fixed, j = 0; i < this.boundaryEnd; i++, j += width) {
      const there = j < data.length;
      for (let row = 0; row < 3; row++) {
        let sum = there ? 0 : NaN;
        for (let k = 0; there && k < width; k++) sum += rows[row][k] * data[j + k];
        out[3 * i + row] = sum;
      }
      if (line && there) out[3 * i + 1] = 1.5 * ((i - this.fixed) % 2 ? high : -high);
    }
    return out;
  }

  /** Where one point is in a state at a time. */
  values(time, state, point) {
    const [a, b, t] = this.between(time);
    const [one, other] = [this.points(a, state), this.points(b, state)];
    const [from, to] = [this.row(a, point), this.row(b, point)];
    if (from < 0 || to < 0) return [];
    return Array.from({ length: one.width }, (_, k) =>
      (1 - t) * one.data[from * one.width + k] + t * other.data[to * one.width + k]);
  }

  /** A moment of a training that goes on; of those before it the steps in `kept` stay, and it
   * stays itself if it is one of them. */
  add(moment, buffer, kept) {
    const made = this.read(moment, buffer);
    const keep = new Set(kept);
    this.moments = this.moments.filter(({ step }) => keep.has(step));
    this.live = made;
    this.measure([made]);
    if (keep.has(made.step)) [this.moments, this.live] = [[...this.moments, made], null];
  }
}

/** Numbers of a place of a buffer, each on its scale. */
function unpacked({ offset, shape, middle, reach }, buffer) {
  const width = shape[1];
  const data = halves(buffer, offset, shape[0] * width);
  for (let i = 0; i < data.length; i++) data[i] = middle[i % width] + reach * data[i];
  return { data, width };
}

export { Reel };
