"""The scene: data carried through every stage of a function, as numbers.

    parts.py   graph -> stages: cuts, and what lies between two of them
    names.py   what a stage is called: the program's own text
    paths.py   homotopies: where points are at t of a stage
    plane.py   the grid over the input, and the decision boundary
    stage.py   a stage with points in it
    run.py     the stages on many points at once
    scene.py   a function's stages with data in them
    tape.py    the function as steps that a page can run
    handed.py  the scene for a hand that changes its weights and data
    packed.py  the scene as JSON and a buffer, for widgets and pages

Stages are read off the traced graph, so they are there however the function is written;
the labels are the text that the graph's nodes and weights come from. What draws a scene is
in `widgets`.
"""

from .packed import packed
from .scene import Scene, scene
from .stage import Stage

__all__ = ["Scene", "Stage", "packed", "scene"]
