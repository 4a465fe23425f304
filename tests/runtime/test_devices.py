"""Several devices: the answer of one. They are virtual, and so need a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy
import pytest

from nnfp_kernel.runtime.machine.devices import axes_of, described, laid_out, layout, rules_of

PROGRAM = r"""
import json, tempfile
import jax, numpy
import nnfp_kernel as nnfp
from nnfp_kernel.runtime.training import train as loop
from nnfp_kernel.runtime.training.events import Epoch

under_way = []


class Seen(loop.Training):
    def __init__(self, *given):
        super().__init__(*given)
        under_way.append(self)


loop.Training = Seen
SOURCE = '''
net : R[6] ~> R[3]
net = dense[16] >> tanh >> dense[3]
seen : R[8,8] ~> R[3]
seen = window[3,3] (flatten >> dense[4] >> tanh) >> flatten >> dense[3]
data Tree = Leaf R[2] | Node Tree Tree
encode : Tree ~> R[3]
encode = cata { Leaf x -> tanh (?E @ x) ; Node l r -> tanh (?L @ l + ?R @ r) }
valued : (Tree, R) ~> R
valued (tree, y) = squaredError ((encode >> dropout 0.3 >> dense[1] >> sum) tree) y
summed : ([R], R) ~> R
summed (xs, y) = squaredError (?k * sum xs + ?c) y
smoothed : ([R], R) ~> R
smoothed (xs, y) = squaredError (sum (window[3] bump xs)) y
bump : R[3] ~> R
bump x = tanh (?w @ x)
kept : R[6,2] ~> R[3]
kept = gru[4] >> last >> dropout 0.3 >> dense[3]
'''
rng = numpy.random.default_rng(0)
X, P, y = rng.normal(size=(96, 6)), rng.normal(size=(96, 8, 8)), rng.integers(0, 3, 96)
session = nnfp.Session(precision=64, seed=1)
session.run(SOURCE)
numbers = lambda tree: numpy.concatenate([numpy.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def trained(name, data, stop=0, **options):
    session.reset_weights()
    course = session.train(name, (data, y), loss="crossEntropy", epochs=3, batch=24, valid=0.25,
                           optimizer="adam", ema=0.9, **options)
    for event in course:
        if isinstance(event, Epoch) and event.epoch == stop:
            state = under_way[-1].at.state
            split = {str(tuple(leaf.sharding.spec)) for leaf in jax.tree.leaves(state)}
            event = course.throw(KeyboardInterrupt)
            while type(event).__name__ != "Finished":
                event = next(course)
            return split
    answer = session[name].batch(data)  # the kept weights serve as any others
    return numbers((event.weights, answer, event.measured.loss))


found = {"far": {}}
one = trained("net", X)
TENSOR = dict(devices="batch=2,model=4", shard=["net.dense.*=model", "net.dense_2.W=_,model"])
for case, options in {
    "two": dict(devices=2), "tensors": TENSOR,
    "weights": dict(devices=8, shard={"net.dense": "batch"}),
}.items():
    found["far"][case] = numpy.abs(trained("net", X, **options) - one).max() / numpy.abs(one).max()
S = rng.normal(size=(96, 6, 2))
one = trained("kept", S)
found["far"]["kept"] = numpy.abs(trained("kept", S, devices=2) - one).max() / numpy.abs(one).max()
one = trained("seen", P)
found["far"]["seen"] = numpy.abs(trained("seen", P, devices=2) - one).max() / numpy.abs(one).max()

# Stopped on a mesh, it goes on to the same bits; on one device, to rounding.
whole = trained("net", X, **TENSOR)
with tempfile.TemporaryDirectory() as folder:
    found["split"] = sorted(trained("net", X, 2, checkpoint=folder, **TENSOR))
    again = trained("net", X, checkpoint=folder, resume=True, **TENSOR)
    found["same bits"] = bool(numpy.array_equal(again, whole))
with tempfile.TemporaryDirectory() as folder:
    trained("net", X, 2, checkpoint=folder, **TENSOR)
    again = trained("net", X, checkpoint=folder, resume=True)
    found["far"]["on one"] = numpy.abs(again - whole).max() / numpy.abs(whole).max()
# Batches of a stream are shared out as they come; one that cannot be is on all devices.
def streamed(**options):
    session.reset_weights()
    batches = ((X[k : k + size], y[k : k + size]) for k, size in [(0, 24), (24, 24), (48, 9), (72, 24)])
    *_, event = session.train("net", batches, loss="crossEntropy", steps=4, **options)
    return numbers(event.weights)


one = streamed()
found["far"]["stream"] = numpy.abs(streamed(**TENSOR) - one).max() / numpy.abs(one).max()


# Examples in lists: trees, which are packed for each device; sequences in buckets; rows that no padding holds. And batches of such from a stream, one of them of 5.
def grown(leaves):
    if leaves == 1:
        return session.constructor("Leaf")(rng.normal(size=2))
    left = int(rng.integers(1, leaves))
    return session.constructor("Node")(grown(left), grown(leaves - left))


trees = [grown(1 + k % 7) for k in range(32)]
rows = [rng.normal(size=3 + k % 9) for k in range(32)]
LISTS = {
    "valued": (trees, y[:32] - 1.0),
    "summed": (rows, y[:32]),
    "smoothed": ([row[: 3 + k % 2] for k, row in enumerate(rows)], y[:32]),
}


def listed(name, stop=0, data=None, **options):
    session.reset_weights()
    asked = dict(batch=8, valid=0.25, epochs=2, rate=0.01) | options
    course = session.train(name, LISTS[name] if data is None else data, **asked)
    for event in course:
        if isinstance(event, Epoch) and event.epoch == stop:
            course.throw(KeyboardInterrupt)
            list(course)
            return
    found["last"] = event
    measured = event.measured.loss if event.measured else 0.0
    return numpy.append(numbers(event.weights), measured)


def stream(name):
    for start, end in [(0, 8), (8, 16), (16, 21)]:
        yield tuple(column[start:end] for column in LISTS[name])


far = lambda one, other: numpy.abs(one - other).max() / numpy.abs(one).max()
for name in LISTS:
    one, many = listed(name), listed(name, devices=8)
    found["far"][name] = far(one, many)
    if name == "valued":
        with tempfile.TemporaryDirectory() as folder:
            listed(name, 1, devices=8, checkpoint=folder)
            again = listed(name, devices=8, checkpoint=folder, resume=True)
        found["again"] = bool(numpy.array_equal(again, many))
for name in ("valued", "summed"):
    asked = dict(data=stream(name), steps=3, epochs=None, valid=0.0)
    one, asked["data"] = listed(name, **asked), stream(name)
    found["far"]["stream of " + name] = far(one, listed(name, devices="batch=2,model=4", **asked))
    listed(name, devices=8, rate=1e308)
    found["failed " + name] = found["last"].reason, found["last"].failure.cause
del found["last"]

# What devices say to each other, they say after the loops of a program.
import re
from nnfp_kernel.runtime.machine.devices import layout
from nnfp_kernel.runtime.training.examples import Shares
from nnfp_kernel.runtime.training.objective import objective_of

session.run("loss : (R[6,2], R[3]) ~> R\nloss (xs, y) = squaredError (kept xs) y")
mesh = layout(2, (), session.weights, 8)
gradient = jax.jit(lambda w, *batch: objective_of(session["loss"]).value_and_grad(
    w, Shares(batch, mesh), jax.random.key(0)
))
text = gradient.lower(session["loss"].weights, S[:8], rng.normal(size=(8, 3))).compile().as_text()
said = "all-reduce|all-gather|all-to-all|collective-permute"
found["said in"] = sorted({
    computation.split(" ", 1)[0]
    for computation in re.split(r"\n(?=[%\w])", text) if re.search(rf" ({said})\(", computation)
})
found["loops"] = text.count(" while(")
print(json.dumps(found))
"""


def on_eight(program: str) -> Any:
    """What a program prints, as JSON, where there are eight devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.mark.slow
def test_several_devices_learn_what_one_learns() -> None:
    found = on_eight(PROGRAM)
    assert found["far"].keys() == {
        "two", "tensors", "weights", "kept", "seen", "on one", "stream",
        "valued", "summed", "smoothed", "stream of valued", "stream of summed",
    }  # fmt: skip
    assert max(found["far"].values()) < 1e-10
    assert found["same bits"]
    # of a state on the mesh: what is whole, and what is split along the first or second axis
    assert found["split"] == ["('model',)", "()", "(None, 'model')"]
    assert found["again"]
    assert found["said in"] == ["ENTRY"]
    assert found["loops"] >= 2  # there and back
    for reason, cause in (found["failed valued"], found["failed summed"]):
        assert reason == "diverged"
        assert ", line " in cause


WEIGHTS = {"net": {"W": numpy.zeros((4, 6)), "b": numpy.zeros(4), "s": numpy.zeros(())}}


@pytest.mark.parametrize(
    ("devices", "shard", "told"),
    [
        (0, (), "a training runs on at least one device, not 0"),
        ("batch=0,model=1", (), "an axis has at least one device, and batch has 0"),
        ("two", (), "axes with a number each, such as batch=2,model=4; not 'two'"),
        ("batch=1,batch=1", (), "an axis stands twice"),
        ("batch=1,model=99", (), "not 99: JAX makes 99 of a processor where JAX_NUM_CPU_DEVICES=99"),
        (1, "net.W", "such as 'attention.*=model'; not 'net.W'"),
        (1, "nett=batch", "no weight is called nett; there are: net.W, net.b, net.s"),
        (1, "net.W=model", "the mesh has no axis model: it is batch=1. Write --devices batch=1,model=2"),
        (1, "net.W=batch,batch", "cannot be split along batch twice"),
        (1, "net=batch", "net.s is a number, which has no axis 1 to split: leave it whole by 'net.s=_'"),
        (1, "net.b=_,batch", r"net.b has shape \[4\], which has no axis 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_laid_out_is_told(devices: Any, shard: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        layout(devices, shard, WEIGHTS, 8)


def test_what_does_not_divide_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.device_count", lambda: 8)
    with pytest.raises(
        ValueError, match="a batch of 9 cannot be shared equally among 2 devices: take 8"
    ):
        layout(2, (), WEIGHTS, 9)
    with pytest.raises(
        ValueError, match=r"net.W has shape \[4,6\]: 6 cannot be shared equally among the 4"
    ):
        layout("batch=2,model=4", "net.W=_,model", WEIGHTS, 8)
    axes, found = laid_out(
        "batch=2,model=2", ["net.s=_", "net.W=batch,model", "net=model"], WEIGHTS
    )
    assert axes == {"batch": 2, "model": 2}
    assert {each.name: each.part for each in found} == {"net.W": (2, 3), "net.b": (2,), "net.s": ()}


def test_one_device_needs_no_layout() -> None:
    assert layout(1, (), WEIGHTS, 7) is None
    assert len(described()) == 1
    assert axes_of(" batch = 2, model=4 ") == {"batch": 2, "model": 4}
    assert rules_of({"a=b": "x, y"}) == (("a=b", ("x", "y")),)
