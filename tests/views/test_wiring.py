"""Wiring diagrams: what is drawn, and that it can be read: nothing lies on anything else."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path as File
from typing import Any
from xml.etree import ElementTree

import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.views.wiring import Wiring, figure, to_html, to_svg, to_text, wiring
from nnfp_kernel.views.wiring.derivative import factor
from nnfp_kernel.views.wiring.diagram import Group, Node
from nnfp_kernel.views.wiring.picture import Box, Path, Picture, Text
from nnfp_kernel.views.wiring.read import read
from nnfp_kernel.views.wiring.svg import svg

ACCEPTANCE = sorted((File(__file__).parent.parent / "acceptance").glob("*.nnfp"))


@pytest.fixture(scope="module")
def std() -> nnfp.Session:
    return nnfp.Session()


def session(source: str) -> nnfp.Session:
    made = nnfp.Session()
    made.run(source)
    return made


def drawn(source: str, name: str) -> Wiring:
    return wiring(session(source).program, name)


def boxes(diagram: nnfp.Session | object) -> list[str]:
    return [node.label for node in diagram.everywhere()]  # type: ignore[attr-defined]


# --- what is drawn -------------------------------------------------------------------------


def test_a_composition_is_a_chain() -> None:
    program = session("net : R[8] ~> R[2]\nnet = dense[4] >> tanh >> dense[2]").program
    diagram = read(program, "net")
    assert [node.label for node in diagram.nodes] == ["dense[4]", "tanh", "dense[2]"]
    for before, after in zip(diagram.nodes, diagram.nodes[1:], strict=False):
        assert after.inputs == before.outputs
    assert diagram.nodes[0].inputs == diagram.inputs
    assert diagram.nodes[-1].outputs == diagram.outputs


def test_side_by_side_does_not_join_and_both_copies() -> None:
    program = session("a = tanh *** exp\nb : R -> (R, R)\nb = tanh &&& exp").program
    beside, both = read(program, "a"), read(program, "b")
    assert [node.inputs for node in beside.nodes] == [(wire,) for wire in beside.inputs]
    assert [node.inputs for node in both.nodes] == [both.inputs, both.inputs]


def test_a_lambda_is_opened_and_a_name_is_a_box() -> None:
    program = session(
        "cell (h, x) = tanh (?W @ h + ?U @ x + ?b)\n"
        "twice : (R[2], R[3]) ~> R[2]\ntwice (h, x) = cell (cell (h, x), x)"
    ).program
    assert boxes(read(program, "cell")) == ["?W @ ·", "?U @ ·", "+", "+ ?b", "tanh"]
    diagram = read(program, "twice")
    assert boxes(diagram) == ["cell", "cell"]
    first, second = diagram.nodes
    assert first.owner == second.owner
    assert first.owner is not None
    assert first.owner.count == 12


@pytest.mark.parametrize(
    ("body", "states", "elements", "leaves"),
    [
        ("fold f zero", 1, 1, ["plain"]),
        ("scan f zero", 1, 1, ["element"]),
        ("mapAccum g zero", 1, 1, ["plain", "element"]),
        ("mealy g zero", 1, 1, ["element"]),
        ("map tanh", 0, 1, ["element"]),
        ("window[2] (\\w -> w ! 0)", 0, 1, ["element"]),
    ],
)
def test_loops_and_maps_are_groups(
    body: str, states: int, elements: int, leaves: list[str]
) -> None:
    program = session(
        f"f : (R[2], R[2]) -> R[2]\nf (h, x) = h + x\ng (h, x) = (f (h, x), h)\nnet = {body}"
    ).program
    (group,) = read(program, "net").nodes
    assert isinstance(group, Group)
    roles = [port.role for port in group.entering]
    assert (roles.count("state"), roles.count("element")) == (states, elements)
    assert len(group.outputs) == len(leaves)


def test_fresh_copies_have_a_prime_and_weights_of_their_own() -> None:
    program = session(
        "cell (h, x) = (tanh (?W @ h + ?U @ x), h)\n"
        "both : R[n,2] ~> (R[3], R[3])[n]\nboth = bidirectional cell (fresh cell) zero zero"
    ).program
    cells = [n for n in read(program, "both").everywhere() if n.label.startswith("cell")]
    assert [node.label for node in cells] == ["cell", "cell′"]
    assert len({node.owner for node in cells}) == 2


def test_a_representation_is_entered_and_left_by_half_discs() -> None:
    program = session("rep A = R[2]\nrep B = R[2]\nf (A x) = B (tanh x)").program
    diagram = read(program, "f")
    assert [node.shape for node in diagram.nodes] == ["leave", "box", "enter"]


def test_wires_have_the_colour_of_their_representation() -> None:
    shown = drawn("rep A = R[2]\nrep B = R[2]\nf (A x) = B (tanh x)", "f")
    (_, picture), *_ = shown.pictures
    found = {str(p.wire.type): p.colour for p in picture.paths if p.wire is not None}
    assert sorted(set(found.values()), key=str) == [0, 1, None]


def test_plumbing_is_no_box() -> None:
    program = session("f x = snd (swap (x, 2 * x))").program
    assert [node.label for node in read(program, "f").nodes] == []


def test_a_representation_in_which_wires_meet_is_a_band(
    programs: dict[str, nnfp.Session],
) -> None:
    (_, picture), *_ = wiring(programs["shared_representation"].program, "both").pictures
    (band,) = [box for box in picture.boxes if box.style == "band"]
    met = [p for p in picture.paths if p.colour == 0]
    assert len(met) == 2
    assert all(band.y < path.points[0][1] < band.bottom for path in met)


# --- that it can be read -----------------------------------------------------------------------


def all_definitions() -> Iterator[tuple[str, str]]:
    for path in ACCEPTANCE:
        names = re.findall(r"^(\w+)[ \[].*=", path.read_text(), re.M)
        for name in dict.fromkeys(names):
            if name not in ("rep", "data", "size", "type"):
                yield path.stem, name


@pytest.fixture(scope="module")
def programs(std: nnfp.Session) -> dict[str, nnfp.Session]:
    return {path.stem: session(path.read_text()) for path in ACCEPTANCE}


@pytest.mark.parametrize(("stem", "name"), list(all_definitions()))
def test_the_acceptance_programs_are_drawn_without_overlaps(
    programs: dict[str, nnfp.Session], stem: str, name: str
) -> None:
    check(wiring(programs[stem].program, name))


def test_std_is_drawn_without_overlaps(std: nnfp.Session) -> None:
    for name in std.program.definitions:
        check(wiring(std.program, name))


def check(shown: Wiring) -> None:
    for _, picture in shown.pictures:
        check_picture(shown.name, picture)
    ElementTree.fromstring("<a>" + "".join(svg(p) for _, p in shown.pictures) + "</a>")


def check_picture(name: str, picture: Picture) -> None:
    solid = [
        box for box in picture.boxes if box.style not in ("group", "band", "cell", "frame", "ghost")
    ]
    groups = [box for box in picture.boxes if box.style == "group"]
    for number, box in enumerate(solid):
        assert box.x >= 0, name
        assert box.y >= 0, name
        assert box.right <= picture.width, name
        assert box.bottom <= picture.height, name
        for other in solid[:number]:
            assert apart(box, other), f"{name}: {box.node} and {other.node} overlap"
    for number, group in enumerate(groups):
        for other in groups[:number]:
            assert apart(group, other) or inside(group, other) or inside(other, group), name
        for box in solid:
            assert apart(group, box) or inside(box, group), name
    for text in picture.texts:
        assert text.left >= 0, f"{name}: {text}"
        assert text.left + text.width <= picture.width + 0.1, f"{name}: {text}"
        assert 0 <= text.y <= picture.height, f"{name}: {text}"
        if text.style != "type":
            continue
        for box in solid:
            assert (
                text.left + text.width <= box.x + 0.1
                or text.left >= box.right - 0.1
                or text.y <= box.y
                or text.y - 8 >= box.bottom
            ), f"{name}: {text.text} lies on {box}"
    for path in picture.paths:
        if path.style == "wire":
            for end in (path.points[0], path.points[-1]):
                assert meets(end, path, picture), f"{name}: a wire ends nowhere, at {end}"
    for path in picture.paths:  # no wire runs through a box
        for a, b in zip(path.points, path.points[1:], strict=False):
            for box in solid:
                assert not runs_through(a, b, box), f"{name}: {path} runs through {box}"


def apart(a: Box, b: Box) -> bool:
    return a.right <= b.x or b.right <= a.x or a.bottom <= b.y or b.bottom <= a.y


def inside(a: Box, b: Box) -> bool:
    return a.x >= b.x and a.right <= b.right and a.y >= b.y and a.bottom <= b.bottom


def runs_through(a: tuple[float, float], b: tuple[float, float], box: Box) -> bool:
    left, right = min(a[0], b[0]), max(a[0], b[0])
    top, bottom = min(a[1], b[1]), max(a[1], b[1])
    across = left < box.x - 1 and right > box.right + 1 and box.y < a[1] < box.bottom
    down = top < box.y - 1 and bottom > box.bottom + 1 and box.x < a[0] < box.right
    return (a[1] == b[1] and across) or (a[0] == b[0] and down)


def meets(end: tuple[float, float], path: Path, picture: Picture) -> bool:
    """Whether a wire's end is at a box, at a dot, at another part of it, or at a side, or an
    arrow out of the picture."""
    x, y = end
    if end == path.points[-1] and any(place == 1 for _, place in path.arrows):
        return True
    if x <= 9 or x >= picture.width - 30:
        return True
    for box in picture.boxes:
        if box.style == "ghost":
            continue
        below = box.style in ("circle", "source", "zero")  # wires go on below what is round
        if below and box.x < x < box.right and box.y <= y <= box.bottom:
            return True
        edge = 11 if box.style == "group" else 9
        if box.y - 1 <= y <= box.bottom + 1 and (
            abs(x - box.x) <= edge or abs(x - box.right) <= edge
        ):
            return True
        if box.x - 1 <= x <= box.right + 1 and min(abs(y - box.y), abs(y - box.bottom)) <= 1:
            return True
    for text in picture.texts:  # an element, by its name
        if text.left - 8 <= x <= text.left + text.width + 8 and -8 <= text.y - y <= 18:
            return True
    for dot in picture.dots:
        if abs(dot.x - x) < 1 and abs(dot.y - y) < 1:
            return True
    for other in picture.paths:
        if other is not path:
            for a, b in zip(other.points, other.points[1:], strict=False):
                if (
                    min(a[0], b[0]) - 1 <= x <= max(a[0], b[0]) + 1
                    and min(a[1], b[1]) - 1 <= y <= max(a[1], b[1]) + 1
                ):
                    return True
    return any(point == end for p in picture.paths for point in p.points if p is not path)


def test_a_long_chain_goes_on_in_a_further_row() -> None:
    names = " >> ".join(["dense[8]", "tanh"] * 12)
    shown = drawn(f"net : R[8] ~> R[8]\nnet = {names}", "net")
    check(shown)
    (_, picture), *_ = shown.pictures
    assert picture.width <= 760
    rows = {box.y for box in picture.boxes}
    assert len(rows) >= 3


def test_what_is_too_large_to_look_at_is_refused_in_words() -> None:
    made = session(
        "long : R -> R\nlong = " + " >> ".join(["tanh"] * 201) + "\n"
        "wide : R -> R\nwide x = " + " + ".join(["sin x"] * 900)
    )
    for name in ("long", "wide"):
        with pytest.raises(ValueError, match="more than 200 boxes: give names to its parts"):
            wiring(made.program, name)


def test_hostile_names_are_shown_as_text() -> None:
    node = Node("box", "<script>alert(1)</script>", (), ())
    shown = svg(Picture(10, 10, (Box("box", 0, 0, 1, 1, node),)), "<b>&")
    assert "<script" not in shown
    assert "<b>" not in shown
    made = session("f x = let y' = x in (\\s -> s) y'\ng : R -> R\ng x = x")
    assert "<script" not in to_html(wiring(made.program, "f"))


# --- unrolled ----------------------------------------------------------------------------------


def rows_of(picture: Picture, label: str) -> list[Box]:
    found = [box for box in picture.boxes if box.node is not None and box.node.label == label]
    return sorted(found, key=lambda box: box.x)


def test_a_fold_unrolled_is_a_row_of_boxes_with_one_set_of_weights() -> None:
    shown = wiring(
        session(
            "cell : (R[3], R[2]) ~> R[3]\ncell (h, x) = tanh (?W @ h + ?U @ x)\n"
            "encode : [R[2]] ~> R[3]\nencode = fold cell zero"
        ).program,
        "encode",
        unroll=5,
    )
    caption, picture = shown.pictures[1]
    assert caption == "unrolled over 5 positions"
    cells = rows_of(picture, "cell")
    assert len(cells) == 5
    assert len({box.y for box in cells}) == 1
    texts = [text.text for text in picture.texts]
    assert "one cell, 15 weights" in texts
    assert [text for text in texts if text.startswith("x")] == [
        "x₁ : R[2]", "x₂", "x₃", "x₄", "x₅",
    ]  # fmt: skip
    check_picture("encode", picture)


def test_what_runs_over_what_another_gives_stands_above_it() -> None:
    made = session("tag : R[n,3] ~> R[n,2]\ntag = gru[4] >> map dense[2]")
    _, picture = wiring(made.program, "tag", unroll=3).pictures[1]
    cells, heads = rows_of(picture, "gruCell[4]"), rows_of(picture, "dense[2]")
    assert len(cells) == len(heads) == 3
    for cell, head in zip(cells, heads, strict=True):
        assert head.bottom < cell.y
        assert head.x + head.width / 2 == cell.x + cell.width / 2


def test_windows_see_their_neighbours() -> None:
    made = session("net = window[3] mean >> window[2] mean")
    _, picture = wiring(made.program, "net", unroll=6).pictures[1]
    means = rows_of(picture, "mean")
    heights = sorted({box.y for box in means})
    assert [sum(box.y == y for box in means) for y in heights] == [3, 4]
    lower = [box for box in means if box.y == heights[1]]
    into = [p for p in picture.paths if p.points[-1][1] == lower[0].bottom]
    assert len(into) == 3 * len(lower)


UNROLLED = """
cell : (R[3], R[2]) ~> (R[3], R[3])
cell (h, x) = (tanh (?W @ h + ?U @ x), h)
both : R[n,2] ~> R[n,6]
both = bidirectional cell (fresh cell) zero zero >> map (\\(a, b) -> a ++ b)
back : R[n,3] ~> R[3]
back = foldRight (\\(h, x) -> tanh (?W @ h + x)) zero
deep : R[4] ~> R[4]
deep = iterate[3] (dense[4] >> tanh) >> stack[3] (dense[4] >> relu)
skip : R[n,4] ~> R[n,4]
skip xs = xs + map dense[4] xs
memory : R[n,8] ~> R[n,5]
memory = lstm[4] >> map dense[5]
states : R[n,3] -> R[n,3]
states = scan (\\(h, x) -> h + x) zero
looks : (R[n,3], R[3]) -> R[n]
looks (xs, q) = map (\\x -> dot x q) xs
again : R[n,3] ~> R[n,3]
again xs = zipWith (\\(x, m) -> x * m) (xs, replicate[n] (mean xs)) |> mealy cell2 zero
  where cell2 (h, x) = (h + x, x)
