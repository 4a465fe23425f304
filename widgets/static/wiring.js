// `wiring`: the string diagram of a program, whose boxes open into their definitions.
//
// The model holds `numbers`, its states (views/wiring/opening.py) as JSON: of each the keys of
// the boxes that are open, and its picture, laid out in Python. The state that is `opened` is
// drawn; one that is not there is asked for, where there is a kernel. From one state to the
// next, what both have moves; what is new appears once there is room.

import { bufferOf } from "./bytes.js";
import { make } from "./dom.js";
import { Widget } from "./widget.js";

const MOVE_MS = 320;

const nameOf = (keys) => [...keys].sort().join(" ");

class Wiring extends Widget {
  constructor(model, el) {
    super(model, el, "nnfp-wiring");
    this.build();
    this.listen({
      "change:numbers": () => this.changed(),
      "change:opened": () => this.changed(),
      "change:problem": () => this.said(this.caption, model.get("problem")),
    });
    el.wiring = this; // for pages that drive it, and for tests that read it
  }

  /** Python's answer: whichever of its parts is heard first, all of it is there. */
  changed() {
    this.read();
    if (nameOf(this.opened) !== this.drawn) this.draw(true);
  }

  read() {
    const states = JSON.parse(new TextDecoder().decode(bufferOf(this.model, "numbers")));
    this.states = new Map(states.map((state) => [nameOf(state.opened), state]));
  }

  build() {
    const { model } = this;
    this.read();
    const { name, type, further } = model.get("header");
    this.frame = make("div", { class: "diagram", role: "group", "aria-label": `wiring diagram of ${name} : ${type}` });
    this.readout = make("div", { class: "readout" });
    this.caption = make("div", { class: "caption", "aria-live": "polite" });
    this.closer = make("button", { type: "button", class: "link", onclick: () => this.to([]) }, "close all");
    const save = model.get("saves")
      ? make("button", { type: "button", class: "link", onclick: () => model.send("page") }, "save page") : null;
    const more = further.flatMap(([caption, text]) => [make("div", { class: "said" }, caption), this.parsed(text)]);
    this.el.replaceChildren(
      make("div", { class: "title" }, `${name} : ${type}`), this.frame, this.readout, ...more,
      make("div", { class: "foot" }, this.caption, make("span", { class: "links" }, this.closer, save)));
    const key = (event) => event.target.closest?.("[data-key]")?.dataset.key;
    this.frame.addEventListener("click", (event) => this.toggle(key(event)));
    this.frame.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        this.toggle(key(event));
      } else if (event.key === "Escape") this.to([]);
    });
    for (const heard of ["pointerover", "focusin"]) {
      this.frame.addEventListener(heard, (event) => {
        this.said(this.readout, event.target.closest("[data-told]")?.dataset.told ?? "");
      });
    }
    this.frame.addEventListener("pointerleave", () => this.said(this.readout, ""));
    this.draw(false);
  }

  recolour() {} // the colours are the page's variables

  get opened() {
    return this.model.get("opened");
  }

  /** What is open after a hand was on a box; null where that cannot be shown. */
  after(key) {
    const { opened } = this;
    const inside = (each) => each === key || each.startsWith(`${key}.`);
    if (opened.includes(key)) return this.known(opened.filter((each) => !inside(each)));
    const parts = key.split(".");
    const alone = parts.map((_, k) => parts.slice(0, k + 1).join("."));
    return this.known([...opened, key]) ?? this.known(alone);
  }

  known(keys) {
    return this.states.has(nameOf(keys)) || this.model.get("saves") ? keys : null;
  }

  toggle(key) {
    const wanted = key === undefined ? null : this.after(key);
    if (!wanted) return;
    this.touched = key;
    this.to(wanted);
  }

  to(keys) {
    const state = this.states.get(nameOf(keys));
    if (!state) {
      this.model.send({ open: [...keys].sort() });
      return;
    }
    this.model.set("opened", state.opened);
    this.model.save_changes();
  }

  parsed(text) {
    return document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  }

  // --- drawing --------------------------------------------------------------------------------

  draw(moving) {
    const state = this.states.get(nameOf(this.opened));
    if (!state) return; // it is on its way
    this.drawn = nameOf(this.opened);
    const old = this.picture;
    const focused = this.el.getRootNode().activeElement?.dataset?.key;
    const before = new Map();
    if (old) for (const each of old.querySelectorAll("[data-id]")) before.set(each.dataset.id, each.getBoundingClientRect());
    const high = this.frame.getBoundingClientRect().height;
    this.picture = this.parsed(state.svg);
    for (const box of this.picture.querySelectorAll("[data-key]")) {
      if (this.after(box.dataset.key)) continue;
      for (const name of ["data-key", "tabindex", "role", "aria-expanded"]) box.removeAttribute(name);
    }
    this.frame.replaceChildren(this.picture);
    this.closer.hidden = !this.opened.length;
    const title = this.picture.querySelector(`[data-key="${CSS.escape(this.touched ?? focused ?? "")}"]`);
    if (focused !== undefined || this.touched !== undefined) title?.focus({ preventScroll: true });
    if (moving) this.tell(state);
    this.touched = undefined;
    if (moving && old && !this.still.matches) this.move(before, high);
  }

  /** What both pictures have comes from where it was; what is new appears. */
  move(before, high) {
    const room = this.frame.getBoundingClientRect();
    const scale = room.width ? this.picture.viewBox.baseVal.width / this.picture.getBoundingClientRect().width : 1;
    const timing = { duration: MOVE_MS, easing: "ease-in-out", fill: "backwards" };
    this.frame.animate([{ height: `${high}px` }, { height: `${room.height}px` }], { ...timing, easing: "ease-in-out" });
    const later = { duration: MOVE_MS / 2, delay: MOVE_MS * 0.7, fill: "backwards" };
    for (const each of this.picture.children) {
      const from = each.dataset?.id === undefined ? undefined : before.get(each.dataset.id);
      if (!from) {
        each.animate([{ opacity: 0 }, { opacity: 1 }], later);
        continue;
      }
      const to = each.getBoundingClientRect();
      const [dx, dy] = [(from.left - to.left) * scale, (from.top - to.top) * scale];
      const [sx, sy] = each.localName === "text" ? [1, 1] : [from.width / to.width || 1, from.height / to.height || 1];
      const { x, y } = each.getBBox();
      const moved = `translate(${dx}px, ${dy}px) translate(${x}px, ${y}px) scale(${sx}, ${sy}) translate(${-x}px, ${-y}px)`;
      each.animate([{ transform: moved }, { transform: "none" }], timing);
    }
  }

  tell({ opened, keys }) {
    const closed = keys.length - opened.length;
    const boxes = (many, what) => `${many} box${many === 1 ? "" : "es"} ${what}`;
    this.said(this.caption, `${boxes(opened.length, "open")}, ${boxes(closed, "that can be opened")}.`);
  }
}

function render({ model, el }) {
  const wiring = new Wiring(model, el);
  return () => wiring.close();
}

export default { render };
