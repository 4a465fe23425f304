"""Every primitive has words: the program that says what a node does, does it."""

from __future__ import annotations

import jax
import numpy
import pytest
from numpy.testing import assert_allclose
from primitives.test_laws import CASES, operands_of
from soak import FACTOR

from nnfp_kernel import Session
from nnfp_kernel.graph.graph import Builder
from nnfp_kernel.graph.primitive import Primitive, Sample
from nnfp_kernel.language import syntax as s
from nnfp_kernel.language.printer import show
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.primitives.decompile import decompile, names_of, term, whole
from nnfp_kernel.primitives.spelling import type_tree
from nnfp_kernel.runtime.lower import lower

NO_WORDS = {
    "convolve",  # what windows of linear maps are lowered to, after derivatives are made
    "splitKey", "foldKey",  # a draw takes its key from where it stands
    "normal", "uniform",  # two draws are not the same
    # Of another phase, which nothing that is made of them depends on.
    "eighVectors", "svdU", "svdV",
}  # fmt: skip


OF_NUMBERS = {"sum", "maximum", "minimum", "argmax", "top"}  # of real numbers, in programs


def has_words(primitive: Primitive, sample: Sample) -> bool:
    """Whether a program can say it: none adds, multiplies or orders Ints in an array, nothing has no
    index, and a factor of which a solution looks at a triangle is one."""
    numbers = sample.types and sample.types[0].kind == "Int"
    numbers = numbers and (primitive.kind == "bilinear" or primitive.name in OF_NUMBERS)
    nothing = any(0 in type.shape for type in sample.types) or sample.parameters.get("size") == 0
    known = not numbers and not nothing and "triangle" not in sample.parameters
    return primitive.name not in NO_WORDS and known


SAID = [case for case in CASES if has_words(*case.values)]


@pytest.mark.parametrize(("primitive", "sample"), SAID[:: 5 if FACTOR == 1 else 1])
def test_a_primitive_is_what_its_words_say(primitive: Primitive, sample: Sample) -> None:
    session = Session(precision=64)
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(type) for type in sample.types]
    output = builder.emit(primitive.name, *inputs, **sample.parameters)
    graph = builder.finish([output])
    names = names_of(session.program.builtins)
    given = {wire: term(s.Name(names.fresh("a")), wire.type) for wire in inputs}
    block, _, (made,) = decompile(graph, given, names)
    body = block.around(whole(made))
    parameters = tuple(s.PatternName(each.tree.name) for each in given.values())  # type: ignore[attr-defined]
    arrow = type_tree(output.type)
    if made.below is not None:  # an index among so many
        arrow = s.TypeArray(s.TypeName("Fin"), (s.SizeNumber(made.below),))
        if output.type.rank:
            arrow = s.TypeArray(arrow, tuple(map(s.SizeNumber, output.type.shape)))
    for type in reversed(sample.types):
        arrow = s.TypeArrow("->", type_tree(type), arrow)
    if not inputs:
        body = s.Ascription(body, arrow)
    program = s.Program(
        (
            *((s.Signature("said", None, arrow),) if inputs else ()),
            s.Definition("said", None, parameters, body),
        )
    )
    session.run(show(program))
    arrays = [numpy.asarray(array) for array in operands_of(sample, sample.types, 0)]
    with jax.disable_jit():
        (expected,) = lower(graph, 64)(*arrays)
        found = session["said"].apply({}, *arrays) if inputs else session["said"]
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert numpy.shape(found) == output.type.shape
