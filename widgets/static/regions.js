// `regions`: where a network is linear. On the left the plane that was cut, on the right its image
// at a place in the program, below it in every layer; one region is seen in all of them.
//
// The model holds the `scene`, whose "regions" are those of views/geometry/packing.py, and its
// `numbers`; the `position`; `by`, what regions are coloured by; the `region` that is chosen, −1 for
// none; and of more than two numbers the `slice`, the plane that is asked for.

import { Axis } from "./axis.js";
import { bufferOf } from "./bytes.js";
import { make, tabled, told } from "./dom.js";
import { link } from "./link.js";
import { BY, Mosaic } from "./mosaic.js";
import { Moving } from "./moving.js";
import { CanvasPainter, radius } from "./paint.js";
import { button, controls } from "./panel.js";
import { Scene, identity } from "./scene.js";
import { Views } from "./view.js";

const SLICES = ["data", "axes", "points"];

class Regions extends Moving {
  constructor(model, el) {
    super(model, el, "nnfp-regions");
    this.options = {};
    this.show = { points: true, boundary: true, borders: true };
    this.brushed = null;
    this.hovered = -1;
    this.build();
    this.listen({
      "change:scene": () => this.build(),
      "change:position": () => this.go(model.get("position"), { told: true }),
      "change:by": () => this.colour(model.get("by")),
      "change:region": () => this.choose(model.get("region"), true),
      "change:working": () => this.report(),
      "change:problem": () => this.report(),
      "change:training": () => this.ask(),
    });
    el.regions = this; // for tests that read it
  }

  allows(name) {
    return name === "play";
  }

  // --- what there is ------------------------------------------------------------------------

  build() {
    const { model } = this;
    const [header, buffer] = [model.get("scene"), bufferOf(model, "numbers")];
    this.scene = new Scene(header, buffer);
    this.mosaic = new Mosaic(header.regions, buffer);
    this.views = new Views(this.scene);
    this.xyz = new Float32Array(3 * this.scene.total);
    this.position = Math.min(Math.max(model.get("position") ?? 0, 0), this.scene.stages.length);
    this.by = model.get("by") ?? "answer";
    this.chosen = Math.min(model.get("region") ?? -1, this.mosaic.count - 1);
    this.hovered = -1;
    if (this.brushed?.length !== this.scene.count) this.brushed = null;
    this.unlink?.();
    this.unlink = link(this.scene.id, this);
    this.moved = "";
    this.place();
    this.recolour();
  }

  place() {
    const { scene, mosaic } = this;
    const picture = (name, label) => {
      const canvas = make("canvas", { class: `picture ${name}`, tabindex: 0, role: "img", "aria-label": label });
      const mark = make("polygon", { class: "region" });
      const over = make("svg", { class: "over", "aria-hidden": "true" }, mark);
      const words = make("figcaption", {});
      return { canvas, mark, over, words, frame: make("figure", {}, make("div", { class: "frame" }, canvas, over), words) };
    };
    this.flat = picture("slice", `the plane of the input, cut into ${mosaic.count} regions`);
    this.image = picture("image", "its image at this place in the program");
    this.canvas = this.image.canvas;
    this.painter = this.camera = this.told = null;
    this.sized.disconnect();
    this.sized.observe(this.image.frame);
    this.axis = new Axis(scene, (to) => this.handed(to), false, [this.counts()]);
    this.small = this.axis.small.map((canvas) => {
      const mark = make("polygon", { class: "region" });
      const over = make("svg", { class: "over", "aria-hidden": "true" }, mark);
      canvas.replaceWith(make("div", { class: "thumb" }, over));
      over.before(canvas);
      return { over, mark };
    });
    this.caption = make("div", { class: "caption", "aria-live": "polite" });
    this.readout = make("div", { class: "readout", "aria-live": "polite" });
    this.legend = make("div", { class: "legend" });
    this.table = make("div", { class: "data", hidden: true });
    this.note = make("div", { class: "note", role: "status" });
    this.el.replaceChildren(
      this.panel(), this.slices() ?? "", this.note,
      make("div", { class: "pair" }, this.flat.frame, this.image.frame),
      make("div", { class: "below" }, this.readout, this.legend),
      this.axis.element, this.foot(), this.table);
    this.hands();
    this.report();
  }

