"""`%%nnfp` and `%nnfp` for any Python notebook: `%load_ext nnfp_kernel`.

One file per verb (`type.py`, `train.py`, …); `verb.py` says what a verb is, and
`workspace.py` what all of them work on. A verb translates a request into calls of the
session and of the views, and does not think.
"""

from __future__ import annotations

from typing import Any


def register(shell: Any) -> None:
    """Give a shell the magics, their completion and their settings. Twice does no harm:
    the session is kept."""
    from . import errors
    from .notebook import NnfpMagics

    errors.register(shell)
    if "NnfpMagics" not in shell.magics_manager.registry:
        magics = NnfpMagics(shell)
        shell.register_magics(magics)
        shell.configurables.append(magics.settings)
        shell.Completer.custom_matchers.append(magics.matcher)


def unregister(shell: Any) -> None:
    """Take from a shell all that `register` gave it."""
    from . import errors

    errors.unregister(shell)
    manager = shell.magics_manager
    magics = manager.registry.pop("NnfpMagics", None)
    for kind in ("line", "cell"):
        manager.magics[kind].pop("nnfp", None)
    if magics is not None:
        for each in (magics, magics.settings):  # magics enter themselves when they are made
            shell.configurables.remove(each)
        shell.Completer.custom_matchers.remove(magics.matcher)
