// Pictures of points, a grid and a boundary on a canvas, by the processor.
//
//   const painter = new CanvasPainter(canvas)
//   painter.paint(picture)
//
// A picture has `xyz` (x, y, depth of every point), `scene`, `camera` {x, y, scale}, `colours`
// (of the page), `show` {points, grid, boundary, ellipses}, `brushed` (Uint8Array, or null), `depth`
// (whether far points are paler), `ratio` (pixels of the screen in one of the page), and `below`, which
// draws on the canvas what lies under all that.
// Points are stamped into the pixels: with twenty thousand that is faster without a graphics
// card than any call for each of them.

const PHASES = 4; // stamps lie between pixels, too: else points would tremble as they move
const BUCKETS = 32; // of depth
const TOGETHER = 16; // ellipses in a path
const MANY_CIRCLES = 200; // from which on they are outlines alone
const FOG = 0.4; // how much paler the farthest points are
const SHAPES = ["circle", "diamond", "triangle", "square", "down", "pentagon", "star", "cross"];
// cividis, which the colour-blind and those who print in grey read alike.
const CIVIDIS = [
  "#00224e", "#083370", "#35456c", "#4f576c", "#666970", "#7d7c78",
  "#948e77", "#aea371", "#c8b866", "#e5cf52", "#fee838",
];

/** The colour at a share of a list of them, "#rrggbb" each, as [r, g, b]. */
function between(list, share) {
  const place = Math.min(Math.max(share, 0), 1) * (list.length - 1);
  const low = Math.min(Math.floor(place), list.length - 2);
  const [a, b] = [rgb(list[low]), rgb(list[low + 1])];
  return a.map((value, k) => Math.round(value + (place - low) * (b[k] - value)));
}

/** "#rrggbb" or "rgb(…)" as three numbers. */
function rgb(colour) {
  if (colour.startsWith("#")) {
    const short = colour.length < 7;
    return [0, 1, 2].map((k) =>
      parseInt(short ? colour[k + 1].repeat(2) : colour.slice(2 * k + 1, 2 * k + 3), 16)
    );
  }
  return colour.match(/[\d.]+/g).slice(0, 3).map(Number);
}

/** The outline of a shape about a place, as a path of a canvas. */
function outline(context, shape, x, y, radius) {
  context.beginPath();
  const corners = (angles, reach = () => 1) =>
    angles.forEach((angle, k) => {
      const [i, j] = [x + radius * reach(k) * Math.sin(angle), y - radius * reach(k) * Math.cos(angle)];
      if (k) context.lineTo(i, j);
      else context.moveTo(i, j);
    });
  const around = (count, from = 0) =>
    Array.from({ length: count }, (_, k) => from + (2 * Math.PI * k) / count);
  if (shape === "circle") context.arc(x, y, radius, 0, 2 * Math.PI);
  else if (shape === "diamond") corners(around(4), () => 1.2);
  else if (shape === "triangle") corners(around(3), () => 1.3);
  else if (shape === "square") corners(around(4, Math.PI / 4), () => 1.25);
  else if (shape === "down") corners(around(3, Math.PI), () => 1.3);
  else if (shape === "pentagon") corners(around(5), () => 1.15);
  else if (shape === "star") corners(around(10), (k) => (k % 2 ? 0.55 : 1.4));
  else corners(around(12, Math.PI / 12), (k) => (k % 3 === 2 ? 0.5 : 1.3));
  context.closePath();
}

/** How large points are, in pixels of the page. */
function radius(count) {
  return Math.min(Math.max(78 / Math.sqrt(Math.max(count, 1)), 1.25), 4);
}

/** The colours of a scene's points: the index of each point, and what each index looks like. */
function palette(scene, colours) {
  const { colour } = scene;
  if (!colour) return { index: () => 0, list: [rgb(colours.ink2)], shapes: ["circle"] };
  if (colour.classes) {
    const list = colour.classes.map((_, k) => rgb(colours.representations[k % 6]));
    const shapes = colour.classes.map((_, k) => SHAPES[k % SHAPES.length]);
    return { index: (i) => colour.array.data[i], list, shapes };
  }
  const steps = 32;
  const reach = colour.high - colour.low || 1;
  return {
    index: (i) => {
      const share = (colour.array.data[i] - colour.low) / reach;
      return share >= 0 ? Math.min(Math.floor(share * steps), steps - 1) : 0;
    },
    list: Array.from({ length: steps }, (_, k) => between(CIVIDIS, k / (steps - 1))),
    shapes: Array(steps).fill("circle"),
  };
}

const stamped = new Map();

