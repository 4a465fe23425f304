// A catamorphism over its tree: a box for every node, its result above it, the leaves below.

import { make } from "./dom.js";
import { hue } from "./chain.js";
import { draw, grid } from "./strips.js";

const LETTER = 7.3, SMALL = 6.4, MARGIN = 14;
const BOX = 30, MOST = 560; // a box's height, the picture's at most
const STRIP = 26; // a result's height at most

class TreeView {
  constructor(widget, steps) {
    this.widget = widget;
    this.steps = steps;
    this.element = make("svg", { class: "unrolled tree", role: "img" });
    this.cells = new Map();
    const { place } = steps.tree;
    this.nodes = steps.tree.constructors.map((name, k) => ({
      name, k, parent: steps.tree.parents[k], payload: steps.tree.payload[k],
      across: place.data[2 * k], storey: place.data[2 * k + 1],
    }));
    this.strip = steps.chains[0].states[0];
    this.held = { shape: [2], kind: "R", reach: steps.tree.reach, size: 2 };
  }

  measure(width) {
    this.width = width;
    const widest = (text) => Math.max(0, ...this.nodes.map(text));
    this.boxWidth = widest(({ name }) => name.length * LETTER + 18);
    const leaves = 1 + widest(({ across }) => across);
    const storeys = 1 + widest(({ storey }) => storey);
    const said = widest(({ payload, storey }) => (storey ? 0 : Math.min(payload.length, 14) * SMALL + 12));
    const least = Math.max(this.boxWidth + 12, said, 46);
    this.pitch = Math.max(Math.min((width - 2 * MARGIN) / leaves, 110), least);
    this.room = grid(this.strip, Math.min(this.pitch - 14, 74), STRIP, this.strip.size <= 12);
    if (this.strip.size > 1 && this.strip.size <= 12 && this.strip.shape.length < 2) {
      const w = Math.min((this.pitch - 14) / this.strip.size, 9);
      this.room = { columns: this.strip.size, rows: 1, w, h: 14, width: w * this.strip.size, height: 14, size: this.strip.size };
    }
    const told = 22 + this.room.height + BOX + 20;
    this.storey = Math.max(Math.min(told, (MOST - 60) / storeys), BOX + this.room.height + 26);
    this.total = Math.max(leaves * this.pitch + 2 * MARGIN, width);
    this.inset = (this.total - leaves * this.pitch) / 2;
    this.high = storeys * this.storey + 44;
    this.height = Math.min(this.high, MOST);
    this.whole = this.total <= width && this.high <= MOST;
    this.origin = [0, 0];
  }

  x({ across }) {
    return this.inset + this.pitch * (across + 0.5);
  }

  /** The top of a node's box. */
  y({ storey }) {
    return this.high - 40 - BOX - storey * this.storey;
  }

  axis(position) {
    return 16 + (this.width - 32) * (position / this.steps.count);
  }

  /** Where the picture's corner is, so that a node is in it. */
  corner(node) {
    const keep = (at, room, all) => Math.min(Math.max(at - room / 2, 0), Math.max(all - room, 0));
    return [keep(this.x(node), this.width, this.total), keep(this.y(node), this.height, this.high)];
  }

