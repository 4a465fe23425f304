"""nnfp: neural networks as functional programs.

    import nnfp_kernel as nnfp
    session = nnfp.Session()
    session.run("double x = 2 * x")
    session["double"](3.0)

In a notebook: `%load_ext nnfp_kernel`. Importing this imports no jax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .language.diagnostics import Diagnostic, NnfpError

if TYPE_CHECKING:
    from . import widgets
    from .runtime.data import tree
    from .session import Function, Session

__version__ = "0.1.0"
__all__ = ["Diagnostic", "Function", "NnfpError", "Session", "__version__", "tree", "widgets"]


def __getattr__(name: str) -> Any:
    if name in ("Function", "Session"):
        from . import session

        return getattr(session, name)
    if name == "tree":
        from .runtime.data import tree

        return tree
    if name == "widgets":
        from importlib import import_module

        return import_module(".widgets", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext nnfp_kernel`."""
    from .magics import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext nnfp_kernel`."""
    from .magics import unregister

    unregister(shell)
