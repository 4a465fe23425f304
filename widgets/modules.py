"""JavaScript modules of `static/` as one: what a widget and a page without a kernel take.

A widget's module is one text, and has no address from which it could import others. So the
modules that it imports are put before it, each in a function of its own, which returns what
it exports.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from nnfp_kernel.language.palette import colours

STATIC = Path(__file__).parent / "static"
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)


@cache
def joined(name: str) -> str:
    """A module and all that it imports, as one module.

    >>> joined("bend").count("export default")
    1
    """
    order: list[str] = []
    _visit(name, order)
    parts = []
    for each in order[:-1]:
        text, exported = _linked(each), EXPORT.search(_read(each))
        names = exported[1].strip().rstrip(",") if exported else ""
        body = EXPORT.sub("", text)
        parts.append(f"const {each}_js = (() => {{\n{body}return {{ {names} }};\n}})();\n")
    return "\n".join([*parts, _linked(name)])


@cache
def css(*names: str) -> str:
    """The style of a widget: the colours, what all views have in common, and its own files.

    >>> ".nnfp-view .foot" in css()
    True
    >>> ".nnfp-view.nnfp-film .states" in css("film")
    True

    Several stand in one notebook, each with what is common before its own: an own rule must
    outweigh a common one that comes later, with another widget.
    """
    common, *own = [(STATIC / f"{name}.css").read_text("utf-8") for name in ("view", *names)]
    heavier = [
        text.replace(f".nnfp-{name}", f".nnfp-view.nnfp-{name}")
        for name, text in zip(names, own, strict=True)
    ]
    return "\n".join([colours("nnfp-view"), common, *heavier])


def _read(name: str) -> str:
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


def _linked(name: str) -> str:
    """A module that takes what it imports from the functions before it."""
    return IMPORT.sub(lambda found: f"const {{{found[1]}}} = {found[2]}_js;\n", _read(name))


def _visit(name: str, order: list[str]) -> None:
    if name in order:
        return
    for found in IMPORT.finditer(_read(name)):
        _visit(found[2], order)
    order.append(name)
