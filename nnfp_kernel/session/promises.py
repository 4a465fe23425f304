"""What a definition promises, checked on its graph at sample sizes."""

from __future__ import annotations

from collections.abc import Callable

from ..language import syntax
from ..language import typed as p
from ..language.diagnostics import Label, NnfpError
from ..language.telling import plain
from ..language.uses import free_names
from ..runtime.function import Function


def require_kept(
    item: syntax.Definition,
    definition: p.Definition,
    as_defined: Callable[[str], Function],
    function: Callable[[str], Function],
    declared: syntax.Signature | None,
) -> None:
    """Raise NnfpError for a promise that the graph of a definition does not keep.

    `as_defined` gives the definition as a function, its brackets filled; `function` an
    expression as one; `declared` is the definition's signature.
    """
    if definition.linear:
        _require_linear(definition, as_defined, declared)
    if _has_promises(definition):
        _require_sample(function, item.name, "nonlinear-map")
    if "moore" in free_names(item):
        _require_sample(function, item.name, "moore-output")


def _require_linear(
    definition: p.Definition,
    as_defined: Callable[[str], Function],
    declared: syntax.Signature | None,
) -> None:
    """A definition declared `a -o b` must be linear: proved on its graph, at sample
    sizes. One that takes functions first is checked where it is used: what it gives
    is a derivative, a matrix or a map that was checked itself."""
    from ..linear.linearity import nonlinear_node

    name = called = definition.name
    if definition.brackets and definition.learns:
        called = f"{name}[{', '.join(['3'] * len(definition.brackets))}]"
    function = as_defined(called)
    try:
        traced = function.sample().traced
    except NnfpError as error:
        # A tree of another shape, as any sample, is no mistake of the definition.
        if error.diagnostics[0].code == "no-sample" or function.calls.takes_trees:
            return
        raise
    last = traced.arguments - traced.counts[-1]  # the argument of `-o`
    active = [
        last <= k < traced.arguments and wire.type.differentiable
        for k, wire in enumerate(traced.graph.inputs)
    ]
    found = nonlinear_node(traced.graph, active)
    if found is None:
        return
    place = definition.span
    origin = found.node.origin if found.node else None
    inside = origin is not None and origin.source == place.source
    arrow = "~>" if definition.learns else "->"
    better = None
    if declared is not None:
        written = declared.type.span.text
        before, _, after = written.rpartition("⊸" if "⊸" in written else "-o")
        better = declared.type.span, f"{before}{arrow}{after}"
    said = declared.type.span if declared is not None else place
    secondary = [Label(said, "`-o` says that it is linear")]
    if origin is not None and not inside:  # in what it uses, perhaps the library
        secondary.append(Label(origin, "this is not linear"))
    raise NnfpError(
        plain(
            "nonlinear-definition",
            f"`{name}` is declared linear, but it is not",
            origin if origin is not None and inside else place,
            "this is not linear in the argument",
            secondary=secondary,
            notes=[
                "A linear map keeps sums and multiples: `l (2 * u + v)` is `2 * l u + l v`. "
                f"`derivative {name} x` is the linear map at x. Write:"
                if better
                else "A linear map keeps sums and multiples: `l (2 * u + v)` is `2 * l u + l v`."
            ],
            better=better,
        )
    )


def _require_sample(function: Callable[[str], Function], name: str, code: str) -> None:
    """What is seen on a graph only, at sample sizes: a machine made by `moore`, a map
    said to be linear. One that is only put together where it is used is checked there."""
    try:
        function(name).sample()
    except NnfpError as error:
        if error.diagnostics[0].code == code:
            raise


def _has_promises(definition: p.Definition) -> bool:
    """Whether something in it is said to be linear, beside the whole of it."""
    return any(
        isinstance(node, p.Builtin) and node.name == "section" for node in p.nodes(definition.body)
    )
