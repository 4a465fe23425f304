"""What repeats, step by step: the states are those of the program, however it was written."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from IPython.core.error import UsageError

import nnfp_kernel as nnfp
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.workspace import Workspace
from nnfp_kernel.views.unroll import Steps, Unrolled, packed, unroll
from nnfp_kernel.views.unroll.text import told
from nnfp_kernel.widgets import figures

PROGRAM = """
rep Word = R[4]
rep Thought = R[3]

cell : (R[3], Word) ~> R[3]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

encode : [Word] ~> Thought
encode = fold cell zero >> Thought

backward : [Word] ~> R[3]
backward = foldRight cell zero

step : R[3] ~> (R[3], Word)
step h = (tanh (?V @ h), Word (dense[4] h))

translate : [Word] ~> Word[5]
translate = encode >> (\\(Thought t) -> unfold[5] step t)

two : [Word] ~> ([R[3]], [R[3]])
two xs = unzip (bidirectional (\\(h, w) -> let n = cell (h, w) in (n, n))
                              (\\(h, w) -> let n = (fresh cell) (h, w) in (n, n)) zero zero xs)

conv : [R] ~> [R]
conv = window[3, stride=2] (\\x -> dot ?k x)

each : [[Word]] ~> [R[3]]
each = map (fold cell zero)

halve : R -> R
halve = while[50] (\\x -> x > 1) (\\x -> x / 2)

count : R -> [R]
count = unfoldWhile[9] (\\h -> (h - 1, h, h > 1))

deep : R[3] ~> R[3]
deep = stack[4] (dense[3] >> tanh)

data Tree = Leaf R[4] | Node Tree R Tree

leaf : R[4] ~> R[3]
leaf x = tanh (?E @ x)

sentence : Tree ~> R
sentence = cata { Leaf x -> leaf x ; Node l a r -> tanh (a * ?L @ l + ?R @ r) } >> sum

gated : [R[4]] ~> [R[3]]
gated = lstm[3]

