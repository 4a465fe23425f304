"""The laws of the table, for every primitive and each of its samples.

An error in a record shows here before anything is built on it: its result type, its
batch rule, its adjoints, its derivative. Two judges besides our own rules: `jax.vmap`
and `jax.jvp` of the lowering, and finite differences.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from math import ceil, floor

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnfp_kernel.graph.graph import ArrayType, Builder, Wire
from nnfp_kernel.graph.primitive import Primitive, Sample, Step, chains_of
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

CASES = [
    pytest.param(primitive, sample, id=f"{name}-{k}")
    for name, primitive in PRIMITIVES.items()
    for k, sample in enumerate(primitive.samples)
]
DIFFERENTIABLE = [
    case
    for case in CASES
    if case.values[0].kind != "discrete"
    and any(type.differentiable for type in case.values[1].types)
]
over_all = pytest.mark.parametrize(("primitive", "sample"), CASES)
over_differentiable = pytest.mark.parametrize(("primitive", "sample"), DIFFERENTIABLE)
seeds = st.integers(0, 2**32 - 1)
LENGTH = 3  # of a batch


# --- values ----------------------------------------------------------------------------------


def operands_of(sample: Sample, types: Sequence[ArrayType], seed: int) -> list:
    """Random operands of such types as the sample asks for."""
    return [
        array + sample.diagonal * numpy.eye(type.shape[-1]) if _square(type, sample) else array
        for type, array in zip(types, entries(types, seed, sample.low, sample.high), strict=True)
    ]


def _square(type: ArrayType, sample: Sample) -> bool:
    return bool(sample.diagonal) and type.rank >= 2 and type.shape[-1] == type.shape[-2]


def entries(types: Sequence[ArrayType], seed: int, low: float, high: float) -> list:
    """Random arrays. Real entries keep apart from each other and from 0: kinks and
    ties have tests of their own."""
    random = numpy.random.default_rng(seed)
    total = max(1, sum(type.size for type in types))
    grid = (
        low + (high - low) * (random.permutation(total) + random.uniform(0.2, 0.8, total)) / total
    )
    grid = list(grid + numpy.copysign(0.01, grid))

    def one(type: ArrayType) -> object:
        match type.kind:
            case "R":
                return numpy.array([grid.pop() for _ in range(type.size)]).reshape(type.shape)
            case "C":
                real = one(ArrayType("R", type.shape))
                return real + 1j * random.uniform(low, high, type.shape)
            case "Int":
                return random.integers(ceil(low), floor(high) + 1, type.shape)
            case "Bool":
                return random.integers(0, 2, type.shape).astype(bool)
            case "Key":
                return jax.random.split(jax.random.key(seed % 2**31), type.shape)
        raise AssertionError(type)

    return [one(type) for type in types]


def free(types: Sequence[ArrayType], seed: int) -> list:
    return entries(types, seed, -1.0, 1.0)


def plain(array: object) -> numpy.ndarray:
    """As numpy, the data of a key in its place."""
    if jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    return numpy.asarray(array)


def inner(a: object, b: object) -> float:
    return float(numpy.sum(numpy.asarray(a) * numpy.conj(numpy.asarray(b))).real)


def assert_same(found: object, expected: object, tolerance: float = 1e-10) -> None:
    assert_allclose(plain(found), plain(expected), rtol=tolerance, atol=tolerance)


def function(
    types: Sequence[ArrayType], make: Callable[..., Sequence[Wire]]
) -> tuple[Callable[..., tuple], tuple[ArrayType, ...]]:
    """The compiled function of the graph that `make(builder, *inputs)` builds."""
    builder = Builder(PRIMITIVES)
    graph = builder.finish(make(builder, *(builder.input(type) for type in types)))
    return jax.jit(lower(graph, 64)), tuple(wire.type for wire in graph.outputs)


def key(primitive: Primitive, sample: Sample) -> tuple[str, int]:
    return primitive.name, primitive.samples.index(sample)


def lowered(primitive: Primitive, sample: Sample) -> Callable:
    return lambda *arrays: primitive.lower(sample.parameters, *arrays)


# --- what is in the table ---------------------------------------------------------------------


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_record_is_documented(name: str) -> None:
    primitive = PRIMITIVES[name]
    assert primitive.doc.endswith(".")
    assert primitive.latex.format("x", "y", "z")
    assert primitive.samples


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_record_has_what_its_kind_asks_for(name: str) -> None:
    primitive = PRIMITIVES[name]
    given = {
        field
        for field in ("partials", "adjoint", "differential")
        if getattr(primitive, field) is not None
    }
    wanted = {
        "elementwise": {"partials"}, "linear": {"adjoint"}, "bilinear": {"adjoint"},
        "general": {"differential"}, "discrete": set(),
    }[primitive.kind]  # fmt: skip
    assert wanted <= given
    # A general primitive may be linear in some operand besides, as `solve` is.
    assert given == wanted or (primitive.kind == "general" and primitive.open_positions)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_record_is_tried_on_nothing(name: str) -> None:
    primitive = PRIMITIVES[name]
    sizes = [
        type.size
        for sample in primitive.samples
        for type in (*sample.types, primitive.result(sample.parameters, sample.types))
    ]
    assert 0 in sizes


# --- types ---------------------------------------------------------------------------------------


@over_all
def test_the_result_is_the_type_of_what_is_lowered(primitive: Primitive, sample: Sample) -> None:
    arrays = operands_of(sample, sample.types, 0)
    expected = primitive.result(sample.parameters, sample.types)
    raw = jax.eval_shape(lowered(primitive, sample), *arrays)
    assert raw.shape == expected.shape
    kinds = {"R": "f", "C": "c", "Int": "i", "Bool": "b"}
    if expected.kind == "Key":
        assert jax.dtypes.issubdtype(raw.dtype, jax.dtypes.prng_key)
    else:
        assert raw.dtype.kind == kinds[expected.kind]
    if all(type.kind == "R" for type in sample.types) and sample.types and expected.kind == "R":
        short = [array.astype("float32") for array in arrays]
        assert jax.eval_shape(lowered(primitive, sample), *short).dtype == "float32"


@over_all
def test_an_identity_is_one(primitive: Primitive, sample: Sample) -> None:
    if primitive.is_identity is None:
        return
    if primitive.is_identity(sample.parameters, sample.types):
        arrays = operands_of(sample, sample.types, 1)
        assert primitive.result(sample.parameters, sample.types) == sample.types[0]
        assert_same(lowered(primitive, sample)(*arrays), arrays[0])


# --- batches -------------------------------------------------------------------------------


def choices(sample: Sample) -> list[tuple[bool, ...]]:
    """Every choice of operands that have the new axis."""
    return list(itertools.product((False, True), repeat=len(sample.types)))


def batch_types(sample: Sample, flags: Sequence[bool]) -> list[ArrayType]:
    return [
        type.over(LENGTH) if flag else type for type, flag in zip(sample.types, flags, strict=True)
    ]


@cache
def batch(name: str, k: int) -> Callable:
    """(…operands of every choice) ↦ (our batch rule, the judge) for every choice."""
    primitive = PRIMITIVES[name]
    sample = primitive.samples[k]
    count = len(sample.types)
    expected = primitive.result(sample.parameters, sample.types).over(LENGTH)

    def rules(builder: Builder, *inputs: Wire) -> list[Wire]:
        remaining = iter(inputs)
        return [
            primitive.batch(
                builder, sample.parameters, [next(remaining) for _ in flags], flags, LENGTH
            )
            for flags in choices(sample)
        ]

    types = [type for flags in choices(sample) for type in batch_types(sample, flags)]
    ours, results = function(types, rules)
    assert all(result == expected for result in results)

    def both(*arrays: object) -> list:
        theirs = []
        for which, flags in enumerate(choices(sample)):
            operands = arrays[which * count : (which + 1) * count]
            axes = [0 if flag else None for flag in flags]
            theirs.append(
                jax.vmap(lowered(primitive, sample), axes)(*operands)
                if any(flags)
                else jax.numpy.stack([primitive.lower(sample.parameters, *operands)] * LENGTH)
            )
        return list(zip(ours(*arrays), theirs, strict=True))

    return jax.jit(both)


@over_all
@settings(max_examples=3)
@given(seed=seeds)
def test_the_batch_rule_is_the_map_of_the_primitive(
    primitive: Primitive, sample: Sample, seed: int
) -> None:
    arrays = [
        array
        for flags in choices(sample)
        for array in operands_of(sample, batch_types(sample, flags), seed)
    ]
    for ours, theirs in batch(*key(primitive, sample))(*arrays):
        assert_same(ours, theirs)


# --- adjoints ----------------------------------------------------------------------------------


def open_positions(primitive: Primitive, sample: Sample) -> list[int]:
    """The operands in which a primitive is linear."""
    if primitive.adjoint is None:
        return []
    positions = range(len(sample.types))
    chosen = positions if primitive.open_positions is None else primitive.open_positions
    return [k for k in chosen if sample.types[k].differentiable]


def fixed_types(primitive: Primitive, sample: Sample, position: int) -> list[ArrayType]:
    """The types of the operands that are fixed by a value, in order."""
    return [
        type for k, type in enumerate(sample.types)
        if k != position and not zero(primitive, sample, k)
    ]  # fmt: skip


def zero(primitive: Primitive, sample: Sample, k: int) -> bool:
    return primitive.kind == "linear" and k in open_positions(primitive, sample)


def applied(builder: Builder, steps: Sequence[Step], wire: Wire) -> Wire:
    """A chain of sections on a wire; a type in place of an operand is zero."""
    for step in steps:
        operands = [
            builder.zeros(fixed) if isinstance(fixed, ArrayType) else fixed for fixed in step.fixed
        ]
        operands.insert(step.position, wire)
        wire = builder.emit(step.primitive, *operands, **step.parameters)
    return wire


def section(primitive: Primitive, sample: Sample, position: int, values: Sequence[Wire]) -> Step:
    remaining = list(values)
    fixed = tuple(
        type if zero(primitive, sample, k) else remaining.pop(0)
        for k, type in enumerate(sample.types)
        if k != position
    )
    return Step(primitive.name, sample.parameters, position, fixed)


def adjoint(steps: Sequence[Step], domain: ArrayType) -> list[Step]:
    """The adjoint of a chain: the adjoints of its steps, last first."""
    chains = []
    for step in steps:
        primitive = PRIMITIVES[step.primitive]
        types = [f if isinstance(f, ArrayType) else f.type for f in step.fixed]
        types.insert(step.position, domain)
        codomain = primitive.result(step.parameters, types)
        chains.append(
            primitive.adjoint(step.parameters, step.position, step.fixed, domain, codomain)
        )
        domain = codomain
    return [step for chain in reversed(chains) for step in chain]


@cache
def adjoints(name: str, k: int, position: int) -> tuple[Callable, ArrayType, ArrayType]:
    """(u, v, …fixed) ↦ (L u, L† v, L†† u)."""
    primitive = PRIMITIVES[name]
    sample = primitive.samples[k]
    domain, codomain = sample.types[position], primitive.result(sample.parameters, sample.types)

    def make(builder: Builder, u: Wire, v: Wire, *values: Wire) -> list[Wire]:
        step = section(primitive, sample, position, values)
        back = adjoint([step], domain)
        return [
            applied(builder, [step], u),
            applied(builder, back, v),
            applied(builder, adjoint(back, codomain), u),
        ]

    types = [domain, codomain, *fixed_types(primitive, sample, position)]
    run, results = function(types, make)
    assert results == (codomain, domain, codomain)
    return run, domain, codomain


@over_differentiable
@settings(max_examples=5)
@given(seed=seeds)
def test_the_adjoint_moves_to_the_other_side(
    primitive: Primitive, sample: Sample, seed: int
) -> None:
    """⟨L u, v⟩ = ⟨u, L† v⟩, and L†† = L."""
    for position in open_positions(primitive, sample):
        run, domain, codomain = adjoints(*key(primitive, sample), position)
        u, v = free([domain, codomain], seed)
        fixed = operands_of(sample, fixed_types(primitive, sample, position), seed + 1)
        image, back, again = run(u, v, *fixed)
        assert_allclose(inner(image, v), inner(u, back), rtol=1e-9, atol=1e-9)
        assert_same(again, image, 1e-9)


# --- derivatives ---------------------------------------------------------------------------------


def active(sample: Sample) -> list[int]:
    return [k for k, type in enumerate(sample.types) if type.differentiable]


def pushed(
    builder: Builder, primitive: Primitive, sample: Sample, inputs: Sequence[Wire],
    tangents: Sequence[Wire],
) -> Wire:  # fmt: skip
    """The derivative at `inputs`, applied to the tangents of the active operands, by
    the rule of the primitive's kind."""
    output = builder.emit(primitive.name, *inputs, **sample.parameters)
    terms = []
    chains: Sequence[tuple[Step, ...] | list[tuple[Step, ...]] | None]
    match primitive.kind:
        case "elementwise":
            factors = primitive.partials(builder, inputs, output)
            chains = [None if f is None else (Step("mul", {}, 0, (f,)),) for f in factors]
        case "general":
            chains = primitive.differential(builder, sample.parameters, inputs, output)
        case _:
            chains = [
                (section(primitive, sample, k, values_beside(primitive, sample, k, inputs)),)
                if k in open_positions(primitive, sample) else None
                for k in range(len(inputs))
            ]  # fmt: skip
    for k, tangent in zip(active(sample), tangents, strict=True):
        terms += [applied(builder, steps, tangent) for steps in chains_of(chains[k])]
    if not terms:
        return builder.zeros(output.type)
    total = terms[0]
    for term in terms[1:]:
        total = builder.emit("add", total, term)
    return total


