// The same pictures by the graphics card, where there is one.
//
// A page may have few contexts, so all widgets draw with one, and take the picture from it.
// Where the "card" is a program of the processor's, or a frame takes too long, `fit` gives
// nothing: then paint.js is faster. A context that is lost is waited for, and meanwhile the
// processor paints.

import { CanvasPainter, FOG, outline, palette, radius, rgb } from "./paint.js";

const SOFTWARE = /swiftshader|llvmpipe|software|softpipe|basic render/i;
const SLOW_MS = 16;

const LINES = `#version 300 es
uniform vec4 camera; // x, y, 2 scale / width, 2 scale / height
uniform vec2 size; // of the picture, in pixels
uniform float wide;
layout(location = 0) in vec2 corner;
layout(location = 1) in vec3 from;
layout(location = 2) in vec3 to;
out vec2 at, a, b;
void main() {
  a = (from.xy - camera.xy) * camera.zw * size / 2.0;
  b = (to.xy - camera.xy) * camera.zw * size / 2.0;
  vec2 along = b - a;
  along = length(along) > 0.0 ? normalize(along) : vec2(1, 0);
  float reach = wide / 2.0 + 1.0;
  at = (corner.x < 0.0 ? a : b) + reach * (corner.x * along + corner.y * vec2(-along.y, along.x));
  gl_Position = vec4(at * 2.0 / size, 0, 1);
}`;
const LINE = `#version 300 es
precision highp float;
uniform vec4 colour;
uniform float wide;
in vec2 at, a, b;
out vec4 pixel;
void main() {
  vec2 way = b - a;
  float share = clamp(dot(at - a, way) / max(dot(way, way), 1e-12), 0.0, 1.0);
  float far = distance(at, a + share * way);
  // Where a line is thinner than a pixel it covers as much less of it.
  float cover = clamp(max(wide, 1.0) / 2.0 + 0.5 - far, 0.0, 1.0) * min(wide, 1.0);
  pixel = colour * cover;
}`;
const MARKS = `#version 300 es
uniform vec4 camera;
uniform vec2 depths; // the middle and the reach; no reach: no depth
uniform float side, fog;
layout(location = 0) in vec3 place;
layout(location = 1) in vec4 look; // colour, and which shape
layout(location = 2) in float kept;
out vec3 ink;
out float which, strength, pale;
void main() {
  gl_Position = vec4((place.xy - camera.xy) * camera.zw, 0, 1);
  gl_PointSize = side;
  ink = look.rgb;
  which = look.a * 255.0;
  float near = depths.y > 0.0 ? clamp(0.5 + (place.z - depths.x) / (2.0 * depths.y), 0.0, 1.0) : 1.0;
  pale = kept < 0.5 ? 1.0 : 0.0;
  strength = (1.0 - 0.84 * pale) * (1.0 - fog * (1.0 - near));
}`;
const MARK = `#version 300 es
precision highp float;
uniform sampler2D shapes;
uniform float count;
uniform vec3 paper;
in vec3 ink;
in float which, strength, pale;
out vec4 pixel;
void main() {
  vec4 covered = texture(shapes, vec2((which + gl_PointCoord.x) / count, gl_PointCoord.y));
  float own = covered.r * strength;
  float rim = (1.0 - pale) * (covered.g - own);
  pixel = vec4(ink * own + paper * rim, own + rim);
}`;

/** The one context of the page: a canvas, its programs, and who waits for it. */
class Card {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.waiting = new Set();
    this.gl = this.canvas.getContext("webgl2", { premultipliedAlpha: true, antialias: false });
    if (!this.gl) return;
    const about = this.gl.getExtension("WEBGL_debug_renderer_info");
    const name = about ? this.gl.getParameter(about.UNMASKED_RENDERER_WEBGL) : "";
    this.software = SOFTWARE.test(name);
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // else it never comes back
      this.ready = false;
      this.waiting.forEach((redraw) => redraw());
    });
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.prepare();
      this.waiting.forEach((redraw) => redraw());
    });
    this.prepare();
  }

  prepare() {
    const { gl } = this;
    const shader = (kind, text) => {
      const made = gl.createShader(kind);
      gl.shaderSource(made, text);
      gl.compileShader(made);
      return made;
    };
    const program = (vertex, fragment) => {
      const made = gl.createProgram();
      gl.attachShader(made, shader(gl.VERTEX_SHADER, vertex));
      gl.attachShader(made, shader(gl.FRAGMENT_SHADER, fragment));
      gl.linkProgram(made);
      const names = gl.getProgramParameter(made, gl.ACTIVE_UNIFORMS) ?? 0;
      const uniforms = {};
      for (let k = 0; k < names; k++) {
        const { name } = gl.getActiveUniform(made, k);
        uniforms[name] = gl.getUniformLocation(made, name);
      }
      return { made, uniforms, works: gl.getProgramParameter(made, gl.LINK_STATUS) };
    };
    this.lines = program(LINES, LINE);
    this.marks = program(MARKS, MARK);
    this.corners = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    this.places = gl.createBuffer();
    this.looks = gl.createBuffer();
    this.kept = gl.createBuffer();
    this.order = gl.createBuffer();
    this.shapes = gl.createTexture();
    this.atlas = "";
    this.ready = this.lines.works && this.marks.works;
  }
}

