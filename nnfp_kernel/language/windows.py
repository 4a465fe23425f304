"""Built-in names whose brackets vary in number: `window`, `pool`, `reshape`.

Their types are rules, for no one signature says them. (`stack` is here for the mistake of
writing it alone.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import syntax, typed
from .counting import Reshape, SizeAtLeast
from .references import References
from .sizes import Size, constant
from .source import Span
from .telling import did_you_mean, nearest, start_of
from .types import (
    Array,
    Function,
    Linear,
    Type,
)

Rule = Callable[
    [References, str, Sequence[syntax.SizeTree], Sequence[syntax.BracketOption], Span],
    tuple[typed.Expression, Type],
]

OPTIONS = {"window": ("stride", "pad", "dilation")}
"""What the brackets of a name may hold beside sizes."""


def _require_axes(
    self: References,
    name: str,
    sizes: Sequence[syntax.SizeTree],
    span: Span,
    note: str,
    better: str,
) -> None:
    """Windows are over one, two or three axes."""
    if not 1 <= len(sizes) <= 3:
        raise self.fail(
            "bracket-count",
            f"`{name}` takes one, two or three sizes in brackets",
            span,
            f"{len(sizes)} given",
            notes=[note],
            suggestion=better,
        )


def _window(
    self: References,
    name: str,
    sizes: Sequence[syntax.SizeTree],
    options: Sequence[syntax.BracketOption],
    span: Span,
) -> tuple[typed.Expression, Type]:
    """`window[k] f`, `window[h,w] f`: f : a[k] -> b gives a[n] -> b[(n - k) / stride + 1]."""
    solver = self.solver
    place = self.place(span, f"`{name}`")
    _require_axes(self, name, sizes, span, "For example:", f"{name}[3]")
    extents = [solver.fresh_size("k") if k is None else k for k in self.sizes_of(sizes)]
    stride, dilation, padding = constant(1), constant(1), constant(0)
    same = False
    chosen: dict[str, Size | str] = {}
    known = OPTIONS.get(name, ())
    for option in options:
        if option.name not in known or option.name in chosen:
            near = nearest(option.name, known)
            what = "is given twice" if option.name in chosen else "is not known"
            raise self.fail(
                "unknown-option",
                f"the option `{option.name}` of `{name}` {what}",
                option.span,
                "not known" if option.name not in known else "the second time",
                notes=[
                    f"Options of `{name}`: {', '.join(known) or 'none'}.",
                    *did_you_mean(near if near != option.name else None),
                ],
                better=(start_of(option.span, option.name), near)
                if near and near != option.name
                else None,
            )
        if option.name == "pad" and option.value in ("same", "valid"):
            same = option.value == "same"
            chosen[option.name] = str(option.value)
            continue
        asked: syntax.SizeTree
        if isinstance(option.value, str):  # a word that is no word of `pad` names a size
            asked = syntax.SizeName(option.value, span=option.span)
        else:
            asked = option.value
        (value,) = self.sizes_of([asked])
        if value is None or (value.value == 0 and option.name != "pad"):
            raise self.fail(
                "bad-option",
                f"`{option.name}` needs a number above 0",
                option.span,
                "not a number above 0",
            )
        chosen[option.name] = value
        if option.name == "stride":
            stride = value
        elif option.name == "dilation":
            dilation = value
        else:
            padding = value
    stride_of = list(extents) if name == "pool" else [stride] * len(extents)
    element = solver.fresh("a", place)
    result = solver.fresh("b", place)
    patch: Type = element
    whole: Type = element
    out: Type = result
    solver.place = place
    for k, step in reversed(list(zip(extents, stride_of, strict=True))):
        n = solver.fresh_size("n")
        reach = (k - 1) * dilation + 1
        patch = Array(patch, k, origin=place)
        whole = Array(whole, n, origin=place)
        if same:
            length = (n + step - 1) // step
        elif name == "pool":
            length = n // k if k.value is not None or k.variables() else n
        else:
            length = (n + padding * 2 - reach) // step + 1
            solver.add(SizeAtLeast(left=n + padding * 2, right=reach))
        out = Array(out, length, origin=place)
    solver.drain()
    found = Function(
        Function(patch, result, origin=place), Function(whole, out, origin=place), origin=place
    )
    return typed.Builtin(name, found, tuple(extents), chosen, span=span), found


def _overlap_add(
    self: References,
    name: str,
    sizes: Sequence[syntax.SizeTree],
    options: Sequence[syntax.BracketOption],
    span: Span,
) -> tuple[typed.Expression, Type]:
    """`overlapAdd[n]`, `overlapAdd[h,w]`: windows back into an array of such a length."""
    solver = self.solver
    place = self.place(span, f"`{name}`")
    note = "They are the lengths of what the windows are put back into, for example:"
    _require_axes(self, name, sizes, span, note, f"{name}[6]")
    lengths = [solver.fresh_size("n") if n is None else n for n in self.sizes_of(sizes)]
    chosen: dict[str, Size | str] = {}
    for option in options:
        value = (
            None if isinstance(option.value, str) else self.sizes_of([option.value])[0]
        )  # fmt: skip
        if option.name not in ("stride", "dilation") or value is None or value.value == 0:
            raise self.fail(
                "bad-option",
                f"`{name}` has the options `stride` and `dilation`, numbers above 0",
                option.span,
                "neither of them",
            )
        chosen[option.name] = value
    stride, dilation = (chosen.get(option, constant(1)) for option in ("stride", "dilation"))
    assert isinstance(stride, Size)
    assert isinstance(dilation, Size)
    element = solver.fresh("a", place)
    windows: Type = element
    whole: Type = element
    extents = [solver.fresh_size("k") for _ in lengths]
    for k in reversed(extents):
        windows = Array(windows, k, origin=place)
    for n, k in reversed(list(zip(lengths, extents, strict=True))):
        whole = Array(whole, n, origin=place)
        windows = Array(windows, (n - (k - 1) * dilation - 1) // stride + 1, origin=place)
    found = Linear(windows, whole, origin=place)
    return typed.Builtin(name, found, tuple(lengths), chosen, span=span), found


def _reshape(
    self: References,
    name: str,
    sizes: Sequence[syntax.SizeTree],
    options: Sequence[syntax.BracketOption],
    span: Span,
) -> tuple[typed.Expression, Type]:
    solver = self.solver
    place = self.place(span, f"`{name}`")
    if options:
        raise self.fail("unknown-option", f"`{name}` has no options", options[0].span)
    axes = [solver.fresh_size("n") if size is None else size for size in self.sizes_of(sizes)]
    operand, result = solver.fresh("a", place), solver.fresh("b", place)
    self.add(Reshape(type=operand, shaped=result, axes=tuple(axes)), span, f"`{name}`")
    found = Function(operand, result, origin=place)
    return typed.Builtin(name, found, tuple(axes), span=span), found


def _stack_alone(
    self: References,
    name: str,
    sizes: Sequence[syntax.SizeTree],
    options: Sequence[syntax.BracketOption],
    span: Span,
) -> tuple[typed.Expression, Type]:
    raise self.fail(
        "stack-of-what",
        "`stack` needs the layer it copies beside it",
        span,
        "nothing to copy here",
        notes=["For example:"],
        suggestion="stack[4] layer",
    )


OWN_RULES: Mapping[str, Rule] = {
    "window": _window,
    "pool": _window,
    "reshape": _reshape,
    "overlapAdd": _overlap_add,
    "stack": _stack_alone,
}
