"""Views in the forms that need no widget: HTML with a picture in it, SVG and text.

In a notebook they stand beside the widget, for what shows none: GitHub, nbconvert, e-mail.
"""

from __future__ import annotations

from typing import Any, Literal

from nnfp_kernel.language.palette import picture
from nnfp_kernel.views.film import Film
from nnfp_kernel.views.film.text import table as film_table
from nnfp_kernel.views.geometry.regions import Regions
from nnfp_kernel.views.geometry.strip import Strip
from nnfp_kernel.views.geometry.text import regions_table, strip_table
from nnfp_kernel.views.scene import Scene
from nnfp_kernel.views.scene.text import table
from nnfp_kernel.views.style import escape, page
from nnfp_kernel.views.table import Grid, grid_to_text
from nnfp_kernel.views.unroll import Unrolled
from nnfp_kernel.views.unroll.text import told as steps_told

from . import figures


def told(scene: Scene) -> str:
    """A scene in words and numbers."""
    return titled(scene, table(scene))


def titled(scene: Scene, rows: Grid) -> str:
    """A table of a scene's stages, under its name and type."""
    return f"{scene.name} : {scene.type}\n{grid_to_text(rows)}"


def bend(scene: Scene, scale: Literal["one", "own"] | None = None) -> dict[str, str]:
    """Every stage of a scene beside the other, by MIME type."""
    return drawn(told(scene), figures.bend(scene, scale=scale))


def filmed(film: Film) -> str:
    """A film in words and numbers."""
    return titled(film.scene, film_table(film))


def film(film: Film) -> dict[str, str]:
    """Some moments of a training, and every stage at each, by MIME type."""
    return drawn(filmed(film), figures.film(film))


def strip(found: Strip) -> dict[str, str]:
    """Every stage with what is measured of it below, by MIME type."""
    return drawn(titled(found.scene, strip_table(found)), figures.strip(found))


def regions(
    found: Regions, scene: Scene, scale: Literal["one", "own"] | None = None
) -> dict[str, str]:
    """The linear regions in the input, and where every stage has them, by MIME type."""
    figure = figures.regions(found, scene, scale=scale)
    return drawn(titled(scene, regions_table(found, scene)), figure)


def unroll(shown: Unrolled, part: int = 0) -> dict[str, str]:
    """A part of what repeats in a function, with all its values, by MIME type."""
    return drawn(steps_told(shown), figures.unroll(shown, part))


def drawn(text: str, figure: Any) -> dict[str, str]:
    """A figure, and the text whose first line is its title, by MIME type."""
    svg = figures.to_svg(figure)
    title = escape(text.partition("\n")[0])
    shown = picture(figures.themed(svg), f"<pre>{escape(text)}</pre>")
    head = f'<div class="code" style="margin-bottom:8px">{title}</div>'
    return {"text/plain": text, "text/html": page(f"{head}\n{shown}"), "image/svg+xml": svg}
