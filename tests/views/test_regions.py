"""The laws of linear regions: they fill the plane, the function is affine on each, and there
are as many as there are patterns of signs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

import nnfp_kernel as nnfp
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.workspace import Workspace
from nnfp_kernel.views.geometry.mosaic import beside, mosaic
from nnfp_kernel.views.geometry.polygons import Polygons
from nnfp_kernel.views.geometry.regions import Plane, Regions, regions
from nnfp_kernel.views.scene import Scene, scene

PROGRAM = """
one : R[2] ~> R[5]
one = dense[5] >> relu

deep : R[2] ~> R[2]
deep = dense[6] >> relu >> dense[6] >> relu >> dense[2]

leaky : R[2] ~> R[1]
leaky = dense[4] >> map (\\x -> if x < 0 then 0.1 * x else x) >> dense[1]

folded : R[2] ~> R[1]
folded = dense[4] >> abs >> dense[3] >> map (max 0) >> dense[2] >> sign >> dense[1]

guarded : R[2] ~> R[2]
guarded x = if x ! 0 < 0.5 then relu (?A @ x) else ?B @ x

more : R[2] ~> R[2]
more = stack[2] (residual (dense[3] >> relu >> dense[2]))

cell : (R[2], R[2]) ~> R[2]
cell (h, x) = relu (?W @ h + ?U @ x + ?b)

encode : [R[2]] ~> R[2]
encode = fold cell zero

image : R[4,4] ~> R[2]
image x = dense[2] (flatten (pool[2,2] (\\p -> maximum (flatten p)) x))

smooth : R[2] ~> R[2]
smooth = dense[3] >> tanh >> dense[2]

curved : R[2] -> R
curved x = (x ! 0) * (x ! 1)

line : R[1] ~> R[1]
line = dense[3] >> relu >> dense[1]

