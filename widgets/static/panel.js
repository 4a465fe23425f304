// What stands beside the picture and below it: buttons, layers, the legend, the foot. Each takes
// the widget, calls it, and leaves with it what has to be changed later.

import { make, told } from "./dom.js";
import { CIVIDIS, SHAPES, outline } from "./paint.js";
import { MOST, mark } from "./trace.js";

function button(text, onclick, more = {}) {
  return make("button", { type: "button", onclick, ...more }, text);
}

function controls(bend) {
  const row = make("div", { class: "controls" });
  const { modes } = bend.views;
  if (modes.length > 1 && bend.allows("view")) {
    bend.modes = modes.map((mode) =>
      button(mode, () => bend.look(mode), { "aria-pressed": mode === bend.mode }));
    row.append(make("div", { class: "group", role: "group", "aria-label": "view" }, ...bend.modes));
  }
  if (bend.allows("play")) {
    bend.player = button("play", () => bend.play(!bend.playing));
    const [before, next] = bend.steps ?? ["stage before", "next stage"];
    row.append(make("div", { class: "group" },
      button("◀", () => bend.step(-1), { "aria-label": before }), bend.player,
      button("▶", () => bend.step(1), { "aria-label": next })));
  }
  return row;
}

function checks(bend) {
  const { scene } = bend;
  const there = {
    points: true, grid: scene.lines > 0, boundary: scene.boundaryEnd > scene.gridEnd,
    ellipses: scene.circles[0] > 0,
  };
  // What the lens shows of a plane takes its metric: Python's, or the page's own.
  const lens = scene.sheet?.[0] > 0 && (bend.model.get("saves") || bend.model.get("metric")?.byteLength > 0);
  Object.assign(there, { area: lens, geodesic: lens });
  const words = { ellipses: "Tissot ellipses", area: "area change" };
  const boxes = Object.keys(there).filter((name) => there[name]).map((name) => {
    const box = make("input", {
      type: "checkbox", checked: bend.show[name],
      onchange: () => { bend.show[name] = box.checked; bend.redraw(true); },
    });
    return make("label", {}, box, words[name] ?? name);
  });
  Object.keys(there).forEach((name) => (bend.show[name] &&= there[name]));
  const shown = boxes.length > 1 && bend.allows("layers");
  return make("div", { class: "checks" }, ...(shown ? boxes : []));
}

function picker(bend) {
  bend.number = make("input", {
    type: "number", min: 0, max: bend.scene.count - 1, step: 1, "aria-label": "the point that is traced",
    oninput: () => {
      const chosen = Number(bend.number.value);
      if (Number.isInteger(chosen) && chosen >= 0 && chosen < bend.scene.count) bend.pin(chosen);
    },
  });
  return bend.number;
}

function valueMarks(bend) {
  const most = Math.min(MOST, Math.max(...bend.scene.states.map(({ array }) => array.shape[1])));
  const whole = bend.scene.states.every(({ axes }) => axes);
  const marks = Array.from({ length: most }, (_, k) =>
    make("span", {}, make("svg", { width: 11, height: 11, class: "key" }, mark(k, 5.5, 5.5)), whole ? `! ${k}` : String(k)));
  return make("span", { class: "marks" }, ...marks);
}

function legend(bend) {
  const { colour } = bend.scene;
  const row = make("div", { class: "legend" });
  if (colour?.classes) {
    bend.classes = colour.classes.map((name, k) => {
      const sign = make("svg", { width: 12, height: 12, viewBox: "-6 -6 12 12", class: "key" },
        make("path", { d: shapeOf(SHAPES[k % SHAPES.length]), style: `fill:var(--rep${(k % 6) + 1})` }));
      const each = make("button", {
        type: "button", "aria-pressed": false, title: "show these alone",
        onclick: () => bend.brushClass(k), disabled: !bend.allows("brush"),
      });
      each.append(sign, make("span", { class: "what" }, name),
        make("span", { class: "count" }, colour.counts[k].toLocaleString("en")));
      return each;
    });
    row.append(...bend.classes);
  } else if (colour) {
    row.append(make("span", {}, told(colour.low)),
      make("i", { class: "scale", style: `background:linear-gradient(90deg,${CIVIDIS})` }),
      make("span", {}, told(colour.high)));
  }
  return row;
}

function bookmarks(bend) {
  const { bookmarks = [] } = bend.options;
  if (!bookmarks.length) return null;
  return make("div", { class: "bookmarks" }, ...bookmarks.map(({ name, position }) =>
    button(name, () => bend.glide(position))));
}

function foot(bend) {
  const { scene } = bend;
  const toggle = button("data table", () => {
    bend.table.hidden = !bend.table.hidden;
    toggle.setAttribute("aria-expanded", !bend.table.hidden);
    bend.tell();
  }, { class: "link", "aria-expanded": false });
  const save = bend.model.get("saves")
    ? button("save page", () => bend.model.send("page"), { class: "link" }) : null;
  const many = `${scene.count.toLocaleString("en")} ${scene.count === 1 ? "point" : "points"}`;
  bend.many = make("span", {}, many);
  return make("div", { class: "foot" }, bend.caption, make("span", { class: "links" }, bend.many, toggle, save));
}

/** The outline of a shape as the path of an SVG. */
function shapeOf(shape) {
  let d = "";
  const round = (value) => Math.round(100 * value) / 100;
  outline({
    beginPath() {}, closePath() { d += "Z"; },
    moveTo(x, y) { d += `M${round(x)} ${round(y)}`; },
    lineTo(x, y) { d += `L${round(x)} ${round(y)}`; },
    arc(x, y, r) { d += `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0`; },
  }, shape, 0, 0, 4.2);
  return d;
}

export { bookmarks, button, checks, controls, foot, legend, picker, shapeOf, valueMarks };
