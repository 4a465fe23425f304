// `strip`: every stage, and what is measured of the data there, over one axis, the program.
//
// The model holds `scene` and `numbers` (views/scene/packed.py), the `position`, `measures` and
// `sample` (of what they are), and `bars`: the barcode of each stage, once it is computed. A click
// on a stage goes there, and with it every widget over the same data.

import { Axis } from "./axis.js";
import { bufferOf } from "./bytes.js";
import { coloursOf, make, tabled, told } from "./dom.js";
import { link } from "./link.js";
import { Scene } from "./scene.js";
import { Views } from "./view.js";
import { Widget } from "./widget.js";

const LONGEST = 20; // bars of a kind that are drawn; all that count are
const HIGH = 64; // of a barcode
const KINDS = ["pieces", "holes"];

class Strip extends Widget {
  constructor(model, el) {
    super(model, el, "nnfp-strip");
    this.brushed = null;
    this.build();
    this.listen({
      "change:scene": () => this.build(),
      "change:measures": () => this.build(),
      "change:position": () => this.go(model.get("position"), true),
      "change:bars": () => this.bars(),
      "change:working": () => this.bars(),
      "change:sample": () => this.bars(),
      "change:problem": () => this.bars(),
      "change:training": () => this.ask(),
    });
    this.sized = new ResizeObserver(() => this.recolour());
    this.sized.observe(el);
    this.ends.push(() => this.sized.disconnect());
    el.strip = this; // for tests that read it
  }

  build() {
    const { model } = this;
    this.scene = new Scene(model.get("scene"), bufferOf(model, "numbers"));
    this.views = new Views(this.scene);
    this.axis = new Axis(this.scene, (to) => this.go(to), false, model.get("measures"));
    this.codes = make("div", { class: "measure", role: "group", "aria-label": "pieces and holes" });
    this.axis.element.append(this.codes);
    // Anywhere below a stage is that stage.
    this.axis.element.addEventListener("click", (event) => {
      if (event.target.closest("button, input")) return;
      const { left, width } = this.axis.element.getBoundingClientRect();
      const column = Math.floor(((event.clientX - left) / width) * this.scene.states.length);
      if (event.target.closest(".measure")) this.go(column);
    });
    this.caption = make("div", { class: "caption", "aria-live": "polite" });
    this.sample = make("span", { class: "sample" });
    this.table = make("div", { class: "data", hidden: true });
    const toggle = this.link("data table", () => {
      this.table.hidden = !this.table.hidden;
      toggle.setAttribute("aria-expanded", !this.table.hidden);
    }, { "aria-expanded": false });
    const save = model.get("saves") ? this.link("save page", () => model.send("page")) : null;
    this.el.replaceChildren(
      this.axis.element, this.sample,
      make("div", { class: "foot" }, this.caption, make("span", { class: "links" }, toggle, save ?? "")),
      this.table);
    this.unlink?.();
    this.unlink = link(this.scene.id, this);
    this.moved = ""; // what is measured is of now
    this.position = Math.min(Math.max(model.get("position") ?? 0, 0), this.scene.stages.length);
    this.bars();
    this.recolour();
  }

  link(text, onclick, more = {}) {
    return make("button", { type: "button", class: "link", onclick, ...more }, text);
  }

  go(to, known = false) {
    const position = Math.min(Math.max(to, 0), this.scene.stages.length);
    if (position === this.position) return;
    this.position = position;
    this.ask();
    if (known) return;
    this.share?.({ position });
    this.save({ position });
  }

  /** What another widget over the same data has done. */
  linked({ position, brushed, ...change }) {
    this.older(change);
    if (change.moved === "hand") this.model.send("moved"); // of a training Python knows itself
    if (position !== undefined && position <= this.scene.stages.length) {
      this.go(position, true);
      this.save({ position });
    }
    if (brushed !== undefined) {
      this.brushed = brushed;
      this.recolour();
    }
  }

  // --- bars -----------------------------------------------------------------------------------

  /** The barcodes that are there, and the button that starts or stops them. */
  bars() {
    const { model, scene } = this;
    const bars = model.get("bars") ?? [];
    const [working, problem] = [model.get("working"), model.get("problem")];
    const done = bars.length === scene.states.length;
    const name = make("span", { class: "name" }, "pieces and holes");
    const row = make("div", { class: "columns" }, ...(bars.length || working
      ? scene.states.map((_, k) => make("div", { class: "column" }, ...(bars[k] ? barcode(bars[k]) : ["…"])))
      : []));
    let act = null;
    if (working) {
      act = make("span", { class: "act" }, `${bars.length} of ${scene.states.length} `,
        this.link("stop", () => model.send("stop")));
    } else if (!done && model.get("saves")) {
      act = make("span", { class: "act" }, this.link("compute", () => model.send("betti")));
    }
    this.codes.replaceChildren(name, act ?? "", problem ? make("div", { class: "problem" }, problem) : "", row);
    this.codes.hidden = !bars.length && !act && !problem;
    this.said(this.sample, model.get("sample") ?? "");
    this.ask();
  }

