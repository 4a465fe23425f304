// A layer's matrix as arrows that a hand takes hold of: its columns, where the unit vectors go,
// or its singular vectors, the axes of the ellipse that the unit circle becomes.
//
//   const hold = new Hold(changed, ended)    its `element` lies over the picture
//   hold.take(layer, weights, picture)       the layer in the hand
//   hold.draw()
//
// An arrow is moved by dragging its end, or by the arrow keys while that has the focus.
// `begun()` comes before the first change, `changed(words)` after each, `ended()` after the last.

import { make, told } from "./dom.js";
import { seen } from "./picture.js";
import { svd } from "./svd.js";

const MOST = 8; // arrows; of more columns the longest
const ROW = 30; // pixels between the arrows of a line
const REST = 500; // ms after the last key, when a hand is taken to be off
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const subscript = (k) => [...String(k)].map((digit) => SUBSCRIPTS[digit]).join("");

class Hold {
  constructor({ begun, changed, ended }) {
    Object.assign(this, { begun, changed, ended });
    this.mode = "columns";
    this.locked = false;
    this.chosen = 0;
    this.ellipse = make("path", { class: "ellipse" });
    this.arrows = make("g", {});
    this.element = make("svg", { class: "over hold" }, this.ellipse, this.arrows);
  }

  take(layer, weights, picture) {
    Object.assign(this, { layer, weights, picture });
    this.find();
    this.build();
  }

  // --- the layer's numbers ------------------------------------------------------------------

  entry(i, j) {
    return this.weights[this.layer.matrix[i * this.layer.size + j]];
  }

  column(j) {
    return Array.from({ length: this.layer.rows }, (_, i) => this.entry(i, j));
  }

  get shift() {
    const { layer, weights } = this;
    return Array.from({ length: layer.rows }, (_, i) => (layer.shift ? weights[layer.shift[i]] : 0));
  }

  /** The singular vectors, as they are while none of them is moved. */
  find() {
    const { layer, weights } = this;
    if (this.mode === "columns") return;
    const entries = Float64Array.from(layer.matrix, (place) => weights[place]);
    this.singular = svd(entries, layer.rows, layer.size).slice(0, Math.min(layer.rows, layer.size, MOST));
  }

  // --- what there is to hold ------------------------------------------------------------------

  build() {
    const { layer } = this;
    const all = Array.from({ length: layer.size }, (_, j) => j);
    const long = all.sort((a, b) => Math.hypot(...this.column(b)) - Math.hypot(...this.column(a)));
    const shown = layer.size > MOST ? long.slice(0, MOST).sort((a, b) => a - b) : all.sort((a, b) => a - b);
    this.handles = this.mode === "columns"
      ? [...shown.map((j) => ({ kind: "column", k: j, name: `! ${j}`, words: `column ${j} of ${layer.label}` })),
        ...(layer.shift ? [{ kind: "shift", k: -1, name: "b", words: `shift of ${layer.label}` }] : [])]
      : this.singular.map((_, k) => ({ kind: "stretch", k, name: `σ${subscript(k + 1)}`,
        words: `singular value ${k + 1} of ${layer.label}` }));
    this.handles.forEach((handle, n) => {
      const parts = {
        halo: make("path", { class: "halo" }), shaft: make("path", { class: "shaft" }),
        end: make("circle", { class: `end ${handle.kind}`, r: handle.kind === "shift" ? 5 : 6.5, tabindex: 0,
          role: "slider", "aria-label": handle.words }),
        text: make("text", { class: "name" }),
      };
      parts.text.textContent = handle.name;
      handle.parts = parts;
      handle.group = make("g", { class: "arrow" }, ...Object.values(parts));
      parts.end.addEventListener("pointerdown", (event) => this.grab(event, handle, n));
      parts.end.addEventListener("keydown", (event) => this.key(event, handle, n));
      parts.end.addEventListener("focus", () => this.choose(n));
      parts.end.addEventListener("blur", () => this.rest());
    });
    this.chosen = Math.min(this.chosen, Math.max(this.handles.length - 1, 0));
    this.arrows.replaceChildren(...this.handles.map(({ group }) => group));
  }

