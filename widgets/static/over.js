// What is drawn over the picture: the traced point and its way, axes, the scale, a brush.

import { make, told } from "./dom.js";

const STEPS = 24; // of a way

class Over {
  constructor(bend) {
    this.bend = bend;
    this.ring = make("circle", { class: "ring", r: 7 });
    this.way = make("path", { class: "way" });
    this.curves = make("g", { class: "curves" });
    this.axes = make("g", { class: "axes" });
    this.rule = make("g", { class: "rule" });
    this.brush = make("rect", { class: "brush", visibility: "hidden" });
    this.element = make("svg", { class: "over", "aria-hidden": "true" },
      this.axes, this.rule, this.way, this.curves, this.ring, this.brush);
  }

  box(from, to) {
    this.brush.setAttribute("visibility", from ? "visible" : "hidden");
    if (!from) return;
    const low = [0, 1].map((k) => Math.min(from[k], to[k]));
    const size = [0, 1].map((k) => Math.abs(from[k] - to[k]));
    Object.entries({ x: low[0], y: low[1], width: size[0], height: size[1] })
      .forEach(([name, value]) => this.brush.setAttribute(name, value));
  }

  draw(rows) {
    const { bend } = this;
    const [x, y] = bend.at(bend.point);
    const there = Number.isFinite(x) && Number.isFinite(y) && bend.show.points;
    this.ring.setAttribute("visibility", there ? "visible" : "hidden");
    if (there) {
      this.ring.setAttribute("cx", x);
      this.ring.setAttribute("cy", y);
    }
    this.trail(rows, there);
    this.frame(rows);
    this.scale();
  }

  /** The way of the point through this stage. */
  trail(rows, there) {
    const { bend } = this;
    const { scene, position } = bend;
    const [place, t] = scene.place(position);
    let d = "";
    if (there && position > 0 && t > 0) {
      const fold = scene.stages[place].kind === "fold";
      for (let k = fold ? 1 : 0; k <= STEPS; k++) {
        const [u, v] = scene.seenAt(bend.point, place + Math.max(k / STEPS, 1e-9), rows);
        const { camera, canvas, ratio } = bend;
        d += `${d ? "L" : "M"}${(((u - camera.x) * camera.scale + canvas.width / 2) / ratio).toFixed(1)} `
          + `${(((camera.y - v) * camera.scale + canvas.height / 2) / ratio).toFixed(1)}`;
      }
    }
    this.way.setAttribute("d", d.includes("NaN") ? "" : d);
  }

  long() {
    return 0.42 * Math.min(...this.size);
  }

  /** Width and height in pixels of the page: to ask the canvas would have all laid out anew. */
  get size() {
    const { canvas, ratio } = this.bend;
    return [canvas.width / ratio, canvas.height / ratio];
  }

  /** The axes of a view that turns; in a tour each has a handle. */
  frame(rows) {
    const { bend } = this;
    const { mode } = bend;
    const [width, height] = this.size;
    const tour = mode === "tour";
    const count = mode === "2-D" ? 0 : tour ? this.width() : 3;
    while (this.axes.children.length > count) this.axes.lastChild.remove();
    while (this.axes.children.length < count) {
      this.axes.append(make("g", {}, make("line", {}), make("circle", { r: 4.5 }), make("text", {})));
    }
    const long = tour ? this.long() : 24;
    const [x, y] = tour ? [width / 2, height / 2] : [34, height - 60];
    this.handles = [];
    [...this.axes.children].forEach((axis, k) => {
      const [u, v] = [x + long * (rows[0][k] ?? 0), y - long * (rows[1][k] ?? 0)];
      this.handles.push([u, v]);
      const [line, circle, text] = axis.children;
      for (const [name, value] of Object.entries({ x1: x, y1: y, x2: u, y2: v })) line.setAttribute(name, value);
      circle.setAttribute("cx", u);
      circle.setAttribute("cy", v);
      circle.setAttribute("visibility", tour ? "visible" : "hidden");
      const out = tour ? 12 / (Math.hypot(u - x, v - y) || 1) : 0.3;
      text.setAttribute("x", u + (u - x) * out);
      text.setAttribute("y", v + (v - y) * out + 3.5);
      text.textContent = String(k);
    });
  }

  /** How many axes there are in this stage. */
  width() {
    const { scene, position } = this.bend;
    return scene.seen(position)[0][0].length;
  }

  handle(x, y) {
    return this.handles.findIndex(([u, v]) => Math.hypot(u - x, v - y) < 9);
  }

  /** A bar of a round length. */
  scale() {
    const { camera, ratio } = this.bend;
    const one = camera.scale / ratio; // pixels of the page for 1
    const wanted = 70 / one;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const size = [5, 2, 1].map((k) => k * power).find((value) => value <= wanted) ?? power;
    const [x, y] = [12, this.size[1] - 12];
    if (!this.rule.children.length) this.rule.append(make("path", {}), make("text", {}));
    const [path, text] = this.rule.children;
    path.setAttribute("d", `M${x} ${y - 4}v4h${(size * one).toFixed(1)}v-4`);
    text.setAttribute("x", x + size * one + 7);
    text.setAttribute("y", y + 2);
    text.textContent = told(size);
  }
}

export { Over };