def values_beside(
    primitive: Primitive, sample: Sample, position: int, inputs: Sequence[Wire]
) -> list[Wire]:
    return [
        wire for k, wire in enumerate(inputs) if k != position and not zero(primitive, sample, k)
    ]


@cache
def derivative(name: str, k: int) -> Callable:
    """(…operands, …tangents) ↦ the value, our derivative, that of `jax.jvp`, and
    central differences."""
    primitive = PRIMITIVES[name]
    sample = primitive.samples[k]
    count = len(sample.types)
    where = active(sample)
    types = [*sample.types, *(sample.types[j] for j in where)]
    ours, _ = function(
        types,
        lambda builder, *wires: [pushed(builder, primitive, sample, wires[:count], wires[count:])],
    )

    def judged(*arrays: object) -> tuple:
        operands, tangents = arrays[:count], arrays[count:]

        def of_active(*values: object) -> object:
            there = list(operands)
            for j, value in zip(where, values, strict=True):
                there[j] = value
            return primitive.lower(sample.parameters, *there)

        def moved(by: float) -> object:
            pairs = zip(where, tangents, strict=True)
            return of_active(*(operands[j] + by * tangent for j, tangent in pairs))

        value, theirs = jax.jvp(of_active, tuple(operands[j] for j in where), tangents)
        step = 1e-6
        return value, ours(*arrays)[0], theirs, (moved(step) - moved(-step)) / (2 * step)

    return jax.jit(judged)


@over_differentiable
@settings(max_examples=4)
@given(seed=seeds)
def test_the_derivative_is_that_of_the_lowering(
    primitive: Primitive, sample: Sample, seed: int
) -> None:
    """Against `jax.jvp` and against central differences."""
    if not primitive.result(sample.parameters, sample.types).differentiable:
        return
    operands = operands_of(sample, sample.types, seed)
    tangents = free([sample.types[j] for j in active(sample)], seed + 1)
    value, found, theirs, slope = derivative(*key(primitive, sample))(*operands, *tangents)
    if value.size and numpy.all(numpy.isneginf(value.real)):  # the logsumexp of nothing
        assert_same(found, numpy.zeros(value.shape))
        return
    assert_same(found, theirs, 1e-8)
    scale = 1 + numpy.max(numpy.abs(slope), initial=0.0)
    assert_allclose(numpy.asarray(found) / scale, slope / scale, atol=2e-6)
