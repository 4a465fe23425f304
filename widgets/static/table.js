// The scene as a table: what there is after each stage, and the values of one point.

import { tabled, told } from "./dom.js";

function table(element, scene, point) {
  const key = `${scene.id} ${point}`;
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  const head = ["stage", "gives", "spread", "points move", `point ${point}`];
  const rows = scene.states.map((state, k) => {
    const values = scene.values(k, point);
    const shown = values ? `(${Array.from(values.slice(0, 8), told).join(", ")})` : "along its principal axes only";
    return [state.label, state.type, told(state.spread), k ? scene.stages[k - 1].moves : "", shown];
  });
  element.replaceChildren(
    tabled(head, rows)
  );
}

export { table };
