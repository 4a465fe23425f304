"""Laws of whole programs, over random well-typed ones.

A program infers, printed it is the same program, it runs, and its derivative agrees with
two independent judges. Whatever does not hold is shown with the text of the program.

Most examples run without `jit`: a program is compiled operation by operation, which are
soon all in the cache, where a compilation of the whole would take a second each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from programs.generate import GeneratedProgram, programs, value
from programs.judges import (
    arrays,
    directional,
    finite,
    flat_function,
    inner,
    magnitude,
    parts,
    put,
)
from soak import examples

import nnfp_kernel as nnfp
from nnfp_kernel.language import syntax
from nnfp_kernel.language.parser import parse
from nnfp_kernel.language.printer import show
from nnfp_kernel.language.source import Source

SEEDS = st.integers(0, 2**32 - 1)
EXACT = 1e-8  # of our adjoint to jax's
CLOSE = 1e-5  # of our adjoint to finite differences
KEY = jax.random.key(0)


def law(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of so many programs."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        return settings(
            max_examples=examples,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large,
                                   HealthCheck.filter_too_much, HealthCheck.large_base_example],
        )(test)  # fmt: skip

    return decorate


class Running:
    """A program in a session, with random weights and inputs."""

    def __init__(self, program: GeneratedProgram, seed: int) -> None:
        note(program.text)
        self.program = program
        self.random = numpy.random.default_rng(seed)
        self.session = nnfp.Session(precision=64)
        self.session.run(program.text)
        self.main = self.session["main"]
        self.options = {"key": KEY} if program.draws else {}
        self.weights = self.moved(self.main.init(KEY))
        self.inputs = self.values()

    def moved(self, nested: Any) -> Any:
        """Random arrays in the places of others."""
        return put(nested, iter([self.normal(array.shape) for array in parts(nested)]))

    def normal(self, shape: tuple[int, ...]) -> Any:
        return numpy.asarray(self.random.normal(size=shape))

    def values(self, batch: int = -1) -> tuple[Any, ...]:
        return tuple(
            value(domain, self.program, self.session, self.random, batch)
            for domain in self.program.domains
        )

    def apply(self, weights: Any, *inputs: Any) -> Any:
        return self.main.apply(weights, *inputs, **self.options)

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.weights, *self.inputs)


def agree(found: Any, wanted: Any, tolerance: float, scale: float, what: str) -> None:
    """Two lists of arrays agree within a part of `scale`."""
    assert len(found) == len(wanted), what
    for a, b in zip(found, wanted, strict=True):
        assert numpy.shape(a) == numpy.shape(b), what
        numpy.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale, err_msg=what)


# --- text and types ----------------------------------------------------------------------------


def printed_is_the_same_program(program: GeneratedProgram) -> None:
    note(program.text)
    parsed = parse(Source(program.text, "cell"))
    assert not parsed.diagnostics, parsed.diagnostics[0].render()
    assert parsed.program == syntax.Program(program.items)
    assert show(parsed.program) == program.text


def it_infers_without_signatures(signed: Running) -> None:
    """The same types once the sizes are settled, the same weights, the same value."""
    program = signed.program
    note(program.unsigned)
    unsigned = nnfp.Session(precision=64)
    unsigned.run(program.unsigned)
    main = unsigned[program.pin]
    assert main.type == program.type
    again = main.init(KEY)
    assert jax.tree.structure(again) == jax.tree.structure(signed.weights)
    assert [a.shape for a in arrays(again)] == [a.shape for a in arrays(signed.weights)]
    with jax.disable_jit():
        wanted = signed.apply(*signed.arguments)
        found = main.apply(signed.weights, *signed.inputs, **signed.options)
    assume(finite(arrays(wanted)))
    agree(arrays(found), arrays(wanted), EXACT, magnitude(arrays(wanted)), "without signatures")


# --- derivatives -------------------------------------------------------------------------------


def its_gradient_is_right(running: Running) -> None:
    program = running.program
    flat, at = flat_function(running.apply, running.arguments)
    with jax.disable_jit():
        outputs = running.apply(*running.arguments)
        assume(finite(arrays(outputs)))
        reals = parts(outputs)
        assume(magnitude(reals) < 1e6)
        cotangent = [running.normal(array.shape) for array in reals]
        value, pullback = running.main.vjp(*running.arguments, **running.options)
        agree(arrays(value), arrays(outputs), EXACT, magnitude(arrays(outputs)), "value of vjp")
        ours = parts(pullback(put(outputs, iter(cotangent))))
        _, judge = jax.vjp(flat, *at)
        theirs = list(judge([jax.numpy.asarray(array) for array in cotangent]))
    assume(finite(theirs) and magnitude(theirs) < 1e8)
    scale = magnitude(ours, theirs, reals)
    agree(ours, theirs, EXACT, scale, "our adjoint and jax.vjp of apply")

    direction = [running.normal(array.shape) for array in at]
    with jax.disable_jit():
        same, moved = running.main.jvp(
            running.arguments, put(running.arguments, iter(direction)), **running.options
        )
        agree(arrays(same), arrays(outputs), EXACT, scale, "value of jvp")
        pushed, pulled = inner(parts(moved), cotangent), inner(ours, direction)
        size = scale * max(1, sum(numpy.size(a) for a in (*ours, *reals)))
        assert abs(pushed - pulled) <= EXACT * size, "<L u, v> = <u, adjoint L v>"
        if program.smooth:  # a program may wiggle too fast for the larger steps
            estimates = []
            for step in (1e-3, 1e-4, 1e-5):
                estimates.append(directional(flat, at, direction, cotangent, step))
                if abs(estimates[-1] - pulled) <= CLOSE * size:
                    break
            else:
                raise AssertionError(f"finite differences: {estimates}, our adjoint: {pulled}")


# --- batches, jit, vmap ------------------------------------------------------------------------


def batches_and_transformations_agree(program: GeneratedProgram, seed: int) -> None:
    assume(not program.draws)
    assume(not any(name in str(domain) for domain in program.domains for name in program.data))
    running = Running(program, seed)
    count = int(running.random.integers(0, 4))
    stacked = running.values(batch=count)
    examples = [put_arrays(stacked, [array[k] for array in arrays(stacked)]) for k in range(count)]
    with jax.disable_jit():
        singly = [running.apply(running.weights, *one) for one in examples]
    assume(all(finite(arrays(one)) for one in singly))
    running.session.weights = running.weights
    together = running.main.batch(*stacked)
    wanted = [numpy.stack(leaves) for leaves in zip(*map(arrays, singly), strict=True)]
    if count == 0:
        wanted = [array[:0] for array in arrays(running.main.batch(*running.values(batch=1)))]
    scale = magnitude(wanted)
    agree(arrays(together), wanted, EXACT, scale, "batch equals one by one")
    mapped = jax.vmap(running.apply, (None, *([0] * len(stacked))))(running.weights, *stacked) \
        if count else together  # fmt: skip
    agree(arrays(mapped), wanted, EXACT, scale, "vmap over apply equals batch")
    if count:
        jitted = jax.jit(running.apply)(running.weights, *examples[0])
        agree(arrays(jitted), arrays(singly[0]), EXACT, scale, "jit equals no jit")


def put_arrays(value: Any, replacements: list[Any]) -> Any:
    """A nested value with all its arrays replaced, in order."""
    supply = iter(replacements)

    def go(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(go, value))
        return next(supply)

    return go(value)


# --- the tests ---------------------------------------------------------------------------------


@law(200)
@given(programs(depth=4))
def test_a_printed_program_is_the_same_program(program: GeneratedProgram) -> None:
    printed_is_the_same_program(program)


@law(100)
@given(programs())
def test_a_program_has_the_type_it_was_written_for(program: GeneratedProgram) -> None:
    note(program.text)
    session = nnfp.Session(precision=64)
    session.run(program.text)
    assert session["main"].type == program.type


@law(50)
@given(programs(), SEEDS)
def test_a_program_infers_and_runs_without_signatures(program: GeneratedProgram, seed: int) -> None:
    it_infers_without_signatures(Running(program, seed))


@law(60)
@given(programs(), SEEDS)
def test_a_program_has_a_right_gradient(program: GeneratedProgram, seed: int) -> None:
    its_gradient_is_right(Running(program, seed))


@law(15)
@given(programs(depth=2), SEEDS)
def test_batch_vmap_and_jit_agree(program: GeneratedProgram, seed: int) -> None:
    batches_and_transformations_agree(program, seed)


@pytest.mark.slow
@settings(max_examples=examples(120), suppress_health_check=list(HealthCheck))
@given(programs(depth=4), SEEDS)
def test_many_larger_programs(program: GeneratedProgram, seed: int) -> None:
    printed_is_the_same_program(program)
    running = Running(program, seed)
    assert running.session["main"].type == program.type
    it_infers_without_signatures(running)
    its_gradient_is_right(running)
