"""Definitions sorted by use: each after what it uses, those of newer cells first.

Newer cells come first so that they win: where two uses settle a hole differently, the
older one is the one that breaks. Whoever is defined by way of itself is told here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from . import syntax
from .diagnostics import Diagnostic, Label
from .standing import Standing
from .telling import plain, start_of
from .uses import weights_named

_LOOPS = (
    "Loops are written with `fold`, `scan`, `unfold`, `iterate`, `while` and, over data, `cata`."
)


def sorted_by_use(
    standing: Standing,
    blame: Callable[[str, Diagnostic], None],
    urgent: Collection[str] = (),
) -> list[str]:
    """The names of all definitions, in an order in which they can be inferred.

    `blame` is told of every definition that takes part in a circle and closes it; `urgent`
    ones come as early as they can.
    """
    definitions = standing.definitions

    def needs(name: str) -> list[str]:
        item = definitions[name]
        used = [other for other in item.uses.names if other in definitions]
        if item.signature is not None:
            used += [other for other in weights_named(item.signature.type) if other in definitions]
        return used[::-1]

    newest_first = sorted(
        definitions,
        key=lambda name: (
            name not in urgent,
            -definitions[name].layer,
            definitions[name].position,
        ),
    )
    order: list[str] = []
    open_: dict[str, list[str]] = {}  # on the way down, with what is still to be visited
    finished: set[str] = set()
    blamed: set[str] = set()
    for root in newest_first:
        if root in finished:
            continue
        open_[root] = needs(root)
        path = [root]
        while path:
            name = path[-1]
            if not open_[name]:
                path.pop()
                del open_[name]
                finished.add(name)
                order.append(name)
                continue
            needed = open_[name].pop()
            if needed in open_:
                cycle = path[path.index(needed) :]
                if not blamed.intersection(cycle):
                    culprit, diagnostic = _circle(standing, cycle)
                    blamed.add(culprit)
                    blame(culprit, diagnostic)
            elif needed not in finished:
                open_[needed] = needs(needed)
                path.append(needed)
    return order


def _circle(standing: Standing, cycle: Sequence[str]) -> tuple[str, Diagnostic]:
    """The definition of a circle that came last, and what is said of it."""
    definitions = standing.definitions
    name = max(cycle, key=lambda n: (definitions[n].layer, definitions[n].position))
    place = cycle.index(name)
    turned = [*cycle[place:], *cycle[:place]]
    following = turned[1] if len(turned) > 1 else name
    span = definitions[name].uses.names.get(following, definitions[name].definition.span)
    title = f"`{name}` is defined by way of itself"
    if len(cycle) > 1:
        listed = " → ".join(f"`{n}`" for n in [*turned, name])
        return name, plain(
            "recursion",
            title,
            span,
            f"`{name}` uses `{following}`",
            secondary=[
                Label(
                    definitions[n].uses.names.get(used, definitions[n].definition.span),
                    f"`{n}` uses `{used}`",
                )
                for n, used in zip(turned[1:], [*turned[2:], name], strict=True)
            ],
            notes=[f"The circle: {listed}.", _LOOPS],
        )
    older = standing.older(name)
    if older is None:
        hints = [_LOOPS]
        if isinstance(definitions[name].definition.body, syntax.Cata):
            hints = [
                "In `cata`, a name that stands for a child is the result for that child already: "
                f"write `l` where `{name} l` is meant."
            ]
        return name, plain("recursion", title, span, "used here again", notes=hints)
    definition = definitions[name].definition
    apart = definitions[name].signature is None
    renamed = start_of(definition.span, name), f"{name}2"
    return name, plain(
        "redefinition-uses-itself",
        f"`{name}` is made from an older `{name}`",
        span,
        f"this is the new `{name}`, not the one before",
        secondary=[Label(older.span, "the older one")],
        notes=[
            "What uses a definition by name uses the newest, so the older one cannot be meant. "
            "Give the new one another name:"
        ],
        suggestion=f"{name}2 = …",
        better=renamed if apart else None,
    )
