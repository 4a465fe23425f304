"""What a cell of this kernel is: a program, Python, or IPython's own lines."""

from __future__ import annotations

import re

PYTHON_CELLS = ("%%python", "%%py")
RUN = "get_ipython().run_program("
LOOK_UP = "get_ipython().look_up("
QUESTION = re.compile(r"(\?{1,2})?\s*([\w.']+|[^\w\s?%!]+)\s*(\?{1,2})?\s*")


def translate(cell: str) -> str:
    """The Python that a cell of this kernel stands for.

    >>> translate("%%python\\nprint(1)")
    'print(1)'
    >>> translate("f x = 2 * x")
    "get_ipython().run_program('f x = 2 * x')"
    >>> print(translate("%time\\nf x = x"))
    %time
    get_ipython().run_program('\\nf x = x')
    >>> translate("fold?")
    "get_ipython().look_up('fold', False)"

    Lines at the start of a cell that begin with `%`, `!` or `?` are IPython's; so is a
    cell of another cell magic. The rest is a program, its lines counted from the cell's
    first. They are taken out before comments are read, because of `--epochs`.
    """
    cell = cell.replace("\r\n", "\n")
    body = python_body(cell)
    if body is not None:
        return body
    if cell.lstrip("\n").startswith("%%"):
        return cell
    asked = _asked(cell)
    if asked is not None:
        return asked
    lines = cell.split("\n")
    count = 0
    while count < len(lines) and (not lines[count].strip() or lines[count][0] in "%!?"):
        count += 1
    program = "\n".join(lines[count:])
    before = "\n".join(_asked(line) or line for line in lines[:count])
    if not program.strip():
        return before
    run = f"{RUN}{chr(10) * count + program!r})"
    return f"{before}\n{run}" if before.strip() else run


def python_body(cell: str) -> str | None:
    """The Python of a `%%python` cell; None for another cell.

    >>> python_body("%%py\\nx = 1")
    'x = 1'
    """
    first, _, rest = cell.lstrip("\n").partition("\n")
    return rest if first.split(" ")[0].rstrip() in PYTHON_CELLS else None


def _asked(line: str) -> str | None:
    """`NAME?`, `NAME??`, `?NAME`, `??NAME` as Python; None for anything else."""
    found = QUESTION.fullmatch(line.strip())
    if found is None or bool(found[1]) == bool(found[3]):
        return None
    whole = (found[1] or found[3]) == "??"
    return f"{LOOK_UP}{found[2]!r}, {whole})"


__all__ = ["LOOK_UP", "RUN", "python_body", "translate"]
