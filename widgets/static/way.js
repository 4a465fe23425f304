// The way of the states in the plane, which a hand can move along.

import { make } from "./dom.js";

const WIDTH = 232, HEIGHT = 176, EDGE = 14;
const FEW = 80; // points that are dots

class Way {
  constructor(steps, go) {
    this.steps = steps;
    const { array, share } = steps.path;
    const count = array.shape[0];
    const xs = Float32Array.from({ length: count }, (_, k) => array.data[2 * k]);
    const ys = Float32Array.from({ length: count }, (_, k) => array.data[2 * k + 1]);
    const [low, high] = [[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]];
    const size = steps.chains[0].states.reduce((sum, strip) => sum + strip.size, 0);
    const wide = Math.max(high[0] - low[0], 1e-9), tall = Math.max(high[1] - low[1], 1e-9);
    const one = Math.min((WIDTH - 2 * EDGE) / wide, (HEIGHT - 2 * EDGE) / tall);
    const scale = size === 1 ? [(WIDTH - 2 * EDGE) / wide, (HEIGHT - 2 * EDGE) / tall] : [one, one];
    this.points = Array.from({ length: count }, (_, k) => [
      WIDTH / 2 + (xs[k] - (low[0] + high[0]) / 2) * scale[0],
      HEIGHT / 2 - (ys[k] - (low[1] + high[1]) / 2) * scale[1],
    ]);
    this.count = steps.count;
    this.ways = steps.tree ? 1 : Math.round(count / (steps.count + 1));
    const picture = make("svg", { class: "way", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
    this.lines = [];
    for (let w = 0; w < this.ways; w++) {
      picture.append(make("path", { class: "all", d: this.line(w, this.count) }));
      const past = make("path", { class: w ? "past other" : "past" });
      picture.append(past);
      this.lines.push(past);
    }
    const dots = count <= FEW ? this.points.map(([cx, cy]) => make("circle", { class: "dot", cx, cy, r: 2.4 })) : [];
    this.dots = dots;
    this.hands = this.lines.map(() => make("circle", { class: "hand", r: 6 }));
    picture.append(...dots, ...this.hands);
    const told = size === 1 ? "the state, step by step" : size === 2 ? "the states in their plane"
      : `the states in the plane, ${Math.round(100 * share)} % of their spread`;
    this.element = make("figure", { class: "way" }, picture, make("figcaption", {}, told));
    const nearest = (event) => {
      const box = picture.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) * WIDTH / box.width, (event.clientY - box.top) * HEIGHT / box.height];
      let best = 0;
      this.points.forEach(([px, py], k) => {
        const [bx, by] = this.points[best];
        if ((px - x) ** 2 + (py - y) ** 2 < (bx - x) ** 2 + (by - y) ** 2) best = k;
      });
      go(steps.tree ? best + 1 : best % (this.count + 1));
    };
    let held = false;
    picture.addEventListener("pointerdown", (event) => {
      held = true;
      picture.setPointerCapture(event.pointerId);
      nearest(event);
    });
    picture.addEventListener("pointermove", (event) => held && nearest(event));
    for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => (held = false));
  }

  /** The way of a chain up to a step; of a tree from children to parents. */
  line(which, to) {
    const at = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
    if (this.steps.tree) {
      return this.steps.tree.parents.slice(0, to).map((parent, k) =>
        (parent >= 0 && parent < to ? `M${at(this.points[k])}L${at(this.points[parent])}` : "")).join("");
    }
    const first = which * (this.count + 1);
    return this.points.slice(first, first + to + 1).map((point, k) => `${k ? "L" : "M"}${at(point)}`).join("");
  }

  move(position) {
    this.lines.forEach((line, w) => {
      line.setAttribute("d", this.line(w, position));
      const at = this.steps.tree ? Math.max(position - 1, 0) : w * (this.count + 1) + position;
      const [x, y] = this.points[at];
      this.hands[w].setAttribute("cx", x);
      this.hands[w].setAttribute("cy", y);
    });
    this.dots.forEach((dot, k) => {
      const step = this.steps.tree ? k + 1 : k % (this.count + 1);
      dot.classList.toggle("past", step <= position);
    });
  }
}

export { Way };
