"""Several devices: the answer of one. They are virtual, and so need a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nnfp_kernel.runtime.devices import described, mesh

PROGRAM = """
import numpy
import nnfp_kernel as nnfp

SOURCE = '''
net : R[6] ~> R[3]
net = dense[16] >> tanh >> dense[3]
seen : R[8,8] ~> R[3]
seen = window[3,3] (flatten >> dense[4] >> tanh) >> flatten >> dense[3]
'''
rng = numpy.random.default_rng(0)
X, P, y = rng.normal(size=(96, 6)), rng.normal(size=(96, 8, 8)), rng.integers(0, 3, 96)


def trained(name, data, devices):
    session = nnfp.Session(precision=64, seed=1)
    session.run(SOURCE)
    *_, last = session.train(name, (data, y), loss="crossEntropy", epochs=3, batch=24, valid=0.25,
                             devices=devices)
    arrays = []
    def gather(found):
        for value in found.values():
            gather(value) if isinstance(value, dict) else arrays.append(numpy.ravel(value))
    gather(last.weights)
    answer = numpy.ravel(session[name].batch(data))  # the kept weights serve as any others
    return numpy.concatenate([*arrays, answer, [last.measured.loss]])


for name, data in (("net", X), ("seen", P)):
    one = trained(name, data, 1)
    for devices in (2, 8):
        print(name, devices, numpy.abs(trained(name, data, devices) - one).max() / numpy.abs(one).max())

session = nnfp.Session()
session.run(SOURCE + "total : [R] ~> R\\ntotal xs = ?a * sum xs")
for name, data, batch in (("net", (X, y), 9), ("total", ([X[0], X[1, :2]],), 2)):
    try:
        session.train(name, data, loss="crossEntropy" if batch == 9 else None, batch=batch, devices=2)
    except ValueError as told:
        print(told)
"""


@pytest.mark.slow
def test_several_devices_learn_what_one_learns() -> None:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    *lines, unequal, listed = found.stdout.splitlines()
    rows = [line.split() for line in lines]
    assert [row[:2] for row in rows] == [["net", "2"], ["net", "8"], ["seen", "2"], ["seen", "8"]]
    assert max(float(row[2]) for row in rows) < 1e-10
    assert unequal == ("a batch of 9 cannot be shared equally among 2 devices: take 8, for example")
    assert listed == "examples that come as lists are trained on with one device"


def test_what_cannot_be_shared_out_is_told() -> None:
    there = len(described())
    with pytest.raises(ValueError, match=f"not {there + 1}"):
        mesh(there + 1, 8 * (there + 1))
    with pytest.raises(ValueError, match="at least one device, not 0"):
        mesh(0, 8)
    assert mesh(1, 7) is None
