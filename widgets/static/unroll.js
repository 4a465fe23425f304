// `unroll`: a loop, a map or a tree step by step, with the values at each step.
//
// The model holds `header` and `numbers` (views/unroll/packed.py), the `trail` to the frame that
// is seen, the `part` of it, and the `position`, how many steps were made. Frames that are not
// there are asked for, where there is a kernel.

import { bufferOf } from "./bytes.js";
import { ChainView } from "./chain.js";
import { make, tabled, told } from "./dom.js";
import { Steps } from "./steps.js";
import { cellTold } from "./strips.js";
import { TreeView } from "./treeview.js";
import { Way } from "./way.js";
import { Widget } from "./widget.js";

const STEP_MS = 600, LONG_MS = 12000; // a step while it plays; a long sequence in all
const TICKS = 48; // at most, on the scrubber
const ROWS = 60; // of the table, on both sides of the step that is looked at

class Unroll extends Widget {
  constructor(model, el) {
    super(model, el, "nnfp-unroll");
    this.sorting = false;
    this.playing = false;
    this.sized = new ResizeObserver(() => this.resize());
    this.ends.push(() => this.sized.disconnect(), () => clearTimeout(this.hopping));
    this.build();
    this.listen({
      "change:header": () => this.build(),
      "change:trail": () => this.build(),
      "change:part": () => model.get("part") !== this.part && this.build(),
      "change:position": () => this.go(model.get("position"), true),
    });
    el.unroll = this; // for pages that drive it, and for tests that read it
  }

  // --- what there is -------------------------------------------------------------------------

  build() {
    const { model } = this;
    this.play(false);
    this.header = model.get("header");
    this.buffer = bufferOf(model, "numbers");
    this.trail = model.get("trail");
    const frame = this.header.frames[this.trail];
    if (!frame) return; // its numbers are on their way
    this.part = Math.min(model.get("part"), frame.parts.length - 1);
    this.frame = frame;
    this.steps = new Steps(frame.parts[this.part], this.buffer);
    this.position = Math.min(Math.max(model.get("position"), 0), this.steps.count);
    this.view = this.steps.tree ? new TreeView(this, this.steps) : new ChainView(this, this.steps);
    this.way = this.steps.path && this.steps.count > 1 ? new Way(this.steps, (to) => this.handed(to)) : null;
    this.place();
    this.resize(true);
  }

  place() {
    const { steps } = this;
    this.picture = make("div", { class: "picture", tabindex: 0, role: "group",
      "aria-label": `${steps.label}, ${steps.count} steps` }, this.view.element);
    this.range = make("input", {
      type: "range", min: 0, max: steps.count, step: 1, value: this.position, "aria-label": "step",
      oninput: () => this.handed(Number(this.range.value)),
      onkeydown: (event) => this.key(event),
    });
    if (steps.backward) this.range.setAttribute("dir", "rtl");
    this.overview = make("canvas", { class: "overview", "aria-hidden": "true" });
    this.window = make("i", { class: "window" });
    this.line = make("i", { class: "line" });
    this.doneLine = make("i", { class: "done" });
    this.hand = make("i", { class: "hand" });
    this.ticks = make("span");
    this.track = make("div", { class: "track" }, this.overview, this.window, this.line, this.doneLine, this.ticks, this.hand, this.range);
    this.readout = make("div", { class: "readout" });
    this.caption = make("div", { class: "caption", "aria-live": "polite" });
    this.table = make("div", { class: "data", hidden: true });
    this.lookAt();
    this.el.replaceChildren(this.controls(), this.picture, this.track, this.readout,
      make("div", { class: "below" }, this.excerpts(), this.way?.element ?? ""), this.foot(), this.table);
    this.sized.disconnect();
    this.sized.observe(this.el);
    this.el.onkeydown = (event) => {
      if (event.key === " " && !event.target.matches("button, select, input[type=checkbox], [role=button]")) {
        event.preventDefault();
        this.play(!this.playing);
      } else if (event.key === "Escape") {
        this.play(false);
        if (this.trail) this.leave();
      } else if (event.target === this.picture) this.key(event);
    };
  }

