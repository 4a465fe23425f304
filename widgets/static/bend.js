// `bend`: points, a grid and the decision boundary, moving through the stages of a program.
//
// The model holds `scene` and `numbers` (views/scene/packed.py), the `position`, the point
// that is `traced`, the points that are `brushed`, and the `options` of an author. The same
// module draws a widget and a page without a kernel.

import { Axis } from "./axis.js";
import { bufferOf } from "./bytes.js";
import { merged } from "./changes.js";
import { make, told } from "./dom.js";
import { Curve } from "./geodesic.js";
import { Lens } from "./lens.js";
import { link } from "./link.js";
import { initialize } from "./live.js";
import { Moving } from "./moving.js";
import { Over } from "./over.js";
import { CanvasPainter } from "./paint.js";
import { bookmarks, checks, controls, foot, legend, picker, valueMarks } from "./panel.js";
import { ofPoints } from "./points.js";
import { Scene, identity } from "./scene.js";
import { table } from "./table.js";
import { MOST, Trace } from "./trace.js";
import { Views, dragged, orthonormal, toured, turnedBy } from "./view.js";
import { GlPainter } from "./webgl.js";
import { keep } from "./widget.js";

class Bend extends ofPoints(Moving) {
  constructor(model, el) {
    super(model, el, "nnfp-bend");
    this.show = { points: true, grid: true, boundary: true, ellipses: true, area: false, geodesic: false };
    this.build();
    // What Python sets; what was set here is heard again, and changes nothing.
    this.listen({
      "change:scene": () => this.build(),
      "change:position": () => this.go(model.get("position"), { told: true }),
      "change:traced": () => {
        this.pinned = Math.min(Math.max(model.get("traced"), 0), this.scene.count - 1);
        this.redraw();
      },
      "change:brushed": () => this.chosen(model.get("brushed")),
      "change:metric": () => this.grind(),
      "msg:custom": (said) => (said.geodesic ? this.curve.told(said.geodesic) : keep(said)),
    });
    el.bend = this; // for pages that drive it, and for tests that read it
  }

  // --- what there is ------------------------------------------------------------------------

  build() {
    const { model } = this;
    this.scene = new Scene(model.get("scene"), bufferOf(model, "numbers"));
    this.views = new Views(this.scene);
    this.xyz = new Float32Array(3 * this.scene.total);
    if (!this.views.modes.includes(this.mode)) this.mode = "2-D";
    // A little turned, so that a hand finds every axis.
    this.frame = toured(identity(this.views.size).slice(0, 2), 1.5);
    this.pinned = Math.min(model.get("traced") ?? 0, this.scene.count - 1);
    this.position = Math.min(Math.max(model.get("position") ?? 0, 0), this.scene.stages.length);
    // The same data seen again, with other weights: what a hand has chosen stays.
    if (this.brushed?.length !== this.scene.count) this.brushed = null;
    this.unlink?.();
    this.unlink = link(this.scene.id, this);
    this.curve = new Curve(this);
    this.news = null;
    this.el.classList.remove("live");
    this.moved = "";
    this.place();
    this.grind();
    this.recolour();
  }

  live({ scene, whole }, buffer) {
    if (!whole && !this.heard) return; // of one that was there before this was
    this.heard = whole ? scene : merged(this.heard, scene);
    this.news = buffer;
    this.ask();
  }

  tick(now) {
    if (this.news) this.renew(this.news);
    super.tick(now);
  }

  /** The same points with the weights of now, while a network trains: where a hand is, and the
   * camera, stay. */
  renew(buffer) {
    this.news = null;
    this.scene = new Scene(this.heard, buffer);
    this.views = new Views(this.scene, this.views);
    this.axis.scene = this.scene;
    this.trace.renew(this.scene);
    this.lens = null; // it is of the weights before
    this.askedFor = this.model.get("numbers");
    this.shown = null;
    this.updates = (this.updates ?? 0) + 1; // for tests and benchmarks
    this.el.classList.add("live");
    this.moved = "";
    this.stale = true;
  }

  place() {
    const { scene, options } = this;
    this.canvas = make("canvas", {
      class: "picture", tabindex: 0, role: "img",
      "aria-label": `${scene.name}: ${scene.count} points and how they move`,
    });
    this.over = new Over(this);
    const picture = make("div", { class: "frame" }, this.canvas, this.over.element);
    if (options.height) picture.style.height = `${options.height}px`;
    this.sized.disconnect();
    this.sized.observe(picture);
    this.painter?.close?.();
    this.painter = this.camera = this.shown = null;
    this.axis = new Axis(
      scene, (to) => this.handed(to), !this.allows("scrub"), this.model.get("measures"));
    this.trace = new Trace(scene);
    this.readout = make("div", { class: "readout" });
    this.lensed = make("div", { class: "lensed", "aria-live": "polite" });
    this.caption = make("div", { class: "caption", "aria-live": "polite" });
    this.prose = make("div", { class: "prose" });
    this.table = make("div", { class: "data", hidden: true });
    const side = make("div", { class: "side" },
      controls(this), checks(this),
      make("div", { class: "head" },
        make("label", {}, "point ", picker(this)), valueMarks(this)),
      this.trace.element, this.readout, legend(this), this.lensed);
    this.el.replaceChildren(
      make("div", { class: "top" }, picture, side), this.prose, bookmarks(this) ?? "",
      this.axis.element, foot(this), this.table
    );
    this.hands();
    if (this.brushed) this.brush(this.brushed, -1, true);
  }

