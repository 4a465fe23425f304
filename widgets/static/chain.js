// Functions side by side, one for each position: states go from one to the next, elements come in
// from below, outputs leave above. Of a long sequence the columns around the present one are drawn.

import { make } from "./dom.js";
import { draw, grid, ordered } from "./strips.js";

const GUTTER = 96, RIGHT = 14; // of the page, beside the columns
const BOX = 36, WIRE = 18; // a box's height, and a wire between two things
const STATE = 150, OUTPUT = 84, ELEMENT = 64; // heights of strips at most
const LETTER = 7.3;
const LETTERS = 12; // of code that the gutter has room for

/** What one is called, and its type below it, on the left of a row. */
function gutter(x, y, name, type, height = 40) {
  const short = type.length > 15 ? `${type.slice(0, 14)}…` : type;
  if (height < 28) {
    const whole = `${name} : ${type}`;
    const back = type.endsWith(" ←") ? " ←" : "", room = LETTERS - back.length;
    const said = whole.length <= LETTERS ? whole : (name.length <= room ? name : `${name.slice(0, room - 1)}…`) + back;
    return make("text", { class: "gutter code", x, y: y + 4 }, said, make("title", {}, whole));
  }
  return make("g", { class: "gutter" },
    make("text", { x, y: y - 2 }, name),
    make("text", { class: "code", x, y: y + 12 }, short, make("title", {}, type)));
}

const hue = (colour) => (colour === null ? "" : `--wire:var(--rep${(colour % 6) + 1})`);

class ChainView {
  constructor(widget, steps) {
    this.widget = widget;
    this.steps = steps;
    this.element = make("svg", { class: "unrolled", role: "img" });
    this.cells = new Map(); // of every strip that is drawn: what it shows
  }

  // --- where things stand --------------------------------------------------------------------

  measure(width) {
    const { steps } = this;
    this.width = width;
    this.sliding = steps.seen !== null && steps.seen !== undefined;
    const columns = this.sliding ? steps.elements[0].array.shape[0] : steps.count;
    const longest = Math.max(...steps.chains.map(({ label }) => label.length * LETTER + 20), 44);
    const room = width - GUTTER - RIGHT;
    const stride = this.sliding && steps.count > 1 ? steps.seen[1][0] - steps.seen[0][0] : 1;
    const least = this.sliding ? Math.max(44, (longest + 10) / stride) : longest + 20;
    this.boxWidth = longest;
    this.pitch = Math.min(Math.max(room / columns, least), Math.max(104, least));
    this.shown = Math.min(columns, Math.max(Math.floor(room / this.pitch), 1));
    if (this.shown < columns) this.pitch = room / this.shown;
    this.columns = columns;
    this.whole = this.shown === columns;
    this.wide = Math.min(this.pitch - 24, 58);
    this.first = 0;
    const high = (strips, most, lying) => strips.map((strip) => grid(strip, this.wide, most / strips.length, lying));
    let y = 10;
    this.bands = steps.chains.map((chain) => ({
      chain, outputs: high(chain.outputs, OUTPUT, true), states: high(chain.states, STATE, false),
    })).reverse(); // the first chain stands lowest
    const stacked = (rooms) => rooms.reduce((sum, room) => sum + room.height + 6, 0);
    for (const band of this.bands) {
      band.top = y;
      y += stacked(band.outputs) + (band.outputs.length ? WIRE : 0);
      band.stateTop = y;
      y += stacked(band.states) + (band.states.length ? WIRE : 0);
      band.box = y;
      y += BOX + 30;
    }
    this.elementTop = y;
    this.rooms = high(steps.elements, ELEMENT, true);
    y += stacked(this.rooms);
    this.labelled = y + 12;
    this.height = y + (steps.elements.length ? 22 : 2);
  }

  x(column) {
    return GUTTER + this.pitch * (column - this.first + 0.5);
  }

  /** Where the box of a place in the sequence stands. */
  boxAt(place) {
    if (!this.sliding) return this.x(place);
    const seen = this.steps.seen[place];
    return (this.x(seen[0]) + this.x(seen[seen.length - 1])) / 2;
  }

