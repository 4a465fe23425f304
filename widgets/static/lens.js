// What stages do to lengths and areas of the plane, by the metric that Python has sent: at the nodes
// of a sheet over the input, for every state, g = JᵀJ as (g00, g01, g11).
//
//   const lens = new Lens(scene, metric)
//   lens.paint(context, picture, position)      the sheet, tinted by how area has changed
//   lens.stretched(x, state)                    by how much a place of the input is stretched
//   lens.under(picture, ratio, x, y)            the place of the input that is seen there, or null
//   lens.seen(picture, ratio, points)           where places of the input are seen
//   lens.geodesic(a, b, state)                  the shortest way: {points, length, straight}
//
// A geodesic is that of the sheet, whose nodes the states have exactly; Python's own, where it is
// there to be asked, takes its place.

const LEVELS = 20; // of a tint
const TOGETHER = 16; // cells in a path: what one costs grows faster than what is in it
const DEEPEST = 0.8;
const MOST = Math.log(64); // times the area: beyond that, colours say no more
const SEGMENTS = 48;
const ROUNDS = 200;
const SETTLED = 1e-9; // of the energy, a round

class Lens {
  constructor(scene, metric) {
    this.scene = scene;
    this.metric = metric;
    [this.across, this.up] = scene.sheet;
    this.nodes = this.across * this.up;
    this.first = scene.circlesEnd; // its place among the points
    const { data } = scene.states[0].array;
    const at = (node) => [data[2 * (this.first + node)], data[2 * (this.first + node) + 1]];
    [this.low, this.high] = [at(0), at(this.nodes - 1)];
    this.cell = [
      (this.high[0] - this.low[0]) / (this.across - 1), (this.high[1] - this.low[1]) / (this.up - 1),
    ];
    const changes = scene.states.map((_, state) =>
      Float64Array.from({ length: this.nodes }, (_, node) => this.change(state, node)));
    const known = changes.flatMap((own) => [...own].filter(Number.isFinite).map(Math.abs)).sort((a, b) => a - b);
    // The full colour is for the change that nearly all nodes stay below.
    this.limit = Math.min(Math.max(known[Math.floor(0.9 * (known.length - 1))] ?? 0, Math.log(2)), MOST);
    this.shares = changes.map((own) => own.map((value) => Math.min(Math.max(value / this.limit, -1), 1)));
  }

  entries(state, node) {
    const i = 3 * (state * this.nodes + node);
    return [this.metric[i], this.metric[i + 1], this.metric[i + 2]];
  }

  /** The logarithm of how much area has grown at a node: −∞ where none is left. */
  change(state, node) {
    const [most, least] = singular(this.entries(state, node));
    return least > 0 ? Math.log(most * least) : -Infinity;
  }

  /** The cell of a place of the input, and where in it that is. */
  within([x, y]) {
    const [u, v] = [(x - this.low[0]) / this.cell[0], (y - this.low[1]) / this.cell[1]];
    const i = Math.min(Math.max(Math.floor(u), 0), this.across - 2);
    const j = Math.min(Math.max(Math.floor(v), 0), this.up - 2);
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    return [i * this.up + j, inside(u - i), inside(v - j)];
  }

  /** By how much a place is stretched, most first: the metric is linear between the nodes. */
  stretched(place, state) {
    const [node, s, t] = this.within(place);
    const [a, b, c, d] = [node, node + this.up, node + 1, node + this.up + 1].map((each) => this.entries(state, each));
    return singular(a.map((_, k) => (1 - t) * ((1 - s) * a[k] + s * b[k]) + t * ((1 - s) * c[k] + s * d[k])));
  }

  // --- pictures -------------------------------------------------------------------------------

  paint(context, { xyz, camera, canvas, colours }, position) {
    const { across, up, first, scene } = this;
    const [stage, t] = scene.place(position);
    const [before, after] = position <= 0 ? [this.shares[0], this.shares[0]] : [this.shares[stage], this.shares[stage + 1]];
    const place = (node) => {
      const i = 3 * (first + node);
      return [(xyz[i] - camera.x) * camera.scale + canvas.width / 2, (camera.y - xyz[i + 1]) * camera.scale + canvas.height / 2];
    };
    const places = Array.from({ length: this.nodes }, (_, node) => place(node));
    const groups = new Map();
    for (let i = 0; i < across - 1; i++) {
      for (let j = 0; j < up - 1; j++) {
        const node = i * up + j;
        const corners = [node, node + up, node + up + 1, node + 1];
        if (!corners.every((each) => Math.abs(places[each][0]) < 1e5 && Math.abs(places[each][1]) < 1e5)) continue;
        const share = corners.reduce((sum, each) => sum + (1 - t) * before[each] + t * after[each], 0) / 4;
        const level = Math.round(share * LEVELS);
        if (!groups.has(level)) groups.set(level, []);
        groups.get(level).push(corners);
      }
    }
    for (const [level, cells] of groups) {
      context.fillStyle = context.strokeStyle = mixed(colours.paper, level < 0 ? colours.neg : colours.pos, (DEEPEST * Math.abs(level)) / LEVELS);
      context.lineWidth = 0.8; // the seams between two colours
      for (let from = 0; from < cells.length; from += TOGETHER) {
        context.beginPath();
        for (const corners of cells.slice(from, from + TOGETHER)) {
          const own = corners.map((node) => places[node]);
          const turn = own.reduce((sum, [x, y], k) => sum + x * own[(k + 1) % 4][1] - y * own[(k + 1) % 4][0], 0);
          (turn < 0 ? own.reverse() : own).forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
          context.closePath();
        }
        context.fill();
        context.stroke();
      }
    }
  }

