"""The laws of the scene: what is drawn at the ends of every stage is what the function
computes, and in between nothing is torn."""

from __future__ import annotations

import itertools
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnfp_kernel as nnfp
from nnfp_kernel.views.scene import Scene, Stage, scene
from nnfp_kernel.views.scene.paths import Affine, Straight
from nnfp_kernel.views.scene.plane import boundary, grid_lines

PROGRAM = """
rep Thought = R[3]
data Tree = Leaf R | Node Tree Tree

net : R[2] ~> R
net = dense[3] >> tanh >> dense[2] >> softmax >> dense[1] >> (\\v -> v ! 0)

classify : R[2] ~> R[3]
classify = dense[4] >> relu >> dense[3]

chance : R[2] ~> R[1]
chance = dense[1] >> sigmoid

deep : R[2] ~> R[2]
deep = stack[3] (dense[2] >> tanh)

again : R[2] ~> R[2]
again = iterate[3] (dense[2] >> tanh)

more : R[2] ~> R[2]
more = residual (dense[4] >> relu >> dense[2])

own : R[2] ~> Thought
own x = Thought (tanh (?W @ x + ?b))

beside : (R[2], R[3]) ~> (R[2], R[1])
beside = (dense[2] >> tanh) *** dense[1]

both : R[2] ~> (R[2], R[3])
both = (dense[2] >> sigmoid) &&& dense[3]

cell : (R[3], R[2]) ~> R[3]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)

states : R[2][5] ~> R[3][5]
states xs = scan cell zero xs

encode : R[2][5] ~> R[3]
encode xs = fold cell zero xs

nothing : R[2][0] ~> R[3]
nothing xs = fold cell zero xs

backwards : R[2][5] ~> R[3]
backwards xs = foldRight cell zero xs

every : R[2][4] ~> R[3][4]
every = map (dense[3] >> gelu)

summary : [R[2]] ~> Thought
summary = scan cell zero >> map (residual (dense[3] >> tanh)) >> mean >> Thought

image : R[4,3] ~> R[2]
image = flatten >> dense[2]

turning : C[2] ~> C[2]
turning z = ?A @ z

normed : R[4] ~> R[4]
normed = dense[4] >> layerNorm >> relu

product : R[2] -> R[3]
product x = let r = x ! 0 * x ! 0 + x ! 1 * x ! 1 in [x ! 0, x ! 1, r]

same : R[2] -> R[2]
same x = x

noisy : R[2] -> R[2]
noisy x = x + draw (normal 1)

number : Fin[5] ~> R[2]
number k = ?E ! k

total : Tree -> R
total = cata { Leaf x -> x ; Node l r -> l + r }

divided : R[2] -> R[2]
divided x = log (x - x)
"""
N = 40


def data(*shape: int) -> Any:
    return numpy.random.default_rng(len(shape)).normal(size=(N, *shape))


