// The loss curve as a slider: below a training's losses, on a logarithmic scale, moments that can
// be gone to.

import { make, told } from "./dom.js";

const [LEFT, RIGHT, TOP, HIGH] = [46, 86, 10, 92];
const FOOT = 26;

class Curve {
  /** `moved(epoch)` is called when a hand moves it; `key(event)` when a key is pressed. */
  constructor(moved, key, locked) {
    this.drawn = make("svg", { class: "losses", "aria-hidden": "true" });
    this.range = make("input", {
      type: "range", step: "any", disabled: locked, "aria-label": "moment of the training",
      oninput: () => moved(Number(this.range.value)),
      onkeydown: key,
    });
    this.hand = make("i", { class: "hand" });
    this.line = make("i", { class: "cursor" });
    this.element = make("div", { class: "curve" }, this.drawn, this.line, this.range, this.hand);
    this.range.style.left = `${LEFT - 12}px`;
    this.range.style.width = `calc(100% - ${LEFT + RIGHT - 24}px)`;
  }

  resize() {
    this.width = this.element.clientWidth;
  }

  /** Draw the curves of a course, and ticks for the moments of a film. */
  paint(course, moments) {
    const { width } = this;
    if (!width) return;
    this.unit = course?.unit ?? "epoch";
    const lines = course?.lines ?? [[], [], []];
    this.last = Math.max(course?.epochs ?? 0, ...moments.map(({ epoch }) => epoch)) || 1;
    // A training that was to go on much longer is drawn as far as it went.
    const went = moments.at(-1).epoch;
    if (course && !course.running && went > 0) this.last = went;
    [this.range.min, this.range.max] = [0, this.last];
    const values = lines.flat().map(([, loss]) => loss).filter((loss) => loss > 0).sort((a, b) => a - b);
    const [low, high] = decades(values);
    this.y = (loss) => TOP + (HIGH * (Math.log10(high) - Math.log10(Math.max(loss, low)))) / (Math.log10(high) - Math.log10(low));
    const svg = this.drawn;
    const shown = [];
    for (const value of levels(low, high)) {
      const y = this.y(value);
      shown.push(make("line", { class: "level", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
        make("text", { class: "left", x: LEFT - 10, y: y + 3.5 }, marked(value)));
    }
    const foot = TOP + HIGH + 8;
    shown.push(make("line", { class: "base", x1: LEFT, x2: width - RIGHT, y1: foot, y2: foot }));
    for (const { epoch } of moments) shown.push(make("line", { class: "moment", x1: this.x(epoch), x2: this.x(epoch), y1: foot, y2: foot + 4 }));
    for (const epoch of ticks(this.scaled(this.last))) {
      const x = this.x((epoch / this.scaled(this.last)) * this.last);
      shown.push(make("text", { x, y: foot + 17 }, epoch.toLocaleString("en")));
    }
    shown.push(make("text", { class: "unit", x: width - RIGHT + 14, y: foot + 17 }, this.unit === "step" ? "steps" : this.unit));
    this.steps = course?.steps ?? 0;
    const names = [["steps", ""], ["epochs", lines[2].length ? "training" : ""], ["validation", "validation"]];
    const ends = [];
    lines.forEach((line, k) => {
      const places = line.filter(([, loss]) => loss > 0);
      if (places.length < 2) return;
      const d = places.map(([epoch, loss], i) => `${i ? "L" : "M"}${this.x(epoch).toFixed(1)} ${this.y(loss).toFixed(1)}`).join("");
      shown.push(make("path", { class: names[k][0], d }));
      if (names[k][1]) ends.push({ x: this.x(places.at(-1)[0]) + 12, y: this.y(places.at(-1)[1]), name: names[k] });
    });
    if (ends.length === 2 && Math.abs(ends[0].y - ends[1].y) < 14) {
      const middle = (ends[0].y + ends[1].y) / 2;
      const up = ends[0].y <= ends[1].y ? -7 : 7;
      [ends[0].y, ends[1].y] = [middle + up, middle - up];
    }
    for (const { x, y, name } of ends) shown.push(make("text", { class: `name ${name[0]}`, x, y: y + 3.5 }, name[1]));
    if (course?.best) {
      const [epoch, loss] = course.best;
      shown.push(make("circle", { class: "best", cx: this.x(epoch), cy: this.y(loss), r: 3.5 }));
    }
    svg.setAttribute("height", TOP + HIGH + FOOT + 4);
    svg.setAttribute("width", width);
    svg.replaceChildren(...shown);
  }

  scaled(epoch) {
    return this.unit === "step" && this.steps ? Math.round((epoch / this.last) * this.steps) || epoch : epoch;
  }

  x(epoch) {
    return LEFT + ((this.width - LEFT - RIGHT) * epoch) / this.last;
  }

  /** Where one is. */
  move({ epoch, loss }, words) {
    if (!this.width) return;
    const x = this.x(epoch);
    this.range.value = epoch;
    this.range.setAttribute("aria-valuetext", words);
    this.line.style.left = this.hand.style.left = `${x}px`;
    this.hand.style.top = `${loss > 0 ? this.y(loss) : TOP + HIGH + 8}px`;
  }
}

/** Ends of a logarithmic axis that hold all values. */
function decades(values) {
  if (!values.length) return [0.1, 1];
  const [least, most] = [values[0], values.at(-1)];
  let low = 10 ** Math.floor(Math.log10(least) + 1e-9), high = 10 ** Math.ceil(Math.log10(most) - 1e-9);
  if (low === high) high *= 10;
  const parts = [1, 2, 5, 10];
  const below = parts.map((k) => k * low).filter((value) => value <= least * 1.0001).at(-1) ?? low;
  const above = parts.map((k) => (k * high) / 10).find((value) => value >= most * 0.9999) ?? high;
  return below < above ? [below, above] : [low, high];
}

/** Round values between two ends: powers of ten, or more where there are few. */
function levels(low, high) {
  const span = Math.log10(high) - Math.log10(low);
  const parts = span > 2.2 ? [1] : [1, 2, 5];
  const every = Math.max(Math.ceil(span / 5), 1);
  const found = [];
  for (let power = Math.floor(Math.log10(low) + 1e-9); power <= Math.ceil(Math.log10(high)); power++) {
    if (power % every) continue;
    for (const part of parts) {
      const value = part * 10 ** power;
      if (value >= low * 0.9999 && value <= high * 1.0001) found.push(Number(value.toPrecision(1)));
    }
  }
  return found;
}

/** A round number in few letters. */
function marked(value) {
  return value < 1e-3 || value >= 1e4 ? value.toExponential(0).replace("e+", "e").replace("-", "−") : told(value);
}

/** Some five round numbers from 0 to a last one. */
function ticks(last) {
  const rough = last / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((value) => value >= rough * 0.999);
  const found = [];
  for (let value = 0; value <= last * 1.0001; value += step) found.push(Number(value.toPrecision(6)));
  return found;
}

export { Curve };