  panel() {
    this.kinds = BY.map((name) =>
      button(name, () => this.colour(name, true), { "aria-pressed": name === this.by }));
    const names = ["points", ...(this.scene.boundaryEnd > this.scene.gridEnd ? ["boundary"] : []), "borders"];
    const checks = names.map((name) => {
      const box = make("input", {
        type: "checkbox", checked: this.show[name],
        onchange: () => { this.show[name] = box.checked; this.redraw(true); },
      });
      return make("label", {}, box, name);
    });
    this.number = make("input", {
      type: "number", min: 0, max: this.mosaic.count - 1, step: 1, "aria-label": "the region that is told",
      oninput: () => {
        const r = this.number.value === "" ? -1 : Number(this.number.value);
        if (Number.isInteger(r) && r >= -1 && r < this.mosaic.count) this.choose(r);
      },
    });
    return make("div", { class: "bar" },
      make("span", { class: "what" }, "colour by"),
      make("div", { class: "group", role: "group", "aria-label": "colour by" }, ...this.kinds),
      make("div", { class: "checks" }, ...checks),
      make("label", { class: "head" }, "region ", this.number),
      controls(this));
  }

  /** Which plane is cut: of two numbers there is one, and without Python it stays as it is. */
  slices() {
    const { model, scene } = this;
    if (this.mosaic.whole || !model.get("saves")) return null;
    const now = model.get("slice") ?? { kind: "data", chosen: [] };
    const size = scene.states[0].size;
    const fields = make("span", { class: "fields" });
    const show = (kind, chosen) => {
      buttons.forEach((each, k) => each.setAttribute("aria-pressed", SLICES[k] === kind));
      const [many, most, word] = { data: [0, 0, ""], axes: [2, size, "axis"], points: [3, scene.count, "point"] }[kind];
      const inputs = Array.from({ length: many }, (_, k) => make("input", {
        type: "number", min: 0, max: most - 1, step: 1, value: chosen[k] ?? k, "aria-label": `${word} ${k + 1} of the plane`,
        onchange: () => ask(),
      }));
      const ask = () => {
        const values = inputs.map(({ value }) => Number(value));
        const fine = values.every((value) => Number.isInteger(value) && value >= 0 && value < most);
        if (!fine || new Set(values).size < many) return;
        model.set("slice", { kind, chosen: values });
        model.save_changes();
      };
      fields.replaceChildren(...inputs);
      return ask;
    };
    const buttons = SLICES.map((kind) => button(kind, () => show(kind, [])(), { "aria-pressed": false }));
    show(now.kind, now.chosen);
    return make("div", { class: "bar" }, make("span", { class: "what" }, "plane through"),
      make("div", { class: "group", role: "group", "aria-label": "the plane" }, ...buttons), fields);
  }

  /** How many regions each state has. */
  counts() {
    const counts = this.mosaic.states.map(({ count }) => count);
    const most = Math.max(...counts);
    return { name: "linear regions", shares: counts.map((count) => count / most), told: counts.map((count) => count.toLocaleString("en")) };
  }

  foot() {
    const { mosaic, model } = this;
    const toggle = button("data table", () => {
      this.table.hidden = !this.table.hidden;
      toggle.setAttribute("aria-expanded", !this.table.hidden);
      this.tell();
    }, { class: "link", "aria-expanded": false });
    const save = model.get("saves") ? button("save page", () => model.send("page"), { class: "link" }) : "";
    const many = make("span", {}, `${mosaic.count.toLocaleString("en")} ${mosaic.count === 1 ? "region" : "regions"}`);
    return make("div", { class: "foot" }, this.caption, make("span", { class: "links" }, many, toggle, save));
  }

  /** What Python is doing. */
  report() {
    const [working, problem] = [this.model.get("working"), this.model.get("problem")];
    this.note.replaceChildren(...(working
      ? [`cutting: ${working} `, button("stop", () => this.model.send("stop"), { class: "link" })]
      : [problem ?? ""]));
  }

