// Two clicks a geodesic: the shortest way between two places of the input, as the value that is seen
// measures it, and beside it the straight line of the input.

import { make, told } from "./dom.js";

const CLEAR = 5; // pixels: a click nearer than that is the same place

class Curve {
  constructor(bend) {
    this.bend = bend;
    this.clear();
  }

  clear() {
    this.ends = [];
    this.found = null;
    this.key = "";
    this.bend.redraw?.();
  }

  /** A click somewhere in the picture. */
  click(x, y) {
    const { lens, ratio } = this.bend;
    const place = lens.under(this.bend, ratio, x, y);
    if (place) this.add(place);
  }

  /** A point of the data: what a click is for those who have no hand for it. */
  from(point) {
    this.add(Array.from(this.bend.scene.values(0, point)));
  }

  add(place) {
    if (this.ends.length === 2) this.clear();
    if (this.ends.length) {
      const [a, b] = this.bend.lens.seen(this.bend, this.bend.ratio, [this.ends[0], place]);
      if (Math.hypot(a[0] - b[0], a[1] - b[1]) < CLEAR) return;
    }
    this.ends.push(place);
    this.bend.redraw();
  }

  /** The state whose metric measures: at a tick its own, on the way that of where it goes. */
  get state() {
    return Math.ceil(this.bend.position - 1e-9);
  }

  /** The geodesic for the state that is seen; Python is asked for its own. */
  find() {
    const { bend, state } = this;
    const key = JSON.stringify([...this.ends, state]);
    if (this.key === key) return;
    this.key = key;
    this.found = { ...bend.lens.geodesic(...this.ends, state), exact: false };
    if (bend.model.get("saves")) bend.model.send({ geodesic: [...this.ends, state] });
  }

  /** What Python has found, if it is still asked for. */
  told(found) {
    if (JSON.stringify(found.for.geodesic) !== this.key) return;
    this.found = { ...found, exact: true };
    this.bend.redraw();
  }

  get text() {
    if (this.ends.length < 2) return this.ends.length ? "geodesic: and where to?" : "geodesic: click two places";
    const { length, straight, exact } = this.found;
    const label = this.bend.scene.states[this.state].label;
    return `geodesic after ${label}: ${exact ? "" : "≈ "}${told(length)} long, the straight line ${told(straight)}`;
  }

  draw() {
    const { bend } = this;
    const { curves } = bend.over;
    if (!bend.show.geodesic || !bend.lens || !this.ends.length) return curves.replaceChildren();
    const path = (points, name) => {
      const seen = bend.lens.seen(bend, bend.ratio, points);
      const d = seen.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
      return d.includes("NaN") ? [] : [make("path", { class: name, d })];
    };
    const drawn = [];
    if (this.ends.length === 2) {
      this.find();
      const [a, b] = this.ends;
      const line = Array.from({ length: 33 }, (_, k) => [0, 1].map((i) => a[i] + (k / 32) * (b[i] - a[i])));
      drawn.push(...path(line, "straight"), ...path(this.found.points, "halo"), ...path(this.found.points, "geodesic"));
    }
    for (const [cx, cy] of bend.lens.seen(bend, bend.ratio, this.ends)) drawn.push(make("circle", { cx, cy, r: 4 }));
    curves.replaceChildren(...drawn);
  }
}

export { Curve };
