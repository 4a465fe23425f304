// A widget with a canvas: its size in pixels of the device, and the colours of the page.
//
//   class Moving extends Drawn { redraw(all) {…} }
//
// Who extends it makes `canvas` and gives `sized` what to look at; a `redraw` of `all` is asked for
// when size or colours are others.

import { coloursOf } from "./dom.js";
import { Widget } from "./widget.js";

class Drawn extends Widget {
  constructor(model, el, name) {
    super(model, el, name);
    this.colours = null;
    this.mode = "2-D";
    this.playing = false;
    this.sized = new ResizeObserver(() => this.resize());
    this.ends.push(() => this.sized.disconnect());
  }

  recolour() {
    // What does not stand in the page yet has no colours: then the first size brings them.
    this.colours = this.el.isConnected ? coloursOf(this.el) : null;
    this.resize();
    this.redraw(true);
  }

  resize() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    this.colours ??= coloursOf(this.el);
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    }
    this.ratio = ratio;
    this.redraw(true);
  }
}

export { Drawn };
