"""What every view is besides a widget: a page of its own, a picture and a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from .modules import css
from .page import BUDGET, fitting, page


class View(anywidget.AnyWidget):
    """A widget whose page needs no kernel; elsewhere it is a picture, or a text.

    Each has its `module` of static/, the traits that its page has `held`, too, and its
    `arrays` of bytes; and says its title, its text, its forms where no widgets run, and
    what would make its page smaller.
    """

    module: ClassVar[str]
    styles: ClassVar[tuple[str, ...]] = ()
    held: ClassVar[tuple[str, ...]]
    arrays: ClassVar[tuple[str, ...]] = ("numbers",)

    numbers = traitlets.Bytes().tag(sync=True)
    options = traitlets.Dict().tag(sync=True)
    saves = traitlets.Bool(True).tag(sync=True)  # whether Python is there to be asked

    if TYPE_CHECKING:

        @property
        def title(self) -> str: ...

        @property
        def text(self) -> str:
            """What is seen, in words and numbers."""

        def forms(self) -> dict[str, str]:
            """The picture and the text, by MIME type."""

        def advice(self) -> str:
            """What would make the page smaller."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._asked)

    def html(self) -> str:
        """The page that `save` writes."""
        return self.page()

    def page(self, **more: Any) -> str:
        """A page of what is held, some of it perhaps `more` than the widget holds."""
        values = self.trait_values() | more
        state = {name: values[name] for name in self.held} | {"saves": False}
        numbers = {name: values[name] for name in self.arrays}
        return page(self.title, self.module, self.style, state, numbers, self.text)

    @property
    def style(self) -> str:
        """The CSS of its page."""
        return css(*self.styles)

    def save(self, path: str | Path, budget: int = BUDGET) -> int:
        """Write a page that needs no kernel and no network; gives its bytes.

        Raises ValueError where it would be larger than `budget` bytes, and says what to reduce.
        """
        return Path(path).write_bytes(fitting(self.html(), budget, self.advice()))

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """The widget where widgets run; elsewhere the picture, or the text."""
        widget, metadata = super()._repr_mimebundle_(**given) or ({}, {})
        return {**widget, **self.forms()}, metadata

    def _asked(self, _widget: object, said: object, _buffers: object) -> None:
        if said == "page":
            self.send({"page": self.html(), "name": f"{self.title}.html"})