/** How much of each pixel a shape covers, and its paper ring with it, at every phase. */
function stamps(shape, size, ring) {
  const name = `${shape} ${size.toFixed(2)} ${ring}`;
  if (stamped.has(name)) return stamped.get(name);
  const reach = Math.ceil(size * 1.4 + ring) + 1;
  const width = 2 * reach + 1;
  const canvas = new OffscreenCanvas(width, width);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const cover = (x, y, draw) => {
    context.clearRect(0, 0, width, width);
    outline(context, shape, x, y, size);
    draw();
    const pixels = context.getImageData(0, 0, width, width).data;
    return Float32Array.from({ length: width * width }, (_, k) => pixels[4 * k + 3] / 255);
  };
  const made = [];
  for (let v = 0; v < PHASES; v++) {
    for (let u = 0; u < PHASES; u++) {
      const [x, y] = [reach + (u + 0.5) / PHASES, reach + (v + 0.5) / PHASES];
      const fill = cover(x, y, () => context.fill());
      const whole = cover(x, y, () => {
        context.fill();
        context.lineWidth = 2 * ring;
        context.lineJoin = "round";
        if (ring) context.stroke();
      });
      // Only what is covered is kept: its place, and the shares of shape and of both.
      const kept = [...whole.keys()].filter((k) => whole[k] > 0.01);
      made.push(kept.map((k) => [(k % width) - reach, Math.floor(k / width) - reach, fill[k], whole[k]]));
    }
  }
  if (stamped.size > 64) stamped.clear();
  stamped.set(name, made);
  return made;
}

/** A stamp in an ink: to each pixel, of 256 parts, what is left, and what is added. */
function inked(stamp, width, colour, paper, pale, near) {
  const strength = (pale ? 0.16 : 1) * (1 - FOG * (1 - near));
  const made = { places: new Int32Array(stamp.length), rest: new Int32Array(stamp.length) };
  const [red, green, blue] = [0, 1, 2].map(() => new Int32Array(stamp.length));
  stamp.forEach(([dx, dy, fill, whole], k) => {
    // The ring first, in paper, then the shape: of both the share that is covered.
    const own = fill * strength;
    const rim = pale ? 0 : whole - own;
    made.places[k] = 4 * (dy * width + dx);
    made.rest[k] = Math.floor(256 * Math.max(1 - own - rim, 0));
    [red, green, blue].forEach((ink, c) => (ink[k] = Math.floor(colour[c] * own + paper[c] * rim)));
  });
  return { ...made, red, green, blue };
}

class CanvasPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.inks = [];
  }

  paint(picture) {
    const { context, canvas } = this;
    const { colours, show, ratio } = picture;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
    picture.below?.(context);
    if (show.ellipses) this.ellipses(picture);
    if (show.grid) this.grid(picture, ratio);
    if (show.points) this.points(picture);
    if (show.boundary) this.boundary(picture, ratio);
  }

  grid({ scene, xyz, camera, colours, thin = 0.8 }, ratio) {
    const { context, canvas } = this;
    const { x, y, scale } = camera;
    context.setTransform(1, 0, 0, 1, canvas.width / 2, canvas.height / 2);
    context.beginPath();
    let i = 3 * scene.count;
    for (let line = 0; line < scene.lines; line++) {
      let pen = false;
      for (let k = 0; k < scene.samples; k++, i += 3) {
        const [u, v] = [(xyz[i] - x) * scale, (y - xyz[i + 1]) * scale];
        if (!(Math.abs(u) < 1e5 && Math.abs(v) < 1e5)) pen = false;
        else if (pen) context.lineTo(u, v);
        else context.moveTo(u, v), (pen = true);
      }
    }
    context.globalAlpha = 0.5;
    context.lineWidth = thin * ratio;
    context.lineJoin = "bevel";
    context.strokeStyle = colours.ink3;
    context.stroke();
    context.globalAlpha = 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** Small circles of the input, where they are now. */
  ellipses({ scene, xyz, camera, colours, ratio }) {
    const { context, canvas } = this;
    const { x, y, scale } = camera;
    const [count, samples] = scene.circles;
    context.setTransform(1, 0, 0, 1, canvas.width / 2, canvas.height / 2);
    context.fillStyle = context.strokeStyle = colours.ink;
    context.lineWidth = (count > MANY_CIRCLES ? 0.6 : 0.8) * ratio;
    // Few to a path: what a path costs grows faster than what is in it.
    for (let circle = 0, i = 3 * scene.boundaryEnd; circle < count; ) {
      context.beginPath();
      for (let k = 0; k < TOGETHER && circle < count; k++, circle++) {
        const end = i + 3 * samples;
        let whole = true;
        for (let j = i; j < end; j += 3) {
          whole &&= Math.abs((xyz[j] - x) * scale) < 1e5 && Math.abs((y - xyz[j + 1]) * scale) < 1e5;
        }
        for (let j = i; whole && j < end; j += 3) {
          const [u, v] = [(xyz[j] - x) * scale, (y - xyz[j + 1]) * scale];
          if (j === i) context.moveTo(u, v);
          else context.lineTo(u, v);
        }
        if (whole) context.closePath();
        i = end;
      }
      context.globalAlpha = 0.07;
      if (count <= MANY_CIRCLES) context.fill();
      context.globalAlpha = 0.4;
      context.stroke();
    }
    context.globalAlpha = 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  boundary({ scene, xyz, camera, colours, thin = 1 }, ratio) {
    const { context, canvas } = this;
    const { x, y, scale } = camera;
    context.setTransform(1, 0, 0, 1, canvas.width / 2, canvas.height / 2);
    context.beginPath();
    for (let i = 3 * scene.gridEnd; i < 3 * scene.boundaryEnd; i += 6) {
      const ends = [0, 3].map((k) => [(xyz[i + k] - x) * scale, (y - xyz[i + k + 1]) * scale]);
      if (!ends.flat().every((value) => Math.abs(value) < 1e5)) continue;
      context.moveTo(...ends[0]);
      context.lineTo(...ends[1]);
    }
    context.lineCap = thin < 1 ? "butt" : "round"; // round ends take most of a small picture's time
    for (const [colour, width] of [[colours.paper, 5], [colours.ink, 1.7]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * thin * ratio;
      context.stroke();
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** Indices of the points, those that are brushed and near last. */
  order({ scene, xyz, brushed, depth, camera }) {
    const { count } = scene;
    if (!brushed && !depth) return null;
    const bucket = new Uint8Array(count);
    const sizes = new Uint32Array(2 * BUCKETS + 1);
    for (let i = 0; i < count; i++) {
      const near = depth ? 0.5 + (xyz[3 * i + 2] - camera.z) / (2 * camera.reach) : 0;
      const place = Math.min(Math.max(Math.floor(near * BUCKETS), 0), BUCKETS - 1);
      bucket[i] = place + (brushed && brushed[i] ? BUCKETS : 0);
      sizes[bucket[i] + 1]++;
    }
    for (let k = 0; k < 2 * BUCKETS; k++) sizes[k + 1] += sizes[k];
    const order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[sizes[bucket[i]]++] = i;
    return { order, bucket };
  }

  points(picture) {
    const { scene, xyz, camera, colours, brushed, depth, ratio, size = radius(scene.count) } = picture;
    const { canvas, context } = this;
    const { width, height } = canvas;
    const { index, list, shapes } = palette(scene, colours);
    const ring = size > 1.6 ? 0.7 * ratio : 0;
    this.ready(`${size} ${ratio} ${width} ${colours.paper} ${list.join(" ")}`);
    const image = context.getImageData(0, 0, width, height);
    const pixels = new Uint8Array(image.data.buffer);
    const sorted = this.order(picture);
    const edge = Math.ceil(size * ratio * 1.4 + ring) + 1;
    const step = picture.every ?? 1;
    for (let n = 0; n < scene.count; n += step) {
      const i = sorted ? sorted.order[n] : n;
      const u = (xyz[3 * i] - camera.x) * camera.scale + width / 2;
      const v = (camera.y - xyz[3 * i + 1]) * camera.scale + height / 2;
      if (!(u >= edge && v >= edge && u < width - edge && v < height - edge)) continue;
      const [column, row] = [u | 0, v | 0];
      const phase = (((u - column) * PHASES) | 0) + PHASES * (((v - row) * PHASES) | 0);
      const which = index(i);
      const pale = brushed && !brushed[i] ? 1 : 0;
      const bucket = depth ? sorted.bucket[i] % BUCKETS : BUCKETS - 1;
      const key = (which * 2 + pale) * BUCKETS + bucket;
      const made = (this.inks[key] ??= stamps(shapes[which], size * ratio, ring).map((stamp) =>
        inked(stamp, width, list[which], rgb(colours.paper), pale, bucket / (BUCKETS - 1))));
      const { places, rest, red, green, blue } = made[phase];
      const from = 4 * (row * width + column);
      for (let k = 0; k < places.length; k++) {
        const at = from + places[k];
        pixels[at] = ((pixels[at] * rest[k]) >> 8) + red[k];
        pixels[at + 1] = ((pixels[at + 1] * rest[k]) >> 8) + green[k];
        pixels[at + 2] = ((pixels[at + 2] * rest[k]) >> 8) + blue[k];
      }
    }
    context.putImageData(image, 0, 0);
  }

  /** Stamps in their inks, which are made when first used, are for one look alone. */
  ready(look) {
    if (this.look === look) return;
    this.look = look;
    this.inks = [];
  }
}

export { CIVIDIS, CanvasPainter, FOG, SHAPES, outline, palette, radius, rgb };
