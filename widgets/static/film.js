// `film`: a training replayed. All states of the function at one moment side by side, one of them
// large, and the loss curve to go through the moments.
//
// The model holds the `film` and its `numbers` (views/film/packed.py), the `epoch` and the `state`
// that are looked at, the point that is `traced`, and the points that are `brushed`. While a
// network trains, moments come one by one as messages.

import { bufferOf } from "./bytes.js";
import { Curve } from "./curve.js";
import { make, tabled, told } from "./dom.js";
import { Drawn } from "./drawn.js";
import { link } from "./link.js";
import { initialize } from "./live.js";
import { CanvasPainter } from "./paint.js";
import { checks, controls, foot, legend, picker } from "./panel.js";
import { ofPoints, pixel } from "./points.js";
import { Reel } from "./reel.js";
import { identity } from "./scene.js";
import { orthonormal, turnedBy } from "./view.js";

const PLAY_MS = 6000; // a whole film
const HOPS = 10; // without motion it is seen in so many pictures
const HOP_MS = 900;
const SMALL = 84; // a small picture, at most
const FEW = 500; // points in it

class Film extends ofPoints(Drawn) {
  constructor(model, el) {
    super(model, el, "nnfp-film");
    this.show = { points: true, grid: true, boundary: true, ellipses: false };
    this.steps = ["moment before", "next moment"];
    this.build();
    this.listen({
      "change:film": () => this.build(),
      "change:epoch": () => this.go(this.reel.timeOf(model.get("epoch")), { known: true }),
      "change:state": () => this.choose(model.get("state"), { known: true }),
      "change:traced": () => this.pin(model.get("traced"), { known: true }),
      "change:brushed": () => this.chosen(model.get("brushed")),
    });
    el.film = this; // for pages that drive it, and for tests that read it
  }

  // --- what there is ------------------------------------------------------------------------

  build() {
    const { model } = this;
    const before = this.reel && this.time < this.reel.last ? this.reel.at(this.time).epoch : null;
    this.reel = this.scene = new Reel(model.get("film"), bufferOf(model, "numbers"));
    this.course = this.reel.course;
    this.running = false;
    this.moved = "";
    this.news = [];
    const states = this.reel.states.length;
    const asked = model.get("state");
    this.state = asked >= 0 ? Math.min(asked, states - 1) : this.best();
    const epoch = before ?? model.get("epoch");
    this.time = epoch >= 0 ? this.reel.timeOf(epoch) : this.reel.last;
    this.pinned = Math.min(model.get("traced") ?? 0, this.reel.count - 1);
    if (this.brushed?.length !== this.reel.count) this.brushed = null;
    this.views = { modes: this.reel.states.some(({ seen }) => seen > 2) ? ["2-D", "3-D"] : ["2-D"] };
    if (!this.views.modes.includes(this.mode)) this.mode = "2-D";
    this.unlink?.();
    this.unlink = link(this.reel.id, this);
    this.place();
    this.recolour();
  }

  /** The state that tells most: the last one of which a plane is seen. */
  best() {
    const { states } = this.reel;
    const wide = states.map(({ seen }, k) => (seen > 1 ? k : -1)).filter((k) => k >= 0);
    return wide.length ? wide.at(-1) : states.length - 1;
  }

  place() {
    const { reel, options } = this;
    this.canvas = make("canvas", { class: "picture", tabindex: 0, role: "img" });
    this.ring = make("circle", { class: "ring", r: 7 });
    this.way = make("path", { class: "way" });
    const over = make("svg", { class: "over", "aria-hidden": "true" }, this.way, this.ring);
    const picture = make("div", { class: "frame" }, this.canvas, over);
    if (options.height) picture.style.height = `${options.height}px`;
    this.painter?.close?.();
    this.painter = null;
    this.curve = new Curve((epoch) => this.handed(epoch), (event) => this.key(event), !this.allows("scrub"));
    this.small = reel.states.map(() => make("canvas", { "aria-hidden": "true" }));
    this.columns = reel.states.map(({ label, type }, k) =>
      make("button", {
        type: "button", class: "column", title: `${label} : ${type}`, onclick: () => this.choose(k),
        "aria-label": `${k ? "after " : "the input "}${label}, ${type}`,
      }, make("span", { class: "label" }, label), this.small[k], make("span", { class: "type" }, type)));
    this.number = null;
    this.big = make("div", { class: "now" });
    this.readout = make("div", { class: "readout" });
    this.caption = make("div", { class: "caption", "aria-live": "polite" });
    this.table = make("div", { class: "data", hidden: true });
    const side = make("div", { class: "side" },
      controls(this), checks(this), this.big,
      make("div", { class: "head" }, make("label", {}, "point ", picker(this))),
      this.readout, legend(this));
    const wait = make("div", { class: "prose" }, `Train it, and it is filmed here.`);
    this.el.replaceChildren(
      make("div", { class: "top" }, picture, side),
      make("div", { class: "states", role: "group", "aria-label": "stage" }, ...this.columns),
      this.curve.element, reel.course || reel.moments.length > 1 ? "" : wait, foot(this), this.table);
    this.wait = wait;
    this.curve.element.hidden = wait.parentNode !== null; // none is filmed yet
    this.number.value = this.pinned;
    this.sized.disconnect();
    this.sized.observe(picture);
    this.sized.observe(this.curve.element);
    this.hands();
    if (this.brushed) this.brush(this.brushed, -1, true);
  }

