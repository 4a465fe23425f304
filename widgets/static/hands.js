// `hands`: take hold of a layer's weights, draw data, and see at once what comes of it.
//
// The model holds the `scene` (views/scene/handed.py) with the program as a tape, `numbers` (the
// grid), and as doubles the `weights`, the `points` and their `kinds`; the `layer` in the hand, and
// the `status` of a training. The page computes where points go. When a hand lets go, the session
// is told; what could not be told yet is told again.

import { Brush, NEAR } from "./brush.js";
import { bufferOf } from "./bytes.js";
import { coloursOf, make, tabled, told } from "./dom.js";
import { Fields, ROWS } from "./fields.js";
import { Forward, Frame } from "./forward.js";
import { Hold } from "./hold.js";
import { link } from "./link.js";
import { Picture } from "./picture.js";
import { Widget, keep } from "./widget.js";

const SMALL = 84; // a small picture, at most
const FEW = 400; // points in it
const AGAIN = 700; // ms, after which a session that was busy is asked again
const MEMORY = 200; // steps that can be undone

const doubles = (model, name) => new Float64Array(bufferOf(model, name));

/** The share of the points whose kind is what the values say: the side of a level that a number
 * is on, or the place of the greatest of several. */
function right(values, total, level, kinds) {
  const size = values.length / total;
  let count = 0;
  kinds.forEach((kind, i) => {
    let best = 0;
    if (size === 1) best = +(values[i] > level);
    else for (let k = 1; k < size; k++) if (values[i * size + k] > values[i * size + best]) best = k;
    count += +(best === kind);
  });
  return count / kinds.length;
}

class Hands extends Widget {
  constructor(model, el) {
    super(model, el, "nnfp-hands");
    this.kernel = model.get("saves") === true;
    this.sequence = 0;
    this.build();
    this.listen({
      "change:scene": () => this.build(),
      "change:weights": () => this.theirs(),
      "change:status": () => this.trained(),
      "change:layer": () => this.hold(model.get("layer"), true),
      "msg:custom": (said, buffers) => this.answered(said, buffers),
    });
    this.model.send("here"); // from now on a training is followed
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(el);
    this.ends.push(() => this.sized.disconnect());
    el.hands = this; // for pages that drive it, and for tests that read it
  }

  // --- what there is ------------------------------------------------------------------------

  build() {
    const { model } = this;
    this.scene = model.get("scene");
    const numbers = Float64Array.from(new Float32Array(bufferOf(model, "numbers")));
    const size = this.scene.inputs.reduce((a, b) => a + b, 0);
    const end = this.scene.lines * this.scene.samples * size;
    this.forward = new Forward(this.scene, numbers.subarray(0, end));
    this.weights = doubles(model, "weights");
    this.points = doubles(model, "points");
    this.kinds = doubles(model, "kinds");
    this.frame = this.scene.seen ? this.seen(numbers.subarray(end)) : null;
    this.first = this.snapshot();
    this.warned = this.others = this.first.weights; // what linked widgets know of, and what they show
    [this.past, this.future] = [[], []];
    this.plane = this.scene.box !== null;
    this.brushed = null;
    this.pointed = -1;
    this.unlink?.();
    this.unlink = link(this.scene.id, this);
    this.place();
    this.hold(model.get("layer") ?? 0, true);
    this.changed();
    this.trained();
    this.recolour();
  }

  /** What a page does not compute, as it was when Python wrote it. */
  seen(values) {
    const { columns, sizes, rows } = this.scene.seen;
    let from = 0;
    const known = new Map(columns.map((number, k) =>
      [number, values.subarray(from, (from += rows * sizes[k]))]));
    const grid = this.scene.lines * this.scene.samples;
    return new Frame(this.scene, this.kinds.length, rows - this.kinds.length - grid, (number) => known.get(number));
  }

