// Points of data in a picture: where they are on the page, which one a hand means, and which are
// brushed.
//
//   class Bend extends ofPoints(Moving) {…}
//
// The class beneath has the `scene` and its `canvas`, and draws the points at `xyz` by `camera`.

import { told } from "./dom.js";
import { identity } from "./scene.js";
import { turnedBy } from "./view.js";

const HIT = 14; // pixels from a point that still mean it
const TILTED = turnedBy(identity(3), -0.55, 0.42);

/** Pixels of the page for a place of the picture. */
function pixel({ camera, canvas, ratio }, x, y) {
  return [
    ((x - camera.x) * camera.scale + canvas.width / 2) / ratio,
    ((camera.y - y) * camera.scale + canvas.height / 2) / ratio,
  ];
}

/** The point nearest to a place on the page, of those `at` places within so many pixels; or -1. */
function nearest(count, at, [x, y], within) {
  let [found, least] = [-1, within * within];
  for (let i = 0; i < count; i++) {
    const [u, v] = at(i);
    const far = (u - x) ** 2 + (v - y) ** 2;
    if (far < least) [found, least] = [i, far];
  }
  return found;
}

/** From −1 to 1 for each point, evenly: points of a line are put that far across it, so that many in
 * one place are seen to be many. */
const across = (i) => 2 * ((i * 0.6180339887) % 1) - 1;

const ofPoints = (Base) => class extends Base {
  constructor(model, el, name) {
    super(model, el, name);
    this.options = model.get("options") ?? {};
    this.turn = TILTED;
    this.brushed = null;
    this.hovered = -1;
  }

  allows(name) {
    return !(this.options.locked ?? []).includes(name);
  }

  look(mode) {
    this.mode = mode;
    this.modes?.forEach((each) => each.setAttribute("aria-pressed", each.textContent === mode));
    this.redraw();
  }

  // --- which are brushed ----------------------------------------------------------------------

  brushClass(k) {
    const { colour, count } = this.scene;
    const on = this.classes[k].getAttribute("aria-pressed") !== "true";
    this.brush(on ? Uint8Array.from({ length: count }, (_, i) => colour.array.data[i] === k) : null, k);
  }

  /** Show some points alone, in every state and in every widget over the same data. */
  brush(chosen, kind = -1, known = false) {
    this.brushed = chosen?.some(Boolean) ? chosen : null;
    this.classes?.forEach((each, k) => each.setAttribute("aria-pressed", !!this.brushed && k === kind));
    this.redraw(true);
    if (known) return;
    this.share?.({ brushed: this.brushed, kind });
    this.save({ brushed: this.indices() });
  }

  /** The points that Python has chosen. */
  chosen(indices) {
    if (String(indices) === String(this.indices())) return;
    const chosen = new Uint8Array(this.scene.count);
    indices.forEach((i) => (chosen[i] = 1));
    this.brush(chosen, -1, true);
  }

  indices() {
    return this.brushed ? [...this.brushed.keys()].filter((i) => this.brushed[i]) : [];
  }

  // --- which one is meant ---------------------------------------------------------------------

  hover(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    this.canvas.style.cursor = point >= 0 ? "pointer" : "";
    this.redraw();
  }

  get point() {
    return this.hovered >= 0 ? this.hovered : this.pinned;
  }

  /** Where a point is on the canvas, in pixels of the page. */
  at(point) {
    return pixel(this, this.xyz[3 * point], this.xyz[3 * point + 1]);
  }

  nearest(x, y) {
    return this.camera ? nearest(this.scene.count, (i) => this.at(i), [x, y], HIT) : -1;
  }

  /** What a point is: its class or quantity, before its values. */
  kindOf(point) {
    const { colour } = this.scene;
    if (!colour) return "";
    const value = colour.array.data[point];
    const kind = colour.classes ? colour.classes[value] : told(value);
    return kind ? `${kind}  ` : "";
  }
};

export { across, nearest, ofPoints, pixel };
