"""Wiring diagrams whose boxes open: what is inside, what boxes and wires say of themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.views.wiring import NotDrawn
from nnfp_kernel.views.wiring.diagram import Group
from nnfp_kernel.views.wiring.opening import reachable, shown

PROGRAM = """
rep Word = R[4]

cell : (R[3], Word) ~> R[3]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

encode : [Word] ~> R[3]
encode = fold cell zero

two : ([Word], [Word]) ~> R[3]
two (xs, ys) = encode xs + encode ys

net : R[4] ~> R[2]
net = dense[3] >> tanh >> dense[2]
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session()
    made.run(PROGRAM)
    return made


def labels(svg: str) -> list[str]:
    return re.findall(r'<text [^>]*class="box"[^>]*>([^<]*)<', svg)


def test_every_use_opens_by_itself_and_is_named_alike_in_all_states(session: nnfp.Session) -> None:
    closed, _ = shown(session.program, "two")
    assert closed.keys == ("0", "1")
    assert labels(closed.svg) == ["encode", "encode", "+"]
    second, made = shown(session.program, "two", opened=["1"])
    assert second.keys == ("0", "1", "1.0")
    assert sorted(labels(second.svg)) == ["+", "0", "cell", "encode"]
    assert 'data-id="use 1"' in closed.svg
    assert 'data-id="use 1"' in second.svg
    (group,) = [node for node in made.diagram.nodes if isinstance(node, Group)]
    assert (group.label, group.key) == ("encode", "1")
    deep, made = shown(session.program, "two", opened=["1", "1.0"])
    assert {"?W @ ·", "?U @ ·", "tanh"} < set(labels(deep.svg))
    owners = {
        node.label: (node.owner.path, node.owner.count)
        for node in made.diagram.everywhere()
        if node.owner is not None
    }
    assert owners["?W @ ·"] == (("cell", "W"), 9)
    assert owners["encode"] == (("encode",), 9 + 12 + 3)


def test_boxes_and_wires_say_their_type_and_where_they_are_written(session: nnfp.Session) -> None:
    state, _ = shown(session.program, "two", opened=["0"])
    told = re.findall(r'data-told="([^"]*)"', state.svg)
    assert (
        "cell : (R[3], Word) -&gt; R[3], 24 weights, from `cell`, cell 1, line 8, columns 15-18"
        in told
    )
    assert "Word" in told
    assert any(each.startswith("R[3], from `fold cell zero`, cell 1, line 8") for each in told)


@pytest.mark.parametrize("of", ["derivative", "adjoint"])
def test_the_derivative_opens_with_the_program(session: nnfp.Session, of: str) -> None:
    closed, _ = shown(session.program, "net", of)
    opened, _ = shown(session.program, "net", of, ["0"])
    assert closed.size[1] < opened.size[1]
    assert "?W @ ·" in labels(opened.svg)
    assert "?W @ ·" not in labels(closed.svg)


def test_a_page_has_every_box_open_by_itself(session: nnfp.Session) -> None:
    states = {state.opened for state in reachable(session.program, "two")}
    assert {(), ("0",), ("1",), ("0", "0.0"), ("1", "1.0"), ("0", "1")} <= states
    assert len(states) == 9  # each use closed, open, or open with its cell


def test_the_widget_opens_what_it_is_asked_to(session: nnfp.Session, tmp_path: Path) -> None:
    wiring = nnfp.widgets.Wiring(session["two"])
    assert [state["opened"] for state in json.loads(wiring.numbers)] == [[]]
    wiring._asked(wiring, {"open": ["1"]}, [])
    assert wiring.opened == ["1"]
    assert [state["opened"] for state in json.loads(wiring.numbers)] == [[], ["1"]]
    wiring.opened = ["0"]
    assert wiring.figure().get_size_inches()[1] > 1
    bundle, _ = wiring._repr_mimebundle_()
    assert {"text/plain", "text/html", "image/svg+xml"} < set(bundle)
    assert wiring.save(tmp_path / "two.html") < 2**18
    assert wiring.header["type"] == "([Word], [Word]) ~> R[3]"


def test_what_is_too_large_says_so_and_nothing_else_changes() -> None:
    session = nnfp.Session()
    wide = " + ".join(["tanh x", "exp x"] * 60)
    session.run(f"wide : R -> R\nwide x = {wide}\nuse : R -> R\nuse x = wide x")
    wiring = nnfp.widgets.Wiring(session["use"])
    wiring.unfold(["0"])
    assert wiring.opened == []
    assert wiring.problem == "use has more than 200 boxes: give names to its parts"
    with pytest.raises(NotDrawn):
        nnfp.widgets.Wiring(session["wide"])