  build(position) {
    const { element, steps } = this;
    const now = this.nodes[Math.max(position - 1, 0)];
    this.origin = this.whole ? [0, 0] : this.corner(now);
    const [left, top] = this.origin;
    element.setAttribute("viewBox", `${left} ${top} ${this.width} ${this.height}`);
    element.setAttribute("width", this.width);
    element.setAttribute("height", this.height);
    this.cells.clear();
    this.done = [];
    const lines = make("g"), things = make("g");
    const flow = hue(this.strip.colour);
    const ports = new Map(); // of a parent, how many of its children there have been
    const children = new Map();
    this.nodes.forEach((node) => children.set(node.parent, (children.get(node.parent) ?? 0) + 1));
    for (const node of this.nodes) {
      const [x, y] = [this.x(node), this.y(node)];
      const nth = ports.get(node.parent) ?? 0;
      ports.set(node.parent, nth + 1);
      const parent = this.nodes[node.parent];
      const near = (at, to) => at > left - 120 && at < left + this.width + 120 && to > top - 200 && to < top + this.height + 200;
      const [px, py] = parent ? [this.x(parent), this.y(parent)] : [x, y - this.storey];
      if (!near(x, y) && !near(px, py)) continue;
      const wire = make("g", { class: "step" });
      const foot = y - 8 - this.room.height;
      if (parent) {
        const many = children.get(node.parent);
        const port = px + Math.min(16, (this.boxWidth - 14) / Math.max(many, 1)) * (nth - (many - 1) / 2);
        const lane = py + BOX + 9;
        wire.append(make("path", { class: "wire", style: flow, d: `M${x} ${y}V${y - 6}M${x} ${foot - 2}V${lane}H${port}V${py + BOX}` }));
      } else wire.append(make("path", { class: "wire", style: flow, d: `M${x} ${y}V${y - 6}M${x} ${foot - 2}V${foot - 12}` }));
      lines.append(wire);
      const half = this.boxWidth / 2;
      const group = make("g", { class: "step" },
        make("g", { class: "box" },
          make("rect", { x: x - half, y, width: this.boxWidth, height: BOX, rx: 4 }),
          make("text", { class: "code", x, y: y + BOX / 2 + 4 }, node.name)));
      const values = steps.row(this.strip, node.k);
      const drawn = draw(this.strip, values, x, foot, this.room, { name: node.name });
      this.cells.set(drawn, { strip: this.strip, values, name: node.name, when: `step ${node.k + 1}` });
      group.append(drawn);
      const own = steps.tree.held[node.k].data;
      if (!node.storey && own.length > 2 && own.length <= 16) {
        const strip = { ...this.held, size: own.length, shape: [own.length] };
        const w = Math.min((this.pitch - 20) / own.length, 8);
        const room = { columns: own.length, rows: 1, w, h: 12, width: w * own.length, height: 12, size: own.length };
        wire.append(make("path", { class: "wire", d: `M${x} ${y + BOX}V${y + BOX + 11}` }));
        const shown = draw(strip, own, x, y + BOX + 12, room, { name: node.name });
        this.cells.set(shown, { strip, values: own, name: `${node.name} holds`, when: `step ${node.k + 1}` });
        group.append(shown);
      } else if (node.payload && !node.storey) {
        const said = node.payload.length > 14 ? `${node.payload.slice(0, 13)}…` : node.payload;
        wire.append(make("path", { class: "wire", d: `M${x} ${y + BOX}V${y + BOX + 10}` }));
        group.append(make("text", { class: "code note", x, y: y + BOX + 22 }, said));
      }
      things.append(group);
      this.done.push([group, node.k + 1], [wire, node.k + 1]);
    }
    this.band = make("rect", { class: "band", x: -this.pitch / 2 + 3, y: -this.room.height - 16, width: this.pitch - 6,
      height: this.room.height + BOX + 24, rx: 9 });
    element.replaceChildren(this.band, lines, things);
  }

  move(position) {
    const node = this.nodes[Math.max(position - 1, 0)];
    if (!this.done) this.build(position);
    else if (!this.whole) {
      const [left, top] = this.origin;
      const [x, y] = [this.x(node) - left, this.y(node) - top];
      if (x < 60 || x > this.width - 60 || y < 60 || y > this.height - 60) this.build(position);
    }
    for (const [group, step] of this.done) {
      group.classList.toggle("later", step > position);
      group.classList.toggle("now", step === position);
    }
    this.band.classList.toggle("none", position === 0);
    this.band.style.transform = `translate(${this.x(node)}px,${this.y(node)}px)`;
  }
}

export { TreeView };
