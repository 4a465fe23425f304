// Data drawn by hand: points put into a picture of the plane, and brushed away.
//
//   const brush = new Brush(picture, colour, heard)
//   brush.element        what is drawn with: a class, a quantity, or nothing that is drawn
//   brush.cross          where the keys are, for the layer above the picture
//
// `heard.free()` says whether data may change, `heard.data()` gives { points, kinds } as they are,
// `heard.changed(data, words)` takes them as they are now; `heard.begun()` comes before the first
// change of a stroke and `heard.ended()` after its last. Without a brush in the hand the pointer
// looks: `heard.pointed(k)`, `heard.traced(k)`.

import { make, told } from "./dom.js";
import { SHAPES } from "./paint.js";
import { shapeOf } from "./panel.js";

const APART = 11; // pixels between points that are brushed
const NEAR = 12; // pixels from a point that mean it

/** The data with one more point. */
function withPoint({ points, kinds }, place, kind) {
  return { points: Float64Array.from([...points, ...place]), kinds: Float64Array.from([...kinds, kind]) };
}

/** The data of which these are left. */
function only({ points, kinds }, kept) {
  return {
    points: Float64Array.from(kept.flatMap((i) => [points[2 * i], points[2 * i + 1]])),
    kinds: Float64Array.from(kept, (i) => kinds[i]),
  };
}

class Brush {
  constructor(picture, colour, heard) {
    Object.assign(this, { picture, colour, heard });
    this.tool = null;
    this.cross = make("path", { class: "cross", visibility: "hidden" });
    this.element = this.chips();
    this.listen(picture.canvas);
  }

  /** What is drawn with: a class, a quantity, or nothing. */
  chips() {
    const { colour } = this;
    const tool = (name, content) => {
      const made = make("button", { type: "button", "aria-pressed": false, onclick: () => this.choose(name) }, ...content);
      made.tool = name;
      return made;
    };
    const sign = (k) => make("svg", { width: 12, height: 12, viewBox: "-6 -6 12 12", class: "key" },
      make("path", { d: shapeOf(SHAPES[k % SHAPES.length]), style: `fill:var(--rep${(k % 6) + 1})` }));
    const draws = colour?.classes
      ? colour.classes.map((each, k) => tool(k, [sign(k), make("span", { class: "what" }, each)]))
      : [tool(0, ["draw"])];
    if (colour && !colour.classes) {
      this.value = make("input", { type: "number", step: "any", value: Number(((colour.low + colour.high) / 2).toPrecision(2)), "aria-label": "the number of a point that is drawn" });
    }
    this.choices = [...draws, tool("erase", ["erase"])];
    return make("div", { class: "chips", role: "group", "aria-label": "draw" }, this.value ?? "", ...this.choices);
  }

  choose(tool) {
    this.tool = this.tool === tool ? null : tool;
    this.choices.forEach((each) => each.setAttribute("aria-pressed", each.tool === this.tool));
    this.picture.canvas.style.cursor = this.tool === null ? "" : "crosshair";
    this.heard.told(this.tool === null ? "" : this.tool === "erase"
      ? "Click or brush over points to take them away." : "Click or brush in the input to add points; by keys: arrows, and Enter.");
  }

  disable(stuck) {
    this.choices.forEach((each) => (each.disabled = stuck));
  }

  listen(canvas) {
    const { heard, picture } = this;
    const where = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      const at = where(event);
      if (this.tool === null || !heard.free()) return heard.traced(picture.nearest(...at, NEAR));
      canvas.setPointerCapture(event.pointerId);
      heard.begun();
      last = at;
      this.put(at);
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = where(event);
      if (!last) return heard.pointed(picture.nearest(...at, NEAR));
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) < APART) return;
      last = at;
      this.put(at);
    });
    const up = () => {
      if (!last) return;
      last = null;
      heard.ended();
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => heard.pointed(-1));
    canvas.addEventListener("blur", () => this.cross.setAttribute("visibility", "hidden"));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** By keys: arrows move a cross, Enter puts a point there, Delete takes the nearest away. */
  key(event) {
    const { heard, picture } = this;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const acts = { Enter: this.tool ?? 0, " ": this.tool ?? 0, Delete: "nearest", Backspace: "nearest" };
    if ((!way && acts[event.key] === undefined) || !heard.free()) return;
    event.preventDefault();
    const { clientWidth, clientHeight } = picture.canvas;
    this.at ??= [clientWidth / 2, clientHeight / 2];
    if (way) this.at = this.at.map((value, k) => value + way[k] * (event.shiftKey ? 30 : 6));
    else {
      heard.begun();
      this.put(this.at, acts[event.key]);
      heard.ended();
    }
    const [x, y] = this.at;
    this.cross.setAttribute("d", `M${x - 9} ${y}h18M${x} ${y - 9}v18`);
    this.cross.setAttribute("visibility", "visible");
    heard.told(`At (${picture.place(this.at).map(told).join(", ")}); ${heard.data().kinds.length} points.`);
  }

  /** A point where the hand is; or away with those about it, or with the nearest. */
  put(at, tool = this.tool) {
    const { heard, picture } = this;
    const data = heard.data();
    let made;
    if (tool === "erase" || tool === "nearest") {
      const far = (i) => {
        const [x, y] = picture.at(i);
        return Math.hypot(x - at[0], y - at[1]);
      };
      const nearest = picture.nearest(...at, 3 * NEAR);
      const kept = [...data.kinds.keys()].filter((i) => (tool === "erase" ? far(i) > NEAR : i !== nearest));
      if (!kept.length) return; // nothing would be left to show
      made = only(data, kept);
    } else {
      const kind = this.value ? Number(this.value.value) || 0 : tool;
      made = withPoint(data, picture.place(at), kind);
    }
    heard.changed(made, `${made.kinds.length.toLocaleString("en")} points.`);
  }
}

export { Brush, NEAR };
