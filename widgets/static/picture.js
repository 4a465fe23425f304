// A picture of points in a plane: those of a state, or of a layer, seen along two axes.
//
//   const picture = new Picture(canvas)
//   picture.see(values, size, axes, frame)     what it shows now
//   picture.fit(more)                          its camera, to the data and what else must be seen
//   picture.paint(scene, colours)

import { CanvasPainter } from "./paint.js";
import { across, nearest, pixel } from "./points.js";

const ROOM = 1.14; // about what is seen
const SPREAD = 0.2; // of a line's reach, across it: points in one place are seen to be many

class Picture {
  constructor(canvas, options = {}) {
    Object.assign(this, { canvas, options });
    this.painter = new CanvasPainter(canvas);
    this.camera = null;
    this.xyz = new Float32Array(0);
  }

  /** Coordinates [total, size] of a frame's points, seen along two axes where they are more. */
  see(values, size, axes, frame) {
    const { total, count, gridEnd } = frame;
    Object.assign(this, { frame, size, axes });
    if (this.xyz.length !== 3 * total) this.xyz = new Float32Array(3 * total);
    const { xyz } = this;
    for (let i = 0; i < total; i++) {
      const [x, y] = seen(values, i * size, size, axes);
      xyz[3 * i] = x;
      xyz[3 * i + 1] = y;
    }
    if (size > 1) return;
    const [low, high] = span(xyz, 0, 0, count);
    const far = SPREAD * (high - low || 1);
    for (let i = 0; i < count; i++) xyz[3 * i + 1] = far * across(i);
    // Where the answer changes is one place of the line: a stroke across it.
    const [first, last] = span(xyz, 0, gridEnd, total);
    const stroke = last - first < 0.03 * (high - low) ? 1.5 * far : 0;
    for (let i = gridEnd; i < total; i++) xyz[3 * i + 1] = i % 2 ? stroke : -stroke;
  }

  /** The box that holds the data and other places, [x, y] each. */
  box(more = []) {
    return [0, 1].map((k) => {
      let [low, high] = span(this.xyz, k, 0, this.frame.count);
      for (const place of more) [low, high] = [Math.min(low, place[k]), Math.max(high, place[k])];
      return low <= high ? [low, high] : [-1, 1];
    });
  }

  /** A camera that shows a box; `grows`: it only ever shows more than it did. */
  fit(more, grows = false) {
    const { width, height } = this.canvas;
    const [[left, right], [low, high]] = this.options.box ?? this.box(more);
    const reach = Math.max(right - left, ((high - low) * width) / height, 1e-9) / 2 * ROOM;
    const found = { x: (left + right) / 2, y: (low + high) / 2, z: 0, reach };
    const { camera } = this;
    if (camera && this.fits(found, [[left, right], [low, high]], grows)) found.x = camera.x, found.y = camera.y, found.reach = camera.reach;
    found.scale = width / 2 / found.reach;
    this.camera = found;
  }

  /** Whether the camera may stay: all is seen, and not much too small. */
  fits(wanted, [[left, right], [low, high]], grows) {
    const { camera, canvas } = this;
    const tall = (camera.reach * canvas.height) / canvas.width;
    const inside = left >= camera.x - camera.reach && right <= camera.x + camera.reach
      && low >= camera.y - tall && high <= camera.y + tall;
    return inside && (grows || wanted.reach > 0.45 * camera.reach);
  }

  /** Pixels of the page for a place, and the place for pixels. */
  pixel([x, y]) {
    return pixel(this, x, y);
  }

  place([u, v]) {
    const { camera, canvas, ratio } = this;
    return [(u * ratio - canvas.width / 2) / camera.scale + camera.x,
      camera.y - (v * ratio - canvas.height / 2) / camera.scale];
  }

  at(point) {
    return this.pixel([this.xyz[3 * point], this.xyz[3 * point + 1]]);
  }

  /** The point of the data nearest to pixels, within so many. */
  nearest(u, v, within) {
    return nearest(this.frame.count, (i) => this.at(i), [u, v], within);
  }

  resize(width, height) {
    const ratio = (this.ratio = window.devicePixelRatio || 1);
    const [w, h] = [Math.max(Math.round(width * ratio), 1), Math.max(Math.round(height * ratio), 1)];
    if (this.canvas.width === w && this.canvas.height === h) return;
    [this.canvas.width, this.canvas.height] = [w, h];
    this.camera = null;
  }

  paint(scene, colours, brushed) {
    const { xyz, camera, ratio } = this;
    const show = { points: true, grid: scene.lines > 0, boundary: true, ellipses: false };
    this.painter.paint({ scene, xyz, camera, colours, show, brushed, ratio, depth: false, ...this.options.look });
  }
}

/** Where a row of numbers is seen. */
function seen(values, from, size, axes) {
  if (!axes) return [values[from], size > 1 ? values[from + 1] : 0];
  let [x, y] = [0, 0];
  for (let k = 0; k < size; k++) {
    x += axes[0][k] * values[from + k];
    y += axes[1][k] * values[from + k];
  }
  return [x, y];
}

function span(xyz, k, from, to) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = from; i < to; i++) {
    const value = xyz[3 * i + k];
    if (value < low && value > -1e30) low = value;
    if (value > high && value < 1e30) high = value;
  }
  return [low, high];
}

export { Picture, seen };
