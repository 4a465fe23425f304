"""What stages do to space, as numbers: lengths, volumes, geodesics, regions, shape.

    jets.py        first and second derivatives of every state, by our own linear maps
    metric.py      the pullback metric: singular values, volume, Tissot's ellipses
    curves.py      geodesics and curvature of that metric
    polygons.py    convex polygons, many at once, cut by lines
    regions.py     the exact linear regions of a piecewise-linear network on a plane
    measures.py    of point sets: intrinsic dimension, alignment, linear separability
    topology.py    of point sets: persistent homology, through ripser

Nothing here draws: figures and widgets do.
"""