  live(said, buffer) {
    if (said.course) [this.course, this.curved] = [said.course, true];
    this.news = [...this.news.filter(([{ moment }]) => said.kept.includes(moment.step)), [said, buffer]];
    this.ask();
  }

  /** A moment more, while a network trains. */
  renew() {
    const follows = this.time >= this.reel.last - 1e-9;
    const { reel } = this;
    this.news.forEach(([{ moment, kept }, buffer]) => reel.add(moment, buffer, kept));
    this.news = [];
    this.running = true;
    this.moved = "";
    if (this.wait.parentNode) {
      this.wait.remove();
      this.curve.element.hidden = false;
    }
    this.updates = (this.updates ?? 0) + 1; // for tests and benchmarks
    if (follows && !this.playing) this.time = reel.last;
    else this.time = Math.min(this.time, reel.last);
  }

  // --- where one is -------------------------------------------------------------------------

  /** A hand has moved the slider, which is near a moment or between two. */
  handed(epoch) {
    this.play(false);
    const time = this.reel.timeOf(epoch);
    const near = Math.round(time);
    this.go(Math.abs(time - near) < 0.15 || this.still.matches ? near : time);
  }

  go(to, { known = false } = {}) {
    const time = Math.min(Math.max(to, 0), this.reel.last);
    if (time === this.time) return;
    this.time = time;
    this.redraw();
    if (known) return;
    this.save({ epoch: this.reel.at(time).epoch });
  }

  step(by) {
    this.play(false);
    this.go(by > 0 ? Math.floor(this.time + by + 1e-9) : Math.ceil(this.time + by - 1e-9));
  }

  choose(state, { known = false } = {}) {
    if (!(state >= 0 && state < this.reel.states.length) || state === this.state) return;
    this.state = state;
    this.redraw();
    if (known) return;
    this.share?.({ position: state });
    this.save({ state });
  }

  key(event) {
    const last = this.reel.last;
    const time = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const state = { PageUp: 1, PageDown: -1 }[event.key];
    const end = { Home: -last, End: last }[event.key];
    if (time === undefined && state === undefined && end === undefined) return;
    event.preventDefault();
    if (state !== undefined) this.choose(Math.min(Math.max(this.state + state, 0), this.reel.states.length - 1));
    else if (this.allows("scrub")) this.step(time ?? end);
  }

  play(on) {
    if (this.playing === on) return;
    this.playing = on;
    clearTimeout(this.hopping);
    if (on && this.time >= this.reel.last) this.time = 0;
    this.before = null;
    if (this.player) this.player.textContent = on ? "pause" : "play";
    if (on && this.still.matches) this.hop();
    else if (on) this.ask();
    else this.save({ epoch: this.reel.at(this.time).epoch });
  }

  /** Without motion: from moment to moment, and each is looked at. */
  hop() {
    if (!this.playing) return;
    this.redraw();
    if (this.time >= this.reel.last) return this.play(false);
    const step = Math.max(Math.ceil(this.reel.last / HOPS), 1);
    this.hopping = setTimeout(() => {
      this.time = Math.min(Math.floor(this.time + step), this.reel.last);
      this.hop();
    }, HOP_MS);
  }

  // --- what is looked at ----------------------------------------------------------------------

  pin(point, { known = false } = {}) {
    this.pinned = Math.min(Math.max(point, 0), this.reel.count - 1);
    this.redraw();
    if (known) return;
    this.share?.({ traced: this.pinned });
    this.save({ traced: this.pinned });
  }

  /** What another widget of the same data has done: the model is told, the others know. */
  linked({ position, traced, brushed, kind, ...change }) {
    this.older(change); // a film is of a training, which stays as it was
    if (position !== undefined) {
      this.choose(Math.round(position), { known: true });
      this.save({ state: this.state });
    }
    if (traced !== undefined) {
      this.pin(traced, { known: true });
      this.save({ traced: this.pinned });
    }
    if (brushed !== undefined && (!brushed || brushed.length === this.reel.count)) {
      this.brush(brushed, kind, true);
      this.save({ brushed: this.indices() });
    }
  }