  /** Where places of the input are seen, in pixels of the page: the nodes' own, and between them. */
  seen({ xyz, camera, canvas }, ratio, points) {
    const drawn = (node) => {
      const i = 3 * (this.first + node);
      return [
        ((xyz[i] - camera.x) * camera.scale + canvas.width / 2) / ratio,
        ((camera.y - xyz[i + 1]) * camera.scale + canvas.height / 2) / ratio,
      ];
    };
    return points.map((place) => {
      const [node, s, t] = this.within(place);
      const [a, b, c, d] = [node, node + this.up, node + 1, node + this.up + 1].map(drawn);
      return [0, 1].map((k) => (1 - t) * ((1 - s) * a[k] + s * b[k]) + t * ((1 - s) * c[k] + s * d[k]));
    });
  }

  /** The place of the input that is seen somewhere: in a triangle of half a cell. */
  under(picture, ratio, x, y) {
    const nodes = Array.from({ length: this.nodes }, (_, node) => this.place(node));
    const seen = this.seen(picture, ratio, nodes);
    for (let i = this.across - 2; i >= 0; i--) {
      for (let j = this.up - 2; j >= 0; j--) {
        const node = i * this.up + j;
        for (const three of [[node, node + this.up, node + 1], [node + this.up + 1, node + 1, node + this.up]]) {
          const [[ax, ay], [bx, by], [cx, cy]] = three.map((each) => seen[each]);
          const whole = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
          const s = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / whole;
          const t = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / whole;
          if (!(s >= 0 && t >= 0 && s + t <= 1)) continue;
          const [a, b, c] = three.map((each) => nodes[each]);
          return [0, 1].map((k) => a[k] + s * (b[k] - a[k]) + t * (c[k] - a[k]));
        }
      }
    }
    return null;
  }

  place(node) {
    return [this.low[0] + Math.floor(node / this.up) * this.cell[0], this.low[1] + (node % this.up) * this.cell[1]];
  }

  // --- geodesics ------------------------------------------------------------------------------

  /** Where a state has a place of the input, and its derivative: both between the nodes by cubics
   * (Catmull and Rom), so that a length is right to a small part of a cell. */
  image(place, state) {
    const { shape, data } = this.scene.states[state].array;
    const width = shape[1];
    const [node, s, t] = this.within(place);
    const [i, j] = [Math.floor(node / this.up), node % this.up];
    const [u, du, v, dv] = [cubic(s), slopes(s), cubic(t), slopes(t)];
    const found = [new Float64Array(width), new Float64Array(width), new Float64Array(width)];
    for (let p = 0; p < 4; p++) {
      for (let q = 0; q < 4; q++) {
        // Beyond the rim the sheet goes straight on.
        const weights = [u[p] * v[q], (du[p] * v[q]) / this.cell[0], (u[p] * dv[q]) / this.cell[1]];
        for (const [row, share] of inner(i + p - 1, this.across)) {
          for (const [column, part] of inner(j + q - 1, this.up)) {
            const from = width * (this.first + row * this.up + column);
            for (let k = 0; k < width; k++) {
              const value = share * part * data[from + k];
              for (let d = 0; d < 3; d++) found[d][k] += weights[d] * value;
            }
          }
        }
      }
    }
    return found;
  }

  /** As geometry/curves.py does: of a chain of points the energy Σ |f xₖ₊₁ − f xₖ|² is made least
   * by Gauss and Newton's steps, damped where they do not lead down, from the straight line. */
  geodesic(a, b, state) {
    let points = Array.from({ length: SEGMENTS + 1 }, (_, k) =>
      [0, 1].map((i) => a[i] + (k / SEGMENTS) * (b[i] - a[i])));
    let images = points.map((place) => this.image(place, state));
    const straight = long(images);
    let energy = spent(images);
    for (let round = 0, damping = 1e-9; round < ROUNDS && damping < 1e9; round++) {
      const way = step(images, damping);
      const moved = points.map(([x, y], k) => [
        Math.min(Math.max(x + way[k][0], this.low[0]), this.high[0]),
        Math.min(Math.max(y + way[k][1], this.low[1]), this.high[1]),
      ]);
      const there = moved.map((place) => this.image(place, state));
      const spending = spent(there);
      if (!(spending <= energy)) {
        damping *= 10;
        continue;
      }
      const gained = energy - spending;
      [points, images, energy, damping] = [moved, there, spending, Math.max(damping / 10, 1e-12)];
      if (gained <= SETTLED * energy) break;
    }
    return { points, length: long(images), straight };
  }
}

