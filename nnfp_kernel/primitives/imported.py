"""JAX functions of the user's own, as operations of a graph.

Such a function is opaque: it is called, and its derivative is its own, by its own JVP and
VJP (so `custom_jvp` and `custom_vjp` count). It becomes flat, a function of arrays to arrays,
and the transformations of a graph become functions of the same kind:

    Batched(f, which)           f over one more leading axis of some operands
    Pushed(f, output, operand)  (t, inputs) -> the tangent of an output, for one of an operand
    Pulled(f, output, operand)  (w, inputs) -> the cotangent of an operand, for one of an output

They are compared by what they are made of, so that a graph traced again is the same graph.
The two last are linear in their first operand, each the other's adjoint, and as functions of
the rest they are pushed and pulled again: derivatives of any order. A JAX cotangent is the
conjugate of ours.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Chain, Parameters, Primitive, Step
from ..graph.values import Value, leaves
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.imported import NoImage
from ..language.syntax import NOWHERE
from .records import Fixed, batched, expect, repeat
from .table import Builtin, Occurrence

Array = Any  # a jax.Array or a tracer of one


class Flat(Protocol):
    """A function of arrays to arrays, and what people call it."""

    @property
    def name(self) -> str: ...
    def __call__(self, *arrays: Array) -> tuple[Array, ...]: ...


@dataclass(frozen=True)
class Flattened:
    """A function of Python's, with the structure of its arguments: nested tuples, and None
    for an array."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        left = iter(arrays)
        answer = self.function(*(_structured(form, left) for form in self.arguments))
        wide = _is_wide(arrays)
        return tuple(_cast(leaf, wide) for leaf in _leaves(answer))


@dataclass(frozen=True)
class Batched:
    function: Flat
    which: tuple[bool, ...]

    @property
    def name(self) -> str:
        return self.function.name

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        import jax

        axes = [0 if flag else None for flag in self.which]
        return tuple(jax.vmap(self.function, in_axes=axes)(*arrays))


@dataclass(frozen=True)
class Pushed:
    function: Flat
    output: int
    operand: int

    @property
    def name(self) -> str:
        return self.function.name

    def __call__(self, tangent: Array, *inputs: Array) -> tuple[Array, ...]:
        import jax

        at = _in_one(self.function, self.output, self.operand, inputs)
        x = inputs[self.operand]
        with _by_its_rule(self.name, "forwards", "JVP"):
            if _has_own_vjp(at, x):  # and so no JVP: the adjoint of what it pulls back
                y, pull = jax.vjp(at, x)
                return (jax.vjp(lambda w: pull(w)[0], y)[1](tangent)[0],)
            return (jax.jvp(at, (x,), (tangent,))[1],)


@dataclass(frozen=True)
class Pulled:
    function: Flat
    output: int
    operand: int

    @property
    def name(self) -> str:
        return self.function.name

    def __call__(self, cotangent: Array, *inputs: Array) -> tuple[Array, ...]:
        import jax

        at = _in_one(self.function, self.output, self.operand, inputs)
        with _by_its_rule(self.name, "in reverse", "VJP"):
            (pulled,) = jax.vjp(at, inputs[self.operand])[1](cotangent.conj())
            return (pulled.conj(),)


def _has_own_vjp(function: Callable[[Array], Array], x: Array) -> bool:
    """Whether a `custom_vjp` is in it: JAX refuses its JVP, and only once it is compiled."""
    import jax

    return "custom_vjp_call" in str(jax.make_jaxpr(function)(x))


def _in_one(
    function: Flat, output: int, operand: int, inputs: Sequence[Array]
) -> Callable[[Array], Array]:
    """One output as a function of one operand."""

    def at(moved: Array) -> Array:
        return function(*inputs[:operand], moved, *inputs[operand + 1 :])[output]

    return at


@contextmanager
def _by_its_rule(name: str, direction: str, rule: str) -> Iterator[None]:
    """JAX's refusal to differentiate, told as ours: TypeError and ValueError of a rule that
    does not fit or is not there in this direction, NotImplementedError of an operation of
    JAX's without any."""
    try:
        yield
    except (TypeError, ValueError, NotImplementedError) as problem:
        raise NnfpError(
            Diagnostic(
                "imported-derivative",
                f"`{name}`, a function of Python's, has no derivative {direction}",
                Label(NOWHERE),
                (),
                (f"Its {rule} says: {first_line(problem)}",),
            )
        ) from None