  /** The column that is looked at after so many steps. */
  column(position) {
    const chain = this.steps.chains[0];
    const place = this.steps.placeOf(chain, Math.max(position, 1));
    if (!this.sliding) return place;
    const seen = this.steps.seen[Math.min(place, this.steps.count - 1)];
    return Math.round((seen[0] + seen[seen.length - 1]) / 2);
  }

  /** The place of a position on the scrubber, in pixels: 0 is what there is before. */
  axis(position) {
    const { steps } = this;
    if (this.whole) {
      const at = steps.backward ? steps.count - position : position - 1;
      if (!this.sliding) return GUTTER + this.pitch * (at + 0.5);
    }
    const left = GUTTER + 8, room = this.width - GUTTER - RIGHT - 16;
    const share = position / steps.count;
    return left + room * (steps.backward ? 1 - share : share);
  }

  // --- drawing -------------------------------------------------------------------------------

  build(position) {
    const { steps, element } = this;
    const most = Math.max(this.columns - this.shown, 0);
    this.first = Math.min(Math.max(this.column(position) - Math.floor(this.shown / 2), 0), most);
    this.cells.clear();
    element.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    element.setAttribute("width", this.width);
    element.setAttribute("height", this.height);
    const seen = this.pitch * (this.sliding ? steps.seen[0].length : 1);
    this.band = make("rect", { class: "band", x: -seen / 2, y: 0, width: seen, height: this.height, rx: 9 });
    this.done = []; // what happens at a step of a chain
    const layers = [make("g"), make("g"), make("g")];
    [this.behind, this.lines, this.things] = layers;
    this.bands.forEach((band) => this.drawBand(band, position));
    this.drawElements();
    element.replaceChildren(this.band, ...layers, ...this.labels());
  }

  inside(column) {
    return column >= this.first && column < this.first + this.shown;
  }

  /** A column's things, which are pale until its step. */
  at(chain, step, ...things) {
    const group = make("g", { class: "step" }, ...things);
    this.done.push([group, step, chain]);
    return group;
  }

  places() {
    const { steps } = this;
    const found = [];
    if (!this.sliding) {
      for (let k = this.first; k < this.first + this.shown; k++) found.push(k);
      return found;
    }
    for (let k = 0; k < steps.count; k++) {
      const seen = steps.seen[k];
      if (this.inside(seen[0]) && this.inside(seen[seen.length - 1])) found.push(k);
    }
    return found;
  }

