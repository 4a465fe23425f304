// The numbers of the layer in the hand, to be written exactly: W and b, or the singular values.
//
//   const fields = new Fields({ begun, ended })     its `element` stands below the pictures
//   fields.take(layer, weights, hold)               those of the layer that hold.js has in the hand
//   fields.follow()                                 as they are now, while the hand moves
//
// Of a large matrix one column is shown: that of the arrow that was touched last. `begun()` comes
// before a number is changed, `ended(words)` after it.

import { make, told } from "./dom.js";

const ROWS = 8; // of a matrix whose numbers are all shown

class Fields {
  constructor({ begun, ended }) {
    Object.assign(this, { begun, ended });
    this.element = make("div", { class: "numbers" });
    this.fields = [];
  }

  take(layer, weights, hold) {
    Object.assign(this, { layer, weights, hold });
    const stretched = hold.mode === "stretch";
    if (stretched) this.stretches();
    else this.matrix();
    this.element.classList.toggle("wide", stretched);
    this.fill();
  }

  field(words, read, write) {
    const input = make("input", { type: "number", step: "any", "aria-label": words, onchange: () => {
      const value = Number(input.value);
      if (!Number.isFinite(value) || input.value === "" || this.hold.locked) return this.fill();
      this.begun();
      write(value);
      this.ended(`${words}: ${told(value)}`);
    } });
    return Object.assign(input, { read });
  }

  stretches() {
    const { hold } = this;
    this.fields = hold.singular.map((_, k) => this.field(`singular value ${k + 1}`,
      () => hold.singular[k]?.size ?? 0, (value) => hold.stretch(k, value)));
    this.element.replaceChildren(make("span", { class: "code" }, "σ ="), ...this.fields);
  }

  matrix() {
    const { layer, weights, hold } = this;
    this.all = layer.size <= ROWS && layer.rows <= ROWS;
    const columns = this.all ? [...Array(layer.size).keys()]
      : [hold.handles[hold.chosen]?.kind === "column" ? hold.handles[hold.chosen].k : 0];
    this.fields = [];
    const cell = (place, words) => {
      const made = this.field(words, () => weights[place], (value) => (weights[place] = value));
      this.fields.push(made);
      return make("td", {}, made);
    };
    const rows = Array.from({ length: layer.rows }, (_, i) => make("tr", {},
      ...columns.map((j) => cell(layer.matrix[i * layer.size + j], `row ${i}, column ${j}`)),
      ...(layer.shift ? [make("td", { class: "gap" }), cell(layer.shift[i], `shift ${i}`)] : [])));
    const head = make("tr", {}, ...columns.map((j) => make("th", { scope: "col" }, `! ${j}`)),
      ...(layer.shift ? [make("td", { class: "gap" }), make("th", { scope: "col" }, "b")] : []));
    this.element.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  }

  /** As they are now, and of the column whose arrow was touched last. */
  follow() {
    const { hold } = this;
    if (hold.mode === "columns" && !this.all && this.column !== hold.chosen) {
      this.column = hold.chosen;
      this.take(this.layer, this.weights, hold);
    } else this.fill();
  }

  fill() {
    this.fields.forEach((input) => {
      const text = String(Number(input.read().toPrecision(4)));
      if (document.activeElement !== input && input.value !== text) input.value = text;
      input.disabled = this.hold.locked;
    });
  }
}

export { Fields, ROWS };