hard : R[2] ~> R[1]
hard = dense[40] >> relu >> dense[1]
"""
RANDOM = numpy.random.default_rng(0)
DATA: dict[str, Any] = {
    "one": (2,), "deep": (2,), "leaky": (2,), "folded": (2,), "guarded": (2,),
    "more": (2,), "encode": (3, 2),
}  # fmt: skip


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=3)
    made.run(PROGRAM)
    random = numpy.random.default_rng(1)  # biases that are not zero
    made.weights = jax.tree.map(lambda w: w + 0.4 * random.normal(size=w.shape), made.weights)
    return made


@pytest.fixture(scope="module")
def shown(session: nnfp.Session) -> dict[str, tuple[Scene, Regions]]:
    scenes = {
        name: scene(session[name], RANDOM.normal(size=(12, *shape)), lines=0)
        for name, shape in DATA.items()
    }
    return {name: (made, regions(made)) for name, made in scenes.items()}


def sampled(found: Regions, count: int) -> Any:
    low, high = (
        edge(found.polygons.corners.reshape(-1, 2), axis=0) for edge in (numpy.min, numpy.max)
    )
    return numpy.random.default_rng(7).uniform(low, high, size=(count, 2))


@pytest.mark.parametrize("name", DATA)
def test_regions_fill_the_plane_and_the_function_is_affine_on_each(
    name: str, shown: dict[str, tuple[Scene, Regions]]
) -> None:
    made, found = shown[name]
    corners = found.polygons.corners.reshape(-1, 2)
    assert numpy.isclose(found.polygons.areas.sum(), numpy.prod(numpy.ptp(corners, axis=0)))
    assert found.polygons.areas.min() > 0
    places = sampled(found, 400)
    which = found.at(places)
    assert (which >= 0).all()
    away = places - found.polygons.centres[which]
    for k, state in enumerate(made.run.states(found.plane.points(places))):
        told = found.values[k][which] + numpy.einsum("pda,pa->pd", found.slopes[k][which], away)
        assert numpy.allclose(told, state, atol=1e-10)


@pytest.mark.parametrize("name", ["one", "deep"])
def test_there_are_as_many_regions_as_patterns_of_signs(
    name: str, shown: dict[str, tuple[Scene, Regions]]
) -> None:
    """Each region has a pattern of its own, and no place of a fine grid has another one."""
    made, found = shown[name]

    def patterns(places: Any) -> set[bytes]:
        states = made.run.states(found.plane.points(places))
        hidden = [s for s, stage in zip(states, made.stages, strict=False) if stage.label == "relu"]
        return {row.tobytes() for row in numpy.concatenate(hidden, axis=1) > 0}

    assert len(patterns(found.polygons.centres)) == len(found)
    assert patterns(sampled(found, 40_000)) <= patterns(found.polygons.centres)


def test_lines_in_general_position_make_so_many_regions(
    session: nnfp.Session, shown: dict[str, tuple[Scene, Regions]]
) -> None:
    """Euler: 1 + lines + crossings, of those that are inside the box."""
    _, found = shown["one"]
    weights = session.weights["one"]["dense"]
    W, b = numpy.asarray(weights["W"]), numpy.asarray(weights["b"])
    low, high = (
        edge(found.polygons.corners.reshape(-1, 2), axis=0) for edge in (numpy.min, numpy.max)
    )
    corners = numpy.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    sides = corners @ W.T + b
    lines = int(((sides.min(0) < 0) & (sides.max(0) > 0)).sum())
    pairs = [(i, j) for i in range(5) for j in range(i)]
    places = [numpy.linalg.solve(W[[i, j]], -b[[i, j]]) for i, j in pairs]
    crossings = sum(bool((low < p).all() and (p < high).all()) for p in places)
    assert lines >= 3
    assert len(found) == 1 + lines + crossings


def test_regions_only_grow_in_number_through_the_stages(
    shown: dict[str, tuple[Scene, Regions]],
) -> None:
    for _, found in shown.values():
        assert found.counts[0] == 1
        assert list(found.counts) == sorted(found.counts)
        assert found.counts[-1] == len(found)
    assert shown["deep"][1].counts[2] < shown["deep"][1].counts[-1]


def test_a_region_has_the_corners_that_the_states_have(
    shown: dict[str, tuple[Scene, Regions]],
) -> None:
    made, found = shown["deep"]
    inner = found.polygons.centres[:, None] * 1e-6 + found.polygons.corners * (1 - 1e-6)
    states = made.run.states(inner.reshape(-1, 2))
    for k, state in enumerate(states):
        assert numpy.allclose(found.corners(k).reshape(-1, state.shape[1]), state, atol=1e-4)


def test_a_plane_through_three_points_holds_them(session: nnfp.Session) -> None:
    three = RANDOM.normal(size=(3, 16))
    plane = Plane.through(*three)
    assert numpy.allclose(plane.points(plane.seen(three)), three)
    made = scene(session["image"], three.reshape(3, 4, 4), lines=0)
    found = regions(made, plane)
    which = found.at(plane.seen(three))
    away = plane.seen(three) - found.polygons.centres[which]
    told = found.values[-1][which] + numpy.einsum("pda,pa->pd", found.slopes[-1][which], away)
    assert numpy.allclose(told, made.points(made.states[-1]))


def test_single_precision_is_cut_as_exactly(session: nnfp.Session) -> None:
    other = nnfp.Session(seed=3)
    other.run("deep : R[2] ~> R[2]\ndeep = dense[6] >> relu >> dense[6] >> relu >> dense[2]")
    other.weights = {"deep": session.weights["deep"]}
    points = numpy.random.default_rng(2).normal(size=(12, 2))
    one, two = (regions(scene(each["deep"], points, lines=0)) for each in (other, session))
    assert abs(len(one) - len(two)) <= 1
    assert other.evaluate("1 / 3").dtype == numpy.float32


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("smooth", (5, 2), "`tanh` is not piecewise linear"),
        ("curved", (5, 2), "`mul` is not piecewise linear"),
        ("line", (5, 1), "its regions are intervals"),
        ("hard", (5, 2), "more than 100 linear regions"),
    ],
)
def test_what_has_no_regions_says_why(
    name: str, data: Any, told: str, session: nnfp.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnfp_kernel.views.geometry.regions.MOST", 100)
    with pytest.raises(nnfp.NnfpError) as raised:
        regions(scene(session[name], RANDOM.normal(size=data), lines=0))
    assert told in raised.value.render()
    assert "cell 1" in raised.value.render()


# --- polygons -------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_cuts_keep_the_area_and_leave_nothing_on_both_sides(seed: int, count: int) -> None:
    random = numpy.random.default_rng(seed)
    found = Polygons.box(numpy.array([-1.0, -2.0]), numpy.array([2.0, 1.0]))
    lines = random.normal(size=(count, 3))
    for a, b, c in lines:
        found = found.split(found.corners @ [a, b] + c)
    assert numpy.isclose(found.areas.sum(), 9)
    for a, b, c in lines:
        below, above = found.sides(found.corners @ [a, b] + c)
        assert not (below & above).any()
    # They are convex: every turn is to the left.
    edges = numpy.diff(found.corners, axis=1, append=found.corners[:, :1])
    after = numpy.roll(edges, -1, axis=1)
    assert (edges[..., 0] * after[..., 1] - edges[..., 1] * after[..., 0] > -1e-9).all()


def test_a_line_through_a_corner_or_along_an_edge_makes_no_sliver() -> None:
    box = Polygons.box(numpy.zeros(2), numpy.ones(2))
    halves = box.split(box.corners @ [1.0, -1.0])  # the diagonal
    assert halves.areas.tolist() == [0.5, 0.5]
    assert len(box.split(box.corners[..., 0])) == 1
    assert len(halves.split(halves.corners @ [1.0, -1.0])) == 2


# --- as a mosaic, and as a widget ---------------------------------------------------------------


@pytest.mark.parametrize("name", DATA)
def test_polygons_of_a_region_have_one_map_and_of_one_map_one_number(
    name: str, shown: dict[str, tuple[Scene, Regions]]
) -> None:
    made, found = shown[name]
    tiles = mosaic(found, made)
    for k, slopes in enumerate(found.slopes):
        shift = found.values[k] - (slopes @ found.polygons.centres[:, :, None])[..., 0]
        rows = numpy.concatenate([slopes.reshape(len(found), -1), shift], axis=1)
        assert len(set(found.members[k].tolist())) == found.counts[k]
        for own in (found.members[k], tiles.maps[k]):
            first = numpy.unique(own, return_index=True)[1][
                numpy.unique(own, return_inverse=True)[1]
            ]
            assert numpy.allclose(rows, rows[first], atol=1e-5 * abs(rows).max(initial=1e-9))
        assert numpy.allclose(
            tiles.stretch[k].prod(1) ** 2,
            numpy.linalg.det(slopes.swapaxes(1, 2) @ slopes),
            atol=1e-9 * abs(slopes).max(initial=1.0) ** 4,
        )


@pytest.mark.parametrize("name", ["deep", "leaky", "guarded"])
def test_corners_are_shared_and_neighbours_differ_in_colour(
    name: str, shown: dict[str, tuple[Scene, Regions]]
) -> None:
    made, found = shown[name]
    tiles = mosaic(found, made)
    own = numpy.arange(found.polygons.corners.shape[1]) < found.polygons.counts[:, None]
    reach = numpy.ptp(tiles.corners, axis=0).max()
    assert numpy.allclose(
        tiles.corners[tiles.index], found.polygons.corners[own], atol=1e-5 * reach
    )
    # Of a continuous function each corner is there once: Euler's formula for the plane.
    edges = {
        frozenset(pair)
        for r in range(len(found))
        for pair in _around(tiles.index[tiles.starts[r] : tiles.starts[r + 1]].tolist())
    }
    if name == "deep":
        assert len(tiles.corners) - len(edges) + len(found) == 1
    for one, other in beside(tiles.index, tiles.starts).tolist():
        assert tiles.hues[-1][one] != tiles.hues[-1][other]


def _around(corners: list[int]) -> list[tuple[int, int]]:
    return list(zip(corners, [*corners[1:], corners[0]], strict=True))


def test_another_plane_is_cut_beside_the_cells_or_it_is_said_why_not(session: nnfp.Session) -> None:
    session.run("wide : R[4] ~> R[2]\nwide = dense[5] >> relu >> dense[2]")
    data = RANDOM.normal(size=(20, 4))
    widget = nnfp.widgets.Regions(session["wide"], data)
    assert "the plane in which the data lie best" in widget.text
    before = widget.numbers
    for kind, chosen, told in (
        ("axes", [0, 2], "the plane of numbers 0 and 2"),
        ("points", [3, 4, 5], "the plane through three points"),
    ):
        widget.slice = {"kind": kind, "chosen": chosen}
        widget.wait()
        assert (widget.problem, widget.working) == ("", "")
        assert told in widget.text
        assert widget.scene["regions"]["count"] == len(widget.found)
        assert widget.numbers != before
    assert numpy.allclose(widget.found.plane.points(widget.found.plane.seen(data[3:6])), data[3:6])
    # Once a linked hand has moved the weights the same plane is cut with those of now.
    session.weights = {"wide.dense.b": numpy.full(5, 100.0)}
    widget._asked(widget, "moved", [])
    widget.wait()
    assert len(widget.found) == 1
    assert "the plane through three points" in widget.text
    for kind, chosen, told in (
        ("axes", [0, 9], "2 axes, different ones of 0 to 3"),
        ("points", [1, 1, 2], "3 points, different ones of 0 to 19"),
    ):
        widget.slice = {"kind": kind, "chosen": chosen}
        assert told in widget.problem
    kept = widget.found
    widget.slice = {"kind": "axes", "chosen": [1, 2]}
    widget.stop()
    widget.wait()
    assert widget.working == ""
    assert widget.found is kept or "numbers 1 and 2" in widget.text
    line = numpy.outer(numpy.arange(5.0), numpy.ones(4)) + RANDOM.normal(size=4)
    with pytest.raises(ValueError, match="lie on one line"):
        nnfp.widgets.Regions(session["wide"], line, points=(0, 1, 2))


def test_the_verb_takes_a_plane_and_saves_a_page(tmp_path: Path) -> None:
    workspace = Workspace(TerminalHost(io.StringIO()), {"X": RANDOM.normal(size=(20, 3))})
    workspace.run("net : R[3] ~> R[1]\nnet = dense[3] >> relu >> dense[1]")
    view = workspace.line("regions net X --axes 0,2")
    assert "the plane of numbers 0 and 2" in str(view)
    said = workspace.line(f"regions net X --points 0,1,2 --save {tmp_path / 'net.html'}")
    assert "a page that needs no kernel" in str(said)
    assert "default-src 'none'" in (tmp_path / "net.html").read_text()
    for wrong, told in (("--axes 0", "2 axes"), ("--points a,b,c", "whole numbers")):
        with pytest.raises(UsageError, match=told):
            workspace.line(f"regions net X {wrong}")