  place() {
    const { scene } = this;
    const canvas = (words) => make("canvas", { class: "picture", tabindex: 0, role: "img", "aria-label": words });
    const name = scene.states[0];
    const [input, output] = [canvas(`${name.label}: the points, in the input`), canvas("the points after the layer in the hand")];
    this.left = new Picture(input, { box: scene.box && this.boxOf(scene.box) });
    this.right = new Picture(output);
    this.grip = new Hold({
      begun: () => this.begin(), ended: () => this.finish(),
      changed: (words) => { if (words) this.words = words; this.changed(Boolean(words)); },
    });
    this.mark = [0, 1].map(() => make("circle", { class: "ring", r: 7, visibility: "hidden" }));
    this.grip.element.append(this.mark[1]);
    this.brush = this.plane ? this.brushOf(this.left) : null;
    const tools = this.brush?.element ?? make("span", { class: "hint" }, "points can be drawn where the input is a plane");
    this.which = make("span", { class: "code" });
    this.type = make("span", { class: "type" });
    this.modes = ["columns", "singular values"].map((mode) => make("button", {
      type: "button", "aria-pressed": mode === "columns", onclick: () => this.grasp(mode),
    }, mode));
    const head = (...parts) => make("div", { class: "title" }, ...parts);
    this.fields = new Fields({
      begun: () => this.begin(), ended: (words) => { this.words = words; this.grip.find(); this.finish(); },
    });
    this.axis = this.program();
    this.score = make("span", { class: "score" });
    this.curve = make("svg", { class: "curve", viewBox: "0 0 120 24", "aria-hidden": "true" }, make("path", {}));
    this.told = make("div", { class: "told", "aria-live": "polite" });
    this.caption = make("div", { class: "caption", "aria-live": "polite" });
    const act = (text, call, more = {}) => make("button", { type: "button", class: "act", onclick: call, ...more }, text);
    this.acts = {
      undo: act("undo", () => this.undo()), redo: act("redo", () => this.redo()), reset: act("reset", () => this.reset()),
      train: act("train on", () => this.train(), { class: "act main" }),
    };
    this.done = make("i", {});
    this.table = make("div", { class: "data", hidden: true });
    const toggle = make("button", { type: "button", class: "link", "aria-expanded": false, onclick: () => {
      this.table.hidden = !this.table.hidden;
      toggle.setAttribute("aria-expanded", !this.table.hidden);
      this.ask();
    } }, "data table");
    const save = this.kernel
      ? make("button", { type: "button", class: "link", onclick: () => this.model.send("page") }, "save page") : "";
    const over = make("svg", { class: "over" }, this.brush?.cross ?? "", this.mark[0]);
    this.el.replaceChildren(
      make("div", { class: "pair" },
        make("div", { class: "side" }, head(make("span", { class: "code" }, name.label), make("span", { class: "type" }, name.type), tools),
          make("div", { class: "frame" }, input, over)),
        make("div", { class: "side" },
          head(this.which, this.type, make("div", { class: "group", role: "group", "aria-label": "what is held" }, ...this.modes)),
          make("div", { class: "frame" }, output, this.grip.element))),
      this.fields.element, this.axis,
      make("div", { class: "row" },
        make("div", { class: "group" }, this.acts.undo, this.acts.redo, this.acts.reset), this.score,
        make("span", { class: "end" }, this.curve, this.acts.train)),
      make("div", { class: "share" }, this.done), this.told,
      make("div", { class: "foot" }, this.caption, make("span", { class: "links" }, toggle, save)), this.table);
    if (!this.plane) this.looking(this.left);
    this.looking(this.right);
    this.el.onkeydown = (event) => this.key(event);
  }

  brushOf(picture) {
    const say = (words) => {
      this.words = words;
      this.ask();
    };
    return new Brush(picture, this.scene.colour, {
      free: () => !this.grip.locked,
      data: () => ({ points: this.points, kinds: this.kinds }),
      begun: () => this.begin(), ended: () => this.finish(), told: say,
      changed: ({ points, kinds }, words) => {
        [this.points, this.kinds, this.brushed] = [points, kinds, null];
        this.words = words;
        this.changed();
      },
      pointed: (found) => this.point(found), traced: (found) => this.trace(found),
    });
  }

  boxOf([low, high]) {
    return [0, 1].map((k) => [low[k], high[k]]);
  }

  /** The one axis: the program, and below each place a small picture of the points there. */
  program() {
    const { scene } = this;
    const count = scene.stages.length;
    const share = (k) => `left:${(100 * (k + 0.5)) / (count + 1)}%`;
    this.small = scene.states.map((state, k) => {
      const canvas = make("canvas", { "aria-hidden": "true", title: state.type });
      return new Picture(canvas, { look: { size: 1.25, thin: 0.6 }, box: k === 0 && scene.box ? this.boxOf(scene.box) : null });
    });
    const first = make("span", { class: "label first", style: share(0) }, scene.states[0].label);
    this.labels = scene.stages.map((stage, k) => {
      const at = { class: "label", style: share(k + 0.5), title: stage.label };
      const own = scene.layers.flatMap((layer, n) => (layer.stage === k ? [n] : []));
      if (!own.length) return make("span", at, stage.label);
      const next = () => own[(own.indexOf(this.layer) + 1) % own.length];
      return make("span", { ...at, class: "label held" }, make("button", {
        type: "button", title: "take hold of it", onclick: () => this.hold(next()),
      }, stage.label));
    });
    const joins = scene.stages.slice(1).map((_, k) => make("span", { class: "join", style: share(k + 1) }, ">>"));
    const ticks = scene.states.map((_, k) => make("i", { class: "tick", style: share(k) }));
    return make("div", { class: count > 7 ? "axis many" : "axis", style: `--columns:${count + 1}` },
      make("div", { class: "words" }, first, ...this.labels, ...joins),
      make("div", { class: "track" }, make("i", { class: "line", style: `left:${50 / (count + 1)}%;right:${50 / (count + 1)}%` }), ...ticks),
      make("div", { class: "columns" }, ...scene.states.map((state, k) =>
        make("div", { class: "column" }, this.small[k].canvas, make("span", { class: "type", title: state.type }, state.type)))));
  }

