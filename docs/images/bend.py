"""Makes docs/images/bend.png: two spirals, carried through a trained network.

    python docs/images/bend.py

Everything in it is what the network makes of the points; how it was trained stands below.
"""

from pathlib import Path

import numpy as np

import nnfp_kernel as nnfp
from nnfp_kernel.views.scene import scene
from nnfp_kernel.widgets import figures

PROGRAM = """
layer[] x = tanh (?W @ x + ?b)
  where ?W : R[2,2] ~ identity

cut x = ?C @ x + ?c
  where ?C : R[1,2] ~ ones

spiral : R[2] ~> R[1]
spiral = layer >> layer >> layer >> cut

loss (x, y) = softplus ((1 - 2 * y) * (spiral x ! 0))
"""

rng = np.random.default_rng(0)
turn = rng.uniform(0.15, 1, size=150) * 1.25 * np.pi
arm = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / (1.25 * np.pi)
points = np.concatenate([arm, -arm]) + 0.015 * rng.normal(size=(300, 2))
kind = np.repeat([0, 1], 150)

session = nnfp.Session(precision=64)
session.run(PROGRAM)
for _ in session.train("loss", (points, kind), steps=260, batch=300, rate=0.01, seed=0):
    pass
network = session["spiral"]
wrong = np.sum((np.asarray(network.batch(points))[:, 0] > 0) != (kind == 1))
print(f"{wrong} of {len(points)} points are wrong")
drawn = figures.bend(scene(network, points, colour=kind, samples=31), scale="own")
drawn.savefig(Path(__file__).with_name("bend.png"), dpi=144)
