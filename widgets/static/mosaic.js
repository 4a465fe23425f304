// Linear regions as polygons: their colours, their picture, and which one is where.
//
//   const mosaic = new Mosaic(header.regions, buffer)
//   const places = mosaic.placed(xyz, first, camera, canvas)    corners on a canvas, [x, y] each
//   mosaic.paint(context, places, { state, by, colours, ratio, borders })
//   mosaic.at(places, x, y)                            the region there, or −1
//
// `by` is what regions are coloured by: answer, region, map, or area. Regions of one colour are one
// path, so that thousands take as many strokes of the pen as there are colours.

const LEVELS = 12; // of opacity
const DEEPEST = 0.55;
const MANY = 4000; // regions, from which on borders are left out
const BY = ["answer", "region", "map", "area"];

class Mosaic {
  constructor(said, buffer) {
    Object.assign(this, said);
    const read = ({ offset, shape, type }) => {
      const Type = type === "u8" ? Uint8Array : Float32Array;
      return new Type(buffer, offset, shape.reduce((a, b) => a * b, 1));
    };
    for (const name of ["corners", "answers", "sure", "areas"]) this[name] = read(said[name]);
    for (const name of ["starts", "index"]) this[name] = Uint32Array.from(read(said[name]));
    this.states = said.states.map((state) => ({
      ...state, rowCount: state.rows.shape[1],
      ...Object.fromEntries(["member", "map", "hue", "mapHue", "stretch", "rows"].map((name) => [name, read(state[name])])),
    }));
    this.edges = this.bordered();
    this.groups = new Map();
  }

  /** Edges, each once: two corners, and the polygons on its sides, the second −1 at the rim. */
  bordered() {
    const { starts, index, count } = this;
    const known = new Map();
    for (let r = 0; r < count; r++) {
      for (let i = starts[r]; i < starts[r + 1]; i++) {
        const [a, b] = [index[i], index[i + 1 < starts[r + 1] ? i + 1 : starts[r]]];
        const key = a < b ? a * 1e7 + b : b * 1e7 + a;
        const there = known.get(key);
        if (there) there[3] = r;
        else known.set(key, [a, b, r, -1]);
      }
    }
    return Int32Array.from([...known.values()].flat());
  }

  /** Polygons by colour: [hue, level, polygons], the hue a place in the page's list of them. */
  grouped(state, by) {
    const key = by === "answer" ? by : `${by} ${state}`;
    if (this.groups.has(key)) return this.groups.get(key);
    const found = new Map();
    const own = this.states[state];
    for (let r = 0; r < this.count; r++) {
      let [hue, share] = [0, 0.5];
      if (by === "answer") {
        hue = this.answers[r] + (this.kind === "sign" ? 6 : 0);
        share = this.sure[r];
      } else if (by === "region") hue = own.hue[r];
      else if (by === "map") hue = own.mapHue[r];
      else {
        const change = this.change(state, r);
        hue = change < 0 ? 6 : 7;
        share = Math.min(Math.abs(change) / this.limit, 1);
      }
      const level = Math.round(share * (LEVELS - 1));
      const name = hue * LEVELS + level;
      if (!found.has(name)) found.set(name, [hue, level, []]);
      found.get(name)[2].push(r);
    }
    const made = [...found.values()];
    this.groups.set(key, made);
    return made;
  }

  /** By how much a region is stretched, most first. */
  stretched(state, r) {
    const { stretch, map } = this.states[state];
    return [stretch[2 * map[r]], stretch[2 * map[r] + 1]];
  }

  /** The logarithm of how much area has grown since the input. */
  change(state, r) {
    const [most, least] = this.stretched(state, r);
    return Math.log(most * least);
  }

  /** Corners [V, 3] from a place of an array on, or [V, 2] of the plane, as pixels of a canvas. */
  placed(array, first, width, camera, canvas) {
    const many = this.corners.length / 2;
    const made = new Float32Array(2 * many);
    const { x, y, scale } = camera;
    for (let k = 0, i = first; k < many; k++, i += width) {
      made[2 * k] = (array[i] - x) * scale + canvas.width / 2;
      made[2 * k + 1] = (y - array[i + 1]) * scale + canvas.height / 2;
    }
    return made;
  }