  drawBand({ chain, outputs, states, top, stateTop, box }, position) {
    const { steps, widget } = this;
    const middle = box + BOX / 2;
    const places = this.places();
    const half = this.boxWidth / 2;
    const flow = chain.states.length ? hue(chain.states[0].colour) : "";
    const opens = steps.inner > 0 && widget.opens();
    for (const place of places) {
      const x = this.boxAt(place);
      const step = steps.stepAt(chain, place);
      const group = this.at(chain, step);
      const lines = this.at(chain, step);
      if (chain.states.length) {
        const from = chain.reverse ? x + this.pitch - half : x - this.pitch + half;
        const to = chain.reverse ? x + half : x - half;
        const begins = step === 1;
        const edge = chain.reverse ? Math.min(from, this.width - 2) : Math.max(from, GUTTER - 6);
        const start = begins ? (chain.reverse ? x + half + 26 : x - half - 26) : edge;
        lines.append(make("path", { class: "wire", style: flow, d: `M${start} ${middle}H${to}` }));
        if (chain.reverse) lines.append(make("path", { class: "arrow", style: flow, d: `M${to + 9} ${middle - 4}l-5 4l5 4` }));
        if (begins) this.start(chain, start, middle, flow);
        if (step === steps.count) {
          const out = chain.reverse ? x - half - 22 : x + half + 22;
          lines.append(make("path", { class: "wire", style: flow, d: `M${chain.reverse ? x - half : x + half} ${middle}H${out}` }));
        }
        lines.append(make("path", { class: "wire", style: flow, d: `M${x} ${box}V${box - WIRE}` }));
      }
      if (chain.outputs.length) {
        const colour = hue(chain.outputs[0].colour);
        const side = chain.states.length ? Math.min(this.wide / 2 + 7, this.pitch / 2 - 3) : 0;
        const foot = stateTop - (outputs.length ? WIRE : 0);
        const turn = side ? `M${x + side} ${box}V${foot + 8}H${x}V${foot - 2}` : `M${x} ${box}V${foot - 4}`;
        lines.append(make("path", { class: "wire", style: colour, d: turn }));
      }
      const name = chain.label.length > 30 ? `${chain.label.slice(0, 29)}…` : chain.label;
      const drawn = make("g", opens
        ? { class: "box opens", tabindex: 0, role: "button", "aria-label": `open ${chain.label} at step ${step}`,
            onclick: () => widget.enter(step), onkeydown: (event) => event.key === "Enter" && widget.enter(step) }
        : { class: "box" },
        make("rect", { x: x - half, y: box, width: 2 * half, height: BOX, rx: 4 }),
        make("text", { class: "code", x, y: middle + 4 }, name));
      if (chain.weights !== null) drawn.append(make("circle", { class: "ring", cx: x - half + 9, cy: box + BOX, r: 3.4 }));
      group.append(drawn);
      let y = stateTop;
      chain.states.forEach((strip, k) => {
        const values = steps.row(strip, step);
        const order = widget.sorting && strip.size > 1 && position > 0
          ? ordered(steps.row(strip, position)) : null;
        group.append(this.strip(strip, values, x, y, states[k], strip.name || "state", `after step ${step}`, order));
        y += states[k].height + 6;
      });
      y = top;
      chain.outputs.forEach((strip, k) => {
        group.append(this.strip(strip, steps.row(strip, place), x, y, outputs[k], "output", `of step ${step}`));
        y += outputs[k].height + 6;
      });
      this.lines.append(lines);
      this.things.append(group);
    }
    this.tie(chain, places, box + BOX, half);
  }

  /** What the states begin with: a circled zero, or a word. */
  start(chain, x, y, flow) {
    const zero = chain.start === "zero" || chain.start === "0";
    const word = chain.start.length > 7 ? `${chain.start.slice(0, 6)}…` : chain.start;
    this.things.append(make("g", { class: "start", style: flow },
      zero ? make("circle", { cx: x, cy: y, r: 8 }) : null,
      zero || word ? make("text", { x, y: zero ? y + 3.7 : y - 7, class: zero ? "" : "code" }, zero ? "0" : word) : null));
  }

  /** The same weights at every position. */
  tie(chain, places, y, half) {
    if (chain.weights === null || !chain.tied || places.length < 1) return;
    const xs = places.map((place) => this.boxAt(place) - half + 9);
    const line = y + 13;
    const from = this.first > 0 ? GUTTER - 8 : xs[0];
    const to = this.whole || this.first + this.shown === this.columns ? xs[xs.length - 1] : this.width - RIGHT + 6;
    const ways = xs.map((x) => `M${x} ${y + 4}V${line}`).join("");
    this.behind.append(make("path", { class: "tie", d: `${ways}M${from} ${line}H${to}` }));
  }

