// The one axis: the program. Ticks are values, intervals are functions; below each tick
// stands what there is then, as a small picture.

import { make } from "./dom.js";
import { CanvasPainter } from "./paint.js";
import { across } from "./points.js";
import { identity } from "./scene.js";

const SMALL = 76; // a small picture, at most
const FEW = 500; // points in it
const SPREAD = 0.4; // of a line's reach, across it

class Axis {
  /** `moved(position)` is called when a hand moves it; `locked`: it cannot. `measures` are
   * rows of numbers, one for each tick. */
  constructor(scene, moved, locked, measures = []) {
    this.scene = scene;
    this.count = scene.stages.length;
    const share = (k) => `${(100 * (k + 0.5)) / (this.count + 1)}%`;
    this.range = make("input", {
      type: "range", min: 0, max: this.count, step: "any", value: 0, disabled: locked,
      "aria-label": "place in the program",
      oninput: () => moved(this.snapped(Number(this.range.value))),
      onkeydown: (event) => this.key(event, moved),
    });
    this.labels = scene.stages.map((stage, k) =>
      make("span", { class: "label", style: `left:${share(k + 0.5)}`, title: stage.label }, stage.label)
    );
    this.ticks = scene.states.map((_, k) => make("i", { class: "tick", style: `left:${share(k)}` }));
    this.time = make("output", { class: "time" });
    this.done = make("i", { class: "done", style: `left:${share(0)}` });
    this.line = make("i", { class: "line", style: `left:${share(0)};right:${share(0)}` });
    this.hand = make("i", { class: "hand" });
    this.cursor = make("i", { class: "cursor" });
    this.small = scene.states.map((state) => make("canvas", { "aria-hidden": "true", title: state.type }));
    const columns = scene.states.map((state, k) =>
      make("div", { class: "column", onclick: () => locked || moved(k) }, this.small[k], make("span", { class: "type", title: state.type }, state.type))
    );
    const joins = scene.stages.slice(1).map((_, k) =>
      make("span", { class: "join", style: `left:${share(k + 1)}` }, ">>")
    );
    this.element = make(
      "div", { class: this.count > 7 ? "axis many" : "axis", style: `--columns:${this.count + 1}` },
      make("div", { class: "words" },
        make("span", { class: "label first", style: `left:${share(0)}` }, scene.states[0].label),
        ...this.labels, ...joins),
      make("div", { class: "track" }, this.line, this.done, ...this.ticks, this.hand, this.range),
      this.time, this.cursor, make("div", { class: "columns" }, ...columns),
      ...measures.map((each) => measure(each, share))
    );
    this.share = share;
    new ResizeObserver(() => (this.wide = this.element.clientWidth)).observe(this.element);
  }

  /** Near a tick it is the tick: a hand cannot meet it exactly. */
  snapped(value) {
    const near = Math.round(value);
    return Math.abs(value - near) < 0.02 ? near : value;
  }

  key(event, moved) {
    const now = this.position;
    const to = {
      ArrowRight: now + 0.05, ArrowUp: now + 0.05, ArrowLeft: now - 0.05, ArrowDown: now - 0.05,
      PageUp: Math.floor(now + 1 + 1e-9), PageDown: Math.ceil(now - 1 - 1e-9),
      Home: 0, End: this.count,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    moved(Math.min(Math.max(Math.round(to * 1e6) / 1e6, 0), this.count));
  }

  move(position) {
    this.position = position;
    const [place, t] = this.scene.place(position);
    this.range.value = position;
    const at = this.share(position);
    this.hand.style.left = this.time.style.left = this.cursor.style.left = at;
    this.done.style.right = `calc(100% - ${at})`;
    this.ticks.forEach((tick, k) => tick.classList.toggle("reached", k <= position + 1e-9));
    const moving = !Number.isInteger(position);
    this.cursor.hidden = !moving;
    this.labels.forEach((label, k) => label.classList.toggle("now", k === place && position > 0));
    this.time.textContent = moving ? moment(this.scene.stages[place], t) : "";
    const state = this.scene.states[Math.round(position)];
    this.range.setAttribute("aria-valuetext",
      moving ? `${this.scene.stages[place].label}, t = ${t.toFixed(2)}` : `after ${state.label}`);
  }

  /** Draw the small pictures, each on its own scale; `below(k)` draws what lies under the points.
   * While all moves they take turns. */
  paint(views, colours, show, brushed, { below = null, moving = false } = {}) {
    const { scene } = this;
    const width = Math.min(SMALL, (this.wide ??= this.element.clientWidth) / (this.count + 1) - 8);
    const ratio = window.devicePixelRatio || 1;
    this.turns = moving ? ((this.turns ?? 0) + 1) % 2 : null;
    this.small.forEach((canvas, k) => {
      if (this.turns !== null && canvas.painter && k % 2 !== this.turns) return;
      const pixels = Math.max(Math.round(width * ratio), 1);
      if (canvas.width !== pixels || canvas.height !== pixels) {
        canvas.width = canvas.height = pixels;
        canvas.style.width = canvas.style.height = `${width}px`;
      }
      const xyz = scene.project(k, identity(3));
      const { low, high } = views.states[k];
      const half = Math.max(high[0] - low[0], high[1] - low[1], 1e-9) / 2;
      const camera = {
        x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, z: 0, reach: half,
        scale: canvas.width / 2 / (half * 1.08),
      };
      if (scene.states[k].array.shape[1] === 1) spread(scene, xyz, SPREAD * half);
      if (!canvas.painter) canvas.painter = new CanvasPainter(canvas);
      canvas.camera = camera;
      canvas.painter.paint({
        scene, xyz, camera, colours, ratio, brushed, show, depth: false, size: 1.25, thin: 0.6,
        every: Math.max(Math.ceil(scene.count / FEW), 1), below: below && ((context) => below(k, xyz, camera, canvas, context)),
      });
    });
  }
}

/** Points of a line across it; where the answer changes is a stroke. */
function spread({ count, gridEnd, boundaryEnd }, xyz, far) {
  for (let i = 0; i < count; i++) xyz[3 * i + 1] = far * across(i);
  for (let i = gridEnd; i < boundaryEnd; i++) xyz[3 * i + 1] = 1.5 * (i % 2 ? far : -far);
}

/** Where one is inside of a stage: of a fold, at which element. */
function moment({ motion }, t) {
  if (motion.form !== "positions") return `t = ${t.toFixed(2)}`;
  const count = motion.states.length - 1;
  return `element ${Math.min(Math.floor(t * count) + 1, count)} of ${count}`;
}

/** A row of numbers, one below each tick: dots whose height is their share of the largest. */
function measure({ name, shares, told }, share) {
  const drawn = make("svg", { class: "line", "aria-hidden": "true" });
  const y = (k) => 22 - 18 * shares[k];
  shares.forEach((value, k) => {
    if (value === null || k === 0 || shares[k - 1] === null) return;
    drawn.append(make("line", { x1: share(k - 1), x2: share(k), y1: y(k - 1), y2: y(k) }));
  });
  shares.forEach((value, k) => {
    if (value !== null) drawn.append(make("circle", { cx: share(k), cy: y(k), r: 2.4 }));
  });
  return make("div", { class: "measure", role: "group", "aria-label": name },
    make("span", { class: "name" }, name), drawn,
    make("div", { class: "columns" }, ...told.map((text) => make("span", { class: "column" }, text))));
}

export { Axis };
