// Elements, and the colours of the page. Text is always text, never HTML.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "line", "circle", "rect", "text", "polygon", "title"]);

/** An element: make("button", { class: "…", onclick: f }, "text", child). */
function make(name, attributes = {}, ...children) {
  const made = DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("aria-")) made.setAttribute(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** A table of rows of words: the first of each is what the row is called. */
function tabled(head, rows) {
  return make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((each) => make("th", { scope: "col" }, each)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((each, k) =>
      make(k ? "td" : "th", k ? {} : { scope: "row" }, each))))));
}

/** The page's colours, light or dark, as a canvas takes them. */
function coloursOf(element) {
  const probe = make("span", { hidden: true });
  element.append(probe);
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    paper: colour("nn-paper"), ink: colour("nn-ink"), ink2: colour("nn-ink2"),
    ink3: colour("nn-ink3"), line: colour("nn-line"), neg: colour("neg"), pos: colour("pos"),
    representations: [1, 2, 3, 4, 5, 6].map((k) => colour(`rep${k}`)),
  };
  probe.remove();
  return found;
}

/** Call when the page turns from light to dark; gives what ends that. */
function onTheme(call) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const watch = new MutationObserver(call);
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  dark.addEventListener("change", call);
  return () => {
    watch.disconnect();
    dark.removeEventListener("change", call);
  };
}

/** A number as a person reads it: three digits, a minus sign. */
function told(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size >= 1e5 || size < 1e-3)
    ? value.toExponential(2)
    : value.toLocaleString("en", { maximumSignificantDigits: 3 });
  return text.replaceAll("-", "−");
}

export { coloursOf, make, onTheme, tabled, told };