  drawElements() {
    const { steps } = this;
    if (!steps.elements.length) return;
    const lowest = this.bands[this.bands.length - 1];
    const count = steps.elements[0].array.shape[0];
    const half = this.boxWidth / 2;
    for (let k = this.first; k < Math.min(this.first + this.shown, count); k++) {
      const x = this.x(k);
      const own = this.sliding ? 0 : null;
      const chain = steps.chains[0];
      const first = own === null ? Math.min(...steps.chains.map((each) => steps.stepAt(each, k)))
        : 1 + steps.seen.findIndex((seen) => seen.includes(k));
      const step = steps.stepAt(chain, k);
      const group = this.at(chain, Math.max(first, 1));
      let y = this.elementTop;
      steps.elements.forEach((strip, n) => {
        group.append(this.strip(strip, steps.row(strip, k), x, y, this.rooms[n], strip.name || "x", `at ${k + 1}`));
        y += this.rooms[n].height + 6;
      });
      const word = this.widget.word(k);
      group.append(make("text", { class: this.sliding ? "" : "word", x, y: this.labelled }, word.length > 11 ? `${word.slice(0, 10)}…` : word));
      const colour = hue(steps.elements[0].colour);
      if (!this.sliding) {
        const lines = this.at(chain, step, make("path", { class: "wire", style: colour, d: `M${x} ${this.elementTop - 2}V${lowest.box + BOX}` }));
        this.lines.append(lines);
        this.bands.slice(0, -1).forEach((band) => {
          const lane = x + Math.min(half + 9, this.pitch / 2 - 3);
          const foot = lowest.box + BOX + 8;
          const way = `M${x} ${foot}H${lane}V${band.box + BOX + 8}H${x + 10}V${band.box + BOX}`;
          this.behind.append(this.at(band.chain, steps.stepAt(band.chain, k),
            make("path", { class: "gap", d: way }), make("path", { class: "wire", style: colour, d: way })));
        });
      }
      this.things.append(group);
    }
    if (this.sliding) {
      const colour = hue(steps.elements[0].colour);
      for (const place of this.places()) {
        const seen = steps.seen[place];
        const spread = Math.min(12, (this.boxWidth - 14) / Math.max(seen.length - 1, 1));
        const ways = seen.map((k, n) => {
          const to = this.boxAt(place) + spread * (n - (seen.length - 1) / 2);
          return `M${this.x(k)} ${this.elementTop - 2}V${this.elementTop - 6}L${to} ${lowest.box + BOX}`;
        });
        this.lines.append(this.at(steps.chains[0], place + 1, make("path", { class: "wire thin", style: colour, d: ways.join("") })));
      }
    }
  }

  strip(strip, values, x, y, room, name, when, order = null) {
    const drawn = draw(strip, values, x, y, room, { order, name });
    this.cells.set(drawn, { strip, values, name, when });
    return drawn;
  }

  /** The names of the rows, in the gutter. */
  labels() {
    const { steps } = this;
    const found = [];
    const x = GUTTER - 18;
    for (const { chain, outputs, states, top, stateTop, box } of this.bands) {
      let y = stateTop;
      chain.states.forEach((strip, k) => {
        const backs = chain.reverse && steps.chains.length > 1;
        found.push(gutter(x, y + Math.min(states[k].height / 2, 30), strip.name || "state", strip.type + (backs ? " ←" : ""), states[k].height));
        y += states[k].height + 6;
      });
      y = top;
      chain.outputs.forEach((strip, k) => {
        found.push(gutter(x, y + outputs[k].height / 2, "gives", strip.type, outputs[k].height));
        y += outputs[k].height + 6;
      });
      if (chain.weights !== null && chain.tied) {
        const many = `${chain.weights.toLocaleString("en")} weight${chain.weights === 1 ? "" : "s"}`;
        const named = /^\w+(\[[^\]]*\])?′*$/.test(chain.label) && chain.label.length < 10;
        const said = named ? `one ${chain.label}` : "one function";
        found.push(make("text", { class: "gutter note", x, y: box + BOX + 15 }, said, make("title", {}, many)));
      }
    }
    let y = this.elementTop;
    steps.elements.forEach((strip, n) => {
      found.push(gutter(x, y + this.rooms[n].height / 2, strip.name || "x", strip.type, this.rooms[n].height));
      y += this.rooms[n].height + 6;
    });
    return found;
  }

  /** Show what there is after so many steps. */
  move(position) {
    const most = this.columns - this.shown;
    const column = this.column(position);
    const margin = Math.min(2, Math.floor(this.shown / 4));
    const out = most > 0 && (column < this.first + margin && this.first > 0
      || column >= this.first + this.shown - margin && this.first < most);
    if (out || this.widget.sorting || !this.done) this.build(position);
    for (const [group, step] of this.done) {
      group.classList.toggle("later", step > position);
      group.classList.toggle("now", step === position);
    }
    const { chains } = this.steps;
    const both = chains.length > 1;
    this.band.classList.toggle("none", position === 0 || both);
    if (position > 0) {
      const place = this.steps.placeOf(chains[0], position);
      this.band.style.transform = `translateX(${this.boxAt(Math.min(place, this.steps.count - 1))}px)`;
    }
  }
}

export { ChainView, GUTTER, RIGHT, hue };