plain : R[3] ~> R[3]
plain = dense[3] >> tanh
"""
XS = numpy.random.default_rng(0).normal(size=(6, 4))
WORDS = ["the", "river", "<b>bends</b>", "where", "the", "old"]


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    made = Workspace(TerminalHost(io.StringIO()), {"xs": XS, "words": WORDS})
    made.run(PROGRAM)
    return made


@pytest.fixture(scope="module")
def session(workspace: Workspace) -> nnfp.Session:
    return workspace.session


def one(shown: Unrolled) -> Steps:
    (part,) = shown.parts
    return part


def close(found: Any, wanted: Any) -> bool:
    return numpy.allclose(found, numpy.asarray(wanted), atol=2e-6)


def test_the_states_of_a_fold_are_the_folds_of_what_came_before(session: nnfp.Session) -> None:
    for name, reverse in [("encode", False), ("backward", True)]:
        part = one(unroll(session[name], XS))
        (chain,) = part.chains
        (state,) = chain.states
        assert chain.reverse is reverse
        assert (part.kind, part.count, chain.label, chain.start) == ("loop", 6, "cell", "zero")
        assert close(state.values[0], 0)
        for k in (2, 6):
            before = XS[6 - k :] if reverse else XS[:k]
            assert close(state.values[k], session[name](before))
        assert close(part.elements[0].values, XS)
        assert (part.elements[0].type, part.elements[0].colour) == ("Word", 0)
        assert chain.weights == 3 * 3 + 3 * 4 + 3


def test_what_an_unfold_gives_is_its_answer_and_the_program_is_quoted(
    session: nnfp.Session,
) -> None:
    fold, unfold = unroll(session["translate"], XS).parts
    assert (fold.label, unfold.label) == ("fold cell zero", "unfold[5] step t")
    assert close(unfold.chains[0].outputs[0].values, session["translate"](XS))
    assert close(unfold.chains[0].states[0].values[0], fold.chains[0].states[0].values[-1])
    quoted = {
        (mark.what, each.text[mark.begin : mark.end])
        for each in fold.excerpts
        for mark in each.marks
    }
    assert quoted == {("whole", "fold cell zero"), ("step", "tanh (?W @ h + ?U @ x + ?b)")}


def test_two_folds_in_opposite_ways_are_one_part(session: nnfp.Session) -> None:
    part = one(unroll(session["two"], XS))
    there, back = session["two"](XS)
    forward, backward = part.chains
    assert (forward.reverse, backward.reverse) == (False, True)
    assert part.label.startswith("bidirectional (")
    assert close(forward.states[0].values[1:], there)
    assert close(backward.states[0].values[:0:-1], back)


def test_a_window_sees_what_its_places_say(session: nnfp.Session) -> None:
    xs = numpy.arange(9.0)
    part = one(unroll(session["conv"], xs))
    assert part.kind == "window"
    assert part.seen is not None
    assert part.seen.tolist() == [
        [0, 1, 2],
        [2, 3, 4],
        [4, 5, 6],
        [6, 7, 8],
    ]
    kernel = session.weights["conv"]["k"]
    assert close(part.chains[0].outputs[0].values[:, 0], xs[part.seen] @ numpy.asarray(kernel))


def test_loops_that_end_themselves_have_the_steps_they_made(session: nnfp.Session) -> None:
    halved = one(unroll(session["halve"], 20.0))
    assert halved.chains[0].states[0].values[:, 0].tolist() == [20, 10, 5, 2.5, 1.25, 0.625]
    counted = one(unroll(session["count"], 3.0))
    assert (counted.count, counted.whole) == (len(session["count"](3.0)), 9)
    assert close(counted.chains[0].outputs[0].values[:, 0], session["count"](3.0))
    deep = one(unroll(session["deep"], XS[0, :3]))
    assert (deep.elements, deep.chains[0].tied) == ((), False)
    assert close(deep.chains[0].states[0].values[-1], session["deep"](XS[0, :3]))


def test_every_node_of_a_tree_has_the_result_of_its_own_subtree(session: nnfp.Session) -> None:
    leaf, node = map(session.constructor, ("Leaf", "Node"))
    left = node(leaf(XS[0]), 0.5, leaf(XS[1]))
    whole = node(left, -1.0, node(leaf(XS[2]), 2.0, node(leaf(XS[3]), 1.0, leaf(XS[4]))))
    part = one(unroll(session["sentence"], whole))
    tree = part.tree
    assert tree is not None
    assert tree.constructors[:3] == ("Leaf", "Leaf", "Node")
    assert all(k < parent for k, parent in enumerate(tree.parents[:-1]))
    assert tree.parents[-1] == -1
    values = part.chains[0].states[0].values
    assert close(values[2].sum(), session["sentence"](left))
    assert close(values[-1].sum(), session["sentence"](whole))
    assert close(values[0], session["leaf"](XS[0]))
    assert close(tree.held[2], [0.5])
    marks = {
        mark.what: each.text[mark.begin : mark.end] for each in part.excerpts for mark in each.marks
    }
    assert marks["Leaf"] == "Leaf x -> leaf x"


def test_what_repeats_in_the_library_is_quoted_where_it_is_used(session: nnfp.Session) -> None:
    part = one(unroll(session["gated"], XS))
    assert (part.label, [each.text for each in part.excerpts]) == ("lstm[3]", ["gated = lstm[3]"])
    hidden, memory = part.chains[0].states
    assert close(hidden.values[1:], session["gated"](XS))
    assert memory.values.shape == (7, 3)


def test_what_repeats_inside_of_a_step_is_reached_by_a_trail(session: nnfp.Session) -> None:
    batch = numpy.stack([XS[:3], XS[3:]])
    outer = one(unroll(session["each"], batch))
    assert (outer.kind, outer.count, outer.inner) == ("map", 2, 1)
    inner = one(unroll(session["each"], batch, trail=[(0, 1)]))
    assert close(inner.chains[0].states[0].values[-1], session["each"](batch)[1])
    with pytest.raises(nnfp.NnfpError, match="no part 1 with a step 3"):
        unroll(session["each"], batch, trail=[(0, 2)])


def test_an_expression_is_unrolled_as_a_definition_is(session: nnfp.Session) -> None:
    part = one(unroll(session.function("fold cell zero >> (\\h -> 2 * h)"), XS))
    assert close(part.chains[0].states[0].values[-1], session["encode"](XS))


def test_what_has_no_steps_is_refused_in_words(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError, match="nothing repeats in plain"):
        unroll(session["plain"], XS[0, :3])
    with pytest.raises(nnfp.NnfpError, match="nothing repeats in encode"):
        unroll(session["encode"], XS[:0])


def test_the_path_keeps_distances_where_it_can(session: nnfp.Session) -> None:
    (points, share) = one(unroll(session["encode"], XS)).path or (None, 0)
    values = one(unroll(session["encode"], XS)).chains[0].states[0].values
    assert points is not None
    assert points.shape == (7, 2)
    assert 0.5 < share <= 1
    far = numpy.linalg.norm(values[:, None] - values, axis=-1)
    assert (numpy.linalg.norm(points[:, None] - points, axis=-1) <= far + 1e-6).all()


def test_all_forms_say_the_same(workspace: Workspace, tmp_path: Path) -> None:
    shown = workspace.line("unroll encode xs --labels words")
    assert shown is not None
    assert "1  the" in shown.text
    assert "6  old" in shown.text
    assert "<b>" not in shown.html
    assert "&lt;b&gt;bends" in shown.html
    header, numbers = packed([shown.value])
    json.dumps(header, allow_nan=False)
    place = header["frames"][""]["parts"][0]["chains"][0]["states"][0]["array"]
    count = int(numpy.prod(place["shape"]))
    read = numpy.frombuffer(numbers, "<f4", count, place["offset"]).reshape(place["shape"])
    assert close(read, shown.value.parts[0].chains[0].states[0].values)
    assert told(shown.value) == shown.text
    made = figures.unroll(shown.value)
    assert {"cell", "river", "<b>bends</b>"} <= {text.get_text() for text in made.axes[0].texts}
    page = tmp_path / "steps.html"
    said = workspace.line(f"unroll encode xs --labels words --save {page}")
    assert said is not None
    assert "needs no kernel" in said.text
    assert "<b>" not in page.read_text()
    assert page.stat().st_size < 2**18
    for wrong in ("1.2", "x", "0"):
        with pytest.raises(UsageError, match="write 2, or"):
            workspace.line(f"unroll encode xs --part {wrong}")