let card; // made when it is first wanted

class GlPainter {
  get card() {
    return card;
  }

  /** A painter for a canvas, or null. `wish`: "webgl" wants it whatever it costs. */
  static fit(canvas, wish, redraw) {
    if (wish === "canvas") return null;
    card ??= new Card();
    if (!card.gl || !(card.ready || wish === "webgl")) return null;
    return wish !== "webgl" && card.software ? null : new GlPainter(canvas, wish, redraw);
  }

  constructor(canvas, wish, redraw) {
    this.canvas = canvas;
    this.redraw = redraw;
    this.timed = wish === "webgl" ? Infinity : 0;
    this.processor = new CanvasPainter(canvas);
    this.context = this.processor.context;
    card.waiting.add(redraw);
  }

  close() {
    card.waiting.delete(this.redraw);
  }

  get live() {
    return card.ready && !card.gl.isContextLost();
  }

  paint(picture) {
    if (!this.live || this.slow) return this.processor.paint(picture);
    const start = performance.now();
    const { canvas, context } = this;
    const { gl } = card;
    if (card.canvas.width !== canvas.width || card.canvas.height !== canvas.height) {
      [card.canvas.width, card.canvas.height] = [canvas.width, canvas.height];
    }
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.bindBuffer(gl.ARRAY_BUFFER, card.places);
    gl.bufferData(gl.ARRAY_BUFFER, picture.xyz, gl.DYNAMIC_DRAW);
    if (picture.show.grid) this.grid(picture);
    if (picture.show.points) this.points(picture);
    if (picture.show.boundary) this.boundary(picture);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = picture.colours.paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
    picture.below?.(context);
    if (picture.show.ellipses) this.processor.ellipses(picture);
    context.drawImage(card.canvas, 0, 0);
    // The first frame compiles; the second one is what frames take.
    if (this.timed++ === 1) {
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
      this.slow = performance.now() - start > SLOW_MS;
    }
  }

  camera(uniforms, { camera }) {
    const { width, height } = this.canvas;
    card.gl.uniform4f(uniforms.camera, camera.x, camera.y,
      (2 * camera.scale) / width, (2 * camera.scale) / height);
  }

  /** Segments, which begin `step` bytes apart. */
  segments(picture, colour, wide, runs, step) {
    const { gl, lines } = card;
    gl.useProgram(lines.made);
    this.camera(lines.uniforms, picture);
    gl.uniform2f(lines.uniforms.size, this.canvas.width, this.canvas.height);
    gl.uniform1f(lines.uniforms.wide, wide * picture.ratio);
    gl.uniform4f(lines.uniforms.colour, ...colour);
    gl.bindBuffer(gl.ARRAY_BUFFER, card.corners);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.vertexAttribDivisor(0, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, card.places);
    for (const [first, count] of runs) {
      for (const [attribute, offset] of [[1, 0], [2, 12]]) {
        gl.enableVertexAttribArray(attribute);
        gl.vertexAttribPointer(attribute, 3, gl.FLOAT, false, step, 12 * first + offset);
        gl.vertexAttribDivisor(attribute, 1);
      }
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
    }
    gl.vertexAttribDivisor(1, 0);
    gl.vertexAttribDivisor(2, 0);
  }