# --- types and arrays ---------------------------------------------------------------------


def _structured(form: Any, arrays: Iterator[Array]) -> Any:
    """A value as Python has it, of arrays in the order of a graph's wires."""
    return next(arrays) if form is None else tuple(_structured(each, arrays) for each in form)


def structure(value: Value) -> Any:
    """The structure of a value while tracing: nested tuples, and None for an array."""
    return tuple(map(structure, value)) if isinstance(value, tuple) else None


def _leaves(answer: Any) -> list[Array]:
    import jax

    return list(jax.tree.leaves(answer))


def _is_wide(arrays: Sequence[Array]) -> bool | None:
    """Whether a program computes in 64 bits, by its arrays; None where they do not tell."""
    sizes = {array.dtype.name for array in arrays} - {"bool"}
    if not sizes:
        return None
    return bool(sizes & {"float64", "complex128", "int64"})


_KINDS = {"b": "Bool", "i": "Int", "u": "Int", "f": "R", "V": "R", "c": "C"}
_DTYPES = {
    "R": ("float32", "float64"), "C": ("complex64", "complex128"), "Int": ("int32", "int64"),
    "Bool": ("bool", "bool"),
}  # fmt: skip


def _cast(leaf: Array, wide: bool | None) -> Array:
    """An array in the precision of the program, whatever the function computed in."""
    from jax import numpy

    leaf = numpy.asarray(leaf)
    return leaf if wide is None else leaf.astype(_DTYPES[_KINDS[leaf.dtype.kind]][wide])


def _abstract(type: t.Type, axes: tuple[int, ...] = ()) -> Any:
    """The shapes and dtypes of a value of the type."""
    import jax

    match type:
        case t.Product(items=items):
            return tuple(_abstract(item, axes) for item in items)
        case t.Array(element=element, length=length) if length.value is not None:
            return _abstract(element, (*axes, length.value))
        case t.Scalar(name=name):
            dtype = jax.dtypes.canonicalize_dtype(_DTYPES[name][1])
            return jax.ShapeDtypeStruct(axes, dtype)
        case t.Fin():
            return _abstract(t.INT, axes)
        case _:
            raise NoImage(f"arrays and tuples of them are taken, not {t.show(type)}")


def _type_of(answer: Any) -> t.Type:
    """The type of what comes out, by its shapes and dtypes: nested tuples of arrays."""
    import jax

    if hasattr(answer, "shape") and hasattr(answer, "dtype"):
        kind = _KINDS.get(answer.dtype.kind)
        if kind is None:
            raise NoImage(f"what comes out holds {answer.dtype}")
        return t.of_shape(t.Scalar(kind), answer.shape)
    parts = jax.tree.leaves(answer, is_leaf=lambda each: each is not answer)
    return t.Product(tuple(_type_of(part) for part in parts))


def first_line(problem: Exception) -> str:
    """What an exception says, in a line."""
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]


# --- the two primitives --------------------------------------------------------------------


def _result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    expect(len(types) > 0, f"{parameters['function'].name}: nothing is given")
    return ArrayType(parameters["kind"], tuple(parameters["shape"]))


def _lower(parameters: Parameters, *arrays: Array) -> Array:
    return parameters["function"](*arrays)[parameters["output"]]


def _batch(
    builder: Builder,
    parameters: Parameters,
    inputs: Sequence[Wire],
    flags: Sequence[bool],
    length: int,
    name: str = "imported",
) -> Wire:
    changed = dict(parameters)
    changed["function"] = Batched(parameters["function"], tuple(map(bool, flags)))
    changed["shape"] = (length, *parameters["shape"])
    return builder.emit(name, *inputs, **changed)


def _section_batch(
    builder: Builder,
    parameters: Parameters,
    inputs: Sequence[Wire],
    flags: Sequence[bool],
    length: int,
) -> Wire:
    """The tangent gets the axis in any case, so that the adjoint has one for each."""
    tangent = inputs[0] if flags[0] else repeat(builder, inputs[0], length)
    wires, which = [tangent, *inputs[1:]], [True, *flags[1:]]
    return _batch(builder, parameters, wires, which, length, "importedSection")


