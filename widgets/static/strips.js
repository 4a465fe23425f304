// Numbers as cells: blue below zero, vermillion above, as strong as they are large.

import { make, told } from "./dom.js";

const MOST = 1024; // cells of one strip

/** How the cells of a strip stand in a room: rows and columns, and how large a cell is. */
function grid(strip, width, height, lying) {
  const size = Math.min(strip.size, MOST);
  let columns = 1;
  if (strip.shape.length === 2 && strip.size <= MOST && strip.kind !== "C") columns = strip.shape[1];
  else if (lying && size <= 8) columns = size;
  else while (size / columns > height / 2.4 && columns < width / 2) columns++;
  const rows = Math.max(Math.ceil(size / Math.max(columns, 1)), 1);
  let [w, h] = [width / Math.max(columns, 1), Math.min(height / rows, 13)];
  if (strip.shape.length === 2 && columns > 1) w = h = Math.min(w, height / rows, 13);
  if (lying && rows === 1) [w, h] = [Math.min(w, 15), 14];
  if (size === 1) [w, h] = [Math.min(width, 48), 16]; // the number stands in it
  return { columns, rows, w, h, width: w * columns, height: h * rows, size };
}

/** A strip at one of its rows, its top in the middle at (x, y). `order` are its numbers from the top. */
function draw(strip, values, x, y, room, { order, name }) {
  const { columns, w, h, size } = room;
  const left = x - room.width / 2;
  const group = make("g", { class: "strip", "data-name": name });
  group.append(make("rect", { class: "paper", x: left, y, width: room.width, height: room.height }));
  const counted = strip.kind === "Int" || strip.kind === "Bool";
  for (let k = 0; k < size; k++) {
    const from = order ? order[k] : k;
    const value = values[from];
    const known = Number.isFinite(value);
    const share = counted ? 0 : Math.min(Math.abs(value) / strip.reach, 1);
    group.append(make("rect", {
      class: !known ? "cell lost" : value < 0 ? "cell neg" : "cell pos", "data-k": from,
      x: left + (k % columns) * w, y: y + Math.floor(k / columns) * h, width: w, height: h,
      "fill-opacity": known ? share.toFixed(3) : 1,
    }));
  }
  group.append(make("rect", { class: "edge", x: left, y, width: room.width, height: room.height }));
  if (strip.size === 1) {
    group.append(make("text", { class: "number", x, y: y + room.height / 2 + 3.7 },
      counted ? String(values[0]) : told(values[0])));
  }
  return group;
}

/** What is said of one cell: `h ! 3 = −0.42`. */
function cellTold(strip, values, k, name) {
  const place = strip.shape.length === 2 && strip.kind !== "C"
    ? ` ! ${Math.floor(k / strip.shape[1])} ! ${k % strip.shape[1]}` : strip.size > 1 ? ` ! ${k}` : "";
  return `${name}${place} = ${told(values[k])}`;
}

/** The places of numbers from the largest to the smallest. */
function ordered(values) {
  return [...values.keys()].sort((a, b) => values[b] - values[a]);
}

export { MOST, cellTold, draw, grid, ordered };