  /** The lens, of the metric that is there. */
  grind() {
    const metric = this.model.get("metric");
    const here = metric?.byteLength === 4 * 3 * this.scene.states.length * this.scene.sheet[0] * this.scene.sheet[1];
    this.lens = here && this.scene.sheet[0] > 0 ? new Lens(this.scene, new Float32Array(bufferOf(this.model, "metric"))) : null;
    this.redraw(true);
  }

  /** Whether something is shown that takes the lens; without it Python is asked for it, once. */
  get through() {
    const wanted = this.show.area || this.show.geodesic;
    if (wanted && !this.lens && this.askedFor !== this.model.get("numbers")) {
      this.askedFor = this.model.get("numbers");
      this.model.send("lens");
    }
    return wanted && this.lens;
  }

  // --- what is looked at ----------------------------------------------------------------------

  pin(point) {
    if (this.show.geodesic && this.lens && point !== this.pinned) this.curve.from(point);
    this.pinned = point;
    this.redraw();
    this.share?.({ traced: point });
    this.save({ traced: point });
  }

  brush(chosen, kind, known) {
    super.brush(chosen, kind, known);
    const total = this.scene.count.toLocaleString("en");
    const some = this.brushed?.reduce((sum, on) => sum + on, 0);
    this.many.textContent = this.brushed ? `${some.toLocaleString("en")} of ${total} points` : `${total} points`;
  }

