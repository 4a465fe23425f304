"""Text of a notebook that would do harm is shown as text: in every form, wherever a cell,
a line of magic or a mistake quotes it. And what is shown is legible where a front end takes
styles and SVG away, as JupyterLab does of a notebook that is not trusted.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nnfp_kernel import NnfpError
from nnfp_kernel.magics.verb import View

TEXTS = (
    "<script>alert(1)</script><img src=x onerror=alert(1)></style></title></pre>"
    "<iframe src=javascript:alert(1)>",
    "\"><svg onload=alert(1)>'onmouseover='alert(1)",
)
HARMLESS = {
    "a", "b", "br", "code", "details", "div", "em", "i", "img", "p", "pre", "section", "span",
    "style", "summary", "table", "tbody", "td", "th", "thead", "tr",
    "svg", "title", "text", "tspan", "path", "rect", "circle", "polygon", "g", "image", "line",
    "math", "mrow", "mi", "mo", "mn", "mtext", "msup", "msub", "msubsup", "mover", "mfrac",
    "mspace", "msqrt", "mtable", "mtr", "mtd", "mstyle",
}  # fmt: skip


class Elements(HTMLParser):
    """The elements and attributes of some HTML, as a browser would have them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def require_harmless(form: str) -> None:
    found = Elements(form)
    assert found.tags <= HARMLESS, found.tags - HARMLESS
    for name, value in found.attributes:
        assert not name.startswith("on"), (name, value)
        assert "javascript:" not in value or name in ("alt", "title", "aria-label"), (name, value)
        if name in ("src", "href"):
            assert value.startswith("data:image/png;base64,"), value


def forms(shell: InteractiveShell, cell: str) -> list[str]:
    """All forms of what a cell shows or says."""
    shown: list[View] = []
    magics = shell.magics_manager.registry["NnfpMagics"]
    magics.workspace.host.show = shown.append
    result = shell.run_cell(cell, store_history=True)
    error = result.error_in_exec
    if isinstance(error, NnfpError):
        return [error.render_html()]
    assert error is None or isinstance(error, UsageError), error
    views = [*shown, result.result] if isinstance(result.result, View) else shown
    bundles: list[Any] = [view._repr_mimebundle_() for view in views]
    return [form for bundle in bundles for kind, form in bundle.items() if kind != "text/plain"]


@pytest.fixture
def ready(shell: InteractiveShell, tmp_path: Path) -> InteractiveShell:
    shell.run_cell(
        "%%nnfp\nrep Word = R[3]\nlayer : R[3] ~> R[3]\nlayer x = tanh (?W @ x + ?b)\n"
        "data Tree = Leaf R | Node Tree Tree\nv = [1, 2, 3]"
    )
    return shell


# `@` is the text: in a comment, a string, a place where it cannot be read, a name of Python's.
CELLS = (
    "%%nnfp\n\\x -> layer x {- @ -} + 1",
    "%%nnfp\nderivative layer {- @ -} v",
    "%%nnfp\nlayer {- @ -} v",
    "%%nnfp\ndata T = A {- @ -} R | B\ntype Long = R[3] {- @ -}",
    "%%nnfp\nrep Other {- @ -} = R[3]\nv",
    '%%nnfp\nimport "@"',
    "%%nnfp\nf x = @",
    "%%nnfp\nf x = layer x >> 3 {- @ -}",
    "%%nnfp\nf : Word -> R\nf x = layer x -- @",
    "%%nnfp\nf x = _ {- @ -} + layer x",
    "%%nnfp\n-- @\n-- more\nf : R[3] -> R[3]\nf x = x\n%nnfp help f\nf",
    "%nnfp type layer {- @ -}",
    "%nnfp type nothing {- @ -}",
    "%nnfp help @",
    "%nnfp save layer @/nowhere",
    "%nnfp load layer @",
    "%nnfp time layer @",
)


@pytest.mark.parametrize("cell", CELLS)
def test_hostile_text_is_shown_as_text(ready: InteractiveShell, cell: str) -> None:
    for text in TEXTS:
        for form in forms(ready, cell.replace("@", text)):
            require_harmless(form)