  controls() {
    const { header, frame, steps } = this;
    const row = make("div", { class: "controls" });
    const where = make("div", { class: "parts" });
    if (this.trail) where.append(make("button", { type: "button", class: "link", onclick: () => this.leave() }, `out of step ${this.outer()[1] + 1} of ${this.outerLabel()}`));
    if (frame.parts.length > 1) {
      const chosen = make("select", { "aria-label": "what is unrolled", onchange: () => this.choose(Number(chosen.value)) },
        ...frame.parts.map(({ label }, k) => make("option", { value: k, selected: k === this.part }, label)));
      where.append(chosen);
    } else where.append(make("span", { class: "code" }, steps.label));
    row.append(where);
    const sorts = !steps.tree && steps.chains.some(({ states }) => states.some(({ size }) => size > 1));
    const box = make("input", { type: "checkbox", checked: this.sorting, onchange: () => {
      this.sorting = box.checked;
      this.view.build(this.position);
      this.show();
    } });
    this.player = make("button", { type: "button", onclick: () => this.play(!this.playing) }, "play");
    const step = (by) => () => this.handed(Math.min(Math.max(this.position + by, 0), steps.count));
    row.append(make("div", { class: "hands" },
      sorts ? make("label", { title: `rows by their value at this step: ${header.name}` }, box, "order rows") : null,
      make("div", { class: "group" },
        make("button", { type: "button", "aria-label": "step before", onclick: step(-1) }, "◀"), this.player,
        make("button", { type: "button", "aria-label": "next step", onclick: step(1) }, "▶"))));
    return row;
  }

  outer() {
    return this.trail.split(",").at(-1).split("/").map(Number);
  }

  outerLabel() {
    const before = this.trail.split(",").slice(0, -1).join(",");
    return this.header.frames[before]?.parts[this.outer()[0]]?.label ?? "the outer one";
  }

  /** The definitions, with what is done now marked. */
  excerpts() {
    this.marks = [];
    const shown = this.steps.excerpts.map(({ place, text, marks }) => {
      const edges = [...new Set([0, text.length, ...marks.flatMap(([, begin, end]) => [begin, end])])].sort((a, b) => a - b);
      const code = make("code");
      for (let k = 0; k + 1 < edges.length; k++) {
        const [from, to] = [edges[k], edges[k + 1]];
        const own = marks.filter(([, begin, end]) => begin <= from && to <= end).map(([what]) => what);
        const piece = make("span", { class: own.includes("whole") ? "whole" : "" }, text.slice(from, to));
        this.marks.push([piece, own.filter((what) => what !== "whole")]);
        code.append(piece);
      }
      return make("pre", { title: place }, code);
    });
    return make("div", { class: "excerpts" }, ...shown);
  }

  foot() {
    const { steps } = this;
    const toggle = make("button", { type: "button", class: "link", "aria-expanded": false, onclick: () => {
      this.table.hidden = !this.table.hidden;
      toggle.setAttribute("aria-expanded", !this.table.hidden);
      this.tell();
    } }, "data table");
    const save = this.model.get("saves")
      ? make("button", { type: "button", class: "link", onclick: () => this.model.send("page") }, "save page") : null;
    const many = `${steps.count.toLocaleString("en")} step${steps.count === 1 ? "" : "s"}`
      + (steps.whole > steps.count ? ` of ${steps.whole} at most` : "");
    return make("div", { class: "foot" }, this.caption, make("span", { class: "links" }, make("span", {}, many), toggle, save));
  }

  labelled(place) {
    return !this.trail && place < this.header.labels.length;
  }

  /** A word for a position of the sequence. */
  word(place) {
    return this.labelled(place) ? this.header.labels[place] : String(place + 1);
  }

  // --- where one is ---------------------------------------------------------------------------

  handed(to) {
    this.play(false);
    this.go(to);
  }

  go(to, known = false) {
    const position = Math.min(Math.max(Math.round(to), 0), this.steps.count);
    if (position === this.position) return;
    this.position = position;
    this.ask();
    if (!known) this.save({ position });
  }