  /** What another widget of the same scene has done: the model is told, the others know. */
  linked({ position, traced, brushed, kind, ...change }) {
    this.older(change);
    if (change.moved === "hand") this.model.send("moved"); // of a training Python knows itself
    if (position !== undefined && position <= this.scene.stages.length) {
      this.go(position, { told: true });
      this.save({ position });
    }
    if (traced !== undefined) {
      this.pinned = traced;
      this.redraw();
      this.save({ traced });
    }
    if (brushed !== undefined) {
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
      const axis = this.mode === "tour" ? this.over.handle(x, y) : -1;
      const turns = this.mode !== "2-D" && !event.shiftKey && this.allows("view");
      held = { x, y, from: [x, y], moved: false, axis, does: axis >= 0 ? "axis" : turns ? "turn" : "brush" };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      if (!held) return this.hover(this.nearest(x, y));
      held.moved ||= Math.hypot(x - held.from[0], y - held.from[1]) > 3;
      if (!held.moved) return;
      if (held.does === "turn") this.rotate((x - held.x) / 160, (y - held.y) / 160);
      else if (held.does === "axis") this.draw(held.axis, x, y);
      else if (this.allows("brush")) {
        this.over.box(held.from, [x, y]);
        this.brush(this.within(held.from, [x, y]));
      }
      [held.x, held.y] = [x, y];
    });
    // While a hand holds the scrubber the camera follows stages alone: no tick stops it.
    const { range } = this.axis;
    range.addEventListener("pointerdown", () => (this.held = true));
    for (const end of ["pointerup", "pointercancel", "change"]) {
      range.addEventListener(end, () => {
        this.held = false;
        this.redraw();
      });
    }
    const released = (event) => {
      if (held && !held.moved) {
        const found = this.nearest(...place(event));
        if (this.show.geodesic && this.lens) this.curve.click(...place(event));
        else if (found >= 0) this.pin(found);
        else if (this.brushed) this.brush(null);
      }
      held = null;
      this.over.box(null);
    };
    canvas.addEventListener("pointerup", released);
    canvas.addEventListener("pointercancel", () => (held = null));
    canvas.addEventListener("pointerleave", () => this.hover(-1));
    this.el.onkeydown = (event) => {
      const typing = event.target.matches("input[type=number]");
      if (event.key === " " && !event.target.matches("button, input[type=checkbox]") && !typing) {
        event.preventDefault();
        if (this.allows("play")) this.play(!this.playing);
      } else if (event.key === "Escape") {
        this.play(false);
        this.curve.clear();
        this.brush(null);
      } else if (event.target === canvas && event.key.startsWith("Arrow")) {
        const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        event.preventDefault();
        if (this.mode === "2-D") this.axis.key(event, (to) => this.handed(to));
        else if (this.allows("view")) this.rotate(0.08 * dx, 0.08 * dy);
      } else if (event.target === canvas) this.axis.key(event, (to) => this.handed(to));
    };
  }

  rotate(dx, dy) {
    if (this.mode === "3-D") this.turn = orthonormal(turnedBy(this.turn, dx, -dy));
    else this.frame = toured(this.frame, 2 * dx + 2 * dy);
    this.redraw();
  }

  draw(axis, x, y) {
    const { clientWidth, clientHeight } = this.canvas;
    const long = this.over.long();
    this.frame = dragged(this.frame, axis, (x - clientWidth / 2) / long, (clientHeight / 2 - y) / long);
    this.redraw();
  }

  within([a, b], [c, d]) {
    const [left, right, top, bottom] = [Math.min(a, c), Math.max(a, c), Math.min(b, d), Math.max(b, d)];
    return Uint8Array.from({ length: this.scene.count }, (_, i) => {
      const [x, y] = this.at(i);
      return x >= left && x <= right && y >= top && y <= bottom;
    });
  }

  // --- drawing --------------------------------------------------------------------------------

  paint(rows) {
    const { scene, camera, colours, show, brushed, ratio } = this;
    // Places that were drawn hold until others are: a hand may ask for one between two frames.
    if (this.xyz.length !== 3 * scene.total) this.xyz = new Float32Array(3 * scene.total);
    const { xyz } = this;
    scene.project(this.position, rows, xyz);
    const below = this.through && show.area
      ? (context) => this.lens.paint(context, { xyz, camera, canvas: this.canvas, colours }, this.position) : null;
    const picture = { scene, xyz, camera, colours, show, brushed, ratio, below, depth: this.mode === "3-D" };
    this.painter ??= GlPainter.fit(this.canvas, this.options.painter, () => this.redraw()) ?? new CanvasPainter(this.canvas);
    this.painter.paint(picture);
    this.axis.move(this.position);
    this.over.draw(rows);
    this.curve.draw();
    if (this.stale) {
      this.stale = false;
      const moving = this.el.classList.contains("live");
      this.axis.paint(this.views, colours, { ...show, ellipses: false }, brushed, { moving });
    }
  }

  /** The colour of a point, for marks of it. */
  colourOf(point) {
    const { colour } = this.scene;
    return colour?.classes ? `var(--rep${(colour.array.data[point] % 6) + 1})` : "var(--nn-ink2)";
  }

  // --- in words -------------------------------------------------------------------------------

  tell() {
    const { scene, position, point } = this;
    const [place, t] = scene.place(position);
    if (this.shown !== point) {
      this.shown = point;
      this.trace.show(point, this.colourOf(point));
      if (document.activeElement !== this.number) this.number.value = point;
    }
    this.trace.move(position);
    this.said(this.readout, this.values(point));
    this.tellLens(point);
    const stage = scene.stages[place];
    const whole = Number.isInteger(position);
    const where = position === 0
      ? `The input, ${scene.states[0].label} : ${scene.states[0].type}.`
      : `Stage ${place + 1} of ${scene.stages.length}, ${stage.label}${whole ? "" : `, t = ${t.toFixed(2)}`}.`;
    // Read aloud when a stage is reached, not at every step on the way.
    this.caption.setAttribute("aria-live", whole ? "polite" : "off");
    // Inside of a fold it is its states that are seen.
    const inside = position > 0 && stage.motion.form === "positions";
    const state = scene.states[inside ? place + 1 : Math.round(position)];
    const kept = state.axes ? "" : ` Of ${state.size} dimensions the ${state.array.shape[1]} principal ones are kept.`;
    this.said(this.caption, (position === 0 ? where : `${where} ${stage.says}`) + kept + this.since);
    const { captions = {} } = this.options;
    this.said(this.prose, captions[position === 0 ? 0 : place + 1] ?? "");
    if (!this.table.hidden) table(this.table, scene, point);
  }

  /** What the lens tells of a point: how it is stretched there, and the geodesic that is drawn. */
  tellLens(point) {
    const { scene, lens, lensed, show } = this;
    if (!this.through) return this.said(lensed, show.area || show.geodesic ? "the metric is computed …" : "");
    const state = Math.round(this.position);
    const [most, least] = lens.stretched(Array.from(scene.values(0, point)), state);
    const lines = [`point ${point} after ${scene.states[state].label}: stretched by ${told(most)} and ${told(least)}, area × ${told(most * least)}`];
    if (show.area) lines.push(`blue: area ÷ ${told(Math.exp(lens.limit))} or less, vermillion: × ${told(Math.exp(lens.limit))} or more`);
    if (show.geodesic) lines.push(this.curve.text);
    this.said(lensed, lines.join("\n"));
  }

  /** What a point is: its class or quantity, and its values here. */
  values(point) {
    const { scene, position } = this;
    const found = scene.at(point, position);
    const shown = Array.from(found.slice(0, MOST), told).join(", ");
    const more = found.length > MOST ? ", …" : "";
    return `${this.kindOf(point)}(${shown}${more})`;
  }

  close() {
    this.painter?.close?.();
    super.close();
  }
}

function render({ model, el }) {
  const bend = new Bend(model, el);
  return () => bend.close();
}

export default { initialize, render };
