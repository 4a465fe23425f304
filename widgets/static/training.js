// The picture that Python draws, and a button that stops the training.
//
// A kernel without subshells reads no message while a cell runs. So the model says that it
// is here, and only when that was heard does Python show it: its button always works.

const PAUSES = [0, 100, 200, 400, 800, 1600]; // ms: the way beside the cell may not be open yet

function initialize({ model }) {
  let asked;
  const say = (k) => {
    if (k === PAUSES.length || model.get("html")) return; // Python has heard it
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

  // The button stays the same element: one that is replaced ten times a second loses clicks.
  const draw = () => {
    picture.innerHTML = model.get("html");
  };
  el.classList.add("nnfp-training");
  el.append(picture, stop);
  model.on("change:html", draw);
  draw();
  return () => model.off("change:html", draw);
}

export default { initialize, render };