  // --- the layer in the hand ------------------------------------------------------------------

  hold(n, known = false) {
    const { scene } = this;
    this.layer = Math.min(Math.max(n, 0), Math.max(scene.layers.length - 1, 0));
    const layer = scene.layers[this.layer];
    this.labels.forEach((label, k) => label.classList.toggle("now", k === layer?.stage));
    if (!layer) {
      this.said(this.which, "no layer to hold");
      this.said(this.type, "no weight is a matrix that meets the data by itself");
    } else {
      this.said(this.which, layer.label);
      this.said(this.type, layer.type);
    }
    this.right.camera = null;
    this.fresh = true;
    this.changed();
    if (!known) this.save({ layer: this.layer });
  }

  grasp(mode) {
    this.grip.mode = mode === "columns" ? "columns" : "stretch";
    this.modes.forEach((each) => each.setAttribute("aria-pressed", each.textContent === mode));
    this.fresh = true;
    this.ask();
  }

  // --- what a hand does -------------------------------------------------------------------------

  snapshot() {
    return { weights: this.weights.slice(), points: this.points, kinds: this.kinds };
  }

  begin() {
    this.past.push(this.snapshot());
    if (this.past.length > MEMORY) this.past.shift();
    this.future = [];
    this.moving = true;
  }

  /** The weights or the points are others: say so in the next frame. */
  changed(really = true) {
    this.stale ||= really;
    this.ask();
  }

  finish() {
    this.moving = false;
    this.warn();
    this.commit();
    this.changed();
  }

  /** Who is linked shows the weights of before, or these again. */
  warn() {
    const same = (others) => this.weights.every((value, k) => value === others[k]);
    if (!same(this.warned)) this.share?.({ moved: "page", back: same(this.others) });
    this.warned = this.weights.slice();
  }

  restore({ weights, points, kinds }) {
    this.weights.set(weights);
    [this.points, this.kinds] = [points, kinds];
    this.grip.find();
    this.finish();
  }

  undo() {
    if (!this.past.length || this.training) return;
    this.future.push(this.snapshot());
    this.words = "Undone.";
    this.restore(this.past.pop());
  }

  redo() {
    if (!this.future.length || this.training) return;
    this.past.push(this.snapshot());
    this.words = "Done again.";
    this.restore(this.future.pop());
  }

  reset() {
    if (this.training) return;
    this.begin();
    this.words = "The weights and points of the beginning.";
    this.restore(this.first);
  }

