"""Draws docs/images/digits.png: the network of the first chapter, after its training.

    python docs/images/digits.py

Everything in it is what the trained network gives; the numbers are printed, too.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from sklearn.datasets import load_digits

import nnfp_kernel as nnfp

PROGRAM = """
rep Image  = R[8,8]
rep Scores = R[10]

edges     = window[3,3] (flatten >> dense[8] >> relu)
shapes    = window[3,3, pad=same] (flatten >> dense[16] >> relu)
strongest = pool[2,2] (maximum >> maximum)

look : Image ~> Scores
look (Image x) = Scores ((edges >> shapes >> strongest >> flatten >> dense[10]) x)

loss (Scores s) label = crossEntropy s label
"""
INK = "#1b1f24"
SIGN = LinearSegmentedColormap.from_list("sign", ["#0072B2", "#ffffff", "#D55E00"])

digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.images))
pictures, names = digits.images[order] / 16, digits.target[order]

session = nnfp.Session(precision=64)
session.run(PROGRAM)
*_, last = session.train(
    "look", (pictures[:1437], names[:1437]), loss="loss", epochs=20, rate=0.004, valid=0.1
)
unseen, truth = pictures[1437:], names[1437:]
scores = np.asarray(session["look"].batch(unseen))
found = scores.argmax(axis=1)
right = float(np.mean(found == truth))
print(f"{last.seconds:.1f} s of training, {right:.1%} of {len(truth)} unseen digits right")

patterns = np.asarray(session.weights["edges"]["dense"]["W"]).reshape(8, 3, 3)
chances = np.exp(scores - scores.max(axis=1, keepdims=True))
chances /= chances.sum(axis=1, keepdims=True)
# One that it reads right, but is not sure of.
example = int(np.argmin(abs(chances[np.arange(len(truth)), truth] - 0.8)))
answers = np.asarray(session["edges"](unseen[example]))
print(f"a {truth[example]}, with chances {np.round(chances[example], 3)}")

plt.rcParams.update({"font.size": 9, "text.color": INK, "axes.labelcolor": INK})
figure = plt.figure(figsize=(9.6, 2.05), dpi=200)
wide = [1.15, 1.15, 0.3, *[1] * 8, 0.55, 1.1, 1.1]
grid = figure.add_gridspec(
    2,
    14,
    left=0.01,
    right=0.995,
    top=0.83,
    bottom=0.03,
    wspace=0.12,
    hspace=0.12,
    width_ratios=wide,
)


def picture(row: int | slice, column: int | slice, image: np.ndarray, **style: object) -> None:
    axis = figure.add_subplot(grid[row, column])
    axis.imshow(image, **style)
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set(color="#d5dae0", linewidth=0.8)


picture(slice(0, 2), slice(0, 2), unseen[example], cmap="gray_r")
largest = np.abs(patterns).max()
for k in range(8):
    picture(0, k + 3, patterns[k], cmap=SIGN, vmin=-largest, vmax=largest)
    picture(1, k + 3, answers[..., k], cmap="gray_r", vmin=0)
bars = figure.add_subplot(grid[:, 12:])
bars.barh(range(10), chances[example], height=0.7, color="#7b8794")
bars.set(yticks=range(10), xticks=[], xlim=(0, 1))
bars.invert_yaxis()
bars.tick_params(length=0, labelsize=8, pad=2)
for side in bars.spines.values():
    side.set_visible(False)

for x, text in (
    (0.01, "a digit it has not seen"),
    (
        0.209,
        "edges: eight learned patterns of 3 × 3 points, and where in the digit each one answers",
    ),
    (0.832, "look: what it could be"),
):
    figure.text(x, 0.91, text, fontsize=8.5)
figure.savefig(Path(__file__).with_suffix(".png"))