def _section(function: Flat, output: int, operand: int, result: ArrayType, *inputs: Wire) -> Chain:
    """The derivative of an output in an operand, open at its tangent."""
    parameters = {
        "function": Pushed(function, output, operand),
        "output": 0,
        "kind": result.kind,
        "shape": result.shape,
    }
    return (Step("importedSection", parameters, 0, inputs),)


def _differential(
    _builder: Builder, parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> list[Chain | None]:
    function, at = parameters["function"], parameters["output"]
    return [
        _section(function, at, k, output.type, *inputs) if wire.type.differentiable else None
        for k, wire in enumerate(inputs)
    ]


def _section_differential(
    _builder: Builder, parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> list[Chain | None]:
    """Linear in the first operand; in the others, pushed once more."""
    rest = _differential(_builder, parameters, inputs, output)
    return [(Step("importedSection", parameters, 0, tuple(inputs[1:])),), *rest[1:]]


def _adjoint(
    parameters: Parameters, position: int, fixed: Fixed, domain: ArrayType, codomain: ArrayType
) -> Chain:
    expect(position == 0, "the derivative of an imported function is linear in its tangent only")
    turned = {
        "function": _turned(parameters["function"]),
        "output": 0,
        "kind": domain.kind,
        "shape": domain.shape,
    }
    return (Step("importedSection", turned, 0, fixed),)


def _turned(function: Flat) -> Flat:
    match function:
        case Pushed():
            return Pulled(function.function, function.output, function.operand)
        case Pulled():
            return Pushed(function.function, function.output, function.operand)
        case Batched(function=inner, which=which):
            return Batched(_turned(inner), which)
    raise AssertionError(f"{function} is no derivative")


IMPORTED: dict[str, Primitive] = {
    record.name: record
    for record in (
        Primitive(
            "imported", "general",
            result=_result, lower=_lower, batch=batched("imported", _batch),
            differential=_differential,
            doc="One output of a JAX function of the user's own.",
        ),
        Primitive(
            "importedSection", "general", open_positions=(0,),
            result=_result, lower=_lower, batch=batched("importedSection", _section_batch),
            differential=_section_differential, adjoint=_adjoint,
            doc="Its derivative in one operand, or the adjoint of that, by its own JVP or VJP.",
        ),
    )
}  # fmt: skip
"""Beside the table of primitives: what they compute is not the language's."""


# --- the name -------------------------------------------------------------------------------


def imported(name: str, function: Callable[..., Any]) -> Builtin:
    """A Python function that JAX can trace, as a name of the language.

    >>> made = imported("twice", lambda x: 2 * x)
    >>> made.type, t.show(made.image(t.Product((t.of_shape(t.R, (3,)),))))
    ('a -> b', 'R[3]')

    Its type is known where those of its arguments are, by `jax.eval_shape`.

    Raises ValueError for a function that takes no arguments.
    """
    arity = _arity(name, function)

    def image(arguments: t.Type) -> t.Type:
        import jax

        assert isinstance(arguments, t.Product)
        try:
            given = [_abstract(type) for type in arguments.items]
            return _type_of(jax.eval_shape(function, *given))
        except NoImage:
            raise
        except Exception as problem:  # anything may go wrong in a function of the user's
            raise NoImage(first_line(problem)) from None

    def trace(context: Context, occurrence: Occurrence, *values: Value) -> Value:
        result = occurrence.result(arity)
        wires = [wire for value in values for wire in leaves(value)]
        flat = Flattened(name, function, tuple(map(structure, values)))
        made = [
            context.builder.emit(
                "imported", *wires, function=flat, output=k, kind=array.kind, shape=array.shape
            )
            for k, array in enumerate(context.layout(result))
        ]
        return context.rebuild(result, made)

    letters = [f"a{k}" for k in range(1, arity + 1)] if arity > 1 else ["a"]
    documentation = inspect.getdoc(function) or "A function of Python's."
    return Builtin(name, " -> ".join([*letters, "b"]), arity, trace, doc=documentation, image=image)


def _arity(name: str, function: Callable[..., Any]) -> int:
    """How many arguments it must be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [each for each in parameters if each.kind in positional and each.default is each.empty]
    if needed:
        return len(needed)
    if any(each.kind in (*positional, inspect.Parameter.VAR_POSITIONAL) for each in parameters):
        return 1
    raise ValueError(f"{name} takes no arguments: bring in what it returns")
