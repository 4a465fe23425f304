"""What a definition says, as a number: whoever kept it can tell whether it has changed.

Its words and its type count; comments, layout and its place do not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from . import typed as p
from .infer import show_type
from .layout import RawItem, arrange, scan
from .source import Source


def digests(definitions: Mapping[str, p.Definition], name: str) -> dict[str, str]:
    """The digests of a definition and of all that it uses, by name; the library's too.

    >>> from nnfp_kernel import Session
    >>> def told(program):
    ...     session = Session()
    ...     _ = session.run(program)
    ...     return digests(session.program.definitions, "g")
    >>> told("f x = 2 * x\\ng x = f x + 1") == told("-- New.\\ng x =\\n  f x + 1\\nf x = 2*x")
    True
    >>> sorted(told("f x = 3 * x\\ng x = f x + 1"))
    ['f', 'g']
    """
    found: dict[str, str] = {}
    pending = [name]
    while pending:
        name = pending.pop()
        if name in found or name not in definitions:
            continue
        definition = definitions[name]
        found[name] = _digest(definition)
        pending.extend(node.name for node in p.nodes(definition.body) if isinstance(node, p.Global))
    return found


def digest_of(texts: Mapping[str, str]) -> str:
    """One digest of several."""
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()


def _digest(definition: p.Definition) -> str:
    source = Source(definition.span.text)
    tokens = list(scan(source))  # none of a definition that Python made
    arranged = arrange(RawItem(source, tokens), partial=True) if tokens else []
    words = [token.text or token.kind for token in arranged]
    return hashlib.sha256("\0".join([show_type(definition), *words]).encode()).hexdigest()
