"""Values of `data` types as Python holds them: constructors on fields, written and read
as S-expressions. Trees may be tens of thousands of nodes deep: nothing here recurses.

    DataValue("Node", (l, r))     what a constructor makes
    tree("(Node (Leaf 1) …)")     the value that a text or a nested list writes down
    str(value)                    the text, which `tree` reads back
    jax.tree.map(f, value)        the payload, for whoever uses JAX: a value is a pytree
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy

from ..graph.values import Declarations
from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.source import Source, Span
from ..language.telling import plain


@dataclass(frozen=True, eq=False, repr=False)
class DataValue:
    """A value of a `data` type, as Python holds it: `Node(Leaf(…), Leaf(…))`.

    >>> DataValue("Node", (DataValue("Leaf", (1,)), DataValue("Leaf", (2,))))
    (Node (Leaf 1) (Leaf 2))

    Two are equal where their constructors and all their numbers are. It is a value: the
    arrays and lists in its fields are its own, what is written to those that it was made of
    does not change it, and its arrays cannot be written to.
    """

    constructor: str
    fields: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(map(_own, self.fields)))
        if not _known_to_jax:
            register_with_jax()

    def __str__(self) -> str:
        return "".join(_written(self))

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DataValue):
            return NotImplemented
        pending: list[tuple[Any, Any]] = [(self, other)]
        while pending:
            one, two = pending.pop()
            if isinstance(one, DataValue):
                if not isinstance(two, DataValue) or one.constructor != two.constructor:
                    return False
                one, two = one.fields, two.fields
            if isinstance(one, tuple) or _is_sequence(one):
                if not isinstance(two, tuple | list) or len(one) != len(two):
                    return False
                pending.extend(zip(one, two, strict=True))
            elif isinstance(two, DataValue) or not numpy.array_equal(one, two):
                return False
        return True

    __hash__ = None  # type: ignore[assignment]  # its fields are arrays


def _own(field: Any) -> Any:
    """A field as nobody else can change it."""
    if isinstance(field, numpy.ndarray):
        if field.flags.writeable:
            field = field.copy()
            field.flags.writeable = False
    elif isinstance(field, tuple | list):
        own = map(_own, field)
        return tuple(own) if isinstance(field, tuple) else list(own)
    return field


def _is_sequence(value: Any) -> bool:
    """Whether it is a list of data values, or of tuples: children, of any number."""
    return isinstance(value, list) and any(isinstance(item, DataValue | tuple) for item in value)


# --- for JAX -----------------------------------------------------------------------------

_known_to_jax: list[bool] = []  # once it is


def register_with_jax() -> None:
    """Make data values pytrees, where JAX is imported: nothing here imports it.

    The leaves are the payload; constructors and the numbers of children are structure. A
    value is flattened whole, for JAX goes down nested nodes by recursion.
    """
    jax = sys.modules.get("jax")
    if _known_to_jax or not hasattr(jax, "tree_util"):  # or it is being imported just now
        return
    _known_to_jax.append(True)
    assert jax is not None
    jax.tree_util.register_pytree_node(DataValue, _flattened, _unflattened)


def _flattened(value: DataValue) -> tuple[list[Any], tuple[Any, ...]]:
    """The payload, and what is around it: in front of its parts each node says what it is
    and how many they are."""
    payload: list[Any] = []
    structure: list[Any] = []
    pending: list[Any] = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, DataValue):
            structure.append((part.constructor, len(part.fields)))
            pending.extend(reversed(part.fields))
        elif isinstance(part, tuple) or _is_sequence(part) or (isinstance(part, list) and not part):
            structure.append((type(part), len(part)))
            pending.extend(reversed(part))
        else:
            structure.append(None)
            payload.append(numpy.asarray(part) if isinstance(part, list) else part)
    return payload, tuple(structure)


def _unflattened(structure: tuple[Any, ...], payload: Sequence[Any]) -> DataValue:
    supply, done = iter(reversed(list(payload))), []
    for what in reversed(structure):
        if what is None:
            done.append(next(supply))
            continue
        kind, count = what
        parts = [done.pop() for _ in range(count)]
        done.append(DataValue(kind, tuple(parts)) if isinstance(kind, str) else kind(parts))
    (made,) = done
    assert isinstance(made, DataValue)
    return made


# --- writing ------------------------------------------------------------------------------


def _written(value: DataValue) -> Iterator[str]:
    pending: list[Any] = [value]  # values still to be written, and text between them
    while pending:
        part = pending.pop()
        if isinstance(part, _Text):
            yield part
        elif isinstance(part, DataValue):
            inside = [item for one in part.fields for item in (_Text(" "), one)]
            pending.extend(reversed([_Text(f"({part.constructor}"), *inside, _Text(")")]))
        elif isinstance(part, tuple) or _is_sequence(part):
            left, right = "()" if isinstance(part, tuple) else "[]"
            inside = [item for one in part for item in (_Text(", "), one)]
            pending.extend(reversed([_Text(left), *inside[1:], _Text(right)]))
        else:
            yield _numbers(part)


class _Text(str):
    """A piece of text among the values to be written."""


def _numbers(payload: Any) -> str:
    """A number, or an array in brackets, with as many digits as tell it apart."""
    array = numpy.asarray(payload)
    if array.ndim == 0:
        return str(array[()])
    text = numpy.array2string(
        array, separator=", ", threshold=array.size + 1, max_line_width=10**9, floatmode="unique"
    )
    return re.sub(r"\s+", " ", text)


# --- reading ------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"(?P<space>[\s,]+)|(?P<open>[(\[])|(?P<close>[)\]])"
    r"|(?P<number>[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf|nan)j?(?![\w.]))"
    r"|(?P<name>[A-Z]\w*)|(?P<other>.)"
)


@dataclass
class _Group:
    """What stands between two brackets, while it is read."""

    bracket: str
    start: Span
    constructor: str | None = None
    items: list[Any] = field(default_factory=list)


def tree(written: Any) -> DataValue:
    """The `data` value that a text, or a nested list with names in front, writes down.

    >>> tree("(Node (Leaf 1) (Leaf [1, 2]))").constructor
    'Node'
    >>> tree(["Node", ["Leaf", 1], ["Leaf", 2]])
    (Node (Leaf 1) (Leaf 2))

    A constructor and its fields stand in round brackets: `(Leaf 1)`. Numbers, `True` and
    `False` are payload, `[1, 2]` is an array or, of trees, a sequence of children, `(1, 2)`
    a tuple; commas may be left out between the items of an array. It is a value of every
    declared type that has these constructors: which one is checked where it is used.
    Raises NnfpError, at the place in the text. Source: McCarthy 1960 (S-expressions).
    """
    if isinstance(written, DataValue):
        return written
    if isinstance(written, str):
        return _read(Source(written, "the tree"))
    return _from_lists(written)


def _read(source: Source) -> DataValue:
    groups: list[_Group] = []
    found: Any = None
    ended = False
    line, start = 1, 0
    for token in _TOKEN.finditer(source.text + "\n"):
        kind, text = str(token.lastgroup), token.group()
        column = token.start() - start + 1
        place = Span(source, line, column, line, column + len(text))
        if kind == "space":
            if "\n" in text:
                line, start = line + text.count("\n"), token.start() + text.rindex("\n") + 1
            continue
        if ended:
            raise _wrong("something follows the tree", place, "the tree ended before this")
        if kind == "open":
            groups.append(_Group(text, place))
            continue
        if kind == "close":
            value = _closed(groups, text, place)
        elif kind == "name" and text in ("True", "False"):
            value = text == "True"
        elif kind == "name":
            group = groups[-1] if groups else None
            if group and group.bracket == "(" and group.constructor is None and not group.items:
                group.constructor = text
                continue
            value = DataValue(text, ())
        elif kind == "number":
            value = _number(text)
        else:
            raise _wrong(
                f"`{text}` has no place in a tree", place, "not a constructor, number or bracket",
                "A constructor and its fields stand in brackets: `(Leaf 1)`, `(Node l r)`.",
            )  # fmt: skip
        if groups:
            groups[-1].items.append(value)
        else:
            found, ended = value, True
            if not isinstance(found, DataValue):
                raise _wrong("this is no tree", place, "a payload without a constructor")
    if groups:
        raise _wrong("a bracket is not closed", groups[-1].start, "opened here")
    if not ended:
        raise _wrong("there is no tree here", Span(source, 1, 1, 1, 2), "the text is empty")
    assert isinstance(found, DataValue)
    return found


def _closed(groups: list[_Group], text: str, place: Span) -> Any:
    """The value that a closing bracket completes."""
    if not groups:
        raise _wrong("a bracket is closed that was never opened", place, "nothing is open here")
    group = groups.pop()
    if group.bracket + text not in ("()", "[]"):
        wanted = {"(": ")", "[": "]"}[group.bracket]
        raise _wrong(f"`{text}` closes `{group.bracket}`", place, f"`{wanted}` is expected")
    if group.constructor is not None:
        return DataValue(group.constructor, tuple(group.items))
    if group.bracket == "(":
        return tuple(group.items)
    if any(isinstance(item, DataValue | tuple) for item in group.items):
        return list(group.items)
    try:
        return numpy.array(group.items) if group.items else []
    except ValueError:
        raise _wrong(
            "the rows of this array differ in length", group.start.to(place), "no array"
        ) from None


def _number(text: str) -> int | float | complex:
    if text.endswith("j"):
        return complex(text)
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


def _wrong(title: str, place: Span, text: str, *notes: str) -> NnfpError:
    return NnfpError(plain("bad-tree", title, place, text, notes=notes))


def _from_lists(written: Any) -> DataValue:
    """`["Node", ["Leaf", 1], …]`: a list with a name in front is a constructor's."""

    def wrong(value: Any) -> NoReturn:
        text = repr(value) if len(repr(value)) < 60 else f"a {type(value).__name__}"
        source = Source(text, "the tree")
        raise _wrong(
            "this is no tree", Span(source, 1, 1, 1, len(text) + 1),
            "a list that begins with the name of a constructor is expected",
            'Write `["Node", ["Leaf", 1], ["Leaf", 2]]`, or text: `(Node (Leaf 1) (Leaf 2))`.',
        )  # fmt: skip

    if not _is_node(written):
        wrong(written)
    made = _bottom_up(
        written,
        lambda value: value[1:] if _is_node(value) else value if _has_nodes(value) else None,
        lambda value, parts: (
            DataValue(value[0], tuple(parts)) if _is_node(value) else type(value)(parts)
        ),
    )
    assert isinstance(made, DataValue)
    return made