  grid(picture) {
    const { gl } = card;
    const { scene, colours } = picture;
    const runs = Array.from({ length: scene.lines }, (_, k) =>
      [scene.count + k * scene.samples, scene.samples - 1]);
    // Where lines cross they are no darker.
    gl.blendEquation(gl.MAX);
    this.segments(picture, inked(colours.ink3, 0.5), 0.8, runs, 12);
    gl.blendEquation(gl.FUNC_ADD);
  }

  boundary(picture) {
    const { gl } = card;
    const { scene, colours } = picture;
    const runs = [[scene.gridEnd, (scene.boundaryEnd - scene.gridEnd) / 2]];
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.segments(picture, inked(colours.paper, 1), 5, runs, 24);
    this.segments(picture, inked(colours.ink, 1), 1.7, runs, 24);
  }

  points(picture) {
    const { gl, marks } = card;
    const { scene, colours, brushed, camera, depth, ratio, size = radius(scene.count) } = picture;
    const { index, list, shapes } = palette(scene, colours);
    const side = this.atlas([...new Set(shapes)], size * ratio, size > 1.6 ? 0.7 * ratio : 0);
    const names = [...new Set(shapes)];
    const looks = new Uint8Array(4 * scene.count);
    for (let i = 0; i < scene.count; i++) {
      const which = index(i);
      looks.set(list[which], 4 * i);
      looks[4 * i + 3] = names.indexOf(shapes[which]);
    }
    gl.useProgram(marks.made);
    this.camera(marks.uniforms, picture);
    gl.uniform2f(marks.uniforms.depths, camera.z, depth ? camera.reach : 0);
    gl.uniform1f(marks.uniforms.side, side);
    gl.uniform1f(marks.uniforms.fog, FOG);
    gl.uniform1f(marks.uniforms.count, names.length);
    gl.uniform3f(marks.uniforms.paper, ...rgb(colours.paper).map((value) => value / 255));
    gl.bindTexture(gl.TEXTURE_2D, card.shapes);
    const attribute = (place, buffer, data, parts, type, normalized) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      if (data) gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, parts, type, normalized, 0, 0);
    };
    attribute(0, card.places, null, 3, gl.FLOAT, false);
    attribute(1, card.looks, looks, 4, gl.UNSIGNED_BYTE, true);
    attribute(2, card.kept, brushed ?? new Uint8Array(scene.count).fill(1), 1, gl.UNSIGNED_BYTE, false);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const sorted = this.processor.order(picture);
    if (sorted) {
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, card.order);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, sorted.order, gl.DYNAMIC_DRAW);
      gl.drawElements(gl.POINTS, scene.count, gl.UNSIGNED_INT, 0);
    } else gl.drawArrays(gl.POINTS, 0, scene.count);
  }

  /** The shapes side by side as a texture: red what the shape covers, green its ring too. */
  atlas(shapes, size, ring) {
    const side = 2 * (Math.ceil(size * 1.4 + ring) + 1);
    const name = `${shapes} ${size} ${ring}`;
    if (card.atlas === name) return side;
    card.atlas = name;
    const { gl } = card;
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const data = new Uint8Array(4 * side * side * shapes.length);
    shapes.forEach((shape, k) => {
      [0, ring].forEach((rim, channel) => {
        context.clearRect(0, 0, side, side);
        outline(context, shape, side / 2, side / 2, size);
        context.fill();
        context.lineWidth = 2 * rim;
        context.lineJoin = "round";
        if (rim) context.stroke();
        const found = context.getImageData(0, 0, side, side).data;
        for (let y = 0; y < side; y++) {
          for (let x = 0; x < side; x++) {
            data[4 * (y * side * shapes.length + k * side + x) + channel] = found[4 * (y * side + x) + 3];
          }
        }
      });
    });
    gl.bindTexture(gl.TEXTURE_2D, card.shapes);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, side * shapes.length, side, 0, gl.RGBA, gl.UNSIGNED_BYTE, data);
    for (const [name, value] of [["MIN_FILTER", "LINEAR"], ["MAG_FILTER", "LINEAR"], ["WRAP_S", "CLAMP_TO_EDGE"], ["WRAP_T", "CLAMP_TO_EDGE"]]) {
      gl.texParameteri(gl.TEXTURE_2D, gl[`TEXTURE_${name}`], gl[value]);
    }
    return side;
  }
}

/** A colour with its share, premultiplied. */
function inked(colour, share) {
  return [...rgb(colour).map((value) => (value / 255) * share), share];
}

export { GlPainter };
