// The picture of a training that Python draws, and a button that stops it.
//
// A kernel without subshells reads no message while a cell runs. So the model says that it
// is here, and only when that was heard does Python show it: its button always works.

const PAUSES = [0, 100, 200, 400, 800, 1600]; // ms: the way beside the cell may not be open yet

const SCOPE = /\bnnfp-[0-9a-f]{8}\b/g; // the class of one output, by which none styles another

/** Make of one element another, and touch what differs alone. */
function become(element, wanted) {
  for (const { name } of [...element.attributes]) if (!wanted.hasAttribute(name)) element.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  const [own, all] = [[...element.childNodes], [...wanted.childNodes]];
  all.forEach((next, k) => {
    const now = own[k];
    if (!now) element.append(next);
    else if (now.nodeName !== next.nodeName) now.replaceWith(next);
    else if (now.nodeType === Node.ELEMENT_NODE) become(now, next);
    else if (now.data !== next.data) now.data = next.data;
  });
  own.slice(all.length).forEach((each) => each.remove());
}

function initialize({ model }) {
  let asked;
  const say = (k) => {
    if (k === PAUSES.length || model.get("picture")) return; // Python has heard it
    asked = setTimeout(() => {
      model.send("here");
      say(k + 1);
    }, PAUSES[k]);
  };
  say(0);
  return () => clearTimeout(asked);
}

function render({ model, el }) {
  const picture = document.createElement("div");
  const stop = document.createElement("button");
  stop.type = "button";
  stop.textContent = "Stop";
  stop.title = "Stop the training and keep the best weights";
  stop.addEventListener("click", () => {
    model.send("stop");
    stop.disabled = true;
  });

  // The button stays the same element: one that is replaced ten times a second loses clicks. Of the
  // picture that stays which is as it was: all anew, with its style, is most of a page's work.
  const draw = () => {
    const next = document.createElement("div");
    next.innerHTML = model.get("picture").replaceAll(SCOPE, "nnfp-live");
    become(picture, next);
  };
  el.classList.add("nnfp-view", "nnfp-training");
  el.append(picture);
  if (model.get("running")) el.append(stop); // of one that is over, and of a page, nothing is stopped
  model.on("change:picture", draw);
  draw();
  return () => model.off("change:picture", draw);
}

export default { initialize, render };