INPUTS: dict[str, Any] = {
    "net": data(2), "classify": data(2), "chance": data(2), "deep": data(2), "again": data(2),
    "more": data(2), "own": data(2), "beside": (data(2), data(3)), "both": data(2),
    "encode": data(5, 2), "backwards": data(5, 2), "every": data(4, 2), "image": data(4, 3),
    "summary": data(5, 2),
    "turning": data(2) + 1j * data(2)[::-1], "normed": data(4), "product": data(2),
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes(session: nnfp.Session) -> dict[str, Scene]:
    return {name: scene(session[name], X) for name, X in INPUTS.items()}


def stages_of(made: Scene) -> list[Stage]:
    """All stages, those of blocks too."""
    found = list(made.stages)
    for stage in found:
        found += [inner for block in stage.blocks for inner in block]
    return found


def flat(value: Any) -> Any:
    parts = value if isinstance(value, tuple) else (value,)
    rows = [numpy.asarray(part).reshape(N, -1) for part in parts]
    rows = [
        part for row in rows for part in ((row.real, row.imag) if row.dtype == complex else (row,))
    ]
    return numpy.concatenate(rows, axis=1)


# --- the ends -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INPUTS)
def test_the_first_state_is_the_data_and_the_last_one_the_functions_answer(
    name: str, session: nnfp.Session, scenes: dict[str, Scene]
) -> None:
    made, X = scenes[name], INPUTS[name]
    assert numpy.array_equal(made.points(made.states[0]), flat(X))
    answer = flat(session[name].batch(X))
    assert numpy.allclose(made.points(made.states[-1]), answer, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", INPUTS)
def test_a_stage_begins_where_the_one_before_ends(name: str, scenes: dict[str, Scene]) -> None:
    stages = scenes[name].stages
    for first, second in itertools.pairwise(stages):
        assert numpy.array_equal(first.after, second.before)


@pytest.mark.parametrize("name", INPUTS)
def test_points_at_0_and_1_are_those_computed_to_the_last_bit(
    name: str, scenes: dict[str, Scene]
) -> None:
    for stage in stages_of(scenes[name]):
        ends = [(1, stage.path.end, stage.after)]
        if stage.kind != "fold":  # which begins with its first state, and not with its input
            ends.append((0, stage.path.start, stage.before))
        for t, places, wanted in ends:
            found = stage.at(t)
            assert numpy.array_equal(found[:, list(places)], wanted)
            assert not numpy.delete(found, list(places), axis=1).any()


@pytest.mark.parametrize("name", INPUTS)
def test_paths_have_no_jump(name: str, scenes: dict[str, Scene]) -> None:
    step = 1e-7
    for stage in stages_of(scenes[name]):
        times = [0, 0.2, 0.37, 0.5, 1 - step] if stage.kind != "fold" else [0.1, 0.4, 1 - step]
        for t in times:
            assert numpy.abs(stage.at(t + step) - stage.at(t)).max() < 1e-4, (stage.label, t)


# --- affine ----------------------------------------------------------------------------------


@st.composite
def matrices(draw: Any) -> Any:
    m, n = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rank = draw(st.integers(0, min(m, n)))
    random = numpy.random.default_rng(draw(st.integers(0, 10_000)))
    if draw(st.booleans()):
        return numpy.diag(random.choice([-1.0, 1.0], size=max(m, n)))[:m, :n]
    return random.normal(size=(m, rank)) @ random.normal(size=(rank, n))


@given(matrices())
def test_an_affine_path_turns_and_stretches_and_is_never_singular_before_its_end(W: Any) -> None:
    path = Affine(W, numpy.zeros(len(W)))
    turn, stretch = path.polar
    size = path.dimension
    assert size in (max(W.shape), max(W.shape) + 1)
    assert numpy.allclose(turn @ turn.T, numpy.eye(size))
    assert numpy.linalg.det(turn) > 0
    assert numpy.linalg.eigvalsh(stretch).min() > -1e-9
    assert numpy.allclose(path.linear(0), numpy.eye(size))
    assert numpy.allclose(path.linear(1)[: W.shape[0], : W.shape[1]], W)
    for t in numpy.linspace(0, 0.99, 12):
        values = numpy.linalg.svd(path.linear(t), compute_uv=False)
        assert values.min() >= (1 - t) * (1 - 1e-9)
        assert numpy.linalg.det(path.linear(t)) > 0


def test_a_map_that_mirrors_turns_its_axis_through_one_more_dimension() -> None:
    path = Affine(numpy.diag([1.0, -2.0]), numpy.zeros(2))
    assert path.dimension == 3
    half = path.at(0.5, numpy.array([[1.0, 1.0]]), numpy.array([[1.0, -2.0]]))
    assert numpy.allclose(half[0, :2], [1, 0])
    assert numpy.isclose(abs(half[0, 2]), 1.5)


def test_what_a_map_leaves_open_of_the_rotation_does_not_turn() -> None:
    """Embedding and projection along the axes move no point on their way."""
    for W in (numpy.eye(3)[:, :2], numpy.eye(3)[:2]):
        assert numpy.allclose(Affine(W, numpy.zeros(len(W))).polar[0], numpy.eye(3))


def test_the_matrix_and_shift_of_an_affine_stage_are_the_weights(
    session: nnfp.Session, scenes: dict[str, Scene]
) -> None:
    matrix, shift = scenes["classify"].stages[0].weights or ()
    held = session.weights["classify"]["dense"]
    assert numpy.allclose(matrix, held["W"])
    assert numpy.allclose(shift, held["b"])


# --- the others ------------------------------------------------------------------------------


@given(st.floats(0, 0.99), st.sampled_from(["tanh", "relu"]))
def test_a_monotone_function_keeps_points_apart_before_its_end(t: float, name: str) -> None:
    x = numpy.linspace(-3, 3, 50)[:, None]
    y = numpy.tanh(x) if name == "tanh" else numpy.maximum(x, 0)
    assert (numpy.diff(Straight(1, 1).at(t, x, y)[:, 0]) > 0).all()


def test_the_path_of_softmax_is_injective(scenes: dict[str, Scene]) -> None:
    """It is a monotone operator: ⟨x − y, F x − F y⟩ > 0."""
    stage = scenes["net"].stages[3]
    assert stage.kind == stage.label == "softmax"
    assert stage.injective
    for t in (0.3, 0.99):
        x, moved = stage.at(0), stage.at(t)
        apart = ((x[1:] - x[:-1]) * (moved[1:] - moved[:-1])).sum(1)
        assert (apart > 0).all()


def test_a_residual_adds_its_function_little_by_little(scenes: dict[str, Scene]) -> None:
    (stage,) = scenes["more"].stages
    added = stage.after - stage.before
    assert stage.kind == "residual"
    assert numpy.allclose(stage.at(0.3), stage.before + 0.3 * added)


def test_blocks_move_as_they_would_alone(scenes: dict[str, Scene]) -> None:
    (stage,) = scenes["beside"].stages
    (first, then), (other,) = stage.blocks
    assert [inner.label for inner in (first, then, other)] == ["dense[2]", "tanh", "dense[1]"]
    width = max(first.path.dimension, then.path.dimension)
    early, late = stage.at(0.25), stage.at(0.75)
    assert numpy.allclose(early[:, : first.path.dimension], first.at(0.5))
    assert numpy.allclose(late[:, : then.path.dimension], then.at(0.5))
    assert numpy.allclose(early[:, width:], other.at(0.25))


def test_the_positions_of_a_fold_are_the_states_of_its_scan(
    session: nnfp.Session, scenes: dict[str, Scene]
) -> None:
    (stage,) = scenes["encode"].stages
    assert stage.kind == "fold"
    assert not stage.homotopy
    states = numpy.asarray(session["states"].batch(INPUTS["encode"]))
    assert not stage.at(0).any()
    for position in range(1, 6):
        assert numpy.allclose(stage.at(position / 5), states[:, position - 1])
    (other,) = scenes["backwards"].stages
    assert numpy.allclose(other.at(0.2), session["states"].batch(INPUTS["encode"][:, ::-1])[:, 0])


def test_the_positions_of_a_scan_are_shown_one_by_one(
    session: nnfp.Session, scenes: dict[str, Scene]
) -> None:
    scan = scenes["summary"].stages[0]
    states = numpy.asarray(session["states"].batch(INPUTS["summary"]))
    assert scan.kind == "fold"
    assert not scan.at(0).any()
    for position in range(1, 6):
        shown = scan.at(position / 5).reshape(N, 5, 3)
        assert numpy.allclose(shown[:, :position], states[:, :position])
        assert not shown[:, position:].any()


def test_stages_of_a_composition_are_those_of_its_parts(session: nnfp.Session) -> None:
    session.run("first : R[2] ~> R[3]\nfirst = dense[3] >> tanh")
    session.run("second : R[3] ~> R[2]\nsecond = dense[2] >> relu")
    session.run("composed : R[2] ~> R[2]\ncomposed = first >> second")
    X = data(2)
    whole, first = scene(session["composed"], X), scene(session["first"], X)
    second = scene(session["second"], first.points(first.states[-1]))
    assert whole.labels[1:] == first.labels[1:] + second.labels[1:]
    for found, wanted in zip(whole.states[2:], (first.states[2], *second.states[1:]), strict=True):
        assert numpy.allclose(whole.points(found), wanted[:N])


# --- what stages are called --------------------------------------------------------------------


LABELS = {
    "net": ["dense[3]", "tanh", "dense[2]", "softmax", "dense[1]"],
    "deep": ["dense[2]", "tanh"] * 3,
    "again": ["dense[2]", "tanh"] * 3,
    "own": ["?W @ x + ?b", "tanh"],
    "both": ["dup", "(dense[2] >> sigmoid) *** dense[3]"],
    "every": ["dense[3]", "gelu"],
    "encode": ["fold cell zero xs"],
    "summary": ["scan cell zero", "residual (dense[3] >> tanh)", "mean"],
    "image": ["dense[2]"],
    "turning": ["?A @ z"],
    "normed": ["dense[4]", "standardize", "layerNorm", "relu"],
}


@pytest.mark.parametrize("name", LABELS)
def test_stages_are_called_as_the_program_says(name: str, scenes: dict[str, Scene]) -> None:
    labels = [stage.label for stage in scenes[name].stages]
    if name == "normed":  # whose normalisation is several steps of the library
        labels = list(dict.fromkeys(labels))
    assert labels == LABELS[name]


def test_layers_of_one_weight_are_stages_with_the_same_map(scenes: dict[str, Scene]) -> None:
    again, deep = (scenes[name].stages[::2] for name in ("again", "deep"))
    maps = [[stage.weights[0] for stage in stages if stage.weights] for stages in (again, deep)]
    assert numpy.array_equal(maps[0][0], maps[0][2])
    assert not numpy.allclose(maps[1][0], maps[1][2])


def test_a_representation_is_the_type_of_its_stage(scenes: dict[str, Scene]) -> None:
    assert scenes["classify"].types == ("R[2]", "R[4]", "R[4]", "R[3]")
    assert scenes["own"].types[-1] == scenes["summary"].types[-1] == "Thought"


# --- grid, boundary, view ----------------------------------------------------------------------


def test_a_grid_has_square_cells_and_holds_the_data() -> None:
    X = data(2) * [3, 1]
    lines = grid_lines(X, 13, 9)
    upright = sorted({line[0, 0] for line in lines if line[0, 0] == line[-1, 0]})
    level = sorted({line[0, 1] for line in lines if line[0, 1] == line[-1, 1]})
    assert upright[0] < X[:, 0].min()
    assert level[-1] > X[:, 1].max()
    assert numpy.isclose(numpy.diff(upright)[0] / numpy.diff(level)[0], 1, atol=0.2)


def test_the_boundary_is_where_the_answer_changes(session: nnfp.Session) -> None:
    X = data(2)
    for name, classes in (("classify", 3), ("chance", 2)):
        made = scene(session[name], X, colour=numpy.arange(N) % classes)
        ends = made.boundary(made.states[-1]).reshape(-1, made.states[-1].shape[1])
        assert len(ends) > 20
        if classes == 2:
            assert numpy.allclose(ends, 0.5, atol=1e-3)
        else:
            ordered = numpy.sort(ends, axis=1)
            assert numpy.allclose(ordered[:, -1], ordered[:, -2], atol=0.02)


def test_the_boundary_is_found_where_it_is_known() -> None:
    X = numpy.array([[-1.0, -1.0], [1.0, 1.0]])
    ends = boundary(X, lambda x: (x**2).sum(1, keepdims=True), 0.5)
    assert numpy.allclose((ends**2).sum(-1), 0.5, atol=1e-3)
    length = numpy.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum()
    assert numpy.isclose(length, 2 * numpy.pi * 0.5**0.5, rtol=1e-3)


def test_without_classes_there_is_no_boundary(scenes: dict[str, Scene]) -> None:
    made = scenes["net"]
    assert made.boundary(made.states[0]).shape == (0, 2, 2)
    assert made.grid(made.states[1]).shape == (made.lines, made.samples, 3)


def test_many_dimensions_are_seen_along_axes_that_turn_least(scenes: dict[str, Scene]) -> None:
    made = scenes["every"]
    for state, frame in zip(made.states, made.frames, strict=True):
        assert frame.shape == (state.shape[1], 3)
        assert numpy.allclose(frame.T @ frame, numpy.eye(3))
    before, after = (made.points(made.seen(k)) for k in (0, 1))
    before, after = before - before.mean(0), after - after.mean(0)
    turned = [numpy.linalg.norm(after @ Q - before) for Q in _rotations()]
    assert numpy.linalg.norm(after - before) <= min(turned)


def _rotations() -> list[Any]:
    random = numpy.random.default_rng(0)
    return [numpy.linalg.qr(random.normal(size=(3, 3)))[0] for _ in range(50)]


def test_one_point_is_followed_through_all_stages(scenes: dict[str, Scene]) -> None:
    made = scenes["net"]
    path = made.trace(7)
    assert numpy.array_equal(path[0], INPUTS["net"][7])
    assert [len(place) for place in path] == [2, 3, 3, 2, 2, 1]


# --- what cannot be shown ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "X", "why", "way"),
    [
        ("same", data(2), "has no stages", "maps and functions"),
        ("noisy", data(2), "draws at random", "does not draw"),
        ("number", numpy.arange(4), "lie in no space", "`embed`"),
        ("total", [], "`data` value", "catamorphism"),
        ("net", numpy.zeros((20_001, 2)), "20,001 points", "X[::2]"),
        ("net", numpy.zeros(2), "", ""),
        ("net", numpy.zeros((0, 2)), "no examples", "x[None]"),
        ("net", numpy.full((3, 2), numpy.nan), "NaN", "isfinite"),
        ("net", [[1.0, 2.0], [1.0]], "no array of numbers", "one shape"),
        ("net", numpy.zeros((3, 4)), "R[2]", ""),
        ("divided", data(2), "gives NaN or infinity", "weights"),
        ("nothing", numpy.zeros((N, 0, 2)), "nothing in the examples", "one element"),
    ],
)
def test_what_cannot_be_shown_says_why_and_what_would_work(
    session: nnfp.Session, name: str, X: Any, why: str, way: str
) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        scene(session[name], X)
    told = caught.value.render()
    assert why in told
    assert way in told


def test_real_numbers_may_be_given_for_complex_ones(session: nnfp.Session) -> None:
    made = scene(session["turning"], data(2))
    assert numpy.array_equal(made.states[0], numpy.concatenate([data(2), 0 * data(2)], axis=1))


def test_a_colour_belongs_to_each_point(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError, match="each of the 40 points"):
        scene(session["net"], data(2), colour=[0, 1])


def test_the_states_of_gated_cells_are_seen_at_every_position() -> None:
    """Of a pair of states, as that of an LSTM, the one that is used; the layer has its name."""
    session = nnfp.Session(seed=1)
    session.run(
        "long : R[2][5] ~> R[3]\nlong = every >> last\n"
        "gated : R[2][5] ~> R[3]\ngated = gru[3] >> last\n"
        "every : R[2][5] ~> R[5,3]\nevery = lstm[3]"
    )
    sequences = numpy.random.default_rng(0).normal(size=(6, 5, 2))
    states = numpy.asarray(session["every"].batch(sequences))
    for name, label in (("long", "lstm[3]"), ("gated", "gru[3]")):
        made = scene(session[name], sequences)
        assert [(stage.kind, stage.label) for stage in made.stages] == [("fold", label)]
        path = made.stages[0].path
        assert path.states.shape == (6, 6, 3)
        assert numpy.allclose(path.states[-1], session[name].batch(sequences), atol=1e-5)
        if name == "long":
            assert numpy.allclose(path.states[1:], states.transpose(1, 0, 2), atol=1e-5)