  // --- hands ----------------------------------------------------------------------------------

  colour(by, own = false) {
    if (by === this.by) return;
    this.by = by;
    this.kinds.forEach((each) => each.setAttribute("aria-pressed", each.textContent === by));
    this.redraw(true);
    if (own) this.save({ by });
  }

  choose(r, known = false) {
    if (r === this.chosen) return;
    this.chosen = r;
    this.ask();
    if (!known) this.save({ region: r });
  }

  get region() {
    return this.hovered >= 0 ? this.hovered : this.chosen;
  }

  hands() {
    for (const own of [this.flat, this.image]) {
      const under = (event) => {
        const { left, top } = own.canvas.getBoundingClientRect();
        return own.places ? this.mosaic.at(own.places, (event.clientX - left) * this.ratio, (event.clientY - top) * this.ratio) : -1;
      };
      const over = (r) => {
        if (r === this.hovered) return;
        this.hovered = r;
        this.mark();
      };
      own.canvas.addEventListener("pointermove", (event) => over(under(event)));
      own.canvas.addEventListener("pointerleave", () => over(-1));
      own.canvas.addEventListener("click", (event) => {
        const r = under(event);
        this.choose(r === this.chosen ? -1 : r);
      });
    }
    this.el.onkeydown = (event) => {
      const typing = event.target.matches("input[type=number]");
      if (event.key === " " && !event.target.matches("button, input[type=checkbox]") && !typing) {
        event.preventDefault();
        this.play(!this.playing);
      } else if (event.key === "Escape") {
        this.play(false);
        this.choose(-1);
      } else if (event.target.matches("canvas.picture")) this.walk(event);
    };
  }