  choose(n) {
    this.chosen = n;
    this.changed("");
  }

  /** Where a handle's arrow begins and ends, in the plane of the picture. */
  ends({ kind, k }) {
    const { axes } = this.picture;
    const { rows } = this.layer;
    const flat = (vector) => seen(vector, 0, rows, axes);
    const root = flat(this.shift);
    if (kind === "shift") return [root, root];
    const away = kind === "column" ? flat(this.column(k)) : this.axis(k);
    return [root, [root[0] + away[0], root[1] + away[1]]];
  }

  axis(k) {
    const { left, size } = this.singular[k];
    const [x, y] = seen(left, 0, this.layer.rows, this.picture.axes);
    return [x * size, y * size];
  }

  /** What must be in the picture. */
  get places() {
    return this.handles.flatMap((handle) => {
      const [root, tip] = this.ends(handle);
      // Of the ellipse both ends.
      return handle.kind === "stretch" ? [tip, root.map((value, k) => 2 * value - tip[k])] : [root, tip];
    });
  }

  // --- a hand ---------------------------------------------------------------------------------

  grab(event, handle, n) {
    event.stopPropagation();
    if (this.locked) return;
    event.preventDefault();
    const { end } = handle.parts;
    end.focus();
    this.chosen = n;
    end.setPointerCapture(event.pointerId);
    const box = this.element.getBoundingClientRect();
    const place = ({ clientX, clientY }) => this.picture.place([clientX - box.left, clientY - box.top]);
    let from = place(event);
    let begun = false;
    const move = (moved) => {
      const to = place(moved);
      if (!begun) this.begun();
      begun = true;
      this.move(handle, [to[0] - from[0], to[1] - from[1]], to);
      from = to;
    };
    const up = () => {
      end.removeEventListener("pointermove", move);
      if (begun) this.finish();
    };
    end.addEventListener("pointermove", move);
    end.addEventListener("pointerup", up, { once: true });
    end.addEventListener("pointercancel", up, { once: true });
  }

