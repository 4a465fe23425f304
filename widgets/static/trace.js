// One point, stage by stage: its values after each, and where one is now.

import { make } from "./dom.js";

const WIDTH = 232;
const NAMES = 74; // where the axes begin
const MOST = 4; // values that are told apart
const MARKS = [
  { shape: "circle", full: true }, { shape: "circle", full: false },
  { shape: "diamond", full: true }, { shape: "diamond", full: false },
];

/** A small mark of a value: full or open, round or not. */
function mark(k, x, y, size = 3.6) {
  const { shape, full } = MARKS[k % MOST];
  const made = shape === "circle"
    ? make("circle", { cx: x, cy: y, r: size })
    : make("path", { d: `M${x} ${y - size * 1.3}l${size * 1.2} ${size * 1.3} ${-size * 1.2} ${size * 1.3} ${-size * 1.2} ${-size * 1.3}z` });
  made.setAttribute("class", full ? "mark full" : "mark");
  return made;
}

/** The largest size of the values after each state, of which the axis is the scale. */
function scales(scene) {
  return scene.states.map(({ array }) => {
    let most = 1e-9;
    const size = scene.count * array.shape[1];
    for (let i = 0; i < size; i++) most = Math.max(most, Math.abs(array.data[i]) || 0);
    return most;
  });
}

class Trace {
  constructor(scene) {
    this.scene = scene;
    this.scales = scales(scene);
    this.step = Math.min(Math.max(250 / (scene.states.length - 1), 15), 30);
    this.height = this.step * (scene.states.length - 1) + 24;
    this.element = make("svg", {
      class: "trace", viewBox: `0 0 ${WIDTH} ${this.height}`, width: WIDTH, height: this.height,
      role: "img", "aria-label": "the values of one point after each stage",
    });
    this.rows = make("g");
    this.values = make("g");
    this.now = make("line", { class: "now", x1: NAMES - 4, x2: WIDTH });
    this.element.append(this.rows, this.values, this.now);
    scene.states.forEach((state, k) => {
      const y = this.y(k);
      const label = state.label.length > 11 ? `${state.label.slice(0, 10)}…` : state.label;
      this.rows.append(
        make("text", { x: 0, y: y + 3.5 }, make("title", {}, state.label), label),
        make("line", { class: "row", x1: NAMES, x2: WIDTH, y1: y, y2: y }),
        make("line", { class: "row", x1: this.x(0), x2: this.x(0), y1: y - 2.5, y2: y + 2.5 })
      );
    });
  }

  /** Other values of the same points; the scales only grow. */
  renew(scene) {
    this.scene = scene;
    this.scales = scales(scene).map((most, k) => Math.max(most, this.scales[k]));
  }

  y(state) {
    return 12 + state * this.step;
  }

  x(share) {
    return (NAMES + WIDTH) / 2 + share * ((WIDTH - NAMES) / 2 - 6);
  }

  /** Show a point, in its colour. */
  show(point, colour) {
    const { scene } = this;
    this.values.replaceChildren();
    this.values.style.setProperty("--own", colour);
    const places = scene.states.map(({ array }, state) => {
      const width = array.shape[1];
      const row = array.data.subarray(point * width, (point + 1) * width);
      return Array.from(row.slice(0, MOST), (value) => this.x(value / this.scales[state]));
    });
    for (let k = 0; k < MOST; k++) {
      let way = "";
      places.forEach((row, state) => {
        if (k >= row.length) return;
        const before = state ? places[state - 1][k] : undefined;
        const [y, last] = [this.y(state), this.y(state - 1)];
        const middle = (y + last) / 2;
        way += before === undefined
          ? `M${row[k]} ${y}`
          : `C${before} ${middle} ${row[k]} ${middle} ${row[k]} ${y}`;
      });
      if (way) this.values.append(make("path", { class: "way", d: way }));
    }
    places.forEach((row, state) => row.forEach((x, k) => this.values.append(mark(k, x, this.y(state)))));
  }

  /** Where one is. */
  move(position) {
    this.now.setAttribute("y1", this.y(position));
    this.now.setAttribute("y2", this.y(position));
  }
}

export { MOST, Trace, mark };