  paint(context, places, { state, by, colours, ratio, borders }) {
    const { starts, index } = this;
    const hues = [...colours.representations, colours.neg, colours.pos];
    for (const [hue, level, polygons] of this.grouped(state, by)) {
      context.beginPath();
      for (const r of polygons) {
        const [from, to] = [starts[r], starts[r + 1]];
        // Where a stage has turned a polygon over, its path is turned back: parts that lie over
        // each other are filled, not left out.
        let turn = 0;
        for (let i = from; i < to; i++) {
          const [a, b] = [2 * index[i], 2 * index[i + 1 < to ? i + 1 : from]];
          turn += places[a] * places[b + 1] - places[b] * places[a + 1];
        }
        if (!Number.isFinite(turn) || Math.abs(turn) > 1e12) continue;
        if (turn >= 0) for (let i = from; i < to; i++) point(context, places, index[i], i === from);
        else for (let i = to - 1; i >= from; i--) point(context, places, index[i], i === to - 1);
      }
      context.globalAlpha = 0.06 + (DEEPEST * level) / (LEVELS - 1);
      context.fillStyle = hues[hue] ?? colours.ink2;
      context.fill();
    }
    context.globalAlpha = 1;
    if (borders && this.count <= MANY) this.border(context, places, state, colours, ratio);
  }

  /** The borders between regions of a state: of the last one all. */
  border(context, places, state, colours, ratio) {
    const { member } = this.states[state];
    const { edges } = this;
    context.beginPath();
    for (let i = 0; i < edges.length; i += 4) {
      const [a, b, r, other] = [2 * edges[i], 2 * edges[i + 1], edges[i + 2], edges[i + 3]];
      if (other >= 0 && member[r] === member[other]) continue;
      if (!(Math.abs(places[a]) < 1e5 && Math.abs(places[b]) < 1e5 && Math.abs(places[a + 1]) < 1e5 && Math.abs(places[b + 1]) < 1e5)) continue;
      context.moveTo(places[a], places[a + 1]);
      context.lineTo(places[b], places[b + 1]);
    }
    context.lineWidth = Math.min(Math.max(8 / Math.sqrt(this.count), 0.3), 0.8) * ratio;
    context.strokeStyle = colours.ink3;
    context.stroke();
  }

  /** The region at a place of a canvas; of several that lie there the last one. */
  at(places, x, y) {
    const { starts, index, count } = this;
    for (let r = count - 1; r >= 0; r--) {
      let [left, right] = [true, true];
      for (let i = starts[r], to = starts[r + 1]; i < to && (left || right); i++) {
        const [a, b] = [2 * index[i], 2 * index[i + 1 < to ? i + 1 : starts[r]]];
        const side = (places[b] - places[a]) * (y - places[a + 1]) - (places[b + 1] - places[a + 1]) * (x - places[a]);
        if (side < 0) left = false;
        if (side > 0) right = false;
      }
      if (left !== right) return r;
    }
    return -1;
  }

  /** A region's corners as the points of an SVG polygon, in pixels of the page. */
  outline(places, r, ratio) {
    const made = [];
    for (let i = this.starts[r]; i < this.starts[r + 1]; i++) {
      const [x, y] = [places[2 * this.index[i]] / ratio, places[2 * this.index[i] + 1] / ratio];
      if (!Number.isFinite(x) || !Number.isFinite(y)) return "";
      made.push(`${x.toFixed(1)},${y.toFixed(1)}`);
    }
    return made.join(" ");
  }
}

function point(context, places, corner, first) {
  if (first) context.moveTo(places[2 * corner], places[2 * corner + 1]);
  else context.lineTo(places[2 * corner], places[2 * corner + 1]);
}

export { BY, Mosaic };
