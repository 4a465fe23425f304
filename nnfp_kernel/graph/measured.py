"""Lengths that are looked at: values whose type says a size that inference has not proved.

Inference puts a `typed.Measured` where a length known only at run time is taken for a size
(docs/decisions/0057). Here the value is there: an array says how long it is, a sequence has a
wire for its length. What has the size that is said is an array of that size from here on.
"""

from __future__ import annotations

from dataclasses import replace

from ..language import types as t
from ..language.diagnostics import Diagnostic, NnfpError
from .context import Context
from .graph import Wire
from .sequences import present, resized, where
from .values import Items, Sequence, Value


def measured(
    context: Context, value: Value, found: t.Type, said: t.Type, told: Diagnostic
) -> Value:
    """The value, whose type by itself is `found`, as one of the type that is `said` of it.

    A function is looked at where it is applied: what it gives has the sizes that are said, and
    what it is given those that it takes. Raises NnfpError where lengths known while tracing
    differ, but in a branch, which may not be taken: there it is a doubt, as of all others.
    """
    if context.plants:  # a tree of any shape, with numbers for its lengths
        return value
    return _Measure(context, told).value(value, found, said, 0)


class _Measure:
    def __init__(self, context: Context, told: Diagnostic) -> None:
        self.context = context
        self.told = told

    def value(self, value: Value, found: t.Type, said: t.Type, axis: int) -> Value:
        match found, said:
            case t.Function(), t.Function() if found != said:
                return lambda argument: self.value(
                    value(self.value(argument, said.domain, found.domain, 0)),
                    found.codomain, said.codomain, 0,
                )  # fmt: skip
            case t.Product(), t.Product() if isinstance(value, tuple):
                parts = zip(value, found.items, said.items, strict=True)
                return tuple(self.value(part, one, other, axis) for part, one, other in parts)
            case t.Array(), t.Array() if found != said:
                size = said.length.value
                if size is not None and found.length != said.length:
                    value = self.long(value, size, axis)
                if isinstance(value, Sequence) and value.axis == axis:
                    inner = self.value(value.elements, found.element, said.element, axis + 1)
                    return replace(value, elements=inner)
                return self.value(value, found.element, said.element, axis + 1)
        return value

    def long(self, value: Value, size: int, axis: int) -> Value:
        """An array with so many elements along an axis."""
        if isinstance(value, tuple):
            return tuple(self.long(part, size, axis) for part in value)
        if isinstance(value, Items) and axis == 0:
            self.require(len(value.items), size)
        elif isinstance(value, Wire) and value.type.rank > axis:
            self.require(value.type.shape[axis], size)
        elif isinstance(value, Sequence) and value.axis < axis:
            inner = self._inside(value, size, axis)
            return replace(value, elements=inner)
        elif isinstance(value, Sequence) and value.axis == axis:
            self._require_all(value.length, size)
            if value.elements != ():
                return resized(self.context.builder, value.elements, axis, size)
        return value

    def _inside(self, value: Sequence, size: int, axis: int) -> Value:
        """The same for the rows of a sequence: padding may be of any length."""
        rows = value.elements
        if not isinstance(rows, Sequence) or rows.axis != axis or value.axis != axis - 1:
            return self.long(rows, size, axis)
        builder = self.context.builder
        right = builder.zeros(rows.length.type)
        right = builder.emit(
            "broadcast", builder.constant(size, "Int"), shape=right.type.shape, axes=()
        )
        counted = where(builder, present(builder, value), rows.length, right)
        return self.long(replace(rows, length=counted), size, axis)

    def _require_all(self, length: Wire, size: int) -> None:
        """Every one of these lengths is that size."""
        builder = self.context.builder
        known = self.context.constant_value(length) if length.type.rank == 0 else None
        if known is not None:
            self.require(int(known), size)
            return
        most = least = length
        if length.type.rank:
            if 0 in length.type.shape:
                return
            axes = tuple(range(length.type.rank))
            most = builder.emit("maximum", length, axes=axes)
            least = builder.emit("negate", length)
            least = builder.emit("negate", builder.emit("maximum", least, axes=axes))
        for bound in (most,) if most is least else (most, least):
            wanted = builder.constant(size, "Int")
            self.context.doubt_unless(
                builder.emit("compare", bound, wanted, how="eq"), self._said(size)
            )

    def require(self, number: int, size: int) -> None:
        """A length that is known while tracing."""
        if number == size:
            return
        title = f"this has {number} elements, and its type says {size}"
        if not self.context.branching:
            raise NnfpError(replace(self.told, title=title))
        never = self.context.builder.constant(False, "Bool")
        self.context.doubt_unless(never, replace(self.told, title=title))

    def _said(self, size: int) -> Diagnostic:
        return replace(self.told, title=f"this has not {size} elements, as its type says")