  // --- hands ----------------------------------------------------------------------------------

  hands() {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      const [x, y] = place(event);
      held = { x, y, from: [x, y], moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      if (!held) return this.hover(this.nearest(x, y));
      held.moved ||= Math.hypot(x - held.from[0], y - held.from[1]) > 3;
      if (held.moved && this.deep() && this.allows("view")) this.rotate((x - held.x) / 160, (y - held.y) / 160);
      [held.x, held.y] = [x, y];
    });
    canvas.addEventListener("pointerup", (event) => {
      const found = held && !held.moved ? this.nearest(...place(event)) : -1;
      if (found >= 0) this.pin(found);
      held = null;
    });
    canvas.addEventListener("pointercancel", () => (held = null));
    canvas.addEventListener("pointerleave", () => this.hover(-1));
    this.el.onkeydown = (event) => {
      const typing = event.target.matches("input[type=number]");
      if (event.key === " " && !event.target.matches("button, input[type=checkbox]") && !typing) {
        event.preventDefault();
        if (this.allows("play")) this.play(!this.playing);
      } else if (event.key === "Escape") {
        this.play(false);
        this.brush(null);
      } else if (event.target === canvas && event.key.startsWith("Arrow") && this.deep()) {
        const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        event.preventDefault();
        if (this.allows("view")) this.rotate(0.08 * dx, 0.08 * dy);
      } else if (event.target === canvas) this.key(event);
    };
  }

  /** Whether what is looked at is seen in space. */
  deep() {
    return this.mode === "3-D" && this.reel.states[this.state].seen > 2;
  }

  rotate(dx, dy) {
    this.turn = orthonormal(turnedBy(this.turn, dx, -dy));
    this.redraw();
  }

  // --- drawing --------------------------------------------------------------------------------

  resize() {
    // Asked for here: while it draws, to ask would have all laid out anew.
    this.wide = this.el.clientWidth;
    this.curve.resize();
    this.curved = true;
    super.resize();
  }

  redraw() {
    this.ask();
  }

  tick(now) {
    if (this.news.length) this.renew();
    if (!this.canvas.isConnected || !this.colours || !this.ratio) return;
    if (this.playing && !this.still.matches) {
      const passed = this.before == null ? 0 : Math.min(now - this.before, 100);
      this.before = now;
      const { last } = this.reel;
      this.time = Math.min(this.time + (passed * Math.max(last, 1)) / PLAY_MS, last);
      if (this.time >= last) this.play(false);
    }
    this.paint();
    this.tell();
    if (this.playing && !this.still.matches) this.ask();
  }

  /** The camera of a state: the same all through the film. */
  cameraOf(state, rows, canvas) {
    const { middle, plane, space } = this.reel.views[state];
    const reach = 1.07 * (rows === this.turn ? space : plane);
    const [x, y, z] = rows.map((row) => row.reduce((sum, value, k) => sum + value * middle[k], 0));
    const line = this.reel.states[state].seen === 1;
    return { x, y: line ? 0 : y, z, reach, scale: (0.5 * Math.min(canvas.width, canvas.height)) / reach };
  }

  paint() {
    const { reel, colours, show, brushed, ratio, canvas, state, time } = this;
    const total = 3 * reel.total;
    if (this.xyz?.length !== total) [this.xyz, this.spare] = [new Float32Array(total), new Float32Array(total)];
    const rows = this.deep() ? this.turn : identity(3);
    reel.project(time, state, rows, this.xyz);
    this.camera = this.cameraOf(state, rows, canvas);
    const picture = { scene: reel, colours, brushed, ratio };
    const drawn = (k) => ({ ...show, grid: show.grid && reel.states[k].seen > 1 });
    this.painter ??= new CanvasPainter(canvas);
    this.painter.paint({ ...picture, xyz: this.xyz, camera: this.camera, show: drawn(state), depth: this.deep() });
    const wide = Math.min(SMALL, this.wide / reel.states.length - 12);
    const every = Math.max(Math.ceil(reel.count / FEW), 1);
    // While all moves the small pictures take turns.
    const moving = this.playing || this.running;
    this.turns = moving ? ((this.turns ?? 0) + 1) % 2 : null;
    this.small.forEach((small, k) => {
      this.columns[k].setAttribute("aria-pressed", k === state);
      if (this.turns !== null && small.painter && k % 2 !== this.turns) return;
      const pixels = Math.max(Math.round(wide * ratio), 1);
      if (small.width !== pixels) {
        small.width = small.height = pixels;
        small.style.width = small.style.height = `${wide}px`;
      }
      reel.project(time, k, identity(3), this.spare);
      small.painter ??= new CanvasPainter(small);
      small.painter.paint({
        ...picture, xyz: this.spare, camera: this.cameraOf(k, identity(3), small), show: drawn(k),
        depth: false, size: 1.25, thin: 0.6, every,
      });
    });
    if (this.curved) {
      this.curved = false;
      this.curve.paint(this.course, reel.all);
    }
    this.curve.move(reel.at(time), this.where());
    this.trail(rows);
  }

  /** The traced point, and the way it has gone through the training. */
  trail(rows) {
    const { reel, state, time, point } = this;
    const [x, y] = this.at(point);
    const there = Number.isFinite(x) && Number.isFinite(y) && this.show.points;
    this.ring.setAttribute("visibility", there ? "visible" : "hidden");
    let d = "";
    if (there) {
      this.ring.setAttribute("cx", x);
      this.ring.setAttribute("cy", y);
      if (reel.states[state].seen > 1 && state > 0) {
        for (let k = 0; k <= time; k++) {
          const values = reel.values(k, state, point);
          if (!values.length) continue;
          const [u, v] = rows.map((row) => values.reduce((sum, value, i) => sum + row[i] * value, 0));
          d += `${d ? "L" : "M"}${pixel(this, u, v).map((each) => each.toFixed(1)).join(" ")}`;
        }
        if (d) d += `L${x.toFixed(1)} ${y.toFixed(1)}`;
      }
    }
    this.way.setAttribute("d", d.includes("NaN") ? "" : d);
  }

  // --- in words -------------------------------------------------------------------------------

  /** The moment, as a person says it. */
  where() {
    const { epoch, step, loss } = this.reel.at(this.time);
    if (!this.course) return this.reel.moments.length > 1 ? `step ${step}` : "now";
    const when = this.course.unit === "step"
      ? `step ${step.toLocaleString("en")} of ${this.course.steps.toLocaleString("en")}`
      : `${this.course.unit} ${counted(epoch)} of ${counted(this.course.epochs)}`;
    return loss === null ? when : `${when}, loss ${told(loss)}`;
  }

  tell() {
    const { reel, state, time, point } = this;
    const whole = Math.abs(time - Math.round(time)) < 1e-6;
    const { label, type, size, seen } = reel.states[state];
    const where = this.where();
    const [when, loss] = where.split(", loss ");
    const head = [make("b", {}, when[0].toUpperCase() + when.slice(1)), make("span", {}, loss ? `loss ${loss}` : "")];
    if (this.big.textContent !== head.map((each) => each.textContent).join("")) this.big.replaceChildren(...head);
    if (document.activeElement !== this.number) this.number.value = point;
    const values = reel.values(time, state, point).map(told).join(", ");
    this.said(this.readout, `${this.kindOf(point)}(${values})`);
    const kept = size > seen ? ` Of ${size} dimensions the ${seen} principal ones are seen, the same at every moment.` : "";
    const place = state ? `After stage ${state} of ${reel.states.length - 1}, ${label} : ${type}.` : `The input, ${label} : ${type}.`;
    this.caption.setAttribute("aria-live", whole && !this.playing && !this.running ? "polite" : "off");
    this.said(this.caption, `${where[0].toUpperCase()}${where.slice(1)}. ${place}${kept}${this.since}`);
    this.canvas.setAttribute("aria-label", `${reel.name}: ${reel.count} points. ${this.caption.textContent}`);
    if (!this.table.hidden) this.tabulate();
  }

  /** All moments as a table: what is drawn of them, and where the traced point is. */
  tabulate() {
    const { reel, state, point } = this;
    const head = ["step", "epoch", "loss", `point ${point} after ${reel.states[state].label}`];
    const rows = reel.all.map(({ step, epoch, loss }, k) => [
      step.toLocaleString("en"), counted(epoch), loss === null ? "" : told(loss),
      `(${reel.values(k, state, point).map(told).join(", ")})`,
    ]);
    const key = `${state} ${point} ${rows.length} ${reel.live?.step}`;
    if (this.table.dataset.key === key) return;
    this.table.dataset.key = key;
    this.table.replaceChildren(tabled(head, rows));
  }

  close() {
    this.playing = false;
    clearTimeout(this.hopping);
    super.close();
  }
}

/** Epochs as a person counts them. */
const counted = (epoch) => epoch.toLocaleString("en", { maximumFractionDigits: epoch < 10 ? 2 : 0 });

function render({ model, el }) {
  const film = new Film(model, el);
  return () => film.close();
}

export default { initialize, render };
