// A picture that moves through the stages of a scene: where one is, and what asks for a frame.
//
//   class Bend extends Moving { build() {…} paint(rows) {…} tell() {…} }
//
// `build` makes `scene`, `views`, `canvas`, `position` and, if it likes, a `player`, the button that
// plays; `paint` draws a frame by `camera`, `colours` and `ratio`; `tell` puts it into words.

import { Drawn } from "./drawn.js";

const STAGE_MS = 600;
const EASE_MS = 120; // of the camera, between two stages

class Moving extends Drawn {
  // --- where one is -------------------------------------------------------------------------

  /** A hand has moved the scrubber. */
  handed(to) {
    this.play(false);
    this.go(to);
  }

  /** Go to a position; `told`: somebody else has moved, and knows. */
  go(to, { told: known = false } = {}) {
    const position = Math.min(Math.max(to, 0), this.scene.stages.length);
    if (position === this.position) return;
    this.position = position;
    this.redraw();
    if (known) return;
    this.share?.({ position });
    this.save({ position });
  }

  step(by) {
    const to = by > 0 ? Math.floor(this.position + 1 + 1e-9) : Math.ceil(this.position - 1 - 1e-9);
    this.glide(Math.min(Math.max(to, 0), this.scene.stages.length));
  }

  play(on) {
    if (this.playing === on) return;
    const end = this.scene.stages.length;
    if (!on) {
      this.playing = false;
      this.goal = null;
    } else {
      if (this.position >= end) this.go(0);
      this.glide(end);
    }
    if (this.player) this.player.textContent = this.playing ? "pause" : "play";
  }

  /** Move to a position, 600 ms a stage; where motion is not wanted, jump. */
  glide(goal) {
    this.goal = goal;
    this.playing = true;
    this.last = null;
    if (this.player) this.player.textContent = "pause";
    if (this.still.matches) this.hop();
    else this.ask();
  }

  /** Without motion: from tick to tick, and each is looked at. */
  hop() {
    clearTimeout(this.hopping);
    if (!this.playing) return;
    const way = Math.sign(this.goal - this.position);
    const next = way > 0 ? Math.floor(this.position + 1 + 1e-9) : Math.ceil(this.position - 1 - 1e-9);
    this.go(way > 0 ? Math.min(next, this.goal) : Math.max(next, this.goal));
    if (this.position === this.goal) this.play(false);
    else this.hopping = setTimeout(() => this.hop(), 1.5 * STAGE_MS);
  }

  // --- frames ---------------------------------------------------------------------------------

  /** Draw in the next frame; `all`: the small pictures, too. */
  redraw(all = false) {
    this.stale ||= all;
    this.ask();
  }

  tick(now) {
    if (!this.canvas.isConnected || !this.colours || !this.ratio) return;
    const passed = this.last == null ? 0 : Math.min(now - this.last, 100);
    this.last = now;
    const rows = this.views.rows(this.mode, this.turn, this.frame);
    const moving = this.playing && !this.still.matches;
    // One thing moves at a time: first the camera, then the points.
    const waits = this.focus(rows, moving, passed);
    if (moving && !waits) this.advance(passed);
    this.paint(rows);
    this.tell();
    if ((this.playing && !this.still.matches) || waits) this.ask();
    else this.last = null;
  }

  advance(passed) {
    const way = Math.sign(this.goal - this.position);
    const tick = way > 0 ? Math.floor(this.position + 1 + 1e-9) : Math.ceil(this.position - 1 - 1e-9);
    const next = this.position + (way * passed) / STAGE_MS;
    // A tick is never jumped over: there the camera may have to move.
    const stop = way > 0 ? Math.min(tick, this.goal) : Math.max(tick, this.goal);
    this.go(way > 0 ? Math.min(next, stop) : Math.max(next, stop));
    if (this.position === this.goal) this.play(false);
  }

  /** The camera of this stage, or of the value that one rests at; true while it is on its
   * way there. */
  focus(rows, moving, passed) {
    const { canvas, mode, position } = this;
    const rests = Number.isInteger(position) && !moving && !this.held;
    // At a tick, on the way on, it is already the next stage that is looked at.
    const ahead = moving && this.goal > position ? 1e-6 : 0;
    const wanted = this.views.camera(mode, position + ahead, rows, rests);
    const size = 0.5 * Math.min(canvas.width, canvas.height);
    const arrive = () => {
      [this.looking, this.easing] = [wanted.key, null];
      this.camera = { ...wanted, scale: size / wanted.reach };
      return false;
    };
    const other = this.looking?.split(" ")[0] !== mode;
    if (!this.camera || this.still.matches || other || this.looking === wanted.key) return arrive();
    if (this.easing?.to !== wanted.key) this.easing = { from: this.camera, to: wanted.key, done: 0 };
    const { from } = this.easing;
    const done = (this.easing.done += Math.max(passed, 8) / EASE_MS);
    if (done >= 1) return arrive();
    const part = (name) => from[name] + done * (wanted[name] - from[name]);
    const reach = from.reach ** (1 - done) * wanted.reach ** done;
    this.camera = { x: part("x"), y: part("y"), z: part("z"), reach, scale: size / reach };
    return true;
  }

  close() {
    this.playing = false;
    clearTimeout(this.hopping);
    super.close();
  }
}

export { Moving };
