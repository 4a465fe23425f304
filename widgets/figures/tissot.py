"""What each stage does to lengths and areas: Tissot's circles on a tinted sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from nnfp_kernel.language.palette import BLUE, INK2, VERMILLION
from nnfp_kernel.views.geometry.lens import Lens

from . import panels
from .panels import Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
FOOT = 0.34
MOST = 64  # times the area: beyond that, colours say no more
DEEPEST = 0.8  # opacity
PIXELS = 200  # of the longer side of a sheet


def tissot(lens: Lens, *, scale: Scale | None = None) -> Figure:
    """The images of small circles of the input after every stage, and how areas change.

    A sheet over the input is blue where its area has shrunk since the input, vermillion where
    it has grown, by one scale for all panels, which stands below them.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.geometry.lens import lens
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session()
    >>> _ = session.run("squeeze : R[2] -> R[2]\\nsqueeze x = tanh x")
    >>> made = tissot(lens(scene(session["squeeze"], 2 * numpy.eye(2))))
    >>> [axes.get_title() for axes in made.axes]
    ['x', 'tanh', '']
    """
    scene = lens.scene
    seen = [
        _seen(scene.frames[k], sheet.reshape(-1, sheet.shape[2]))
        for k, sheet in enumerate(lens.sheet)
    ]
    limit = _limit(lens)

    def draw(axes: Any, k: int, scale: Scale, wide: float) -> None:
        if panels.is_line(scene, k):
            panels.axis(axes, panels.flat(scene.seen(k)))
        else:
            _sheet(axes, lens, k, seen[k], limit)
            frame = scene.frames[k][:, :2]
            own = lens.circles[k] @ frame
            panels.strokes(axes, own, color=INK2, linewidth=0.6, zorder=2)
        panels.boundary(axes, scene, panels.flat(scene.seen(k)), k)
        panels.words(
            axes, scene.labels[k], (scene.types[k], True), (_told(lens, k, wide, scale), False)
        )

    made = panels.rows(seen, scale, draw, FOOT)
    _legend(made, limit)
    return made


def _seen(frame: Array, state: Array) -> Array:
    return panels.flat(state @ frame)


def _limit(lens: Lens) -> float:
    """The change of area that has the full colour: what nearly all cells stay below."""
    found = numpy.concatenate([own[numpy.isfinite(own)].ravel() for own in lens.volume])
    return float(numpy.clip(numpy.quantile(abs(found), 0.9), numpy.log(2), numpy.log(MOST)))


def _sheet(axes: Any, lens: Lens, k: int, seen: Array, limit: float) -> None:
    volume = numpy.nan_to_num(lens.volume[k], neginf=-limit)
    places = seen.reshape(*volume.shape, 2)
    image, box = _painted(places, numpy.clip(volume / limit, -1, 1))
    axes.imshow(
        image, cmap=_colours(), vmin=-1, vmax=1, extent=box, origin="upper", aspect="equal",
        zorder=1, interpolation="nearest", clip_on=False,
    )  # fmt: skip
    edge = numpy.concatenate([places[0], places[:, -1], places[-1, ::-1], places[::-1, 0]])
    axes.plot(*edge.T, color=INK2, linewidth=0.6, zorder=1.5, clip_on=False)


def _painted(places: Array, values: Array) -> tuple[Array, tuple[float, float, float, float]]:
    """A sheet as an image of its values, masked beside it, and the box of the image.

    Triangles with colours that let the paper through show their seams. So the values are
    painted in opaque colours, red for the value and green for the sheet, and read back.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    flat = places.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    size = numpy.maximum(high - low, 1e-9 + 1e-6 * float((high - low).max()))
    figure = Figure(figsize=tuple(size / size.max()), dpi=PIXELS, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(low[0], low[0] + size[0]),
                           ylim=(low[1], low[1] + size[1]))  # fmt: skip
    axes.axis("off")
    code = LinearSegmentedColormap.from_list("code", [(0, 1, 0), (1, 1, 0)], N=256)
    axes.pcolormesh(
        places[..., 0], places[..., 1], values, cmap=code, vmin=-1, vmax=1, shading="gouraud"
    )
    canvas.draw()
    red, green = numpy.moveaxis(numpy.asarray(canvas.buffer_rgba(), float), 2, 0)[:2]
    image = numpy.ma.masked_where(green < 128, 2 * red / numpy.maximum(green, 1) - 1)
    return image, (low[0], low[0] + size[0], low[1], low[1] + size[1])


def _colours() -> Any:
    """From negative over nothing to positive: the paper shows through."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    low, high = to_rgb(BLUE), to_rgb(VERMILLION)
    ends = [(0, (*low, DEEPEST)), (0.5, (*low, 0)), (0.5, (*high, 0)), (1, (*high, DEEPEST))]
    return LinearSegmentedColormap.from_list("sign", ends, N=512)


def _told(lens: Lens, k: int, wide: float, scale: Scale) -> str:
    if lens.volume[k].size and lens.sheet[k].shape[2] < 2:
        return "no area left"
    mean = float(numpy.exp(lens.volume[k]).mean())
    return f"area × {mean:.2g}" + (f" · {wide:.3g} wide" if scale == "own" else "")


def _legend(figure: Figure, limit: float) -> None:
    """Colours and what they stand for, below the panels."""
    width, high = figure.get_size_inches()
    with panels.settings():
        axes = figure.add_axes((0.5 - 0.75 / width, 0.2 / high, 1.5 / width, 0.07 / high))
    share = numpy.linspace(-1, 1, 128)[None]
    axes.imshow(share, cmap=_colours(), vmin=-1, vmax=1, aspect="auto", extent=(-1, 1, 0, 1))
    axes.axis("off")
    factor = float(numpy.exp(limit))
    for place, text in ((-1, f"area ÷ {factor:.2g}"), (1, f"area × {factor:.2g}")):
        axes.annotate(
            text, (place, 0.5), (6 * place, 0), textcoords="offset points", size=6.3, color=INK2,
            ha="left" if place > 0 else "right", va="center_baseline",
        )  # fmt: skip