  key(event) {
    const many = Math.max(Math.round(this.steps.count / 10), 1);
    const way = this.steps.backward ? -1 : 1;
    const to = {
      ArrowRight: this.position + way, ArrowUp: this.position + 1, ArrowLeft: this.position - way,
      ArrowDown: this.position - 1, PageUp: this.position + many, PageDown: this.position - many,
      Home: 0, End: this.steps.count,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.handed(to);
  }

  play(on) {
    if (this.playing === on) return;
    this.playing = on;
    clearTimeout(this.hopping);
    if (this.player) this.player.textContent = on ? "pause" : "play";
    if (!on) return;
    if (this.position >= this.steps.count) this.go(0);
    const pause = Math.min(STEP_MS, LONG_MS / this.steps.count);
    const many = Math.max(Math.round(16 / pause), 1); // steps in one frame
    const hop = () => {
      this.go(Math.min(this.position + many, this.steps.count));
      if (this.position >= this.steps.count) this.play(false);
      else this.hopping = setTimeout(hop, Math.max(pause * (this.still.matches ? 1.5 : 1), 16));
    };
    this.hopping = setTimeout(hop, this.still.matches ? 0 : pause);
  }

  choose(part) {
    this.save({ part, position: 0 });
    this.build();
    this.el.querySelector("select")?.focus();
  }

  // --- inside of a step -----------------------------------------------------------------------

  /** Whether the boxes of this part can be opened: of a page, those that are in it. */
  opens() {
    return this.model.get("saves") || Object.keys(this.header.frames).some((key) => key.startsWith(this.key_("")));
  }

  key_(step) {
    return `${this.trail ? `${this.trail},` : ""}${this.part}/${step}`;
  }

  enter(step) {
    const trail = this.key_(step - 1);
    if (this.header.frames[trail]) this.to(trail, 0, 0);
    else if (this.model.get("saves")) this.model.send({ open: trail });
  }

  leave() {
    const [part, step] = this.outer();
    this.to(this.trail.split(",").slice(0, -1).join(","), part, step + 1);
  }

  to(trail, part, position) {
    for (const [name, value] of Object.entries({ part, position })) this.model.set(name, value);
    this.model.set("trail", trail);
    this.model.save_changes();
    this.picture.focus({ preventScroll: true });
  }

  // --- drawing --------------------------------------------------------------------------------

  recolour() {
    if (this.view && !this.view.whole) this.paint();
  }

  resize(again = false) {
    const width = Math.max(Math.min(this.el.clientWidth || 760, 760), 300);
    if (!this.view) return;
    if (width === this.view.width && !again) {
      if (!this.painted) this.paint();
      return;
    }
    this.view.measure(width);
    this.view.build(this.position);
    this.axis();
    this.show();
  }

  tick() {
    this.show();
  }

  axis() {
    const { view, steps } = this;
    const [a, b] = [view.axis(0), view.axis(steps.count)];
    const [left, right] = [Math.min(a, b), Math.max(a, b)];
    this.line.style.cssText = `left:${left}px;width:${right - left}px`;
    this.range.style.cssText = `left:${left - 12}px;width:${right - left + 24}px`;
    this.ticks.replaceChildren();
    this.dots = steps.count <= TICKS ? Array.from({ length: steps.count + 1 }, (_, k) =>
      make("i", { class: "tick", style: `left:${view.axis(k)}px` })) : [];
    this.ticks.append(...this.dots);
    this.track.classList.toggle("long", !view.whole);
    this.overview.hidden = this.window.hidden = view.whole || !!steps.tree;
    if (!this.overview.hidden) {
      this.overview.style.cssText = `left:${left}px;width:${right - left}px`;
      this.paint();
    }
  }

  /** All states of a long sequence, one column each. */
  paint() {
    const { overview, steps } = this;
    if (overview.hidden) return;
    // What does not stand in the page yet has no colours: then the first size brings them.
    this.painted = this.el.isConnected;
    if (!this.painted) return;
    const strip = steps.chains[0].states[0] ?? steps.chains[0].outputs[0] ?? steps.elements[0];
    if (!strip) return;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(Math.round(overview.clientWidth * ratio), 1);
    const rows = Math.min(strip.size, 64), count = strip.array.shape[0];
    overview.width = Math.min(width, count);
    overview.height = rows;
    const style = getComputedStyle(this.el);
    const probe = make("span", { hidden: true });
    this.el.append(probe);
    const [negative, positive] = ["--neg", "--pos"].map((name) => {
      probe.style.color = style.getPropertyValue(name);
      return getComputedStyle(probe).color.match(/\d+/g).map(Number);
    });
    probe.remove();
    const image = new ImageData(overview.width, rows);
    for (let x = 0; x < overview.width; x++) {
      const at = Math.min(Math.floor((x * count) / overview.width), count - 1);
      const values = steps.row(strip, steps.backward ? count - 1 - at : at);
      for (let y = 0; y < rows; y++) {
        const value = values[Math.floor((y * strip.size) / rows)];
        const [r, g, b] = value < 0 ? negative : positive;
        image.data.set([r, g, b, 255 * Math.min(Math.abs(value) / strip.reach, 1)], 4 * (y * overview.width + x));
      }
    }
    overview.getContext("2d").putImageData(image, 0, 0);
  }

  show() {
    const { view, steps, position } = this;
    view.move(position);
    this.range.value = position;
    const at = view.axis(position), from = view.axis(0);
    this.hand.style.left = `${at}px`;
    this.doneLine.style.cssText = `left:${Math.min(from, at)}px;width:${Math.abs(at - from)}px`;
    this.dots.forEach((dot, k) => dot.classList.toggle("reached", k <= position));
    if (!this.window.hidden) {
      const share = (column) => {
        const part = column / view.columns;
        const [a, b] = [view.axis(0), view.axis(steps.count)];
        return Math.min(a, b) + part * Math.abs(b - a);
      };
      const [left, right] = [share(view.first), share(view.first + view.shown)];
      this.window.style.cssText = `left:${left}px;width:${right - left}px`;
    }
    this.way?.move(position);
    const now = position === 0 ? null : steps.tree ? steps.tree.constructors[position - 1] : "step";
    this.marks.forEach(([piece, own]) => piece.classList.toggle("now", own.includes(now)));
    this.tell();
  }

  // --- in words -------------------------------------------------------------------------------

  tell() {
    const text = this.words();
    this.said(this.caption, text);
    this.caption.setAttribute("aria-live", this.playing && this.steps.count > 24 ? "off" : "polite");
    this.range.setAttribute("aria-valuetext", text);
    this.view.element.setAttribute("aria-label", text);
    if (!this.table.hidden) this.fill();
  }

  words() {
    const { steps, position } = this;
    if (position === 0) {
      const { start, states } = steps.chains[0];
      return states.length && !steps.tree ? `Before the first step: the state is ${start || "what comes in"}.` : "Before the first step.";
    }
    const which = `Step ${position.toLocaleString("en")} of ${steps.count.toLocaleString("en")}`;
    if (steps.tree) {
      const { constructors, payload } = steps.tree;
      return `${which}: ${constructors[position - 1]}${payload[position - 1] ? ` ${payload[position - 1]}` : ""}.`;
    }
    const [chain] = steps.chains;
    const place = steps.placeOf(chain, position);
    const taken = [...chain.states.map(({ name }) => name || "state")];
    if (steps.elements.length && this.labelled(place)) taken.push(this.word(place));
    else taken.push(...steps.elements.map(({ name }) => name || "x"));
    const named = /^[\w.′[\]]+$/.test(chain.label) && taken.length;
    const at = named ? `, ${chain.label} ${taken.length > 1 ? `(${taken.join(", ")})` : taken[0]}` : "";
    const moved = chain.states.length ? `: the state moved by ${told(steps.moved(chain, position))}` : "";
    return `${which}${at}${moved}.`;
  }

  /** What is under the pointer. */
  lookAt() {
    const find = (event) => {
      const k = event.target.dataset?.k;
      const known = k === undefined ? null : this.view.cells.get(event.target.closest(".strip"));
      this.said(this.readout, known ? `${cellTold(known.strip, known.values, Number(k), known.name)}, ${known.when}` : "");
    };
    this.picture.addEventListener("pointermove", find);
    this.picture.addEventListener("pointerleave", () => this.said(this.readout, ""));
  }

  /** The steps around this one as a table. */
  fill() {
    const { steps, position } = this;
    const first = Math.max(Math.min(position - ROWS / 2, steps.count - ROWS), 0);
    const key = `${this.trail} ${this.part} ${first}`;
    if (this.table.dataset.key === key) return;
    this.table.dataset.key = key;
    const shown = (values) => {
      const few = Array.from(values.slice(0, 8), told).join(", ");
      return values.length === 1 ? few : `(${few}${values.length > 8 ? ", …" : ""})`;
    };
    const several = steps.chains.length > 1;
    const head = ["step", ...(steps.tree ? ["node"] : steps.elements.map(({ name, type }) => `${name || "x"} : ${type}`)),
      ...steps.chains.flatMap(({ label, states, outputs }) => [
        ...states.map(({ name, type }) => `${several ? `${label} ` : ""}${name || (steps.tree ? "result" : "state")} : ${type}`),
        ...outputs.map(({ type }) => `gives ${type}`)])];
    const rows = [];
    for (let step = first + 1; step <= Math.min(first + ROWS, steps.count); step++) {
      const place = steps.placeOf(steps.chains[0], step);
      const element = (strip) => (steps.seen
        ? shown(Float32Array.from(steps.seen[place].flatMap((k) => [...steps.row(strip, k)]))) : shown(steps.row(strip, place)));
      rows.push([String(step),
        ...(steps.tree ? [`${steps.tree.constructors[step - 1]} ${steps.tree.payload[step - 1]}`] : steps.elements.map(element)),
        ...steps.chains.flatMap((chain) => [
          ...chain.states.map((strip) => shown(steps.row(strip, steps.tree ? step - 1 : step))),
          ...chain.outputs.map((strip) => shown(steps.row(strip, steps.placeOf(chain, step))))])]);
    }
    this.table.replaceChildren(tabled(head, rows));
  }
}

function render({ model, el }) {
  const unroll = new Unroll(model, el);
  return () => unroll.close();
}

export default { render };
