"""The weights that a session keeps: each drawn when it is first asked for, and kept while what
the program says of it stays as it is.

    kept.value(("line", "a"))                  its first value, or what it was set to
    kept.set({"line.a": 3.0})                  checked, and copied
    with kept.all_or_nothing(): …              what fails inside changes none

They are kept by path, and by type and initialiser: a cell that says the same again finds
its weights again, one that changes a size finds new ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..language import typed as p
from ..language import types as t
from ..language.reach import ReachedWeight, WeightPath
from ..runtime.calls import misfits
from ..runtime.exchange import Misfit, flatten, match, paths_of, rebuild, unflatten_paths
from ..runtime.lower import DTYPES
from ..runtime.machine import persistent
from ..runtime.program import Program
from ..runtime.weights import first_value

Array = Any


@dataclass(frozen=True)
class Kept:
    """A weight's value, and what it is a value of: kept while these stay as they are."""

    type: str
    initialiser: p.Initialiser
    value: Any


class KeptWeights:
    """The weights of what stands. `program` is what stands now, `names` its definitions in
    their order; `turn` is who may change a session."""

    def __init__(
        self,
        seed: int,
        turn: threading.RLock,
        program: Callable[[], Program],
        names: Callable[[], Sequence[str]],
    ) -> None:
        self.seed, self.turn = seed, turn
        self.program, self.names = program, names
        self._kept: dict[WeightPath, Kept] = {}
        self._changes = 0  # of what is kept
        self._nested: tuple[Program, int, dict[str, Any]] | None = None

    def value(self, path: WeightPath) -> Any:
        """A weight's present value. Raises NnfpError while its size is open."""
        weight = self._find(path)
        kept = self._kept.get(path)
        if kept is None or (kept.type, kept.initialiser) != (weight.shown, weight.initialiser):
            kept = self._kept[path] = Kept(weight.shown, weight.initialiser, self._first(weight))
        return kept.value

    def _find(self, path: WeightPath) -> ReachedWeight:
        for weight in self.program().reached(path[0]):
            if weight.path == path:
                return weight
        raise KeyError(path)

    def _first(self, weight: ReachedWeight) -> Any:
        import jax

        program = self.program()
        prepare_jax(program.precision)
        # A number also where a function that holds this weight constant is being traced.
        with jax.ensure_compile_time_eval():
            return first_value(
                weight, jax.random.key(self.seed), program.declarations,
                DTYPES[program.precision]["R"],
            )  # fmt: skip

    def arrays(self, wanted: Sequence[Any]) -> list[Array]:
        """The arrays of some weights, as a graph takes them."""
        import jax

        return [leaf for weight in wanted for leaf in jax.tree.leaves(self.value(weight.path))]

    def nested(self) -> dict[str, Any]:
        """The present weights of all definitions that stand, whose sizes are settled."""
        return unflatten_paths({path: self.value(path) for path in self._settled()})

    def present(self) -> dict[str, Any]:
        """The same for our own use, put together anew only when something changed."""
        nested, program = self._nested, self.program()
        if nested is None or nested[0] is not program or nested[1] != self._changes:
            nested = self._nested = program, self._changes, self.nested()
        return nested[2]

    def set(self, nested: Mapping[str, Any]) -> None:
        """Set weights by path, or nested. Raises NnfpError for those that are not there or
        have another shape; then none is set."""
        known, declarations = self._settled(), self.program().declarations
        fresh: dict[WeightPath, Kept] = {}
        for keys, value in paths_of(nested):
            path = tuple(part for key in keys for part in str(key).split("."))
            weight = known.get(path)
            if weight is None:
                raise misfits.unknown("weight", ".".join(path), map(".".join, known))
            try:
                match(weight.type, value, declarations, ".".join(path))
            except Misfit as misfit:
                raise misfits.weight_set(misfit, ".".join(path), weight.span) from None
            own = self._own(value, weight.type)
            fresh[path] = Kept(weight.shown, weight.initialiser, own)
        self._update(fresh)

    def keep(self, paths: Sequence[WeightPath]) -> Callable[[Mapping[str, Any]], None]:
        """What keeps later values of the weights that these paths have now: those of a
        training, at whose end the program may be another."""
        for path in paths:
            self.value(path)
        before = {path: self._kept[path] for path in paths}

        def keep(found: Mapping[str, Any]) -> None:
            self._update(
                {path: replace(before[path], value=value) for path, value in paths_of(found)}
            )

        return keep

    def reset(self, name: str | None = None) -> None:
        """First values again for what a definition reaches, or for all."""
        self._changes += 1
        if name is None:
            self._kept.clear()
        else:
            for weight in self.program().reached(name):
                self._kept.pop(weight.path, None)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What fails inside leaves the weights as they were."""
        before = dict(self._kept)
        try:
            yield
        except BaseException:
            self._kept = before
            self._changes += 1
            raise

    def _update(self, fresh: Mapping[WeightPath, Kept]) -> None:
        with self.turn:
            self._kept.update(fresh)  # at once: an interrupt finds none or all of them
            self._changes += 1

    def _settled(self) -> dict[WeightPath, ReachedWeight]:
        program = self.program()
        found: dict[WeightPath, ReachedWeight] = {}
        for name in self.names():
            definition = program.definitions.get(name)
            if definition is not None and definition.brackets is None:
                for weight in program.reached(name):
                    if t.is_concrete(weight.type):
                        found.setdefault(weight.path, weight)
        return found

    def _own(self, value: Any, type: t.Type) -> Any:
        """A copy of a weight's value: an array of the caller's may change under it."""
        import jax

        program = self.program()
        prepare_jax(program.precision)
        dtypes, declarations = DTYPES[program.precision], program.declarations
        arrays = flatten(
            value, type, declarations, lambda leaf, kind: jax.numpy.array(leaf, dtypes[kind])
        )
        return rebuild(type, arrays, declarations)


def prepare_jax(precision: int) -> None:
    """When arrays are first needed: 64 bits are a flag of the whole process, and what is
    compiled is kept on disk."""
    persistent.begin()
    if precision == 64:
        import jax

        jax.config.update("jax_enable_x64", True)