  key(event, handle, n) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way || this.locked) return;
    event.preventDefault();
    this.chosen = n;
    if (!this.keyed) this.begun();
    clearTimeout(this.keyed);
    this.keyed = setTimeout(() => this.rest(), REST);
    const step = (this.picture.camera.reach / 50) * (event.shiftKey ? 5 : 1);
    if (handle.kind === "stretch") this.stretch(handle.k, this.singular[handle.k].size + step * (way[0] + way[1]));
    else if (this.layer.rows === 1) this.move(handle, [step * (way[0] + way[1]), 0]);
    else this.move(handle, [step * way[0], step * way[1]]);
  }

  /** No key for a while: the hand is off. */
  rest() {
    if (!this.keyed) return;
    clearTimeout(this.keyed);
    this.keyed = null;
    this.finish();
  }

  finish() {
    this.find();
    this.ended();
  }

  /** An arrow's end has moved so far in the plane, to a place. */
  move(handle, by, to) {
    const { layer, weights, picture } = this;
    if (handle.kind === "stretch") {
      const [root] = this.ends(handle);
      const { left } = this.singular[handle.k];
      const [u, v] = seen(left, 0, layer.rows, picture.axes);
      const length = u * u + v * v;
      if (length > 1e-9) this.stretch(handle.k, ((to[0] - root[0]) * u + (to[1] - root[1]) * v) / length);
      return;
    }
    const places = handle.kind === "shift" ? layer.shift
      : Array.from({ length: layer.rows }, (_, i) => layer.matrix[i * layer.size + handle.k]);
    places.forEach((place, i) => {
      const share = picture.axes ? by[0] * picture.axes[0][i] + by[1] * picture.axes[1][i] : by[i];
      weights[place] += share;
    });
    this.changed(this.words(handle));
  }

  /** W with another singular value: W += (new − old) left rightᵀ. A negative one mirrors. */
  stretch(k, size) {
    const { layer, weights } = this;
    const own = this.singular[k];
    layer.matrix.forEach((place, n) => {
      const [i, j] = [Math.floor(n / layer.size), n % layer.size];
      weights[place] += (size - own.size) * own.left[i] * own.right[j];
    });
    own.size = size;
    this.changed(this.words({ kind: "stretch", k, words: `singular value ${k + 1} of ${layer.label}` }));
  }

  words({ kind, k, words }) {
    const vector = kind === "shift" ? this.shift : this.column(k);
    const value = kind === "stretch" ? told(this.singular[k].size) : `(${vector.slice(0, 6).map(told).join(", ")})`;
    return `${words}: ${value}`;
  }

  // --- drawing ----------------------------------------------------------------------------------

  draw() {
    const { picture, layer, handles } = this;
    const line = layer.rows === 1;
    handles.forEach((handle, n) => {
      const { parts, group } = handle;
      let [root, tip] = this.ends(handle).map((place) => picture.pixel(place));
      if (line) {
        // On a line arrows lie below each other: sliders, one for each number.
        const row = (n - (handles.length - 1) / 2) * Math.min(ROW, picture.canvas.clientHeight / (handles.length + 1));
        [root, tip] = [[root[0], root[1] + row], [tip[0], tip[1] + row]];
      }
      const long = Math.hypot(tip[0] - root[0], tip[1] - root[1]);
      const [x, y] = long > 1 ? [(tip[0] - root[0]) / long, (tip[1] - root[1]) / long] : [0, -1];
      const short = [tip[0] - 6.5 * x, tip[1] - 6.5 * y];
      const path = long > 7 ? `M${fixed(root)}L${fixed(short)}` : "";
      parts.halo.setAttribute("d", path);
      parts.shaft.setAttribute("d", path);
      parts.end.setAttribute("cx", tip[0]);
      parts.end.setAttribute("cy", tip[1]);
      parts.end.setAttribute("aria-valuetext", this.words(handle).split(": ").at(-1));
      parts.end.setAttribute("aria-valuenow", handle.kind === "stretch"
        ? this.singular[handle.k].size : Math.hypot(...(handle.kind === "shift" ? this.shift : this.column(handle.k))));
      parts.end.setAttribute("aria-disabled", this.locked);
      // The name stands before the arrow; beside it where the picture ends there.
      const before = [tip[0] + 20 * x, tip[1] + 17 * y];
      const { clientWidth, clientHeight } = picture.canvas;
      const ends = before[0] < 10 || before[0] > clientWidth - 10 || before[1] < 8 || before[1] > clientHeight - 8;
      const [tx, ty] = ends ? [tip[0] + 20 * Math.abs(y), tip[1] - 17 * x * Math.sign(tip[1] - clientHeight / 2)] : before;
      parts.text.setAttribute("x", tx);
      parts.text.setAttribute("y", ty + 3.5);
      group.classList.toggle("chosen", n === this.chosen);
    });
    this.ellipse.setAttribute("d", line ? "" : this.outline());
  }

  /** What the unit circle becomes; of more dimensions what is seen of the unit ball. */
  outline() {
    const { layer, picture } = this;
    const [root] = this.handles.length ? this.ends(this.handles[0]) : [[0, 0]];
    const rows = [[], []];
    for (let j = 0; j < layer.size; j++) seen(this.column(j), 0, layer.rows, picture.axes).forEach((v, k) => rows[k].push(v));
    const found = svd(Float64Array.from(rows.flat()), 2, layer.size).slice(0, 2);
    const places = Array.from({ length: 73 }, (_, k) => {
      const shares = [Math.cos((k * Math.PI) / 36), Math.sin((k * Math.PI) / 36)];
      return [0, 1].map((axis) => root[axis]
        + found.reduce((sum, { size, left }, n) => sum + shares[n] * size * left[axis], 0));
    });
    return `M${places.map((place) => fixed(picture.pixel(place))).join("L")}`;
  }
}

const fixed = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;

export { Hold };