  /** Arrows go to the region on that side; other keys are the scrubber's. */
  walk(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way) return this.axis.key(event, (to) => this.handed(to));
    event.preventDefault();
    const centre = (r) => {
      const { starts, index } = this.mosaic;
      let [x, y] = [0, 0];
      for (let i = starts[r]; i < starts[r + 1]; i++) {
        x += this.flat.places[2 * index[i]];
        y += this.flat.places[2 * index[i] + 1];
      }
      return [x / (starts[r + 1] - starts[r]), y / (starts[r + 1] - starts[r])];
    };
    if (this.region < 0) return this.choose(0);
    const [x, y] = centre(this.region);
    let [found, least] = [-1, Infinity];
    for (let r = 0; r < this.mosaic.count; r++) {
      const [u, v] = centre(r);
      const ahead = (u - x) * way[0] + (v - y) * way[1];
      const aside = Math.abs((u - x) * way[1]) + Math.abs((v - y) * way[0]);
      if (r !== this.region && ahead > aside && ahead + aside < least) [found, least] = [r, ahead + aside];
    }
    if (found >= 0) this.choose(found);
  }

  /** What another widget over the same data has done. */
  linked({ position, brushed, ...change }) {
    this.older(change);
    if (change.moved === "hand") this.model.send("moved"); // of a training Python knows itself
    if (position !== undefined && position <= this.scene.stages.length) {
      this.go(position, { told: true });
      this.save({ position });
    }
    if (brushed !== undefined) {
      this.brushed = brushed;
      this.redraw(true);
    }
  }

  // --- drawing --------------------------------------------------------------------------------

  resize() {
    const { canvas } = this.flat;
    super.resize();
    if (!this.ratio) return;
    [canvas.width, canvas.height] = [Math.round(canvas.clientWidth * this.ratio), Math.round(canvas.clientHeight * this.ratio)];
  }

  /** Points are smaller than regions should be. */
  get size() {
    return Math.max(0.6 * radius(this.scene.count), 1.25);
  }

  /** The state whose regions are seen: at a tick its own, on the way those of where it goes. */
  get state() {
    return Math.ceil(this.position - 1e-9);
  }

  paint(rows) {
    const { scene, mosaic, xyz, camera, colours, brushed, ratio, by, state } = this;
    const { points, boundary, borders } = this.show;
    const show = { points, boundary, grid: false, ellipses: false };
    scene.project(this.position, rows, xyz);
    this.image.places = mosaic.placed(xyz, 3 * scene.boundaryEnd, 3, camera, this.canvas);
    this.painter ??= new CanvasPainter(this.canvas);
    this.painter.paint({
      scene, xyz, camera, colours, brushed, ratio, depth: false, show, size: this.size,
      below: (context) => mosaic.paint(context, this.image.places, { state, by, colours, ratio, borders }),
    });
    this.axis.move(this.position);
    if (by !== "answer" && this.shown !== state) this.flat.stale = true;
    this.shown = state;
    if (this.stale || this.flat.stale) this.cut(show);
    if (this.stale) {
      this.stale = this.flat.stale = false;
      const below = (k, places, own, canvas, context) => {
        const found = mosaic.placed(places, 3 * scene.boundaryEnd, 3, own, canvas);
        this.small[k].places = found;
        mosaic.paint(context, found, { state: k, by, colours, ratio: 0.6 * ratio, borders: borders && mosaic.count < 400 });
      };
      this.axis.paint(this.views, colours, show, brushed, { below });
    }
    this.mark();
  }

  /** The plane that was cut, in the colours of the state that is seen. */
  cut(show) {
    const { scene, mosaic, colours, ratio, by, state, brushed } = this;
    const { canvas } = this.flat;
    this.flat.stale = false;
    if (!canvas.width) return;
    const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
    mosaic.corners.forEach((value, i) => {
      low[i % 2] = Math.min(low[i % 2], value);
      high[i % 2] = Math.max(high[i % 2], value);
    });
    const reach = (Math.max(high[0] - low[0], high[1] - low[1]) / 2 || 1) * 1.02;
    const camera = {
      x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, z: 0, reach,
      scale: Math.min(canvas.width, canvas.height) / 2 / reach,
    };
    this.flat.places = mosaic.placed(mosaic.corners, 0, 2, camera, canvas);
    this.flat.painter ??= new CanvasPainter(canvas);
    // Data lie in the plane only where it is the whole input.
    const seen = mosaic.whole ? show : { points: false, boundary: false };
    this.flat.painter.paint({
      scene, xyz: scene.project(0, identity(3)), camera, colours, brushed, ratio, depth: false, size: this.size,
      show: { ...seen, grid: false, ellipses: false },
      below: (context) => mosaic.paint(context, this.flat.places, {
        state: by === "answer" ? mosaic.states.length - 1 : state, by, colours, ratio, borders: this.show.borders,
      }),
    });
  }

  /** One region, wherever it is seen. */
  mark() {
    const { mosaic, region, ratio } = this;
    for (const { mark, places } of [this.flat, this.image, ...this.small]) {
      mark.setAttribute("points", region >= 0 && places ? mosaic.outline(places, region, ratio) : "");
    }
    this.tell();
  }

  // --- in words -------------------------------------------------------------------------------

  tell() {
    const { scene, mosaic, position, state, region } = this;
    const [place, t] = scene.place(position);
    const whole = Number.isInteger(position);
    const own = mosaic.states[state];
    const label = scene.states[state].label;
    this.caption.setAttribute("aria-live", whole ? "polite" : "off");
    const many = `${own.count.toLocaleString("en")} ${own.count === 1 ? "region" : "regions"}`;
    const maps = `${own.maps.toLocaleString("en")} affine ${own.maps === 1 ? "map" : "maps"}`;
    const where = position === 0 ? `The input, ${label}.`
      : `Stage ${place + 1} of ${scene.stages.length}, ${label}${whole ? "" : `, t = ${t.toFixed(2)}`}: ${many}, ${maps}.`;
    this.said(this.caption, where + this.since);
    this.said(this.flat.words, `${mosaic.whole ? scene.states[0].label : mosaic.plane}, cut into ${mosaic.count.toLocaleString("en")}`);
    this.said(this.image.words, position === 0 ? `${label} : ${scene.states[0].type}` : whole ? `after ${label} : ${scene.states[state].type}` : `${label}, t = ${t.toFixed(2)}`);
    const key = `${scene.id} ${region} ${state} ${mosaic.count} ${this.by}`;
    if (this.told !== key) {
      this.told = key;
      if (document.activeElement !== this.number) this.number.value = region >= 0 ? region : "";
      this.readout.replaceChildren(...(region >= 0 ? this.map(region, state)
        : [make("span", { class: "hint" }, "Point at a region: it is seen in every layer, with its affine map.")]));
      this.legend.replaceChildren(...this.key(state));
    }
    this.tabulate();
  }

  /** The affine map of a region at a state: a row for each number that it gives. */
  map(r, state) {
    const { mosaic, scene } = this;
    const { rows, map, member, count, rowCount } = mosaic.states[state];
    const names = mosaic.whole ? ["x ! 0", "x ! 1"] : ["u", "v"];
    const lines = Array.from({ length: rowCount }, (_, i) =>
      [...names, ""].map((name, j) => [rows[(map[r] * rowCount + i) * 3 + j], name]));
    const rest = scene.states[state].size - rowCount;
    const [most, least] = mosaic.stretched(state, r);
    const area = state === 0 ? "" : least > 0 ? ` · area × ${told(most * least)} · stretched by ${told(most)} and ${told(least)}`
      : most > 0 ? ` · no area left · stretched by ${told(most)}` : " · to one point";
    const part = count < mosaic.count ? `, a part of region ${member[r]} of ${count.toLocaleString("en")} here` : "";
    return [
      make("div", {}, `Region ${r} of ${mosaic.count.toLocaleString("en")}${part}: area ${told(mosaic.areas[r])}${area}`),
      make("table", { class: "map" }, ...lines.map((line, i) =>
        make("tr", {}, make("th", { scope: "row" }, `${state ? "y" : "x"} ! ${i} =`),
          ...line.map(([value, name], j) => make("td", {}, `${j ? (value < 0 ? "− " : "+ ") : value < 0 ? "−" : ""}${told(Math.abs(value))}${name ? ` ${name}` : ""}`))))),
      rest > 0 ? make("div", { class: "hint" }, `and ${rest} more`) : "",
      mosaic.whole ? "" : make("div", { class: "hint" }, "u and v lie in the plane"),
    ];
  }

  /** What the colours stand for. */
  key(state) {
    const { mosaic, by, scene } = this;
    const patch = (colour, text) => make("span", { class: "patch" }, make("i", { style: `background:${colour}` }), text);
    const deeper = make("span", { class: "hint" }, "deeper: farther ahead");
    if (by === "answer") {
      if (mosaic.kind === "sign") return [patch("var(--neg)", "below"), patch("var(--pos)", "above"), deeper];
      const names = scene.colour?.classes ?? Array.from({ length: Math.min(scene.states.at(-1).size, 6) }, (_, k) => `! ${k}`);
      return [...names.slice(0, 6).map((name, k) => patch(`var(--rep${k + 1})`, name)), deeper];
    }
    if (by === "area") {
      const most = told(Math.exp(mosaic.limit));
      return [patch("var(--neg)", `area ÷ ${most}`), patch("var(--pos)", `area × ${most}`)];
    }
    const own = mosaic.states[state];
    return [make("span", { class: "hint" }, by === "map"
      ? "neighbours of one colour have one affine map" : "neighbours differ in colour")];
  }

  tabulate() {
    if (this.table.hidden || this.table.dataset.key === this.scene.id + this.mosaic.count) return;
    this.table.dataset.key = this.scene.id + this.mosaic.count;
    const head = ["stage", "gives", "regions", "affine maps"];
    const rows = this.scene.states.map((state, k) =>
      [state.label, state.type, ...["count", "maps"].map((name) => this.mosaic.states[k][name].toLocaleString("en"))]);
    this.table.replaceChildren(tabled(head, rows));
  }
}

function render({ model, el }) {
  const regions = new Regions(model, el);
  return () => regions.close();
}

export default { render };