  key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (!command || event.key.toLowerCase() !== "z" || event.target.matches("input")) return;
    event.preventDefault();
    if (event.shiftKey) this.redo();
    else this.undo();
  }

  // --- the session ------------------------------------------------------------------------------

  /** Hand the weights and points to the session. */
  commit() {
    if (!this.kernel) {
      this.state = "In this page alone: no kernel is there.";
      return;
    }
    this.sequence += 1;
    this.state = "Not in the session yet.";
    this.waiting = { do: "commit", seq: this.sequence };
    this.send(this.waiting, [this.weights, this.points, this.kinds]);
  }

  send(said, arrays = []) {
    this.model.send(said, undefined, arrays.map((each) => each.slice().buffer));
  }

  answered(said, buffers) {
    if (said.page !== undefined) return keep(said);
    if (said.answer !== undefined) return this.carried(said, buffers);
    if ((said.done ?? said.waits ?? said.refused) !== this.sequence) return;
    clearTimeout(this.retrying);
    if (said.done !== undefined) {
      this.waiting = null;
      this.state = said.note || "In the session.";
      if (said.moved) {
        this.share?.({ moved: "hand" });
        this.others = this.weights.slice();
      }
    } else if (said.refused !== undefined) {
      this.waiting = null;
      this.state = `Not in the session. ${said.why}`;
    } else {
      this.state = `Not in the session yet: ${said.why}.`;
      this.retrying = setTimeout(() => this.waiting && this.commit(), AGAIN);
    }
    this.ask();
  }

  /** Weights that others have set, a training or a cell; a hand that holds on keeps its own. */
  theirs() {
    if (this.moving || (this.waiting && !this.training)) return;
    const weights = doubles(this.model, "weights");
    if (weights.length !== this.weights.length) return;
    this.weights.set(weights);
    this.warned = this.others = weights;
    this.grip.find();
    this.changed();
  }

  train() {
    if (this.training) {
      this.send({ do: "stop" });
      this.acts.train.disabled = true;
      return;
    }
    this.begin();
    this.moving = false;
    this.commit();
    this.send({ do: "train" });
  }

  trained() {
    const status = this.model.get("status") ?? {};
    const was = this.training;
    this.training = status.state === "training";
    const stuck = this.forward.missing && !this.kernel; // what is moved could not be followed
    this.grip.locked = this.training || stuck;
    const { train, undo, redo, reset } = this.acts;
    train.textContent = this.training ? "stop" : "train on";
    train.disabled = !this.kernel;
    train.title = this.kernel ? "Train on from these weights, with the points that are seen"
      : "Training needs a kernel: open the notebook that this page is from";
    [undo, redo, reset].forEach((each) => (each.disabled = this.training));
    this.brush?.disable(stuck);
    this.fields.fill();
    this.done.style.width = this.training || status.state === "watched" ? `${100 * (status.done ?? 0)}%` : "0";
    this.said(this.told, this.kernel ? status.words ?? "" : "Training needs a kernel; everything else works here.");
    this.told.setAttribute("aria-live", this.training ? "off" : "polite");
    this.plot(status.losses ?? []);
    if (was && !this.training) {
      this.state = "In the session.";
      this.share?.({ moved: "training" });
    }
    this.changed();
  }

  /** The losses as a small curve. */
  plot(losses) {
    const [low, high] = [Math.min(...losses), Math.max(...losses)];
    const at = (value, k) => `${((120 * k) / (losses.length - 1)).toFixed(1)} ${(22 - (20 * (value - low)) / (high - low || 1)).toFixed(1)}`;
    this.curve.firstChild.setAttribute("d", losses.length > 1 ? `M${losses.map(at).join("L")}` : "");
  }

  get count() {
    return this.kinds.length;
  }

  // --- looking ----------------------------------------------------------------------------------

  looking(picture) {
    const { canvas } = picture;
    const near = (event) => {
      const box = canvas.getBoundingClientRect();
      return picture.nearest(event.clientX - box.left, event.clientY - box.top, NEAR);
    };
    canvas.addEventListener("pointermove", (event) => this.point(near(event)));
    canvas.addEventListener("pointerdown", (event) => this.trace(near(event)));
    canvas.addEventListener("pointerleave", () => this.point(-1));
  }

  point(found) {
    if (found === this.pointed) return;
    this.pointed = found;
    this.ask();
  }

  trace(found) {
    if (found < 0) return;
    this.point(found);
    this.share?.({ traced: found });
  }

  /** What another widget over the same data has done. */
  linked({ traced, brushed, moved }) {
    if (moved === "hand") this.model.send({ do: "refresh" });
    if (traced !== undefined && traced < this.count) this.point(traced);
    if (brushed !== undefined) this.brushed = brushed?.length === this.count ? brushed : null;
    this.ask();
  }

  // --- drawing ----------------------------------------------------------------------------------

  recolour() {
    this.colours = this.el.isConnected ? coloursOf(this.el) : null;
    this.resize();
  }

  resize() {
    const { clientWidth, clientHeight } = this.left.canvas;
    if (!clientWidth || !this.el.isConnected) return;
    this.colours ??= coloursOf(this.el);
    for (const picture of [this.left, this.right]) picture.resize(clientWidth, clientHeight);
    const width = Math.min(SMALL, this.axis.clientWidth / this.small.length - 8);
    for (const { canvas } of this.small) canvas.style.width = canvas.style.height = `${width}px`;
    for (const picture of this.small) picture.resize(width, width);
    this.fresh = true;
    this.changed();
  }

  tick() {
    if (!this.el.isConnected || !this.colours || !this.left.ratio) return;
    const clock = performance.now();
    if (this.stale) {
      this.stale = false;
      const frame = this.forward.frame(this.weights, this.points, this.moving || this.training);
      if (frame) this.frame = frame;
      else this.asking(); // until then what was seen last
    }
    if (!this.frame) return this.tell();
    this.see();
    this.echo = performance.now() - clock; // ms, from a hand's move to what is drawn
    this.tell();
  }

  /** A kernel is asked for what a page does not compute: one question at a time. */
  asking() {
    if (!this.kernel) return;
    if (this.asks) return (this.asks.again = true);
    this.asks = { again: false, points: this.points, kinds: this.kinds };
    this.send({ do: "ask", seq: this.sequence, columns: this.forward.wanted }, [this.weights, this.points]);
  }

  carried({ columns, ends }, buffers) {
    const values = new Map(columns.map((number, k) => {
      const view = buffers[k];
      return [number, new Float64Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))];
    }));
    const { again, kinds } = this.asks;
    this.asks = null;
    this.frame = new Frame(this.scene, kinds.length, 2 * ends, (number) => values.get(number));
    if (again) this.changed();
    this.ask();
  }

  see() {
    const { scene, frame, colours } = this;
    const { colour } = scene;
    const data = colour?.classes ? Uint8Array.from(this.kinds) : this.kinds;
    const shown = { ...frame, colour: colour && { ...colour, array: { data } } };
    const layer = scene.layers[this.layer];
    const grows = this.moving || this.training;
    const state = (picture, { columns, size, axes }) => {
      picture.see(frame.values(columns), size, axes, frame);
      if (!picture.camera || !this.moving) picture.fit([], grows);
    };
    state(this.left, scene.states[0]);
    this.left.paint(shown, colours, this.brushed);
    if (layer) {
      this.right.see(frame.column(layer.column), layer.rows, layer.axes, frame);
      if (this.fresh) {
        this.fresh = false;
        if (!this.right.camera) this.right.fit([]);
        this.grip.take(layer, this.weights, this.right);
        this.fields.take(layer, this.weights, this.grip);
      }
      if (!this.moving) this.right.fit(this.grip.places, grows);
    } else state(this.right, scene.states.at(-1));
    this.right.paint(shown, colours, this.brushed);
    if (layer) this.grip.draw();
    scene.states.forEach((each, k) => {
      state(this.small[k], each);
      this.small[k].options.look.every = Math.max(Math.ceil(frame.count / FEW), 1);
      this.small[k].paint(shown, colours, this.brushed);
    });
    [this.left, this.right].forEach((picture, k) => {
      const there = this.pointed >= 0 && this.pointed < frame.count;
      this.mark[k].setAttribute("visibility", there ? "visible" : "hidden");
      if (!there) return;
      const [x, y] = picture.at(this.pointed);
      this.mark[k].setAttribute("cx", x);
      this.mark[k].setAttribute("cy", y);
    });
  }

  // --- numbers ----------------------------------------------------------------------------------

  tell() {
    const { scene, forward } = this;
    if (this.frame && this.grip.layer) this.fields.follow();
    this.acts.undo.disabled = !this.past.length || this.training;
    this.acts.redo.disabled = !this.future.length || this.training;
    this.said(this.score, this.frame ? this.scored() : "");
    this.caption.setAttribute("aria-live", this.moving ? "off" : "polite");
    const cannot = forward.missing && !this.kernel
      ? `This page does not compute ${forward.missing}: with a kernel it works. ` : "";
    const start = scene.layers.length ? "Drag the end of an arrow, or draw points." : "Draw points.";
    this.said(this.caption, cannot || [this.words || start, this.state].filter(Boolean).join(" "));
    if (!this.table.hidden) this.rows();
  }

  /** How many of the points the function answers rightly, where it has answers. */
  scored() {
    const { scene, frame } = this;
    const many = `${frame.count.toLocaleString("en")} points`;
    if (scene.level === null) return many;
    const { columns } = scene.states.at(-1);
    const share = right(frame.values(columns), frame.total, scene.level, this.kinds.subarray(0, frame.count));
    return `${Math.floor(100 * share)} % of ${many} right`;
  }

  rows() {
    const head = ["layer", "weight", "matrix"];
    const rows = this.scene.layers.map((layer) => {
      const told_ = Array.from({ length: Math.min(layer.rows, ROWS) }, (_, i) =>
        `(${layer.matrix.slice(i * layer.size, i * layer.size + Math.min(layer.size, ROWS)).map((k) => told(this.weights[k])).join(", ")}${layer.size > ROWS ? ", …" : ""})`);
      return [layer.label, layer.path, told_.join(" ") + (layer.rows > ROWS ? " …" : "")];
    });
    this.table.replaceChildren(tabled(head, rows));
  }

  close() {
    clearTimeout(this.retrying);
    super.close();
  }
}

function render({ model, el }) {
  const hands = new Hands(model, el);
  return () => hands.close();
}

export default { render };
