// What every view does with its model, its element and the page.
//
//   class Bend extends Widget { build() {…} recolour() {…} redraw() {…} }
//
// `build` makes what there is of the model; `recolour` is called when the page turns from light to
// dark; `redraw` asks for a frame, `tick(now)` draws it; `live(said, buffer)`, where there is one,
// hears what comes while a network trains. It comes when it likes: what a page makes of it waits for
// the next frame, so that one that is slower than the network takes in the newest alone.

import { make, onTheme } from "./dom.js";
import { hear } from "./live.js";

class Widget {
  constructor(model, el, name) {
    this.model = model;
    this.el = el;
    this.ends = [];
    this.unsaved = {};
    el.classList.add("nnfp-view", name);
    // Notebooks have keys of their own, which those of a widget must not be.
    // With Ctrl or Cmd they are the notebook's all the same: it is still saved.
    const own = (event) => !event.ctrlKey && !event.metaKey;
    el.addEventListener("keydown", (event) => own(event) && event.stopPropagation());
    const whose = (event) => {
      if (el.contains(event.target)) el.toggleAttribute("data-lm-suppress-shortcuts", own(event));
    };
    el.toggleAttribute("data-lm-suppress-shortcuts", true);
    window.addEventListener("keydown", whose, true);
    this.ends.push(() => window.removeEventListener("keydown", whose, true));
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** Hear what Python sets and says: {"change:position": call, …}. */
  listen(heard) {
    for (const [event, call] of Object.entries({ "msg:custom": keep, ...heard })) {
      const kept = event.startsWith("change:") ? () => this.echoed(event.slice(7)) || call() : call;
      this.model.on(event, kept);
      this.ends.push(() => this.model.off(event, kept));
    }
    this.ends.push(onTheme(() => this.recolour()));
    if (!this.live) return;
    this.ends.push(hear(this.model.get("address"), (said, buffer) => this.live(said, buffer)));
    this.model.send("here");
  }

  /** Tell Python, when a hand rests. */
  save(changed) {
    Object.assign(this.unsaved, changed);
    for (const [name, value] of Object.entries(changed)) this.model.set(name, value);
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      this.unsaved = {};
      this.model.save_changes();
    }, 150);
  }

  /** What a hand has just set stays: what comes now is the echo of where it was before. */
  echoed(name) {
    const late = name in this.unsaved && this.model.get(name) !== this.unsaved[name];
    if (late) this.model.set(name, this.unsaved[name]);
    return late;
  }

  ask() {
    this.asked ??= requestAnimationFrame((now) => {
      this.asked = null;
      this.tick(now);
    });
  }

  said(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  /** The hand of a linked widget has moved the weights: of the session, or of the page alone, where
   * it can go back. */
  older({ moved, back }) {
    if (moved === "hand") this.moved = moved;
    else if (moved === "page" && this.moved !== "hand") this.moved = back ? "" : moved;
    this.ask();
  }

  /** What is to be added to words about what is seen, where it is of weights of before. */
  get since() {
    if (this.model.get("training")) return " A training is running: this is of before it.";
    return this.moved ? " A hand has moved the weights since: this is of before." : "";
  }

  close() {
    if (this.asked) cancelAnimationFrame(this.asked);
    this.unlink?.();
    this.ends.forEach((end) => end());
  }
}

/** Keep the page that Python has made, as a file of the reader's. */
function keep({ page, name }) {
  if (page === undefined) return;
  const address = URL.createObjectURL(new Blob([page], { type: "text/html" }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

export { Widget, keep };