const cubic = (s) => [
  0.5 * (-s + 2 * s * s - s ** 3), 0.5 * (2 - 5 * s * s + 3 * s ** 3),
  0.5 * (s + 4 * s * s - 3 * s ** 3), 0.5 * (s ** 3 - s * s),
];
const slopes = (s) => [
  0.5 * (-1 + 4 * s - 3 * s * s), 0.5 * (9 * s * s - 10 * s), 0.5 * (1 + 8 * s - 9 * s * s), 0.5 * (3 * s * s - 2 * s),
];

/** The node of a place along a side, or the two whose straight line goes on to it. */
function inner(k, count) {
  if (k < 0) return [[0, 2], [1, -1]];
  return k < count ? [[k, 1]] : [[count - 1, 2], [count - 2, -1]];
}

const between = (a, b, inner = (x, y) => (x - y) ** 2) => a.reduce((sum, value, k) => sum + inner(value, b[k]), 0);
const dot = (a, b) => between(a, b, (x, y) => x * y);
const spent = (images) => images.slice(1).reduce((sum, [value], k) => sum + between(value, images[k][0]), 0);
const long = (images) => images.slice(1).reduce((sum, [value], k) => sum + Math.sqrt(between(value, images[k][0])), 0);

/** A damped step of Gauss and Newton for the inner points of a chain: the matrix couples neighbours
 * only, in blocks [a, b; c, d], so it is eliminated forward and solved back. */
function step(images, damping) {
  const count = images.length - 2;
  const at = (k) => images[k + 1];
  const own = Array.from({ length: count }, (_, k) => {
    const [, x, y] = at(k);
    return [2 * dot(x, x), 2 * dot(x, y), 2 * dot(y, x), 2 * dot(y, y)];
  });
  const scale = Math.max(own.reduce((sum, [a, , , d]) => sum + a + d, 0) / (2 * count), 1e-300);
  for (const block of own) {
    block[0] += damping * scale;
    block[3] += damping * scale;
  }
  const beside = (k) => { // point k + 1 with point k
    const [[, x, y], [, u, v]] = [at(k + 1), at(k)];
    return [-dot(x, u), -dot(x, v), -dot(y, u), -dot(y, v)];
  };
  const right = Array.from({ length: count }, (_, k) => {
    const pull = at(k)[0].map((value, i) => images[k + 2][0][i] - 2 * value + images[k][0][i]);
    return [dot(at(k)[1], pull), dot(at(k)[2], pull)];
  });
  const couplings = Array.from({ length: count - 1 }, (_, k) => beside(k));
  for (let k = 1; k < count; k++) {
    const share = product(couplings[k - 1], inverse(own[k - 1]));
    const lost = product(share, transposed(couplings[k - 1]));
    own[k] = own[k].map((value, i) => value - lost[i]);
    const [x, y] = apply(share, right[k - 1]);
    right[k] = [right[k][0] - x, right[k][1] - y];
  }
  const found = Array(images.length).fill([0, 0]);
  for (let k = count - 1; k >= 0; k--) {
    const [x, y] = k + 1 < count ? apply(transposed(couplings[k]), found[k + 2]) : [0, 0];
    found[k + 1] = apply(inverse(own[k]), [right[k][0] - x, right[k][1] - y]);
  }
  return found;
}

const apply = ([a, b, c, d], [x, y]) => [a * x + b * y, c * x + d * y];
const transposed = ([a, b, c, d]) => [a, c, b, d];
const inverse = ([a, b, c, d]) => [d, -b, -c, a].map((value) => value / (a * d - b * c));
const product = ([a, b, c, d], [x, y, z, w]) => [a * x + b * z, a * y + b * w, c * x + d * z, c * y + d * w];

/** The roots of the eigenvalues of a metric: by how much it stretches, most first. Of what is lost
 * in 32 bits there is nothing left. */
function singular([a, b, c]) {
  const [middle, half] = [(a + c) / 2, Math.hypot((a - c) / 2, b)];
  const least = middle - half;
  return [Math.sqrt(Math.max(middle + half, 0)), least > 4e-7 * (middle + half) ? Math.sqrt(least) : 0];
}

/** A colour that lets so much of the paper through, as one that hides what is under it. */
function mixed(paper, colour, share) {
  const parts = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
  const [low, high] = [parts(paper), parts(colour)];
  return `rgb(${low.map((value, k) => Math.round(value + share * (high[k] - value))).join(",")})`;
}

export { Lens };