def nested(
    written: Any, type: t.Named, declarations: Declarations, fail: Callable[[str, str], NnfpError]
) -> DataValue:
    """The value of `type` that nested lists without names stand for.

    A list is the constructor with as many fields, children among them; anything else is
    the payload of the constructor that has one field and no child. `fail(found, wanted)`
    is the error where no constructor, or more than one, is meant.
    """
    constructors = declarations.constructors(type)
    children = {
        name: tuple(type in (item, getattr(item, "element", None)) for item in fields)
        for name, fields in constructors.items()
    }

    def constructor(value: Any) -> str:
        if isinstance(value, list):
            found = [
                name
                for name, fields in children.items()
                if len(fields) == len(value) and (any(fields) or not fields)
            ]
            what = f"a list of {len(value)}"
        else:
            found = [name for name, fields in children.items() if fields == (False,)]
            what = "a payload"
        if len(found) != 1:
            wanted = " or ".join(found) if found else "no constructor has such fields"
            raise fail(what, wanted)
        return found[0]

    def parts(value: Any) -> Sequence[Any] | None:
        match value:
            case _Payload() | DataValue():
                return None
            case _Children(items):
                return items
        if not isinstance(value, list):
            return [_Payload(value)]
        name = constructor(value)
        return [
            _Payload(item) if not child else item if field == type else _Children(item)
            for item, child, field in zip(value, children[name], constructors[name], strict=True)
        ]

    def build(value: Any, items: list[Any]) -> Any:
        if isinstance(value, _Children):
            return items
        plain = tuple(item.value if isinstance(item, _Payload) else item for item in items)
        return DataValue(constructor(value), plain)

    made = _bottom_up(written, parts, build)
    assert isinstance(made, DataValue)
    return made


@dataclass
class _Payload:
    value: Any


@dataclass
class _Children:
    items: Sequence[Any]


def _bottom_up(
    root: Any,
    parts: Callable[[Any], Sequence[Any] | None],
    build: Callable[[Any, list[Any]], Any],
) -> Any:
    """What `build` makes of a value and of what it made of its parts; a value without
    parts (None) is left as it is."""
    done: list[Any] = []
    pending: list[tuple[Any, int | None]] = [(root, None)]
    while pending:
        value, count = pending.pop()
        if count is not None:
            first = len(done) - count
            done[first:] = [build(value, done[first:])]
            continue
        inside = parts(value)
        if inside is None:
            done.append(value)
        else:
            pending.append((value, len(inside)))
            pending.extend((part, None) for part in reversed(inside))
    (made,) = done
    return made


def _is_node(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], str)


def _has_nodes(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(
        _is_node(item) or isinstance(item, DataValue) for item in value
    )