  // --- drawing --------------------------------------------------------------------------------

  recolour() {
    this.colours = this.el.isConnected ? coloursOf(this.el) : null;
    this.stale = true;
    this.ask();
  }

  tick() {
    if (!this.el.isConnected || !this.el.clientWidth) return;
    this.colours ??= coloursOf(this.el);
    this.axis.move(this.position);
    if (this.stale) {
      this.stale = false;
      const show = { points: true, grid: true, boundary: true, ellipses: false };
      this.axis.paint(this.views, this.colours, show, this.brushed);
    }
    this.tell();
  }

  tell() {
    const { scene, position, model } = this;
    const whole = Number.isInteger(position);
    const k = Math.round(position);
    const parts = (model.get("measures") ?? []).map(({ name, told: words }) => `${name} ${words[k]}`);
    const bars = model.get("bars")?.[k];
    if (bars) parts.push(counted(bars));
    const [place, t] = scene.place(position);
    const where = whole ? `After ${scene.states[k].label}` : `${scene.stages[place].label}, t = ${t.toFixed(2)}. Nearest, after ${scene.states[k].label}`;
    this.caption.setAttribute("aria-live", whole ? "polite" : "off");
    this.said(this.caption, `${k === 0 && whole ? `The input, ${scene.states[0].label}` : where}: ${parts.join(", ")}.${this.since}`);
    this.el.classList.toggle("before", this.since !== "");
    this.tabulate();
  }

  tabulate() {
    const { scene, model } = this;
    const [measures, bars] = [model.get("measures") ?? [], model.get("bars") ?? []];
    const key = JSON.stringify([scene.id, measures, bars.length]);
    if (this.table.dataset.key === key) return;
    this.table.dataset.key = key;
    const head = ["stage", "gives", ...measures.map(({ name }) => name), ...(bars.length ? ["pieces and holes"] : [])];
    const rows = scene.states.map((state, k) => [
      state.label, state.type, ...measures.map((each) => each.told[k]),
      ...(bars.length ? [bars[k] ? counted(bars[k]) : "…"] : []),
    ]);
    this.table.replaceChildren(tabled(head, rows));
  }
}

/** How many, of how many landmarks, and where it is counted. */
function counted({ betti, landmarks, scale }) {
  const many = betti.map((count, k) => `${count} ${count === 1 ? KINDS[k].slice(0, -1) : KINDS[k]}`);
  return `${many.join(", ")} (${landmarks} landmarks, at ${told(scale)})`;
}

/** Bars from birth to death, the longest of each kind, a dotted line where they are counted. */
function barcode(found) {
  const { bars, betti, scale } = found;
  const deaths = bars.flat().map(([, death]) => death ?? 0);
  const reach = 1.08 * Math.max(scale * 1.5, ...deaths);
  const x = (value) => `${(100 * Math.min(value ?? reach, reach)) / reach}%`;
  const kept = bars.map((own, kind) => own
    .slice().sort((a, b) => (b[1] ?? Infinity) - b[0] - ((a[1] ?? Infinity) - a[0]))
    .slice(0, Math.max(LONGEST, betti[kind])));
  const rows = kept.flatMap((own, kind) => own.map((bar) => [bar, kind]));
  const step = Math.min(HIGH / Math.max(rows.length, 1), 4);
  const drawn = make("svg", { class: "barcode", height: HIGH, role: "img", "aria-label": counted(found) },
    make("title", {}, counted(found)));
  rows.forEach(([[birth, death], kind], k) => {
    const y = (k + 0.5) * step;
    drawn.append(make("line", { class: KINDS[kind], x1: x(birth), x2: x(death), y1: y, y2: y, "stroke-width": Math.max(step * 0.55, 0.7) }));
  });
  drawn.append(make("line", { class: "scale", x1: x(scale), x2: x(scale), y1: 0, y2: HIGH }));
  return [drawn, make("span", { class: "betti" }, betti.join(", ")), make("span", { class: "at" }, `at ${told(scale)}`)];
}

function render({ model, el }) {
  const strip = new Strip(model, el);
  return () => strip.close();
}

export default { render };
