"""A widget as a page of its own: one file, which needs no kernel and asks for nothing.

The module is the widget's own, put into the page; in place of a model that is synchronised
with Python stands one that holds what the widget held. The numbers are compressed. The
page's policy forbids every request, so that none can be made.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from typing import Any

from .modules import joined

BUDGET = 2 * 2**20  # bytes
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
PLAIN = """\
html{color-scheme:light dark;background:#fff}
@media (prefers-color-scheme:dark){html{background:#111316}}
body{margin:24px auto;max-width:760px;padding:0 16px}
noscript pre{font:12px/18px monospace}"""
START = """\
const unpacked = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
};
const told = (id) => document.getElementById(id).textContent;
const state = JSON.parse(told("state"));
for (const [name, text] of Object.entries(JSON.parse(told("numbers")))) {
  state[name] = new DataView(await unpacked(text));
}
const heard = new Map();
const model = {
  get: (name) => state[name],
  set(name, value) {
    state[name] = value;
    heard.get(`change:${name}`)?.forEach((call) => call());
  },
  on: (name, call) => heard.set(name, [...(heard.get(name) ?? []), call]),
  off: (name, call) => heard.set(name, (heard.get(name) ?? []).filter((each) => each !== call)),
  save_changes() {},
  send() {},
};
widget.render({ model, el: document.getElementById("widget") });"""


def page(
    title: str, module: str, css: str, state: dict[str, Any], numbers: dict[str, bytes],
    instead: str = "",
) -> str:  # fmt: skip
    """A page that shows a widget: `state` and `numbers` are what its model holds, `instead`
    the text where no scripts run."""
    script = joined(module).replace("export default", "const widget =")
    packed = {
        name: base64.b64encode(gzip.compress(data, mtime=0)).decode()
        for name, data in numbers.items()
    }
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>
{PLAIN}
{css}
</style>
</head>
<body>
<noscript><pre>{html.escape(instead)}</pre></noscript>
<div id="widget"></div>
<script type="application/json" id="state">{_inert(state)}</script>
<script type="application/json" id="numbers">{_inert(packed)}</script>
<script type="module">
{script}
{{
{START}
}}
</script>
</body>
</html>
"""


def _inert(value: Any) -> str:
    """JSON in which no text can end the element that it stands in."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def fitting(text: str, budget: int, advice: str) -> bytes:
    """A page as a file; raises ValueError for one that is larger than its budget."""
    data = text.encode()
    if len(data) > budget:
        raise ValueError(
            f"the page has {len(data) / 2**20:.1f} MiB, of {budget / 2**20:.3g} that are allowed. "
            f"{advice} Or allow it: `.save(path, budget={-(-len(data) // 2**20)} * 2**20)`."
        )
    return data