def test_hostile_names_of_files_and_paths_are_shown_as_text(
    ready: InteractiveShell, tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    session = ready.magics_manager.registry["NnfpMagics"].workspace.session
    for number, text in enumerate(TEXTS):
        file = tmp_path / f"{number}.safetensors"
        save_file({text: numpy.zeros(3), f"layer.{text}": numpy.zeros(2)}, str(file))
        for form in forms(ready, f"%nnfp load layer {file}"):
            require_harmless(form)
        for wrong in ({text: 1.0}, {"layer": {text: 1.0}}, {"layer.W": text}):
            with pytest.raises(NnfpError) as caught:
                session.weights = wrong
            require_harmless(caught.value.render_html())
        with pytest.raises(NnfpError) as caught:
            session.constructor(text)
        require_harmless(caught.value.render_html())
        with pytest.raises(NnfpError) as caught:
            session.tree("Tree", [text, text])
        require_harmless(caught.value.render_html())


def test_text_that_speaks_to_a_terminal_is_shown_as_text(ready: InteractiveShell) -> None:
    for cell in ("\\x -> x {- \x1b[2J\u202e -} + 1", "data T = A {- \x1b]0;title\x07 -} R"):
        told = str(ready.run_cell(f"%%nnfp\n{cell}").result)
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", told), told


def test_what_is_written_on_several_lines_is_named_on_one(ready: InteractiveShell) -> None:
    told = str(ready.run_cell("%%nnfp\n\\x ->\n  layer x +\n  layer x").result)
    assert told.startswith("\\x -> layer x + layer x : R[3] ~> R[3]\n")


def test_mathematics_has_no_command_of_the_user() -> None:
    """Names are letters, digits, `_` and `'`: what LaTeX reads as more is escaped."""
    from nnfp_kernel import Session
    from nnfp_kernel.views import derivative

    session = Session()
    session.run("f_1' : R[2] ~> R[2]\nf_1' x_y' = tanh (?w_1 * x_y')")
    found = derivative.read(session["f_1'"], ())
    latex = derivative.to_latex_display(found)
    commands = set(re.findall(r"\\([a-zA-Z]+)", latex))
    assert not commands & {"href", "url", "def", "input", "write", "html", "htmlClass"}
    require_harmless(derivative.to_html(found))


# --- what is left where nothing is trusted ------------------------------------------------------


class Sanitised(HTMLParser):
    """The words that are left of some HTML: without styles, SVG and empty attributes, and
    without what is hidden. Cells of a table and blocks are parted."""

    KEPT = HARMLESS - {"style", "math"}
    BLOCKS = frozenset({"div", "p", "pre", "tr", "td", "th", "summary", "section", "table"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words = ""
        self.images = 0
        self._open: list[tuple[str, bool]] = []  # elements, and whether they show nothing
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.images += tag == "img"
        if tag in ("img", "br"):
            return
        hides = tag == "style" or ("hidden" in dict(attrs) and bool(dict(attrs)["hidden"]))
        self._open.append((tag, hides))
        self.words += "\n" if tag in self.BLOCKS else ""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass
        self.words += "\n" if tag in self.BLOCKS else ""

    def handle_data(self, data: str) -> None:
        if not any(hides for _, hides in self._open):
            self.words += data


@pytest.mark.parametrize(
    ("cell", "legible"),
    [
        ("f : R[3] ~> R\nf x = ?w @ x", ["f", "R[3] ~> R", "?w 3", "3"]),
        ("v", ["R[3]", "1.00", "2.00", "3.00"]),
        ("map toReal iota[40]", ["R[40]", "from 0 to 39", "40 numbers"]),
        ("Node (Leaf 1) (Leaf 2)", ["Tree", "3 nodes, depth 2, 2 numbers"]),
        ("layer", ["R[3] ~> R[3]", "──[ tanh ]──"]),
        ("derivative layer v", ["R[3] -o R[3]", "dense, then diagonal"]),
        ("f x = layer (Word x)", ["error", "f x = layer (Word x)", "^^^^"]),
        ("f x = layer _", ["here a value of type", "In scope and fitting", "v"]),
        ("%nnfp graph layer", ["layer : R[3] ~> R[3]", "──[ tanh ]──"]),
        ("%nnfp weights layer", ["layer.W", "3×3", "9"]),
    ],
)
def test_what_is_left_without_style_and_svg_is_legible(
    ready: InteractiveShell, cell: str, legible: list[str]
) -> None:
    shown = forms(ready, f"%%nnfp\n{cell}" if cell[0] != "%" else cell)
    words = Sanitised(shown[0]).words
    for each in legible:
        assert each in words, (each, words)
    assert "{" not in words  # of a style
    for line in words.split("\n"):
        assert len(line) < 120, line


def test_an_svg_file_is_well_formed(ready: InteractiveShell) -> None:
    for cell in ("map toReal iota[40]", "layer", "derivative layer v", "Node (Leaf 1) (Leaf 2)"):
        (svg,) = [form for form in forms(ready, f"%%nnfp\n{cell}") if form.startswith("<svg")]
        xml.fromstring(svg)


def test_a_function_has_its_mathematics_and_its_picture(ready: InteractiveShell) -> None:
    bundle = ready.run_cell("%%nnfp\nlayer").result._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "text/latex", "image/svg+xml"}
    assert r"y &= \tanh(W x + b)" in bundle["text/latex"]
    both = ready.run_cell("%%nnfp\nlayer\nv").result._repr_mimebundle_()
    assert set(both) == {"text/plain", "text/html"}  # a form says all that the cell says


def test_an_output_is_small(ready: InteractiveShell) -> None:
    """It brings the rules that it uses, not the whole style."""
    (shown,) = forms(ready, "%%nnfp\nf x = 2 * x\ng x = f x")
    assert len(shown) < 3500
