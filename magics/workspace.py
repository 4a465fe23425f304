"""What magics and verbs work on: one session, the names of Python, and a place to show.

The same for a notebook, a terminal and `nnfp run`; the three differ in their `Host`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.error import UsageError

from nnfp_kernel.runtime.machine import persistent

from .settings import Nnfp
from .verb import View, find

if TYPE_CHECKING:
    from nnfp_kernel.session import Session


class Live(Protocol):
    """An output that is replaced as things go on. A view is made only where it is shown. An
    update may be a KeyboardInterrupt: a person has pressed its stop button."""

    def update(self, view: Callable[[], View], *, last: bool = False) -> None: ...

    def close(self) -> None: ...


class Host(Protocol):
    """Where outputs go."""

    @property
    def widgets(self) -> bool:
        """Whether a person may be there, with a front end that runs widgets."""

    def show(self, view: View) -> None: ...

    def live(self) -> Live: ...


class Workspace:
    """A session and what surrounds it."""

    def __init__(
        self,
        host: Host,
        namespace: Mapping[str, Any] | None = None,
        folder: str | Path = ".",
        settings: Nnfp | None = None,
    ) -> None:
        self.host = host
        self.settings = settings or Nnfp()
        self.settings.observe(self._settled, ["precision", "seed"])
        self.settings.observe(self._settle_cache, ["cache", "cache_size"])
        self._settle_cache()
        self.folder = folder  # where `import "file.nnfp"` looks
        self.namespace: Mapping[str, Any] = {} if namespace is None else namespace
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session, made on first need: making it is not free."""
        if self._session is None:
            self.reset()
        assert self._session is not None
        return self._session

    def reset(self, precision: int | None = None) -> None:
        """A new session, in the precision of the settings unless one is given."""
        from nnfp_kernel.session import Session

        self._session = Session(
            precision=precision or self.settings.precision,
            seed=self.settings.seed,
            folder=self.folder,
        )

    def _settled(self, _change: object) -> None:
        """The settings have changed: a session in which nothing stands makes place."""
        if self._session is not None and not self._session.started:
            self._session = None

    def _settle_cache(self, _change: object = None) -> None:
        persistent.settle(self.settings.cache, self.settings.cache_size)

    def run(self, program: str, name: str | None = None) -> View | None:
        """Run a program; lines of magic run in their place. What is left to show, if
        anything, is the answer."""
        from nnfp_kernel.session import Magic

        from . import present

        gathered: list[Any] = []

        def take(output: Any) -> None:
            if not isinstance(output, Magic):
                gathered.append(output)
                return
            self._show(present.cell(self.session, gathered))
            gathered.clear()
            self._show(self.line(output.text.strip().removeprefix("%nnfp")))

        result = self.session.run(program, name, take)
        return present.cell(self.session, gathered, present.notes(result))

    def line(self, text: str) -> View | None:
        """Run `VERB …`; with `;` at its end it shows nothing."""
        asked = text.strip()
        verb, _, rest = asked.removesuffix(";").partition(" ")
        view = find(verb or "help").run(self, rest.strip())
        return None if asked.endswith(";") else view

    def data(self, name: str, asked: str) -> Any:
        """A name of data: looked up in the program, then in Python. A function is no data;
        a UsageError begins with what was `asked`."""
        from nnfp_kernel.runtime.function import Function

        found = [self.session[name]] if name in self.session.names else []
        found += [self.namespace[name]] if name in self.namespace else []
        for data in found:
            if not isinstance(data, Function):
                return data
        if found:
            raise UsageError(f"{asked}: {name} is a function; examples are wanted, as an array")
        told = f"{asked}: neither the program nor Python has a {name}"
        raise UsageError(f"{told}{self._way_to_data(name)}")

    def _way_to_data(self, name: str) -> str:
        """What to write where no data have this name."""
        if name.endswith((".npy", ".npz")):
            made = Path(name).stem
            return f". Load it, {made} = numpy.load({name!r}); in a terminal, add --from {name}"
        if not name.isidentifier():
            return ". What is no name is given one in Python first: part = X[:100]"
        known = [*self.session.names, *(each for each in self.namespace if each[:1] != "_")]
        near = [each for each in known if each.lower() == name.lower()]
        near += difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        return f". Do you mean {near[0]}?" if near else ""

    def _show(self, view: View | None) -> None:
        if view is not None:
            self.host.show(view)
