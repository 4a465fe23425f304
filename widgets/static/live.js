// While a network trains one message tells all views of a moment, whichever of their models it comes
// with: what is said to each finds it by the address that Python has given it.

import { copied } from "./bytes.js";

const known = (globalThis[Symbol.for("nnfp.live")] ??= new Map());

/** Call `live(said, buffer)` with what is said to an address; gives what ends that. */
function hear(address, live) {
  if (!known.has(address)) known.set(address, new Set());
  known.get(address).add(live);
  return () => known.get(address).delete(live);
}

/** Hand on what comes with a model, whether it is shown or not. */
function initialize({ model }) {
  const handOn = (said, buffers) => {
    Object.entries(said.live ?? {}).forEach(([address, own], k) => {
      known.get(address)?.forEach((live) => live(own, copied(buffers[k])));
    });
  };
  model.on("msg:custom", handOn);
  return () => model.off("msg:custom", handOn);
}

export { hear, initialize };
