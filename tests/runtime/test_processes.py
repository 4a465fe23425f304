"""Two processes, over loopback, learn what one learns; the first alone writes and shows."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest
from safetensors.numpy import load_file

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.machine import processes

NET = """
net : R[6] ~> R[4]
net = dense[16] >> tanh >> dense[4]
"""
# Data in lists: trees, and batches of sequences of which one cannot be shared equally.
LISTED = '''
import jax, numpy

LISTS = """
data Tree = Leaf R[2] | Node Tree Tree
valued : (Tree, R) ~> R
valued (tree, y) = squaredError (top tree) y
top : Tree ~> R
top = cata { Leaf x -> ?e * sum x ; Node l r -> tanh (l + ?r * r) }
summed : ([R], R) ~> R
summed (xs, y) = squaredError (?k * sum xs + ?c) y
"""


def listed(session):
    rng = numpy.random.default_rng(1)
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    trees = [leaf(rng.normal(size=2))]
    for k in range(15):
        trees.append(node(trees[k // 2], leaf(rng.normal(size=2))) if k % 3 else leaf(rng.normal(size=2)))
    y, rows = rng.normal(size=16), [rng.normal(size=3 + k % 5) for k in range(16)]
    found = []
    for name, data in {
        "valued": (trees, y),
        "summed": ((rows[a:b], y[a:b]) for a, b in [(0, 6), (6, 11), (11, 16)]),
    }.items():
        *_, last = session.train(name, data, steps=3, batch=8, rate=0.01)
        found += [numpy.ravel(leaf).tolist() for leaf in jax.tree.leaves(last.weights)]
    return [number for each in found for number in each]
'''
PROGRAM = (
    LISTED
    + """
import json, os, signal, sys
import jax, numpy
import nnfp_kernel as nnfp
from nnfp_kernel.__main__ import main
from nnfp_kernel.runtime.machine import processes
from nnfp_kernel.runtime.training.events import Epoch, Finished

number, port = int(sys.argv[1]), sys.argv[2]
line = "train net.nnfp net --from data.npz --data X,y --loss crossEntropy --valid 0.25 --batch 24"
line += f" --steps 12 --rate 0.01 --precision 64 --checkpoint kept{number} --save net{number}.safetensors"
line += f" --coordinator 127.0.0.1:{port} --processes 2 --process-id {number}"
told = {"status": main(line.split()), "devices": jax.device_count()}

session = nnfp.Session(precision=64)
session.run(open("net.nnfp").read())
session.run(LISTS)
told["lists"] = listed(session)
data = dict(numpy.load("data.npz"))


def trained(stop=0, **options):
    session.reset_weights()
    asked = dict(steps=12, rate=0.01, devices="model=2", shard={"net.dense": "model"})
    for event in session.train("net", (data["X"], data["y"]), loss="crossEntropy", valid=0.25,
                               batch=24, **asked | options):
        if isinstance(event, Epoch) and event.epoch == stop and number == 1:
            os.kill(os.getpid(), signal.SIGINT)  # one of them is told to stop
    return event, numpy.concatenate([numpy.ravel(leaf) for leaf in jax.tree.leaves(event.weights)])


_, whole = trained()
stopped, _ = trained(stop=2, checkpoint="shared")
_, again = trained(checkpoint="shared", resume=True)
told["stopped"] = stopped.reason, stopped.step < 12
told["same bits"] = bool(numpy.array_equal(whole, again))
told["split"] = whole.tolist()
failed, _ = trained(rate=1e308)
told["failed"] = failed.reason, bool(failed.failure.cause)
told["other"] = []
rows = [numpy.ones(2), numpy.ones(3), numpy.full(4, number)]
for train in (
    lambda: trained(seed=number),
    lambda: list(session.train("summed", (rows, numpy.ones(3)), batch=2, steps=1)),
):
    try:
        train()
    except ValueError as problem:
        told["other"].append(str(problem))
if number == 0:
    try:
        trained()  # while the other is gone, without a word
    except (ValueError, RuntimeError) as problem:
        told["gone"] = processes.lost(problem)
print(json.dumps(told), flush=True)
os._exit(0)
"""
)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    rng = numpy.random.default_rng(0)
    X = rng.normal(size=(96, 6))
    y = numpy.argmax(X[:, :4], 1)
    (tmp_path / "net.nnfp").write_text(NET)
    numpy.savez(tmp_path / "data.npz", X=X, y=y)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, number, port], cwd=tmp_path, text=True,
            env={**os.environ, "JAX_PLATFORMS": "cpu"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in "01"
    ]  # fmt: skip
    session = nnfp.Session(precision=64)
    session.run(NET)
    *_, alone = session.train(
        "net", (X, y), loss="crossEntropy", valid=0.25, batch=24, steps=12, rate=0.01
    )
    own: dict[str, Any] = {}
    exec(LISTED, own)
    session.run(own["LISTS"])
    lists = own["listed"](session)
    shown, found = [], []
    try:
        for each in both:
            out, errors = each.communicate(timeout=300)
            assert each.returncode == 0, errors
            *lines, last = (line for line in out.splitlines() if not line.startswith("[Gloo]"))
            shown.append("\n".join(lines))
            found.append(json.loads(last))
    finally:
        for each in both:
            each.kill()

    wanted = numpy.concatenate([numpy.ravel(leaf) for leaf in jax.tree.leaves(alone.weights)])
    for told in found:
        assert (told["status"], told["devices"]) == (0, 2)
        numpy.testing.assert_allclose(told["split"], wanted, rtol=1e-10)
        assert told["stopped"] == ["interrupted", True]
        assert told["same bits"]
        numpy.testing.assert_allclose(told["lists"], lists, rtol=1e-10)
        assert told["failed"] == ["diverged", True]
        other = "process 1 has other data, options or weights than process 0"
        assert told["other"] == [other, other]
    assert found[0]["gone"]
    stored = load_file(tmp_path / "net0.safetensors")
    for path, leaf in jax.tree_util.tree_flatten_with_path(alone.weights)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        numpy.testing.assert_allclose(stored[name], leaf, rtol=1e-10)
    # Process 0 writes and shows, and no other.
    assert re.search(r"finished: .* epochs", shown[0])
    assert shown[1] == ""
    assert {each.name for each in tmp_path.iterdir()} == {
        "data.npz", "net.nnfp", "net0.safetensors", "kept0", "shared",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("coordinator", "count", "number", "told"),
    [
        ("nowhere", 2, 0, "HOST:PORT"),
        ("10.0.0.1:99999", 2, 0, "HOST:PORT"),
        ("127.0.0.1:1234", 0, 0, "at least one process"),
        ("127.0.0.1:1234", 2, 2, "0 to 1, not 2"),
    ],
)
def test_what_cannot_come_together_is_told(
    coordinator: str, count: int, number: int, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        processes.connect(coordinator, count, number)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with pytest.raises(ValueError, match="cannot be listened on: Address already in use"):
            processes.connect(f"127.0.0.1:{taken.getsockname()[1]}", 2, 0)


def test_one_process_agrees_with_itself() -> None:
    assert processes.first()
    assert not processes.several()
    assert processes.agreed(3, 1) == (3, 1)
    assert (processes.anyone(True), processes.anyone(False)) == (True, False)
    processes.require_alike("anything", "else")
    with processes.interrupts() as stop:
        assert not stop.wanted
