"""Views in the forms that need no widget: HTML with a picture in it, SVG and text.

In a notebook they stand beside the widget, for what shows none: GitHub, nbconvert, e-mail.
"""

from __future__ import annotations

from typing import Literal

from nnfp_kernel.language.palette import picture
from nnfp_kernel.views.scene import Scene
from nnfp_kernel.views.scene.text import table
from nnfp_kernel.views.style import escape, page
from nnfp_kernel.views.table import grid_to_text

from . import figures


def told(scene: Scene) -> str:
    """A scene in words and numbers."""
    return f"{scene.name} : {scene.type}\n{grid_to_text(table(scene))}"


def bend(scene: Scene, scale: Literal["one", "own"] | None = None) -> dict[str, str]:
    """Every stage of a scene beside the other, by MIME type."""
    svg = figures.to_svg(figures.bend(scene, scale=scale))
    text = told(scene)
    title = escape(text.partition("\n")[0])
    drawn = picture(figures.themed(svg), f"<pre>{escape(text)}</pre>")
    head = f'<div class="code" style="margin-bottom:8px">{title}</div>'
    return {"text/plain": text, "text/html": page(f"{head}\n{drawn}"), "image/svg+xml": svg}