"""


@pytest.mark.parametrize("count", [1, 2, 5])
def test_unrolled_programs_are_drawn_without_overlaps(
    programs: dict[str, nnfp.Session], count: int
) -> None:
    made = session(UNROLLED)
    for name in made.names:
        for _, picture in wiring(made.program, name, unroll=count).pictures:
            check_picture(name, picture)
    for stem, name in all_definitions():
        for _, picture in wiring(programs[stem].program, name, unroll=count).pictures:
            check_picture(name, picture)


TREES = """
rep Word = R[4]
data Tree = Leaf Word | Node Tree Tree
tree : Tree ~> R[4]
tree = cata { Leaf (Word x) -> tanh (?E @ x) ; Node l r -> tanh (?L @ l + ?R @ r + ?b) }
data Rose = Rose R [Rose]
total = cata { Rose x xs -> x + sum xs }
"""


@pytest.fixture(scope="module")
def trees() -> nnfp.Session:
    return session(TREES)


def test_a_cata_over_a_tree_has_a_box_for_every_constructor(trees: nnfp.Session) -> None:
    leaf, node = trees.constructor("Leaf"), trees.constructor("Node")
    value = node(node(leaf([1.0] * 4), leaf([2.0] * 4)), leaf([3.0] * 4))
    caption, picture = wiring(trees.program, "tree", on=value).pictures[1]
    assert caption == "over the tree"
    check_picture("tree", picture)
    leaves, nodes = rows_of(picture, "Leaf"), rows_of(picture, "Node")
    assert (len(leaves), len(nodes)) == (1 + 3, 1 + 2)  # one of each is the algebra's
    root = min(nodes[1:], key=lambda box: box.y)
    assert all(root.bottom < box.y for box in (*leaves[1:], *nodes[1:]) if box is not root)
    said = [text.text for text in picture.texts if text.style == "note"]
    assert said == ["3 uses of one Leaf", "16 weights", "2 uses of one Node", "36 weights"]


def test_a_rose_tree_is_drawn_with_its_payload(trees: nnfp.Session) -> None:
    rose = trees.constructor("Rose")
    value = rose(1.0, [rose(float(k), []) for k in range(2, 9)])
    picture = wiring(trees.program, "total", on=value).pictures[1][1]
    check_picture("total", picture)
    texts = [text.text for text in picture.texts]
    assert [str(k) for k in range(1, 9)] == sorted(text for text in texts if text.isdigit())


def test_a_tree_that_cannot_be_drawn_is_refused_in_words(trees: nnfp.Session) -> None:
    rose = trees.constructor("Rose")
    with pytest.raises(ValueError, match="takes Leaf, Node, not Rose"):
        wiring(trees.program, "tree", on=rose(1.0, []))
    with pytest.raises(ValueError, match="more than 160"):
        wiring(trees.program, "total", on=rose(1.0, [rose(2.0, []) for _ in range(200)]))
    with pytest.raises(ValueError, match="no cata"):
        wiring(trees.program, "softmax", on=rose(1.0, []))


# --- derivatives -------------------------------------------------------------------------------------


def test_each_box_stands_above_its_derivative_and_the_adjoint_is_the_mirror_image() -> None:
    made = session("layer : R[8] ~> R[12]\nlayer x = tanh (?W @ x + ?b)")
    shown = wiring(made.program, "layer", "adjoint")
    (_, picture), *_ = shown.pictures
    rows: dict[float, list[Box]] = {}
    for box in picture.boxes:
        rows.setdefault(box.y, []).append(box)
    value, derivative, adjoint = (rows[y] for y in sorted(rows))
    labels = [[box.node.label for box in row if box.node] for row in (value, derivative, adjoint)]
    assert labels == [["?W @ ·", "+ ?b", "tanh"], ["?W @ ·", "diag s"], ["?Wᵀ @ ·", "diag s"]]
    assert [box.x for box in derivative] == [value[0].x, value[2].x] == [b.x for b in adjoint]
    assert "s = 1 - y², where y is what tanh gives" in [text.text for text in picture.texts]
    (dotted,) = [path for path in picture.paths if path.style == "value"]
    assert value[2].right < dotted.points[0][0]
    assert dotted.points[-1][1] == derivative[1].y


def test_the_adjoint_adds_where_the_program_copies_and_copies_where_it_adds() -> None:
    made = session("f : R[2] -> R[2]\nf x = tanh x + exp x")
    (_, picture), *_ = wiring(made.program, "f", "adjoint").pictures
    adders = [box for box in picture.boxes if box.node and box.node.label == "+"]
    assert len(adders) == 2  # in the value and in the derivative
    assert [dot.style for dot in picture.dots].count("plus") == 1


def test_what_no_tangent_reaches_has_no_derivative() -> None:
    made = session("f : (R[3], Fin[3]) -> R\nf (x, i) = x ! i + toReal i")
    (_, picture), *_ = wiring(made.program, "f", "derivative").pictures
    labels = [box.node.label for box in picture.boxes if box.node]
    assert labels.count("!") == 2
    assert labels.count("toReal") == 1


def test_factors_of_elementwise_functions_are_their_derivatives() -> None:
    """Read as programs, against differences of values."""
    made = nnfp.Session(precision=64)
    tried = 0
    for name, primitive in made.program.primitives.items():
        if primitive.kind != "elementwise" or name not in made.program.builtins:
            continue
        if (
            made.program.builtins[name].arity != 1
            or (written := factor(made.program, name)) is None
        ):
            continue
        step = re.sub(r"\[(.*?)\]", r"(if \1 then 1 else 0)", written.replace("²", " ^ 2"))
        if name == "digamma" or "erfc" in step or "igamma" in step:
            continue  # made of what has no name in the language
        made.run(
            f"exact_{name} : R -> R\nexact_{name} x = let y = {name} x in {step}\n"
            f"apart_{name} : R -> R\napart_{name} x = "
            f"exact_{name} x - ({name} (x + 1e-6) - {name} (x - 1e-6)) / 2e-6"
        )
        assert abs(made[f"apart_{name}"](0.37)) < 2e-6, f"{name}: {written}"
        tried += 1
    assert tried > 12


@pytest.mark.parametrize(("stem", "name"), list(all_definitions()))
def test_derivatives_of_the_acceptance_programs_are_drawn_without_overlaps(
    programs: dict[str, nnfp.Session], stem: str, name: str
) -> None:
    check(wiring(programs[stem].program, name, "adjoint"))


def test_derivatives_of_std_are_drawn_without_overlaps(std: nnfp.Session) -> None:
    for name in std.program.definitions:
        check(wiring(std.program, name, "adjoint"))


TANGLED = """
data Tree = Leaf R[2] | Node Tree Tree | Named Fin[3] Tree
pair : Tree ~> (R[2], R)
pair = cata {
  Leaf x -> (?E @ x, sum x);
  Node (l, m) (r, n) -> (tanh (l + r), m * n);
  Named i (x, n) -> (x + (?N ! i), n)
}
second : Tree ~> R
second t = snd (pair t)
pick : (R[3], Fin[2]) ~> R[3]
pick (h, bit) = tanh (?U @ h + ?E ! bit)
surface : R[n] -> R[n]
surface xs = zipWith (\\(a, b) -> min a b) (ys, zs)
  where
    ys = scan (\\(h, x) -> max h x) zero xs
    zs = reverse (scan (\\(h, x) -> max h x) zero (reverse xs))
swapped : R[n,2] -> (R[2], R[2])[n]
swapped xs = map (\\(a, b) -> (b, a)) (bidirectional keep keep zero zero (reverse xs))
  where keep (h, x) = (x, h)
ahead : (R[3], R[n,3]) -> R[3]
ahead (s, xs) = foldRight (\\(h, x) -> tanh (h + x)) s xs
held : R -> R -> R
held p x = if p > x then 2 else x
"""


@pytest.mark.parametrize("options", [{}, {"of": "adjoint"}, {"unroll": 3}])
def test_tangled_programs_are_drawn_without_overlaps(options: dict[str, Any]) -> None:
    made = session(TANGLED)
    for name in made.names:
        if name in made.program.definitions:
            check(wiring(made.program, name, **options))


# --- its faces ---------------------------------------------------------------------------------------


def test_matplotlib_draws_what_svg_draws(programs: dict[str, nnfp.Session]) -> None:
    shown = wiring(programs["sequence_to_sequence"].program, "translate", unroll=4)
    for _, picture in shown.pictures:
        made = figure(picture)
        (axes,) = made.axes
        assert [text.get_text() for text in axes.texts] == [text.text for text in picture.texts]
        assert [text.get_position() for text in axes.texts] == [(t.x, t.y) for t in picture.texts]
        made.savefig(io.BytesIO(), format="png")


def test_matplotlib_takes_no_text_for_mathematics() -> None:
    made = figure(Picture(60, 20, texts=(Text(1, 10, "$\\frac$"),)))
    made.savefig(io.BytesIO(), format="png")


def test_a_file_of_its_own_has_all_colours_it_uses(programs: dict[str, nnfp.Session]) -> None:
    text = to_svg(wiring(programs["sequence_to_sequence"].program, "translate", unroll=4))
    ElementTree.fromstring(text)
    used = set(re.findall(r"var\((--[\w-]+)[,)]", text)) - {"--nn-plain"}
    used = {name for name in used if not name.startswith("--jp")}
    assert all(f"{name}:" in text for name in used)


def test_the_picture_of_the_readme_is_what_is_drawn() -> None:
    place = File(__file__).parents[2] / "docs" / "images"
    before = (place / "wiring.svg").read_text(encoding="utf-8")
    program: dict[str, str] = {"__file__": str(place / "wiring.py")}
    source = (place / "wiring.py").read_text(encoding="utf-8")
    exec(compile(source.partition("place =")[0], "wiring.py", "exec"), program)
    made = program["session"].program  # type: ignore[attr-defined]
    assert before == to_svg(wiring(made, "translate", unroll=4)) + "\n"


def test_text_tells_boxes_types_and_sharing() -> None:
    made = session(
        "rep A = R[2]\ncell (h, A x) = tanh (?W @ h + x)\nrun : [A] ~> A\nrun = fold cell zero >> A"
    )
    lines = to_text(wiring(made.program, "run")).split("\n")
    assert lines == [
        "run : [A] ~> A",
        "  a : [A]",
        "  a ══⟦ fold ⟧── R[2] ──( A ◗── b : A",
        "      c : R[2]",
        "      d : A",
        "      c, d ──[ cell ○ ]── e : R[2]",
    ]


# --- that it stays the same ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("sequence_to_sequence", "translate"),
        ("shared_representation", "eyeColour"),
        ("bidirectional", "both"),
        ("catamorphism", "tree"),
    ],
)
def test_the_drawing_is_the_one_looked_at(
    programs: dict[str, nnfp.Session],
    stem: str,
    name: str,
    snapshot: Callable[[str, str], None],
) -> None:
    shown = wiring(programs[stem].program, name)
    for suffix, text in (
        ("svg", "\n".join(svg(picture, caption) for caption, picture in shown.pictures)),
        ("txt", to_text(shown)),
    ):
        snapshot(f"wiring/{stem}-{name}.{suffix}", text)
