"""What a view is given: a function of a session. Of another thing it is said what it is."""

from __future__ import annotations

from ..runtime.function import Function


def required_function(given: object) -> Function:
    """The same function; raises TypeError for what is none, and says where one comes from.

    >>> required_function("net")
    Traceback (most recent call last):
    ...
    TypeError: a function of a session is shown, session["net"], and not its name
    """
    if isinstance(given, Function):
        return given
    what = "its name" if isinstance(given, str) else f"a value of Python's, {type(given).__name__}"
    name = given if isinstance(given, str) and given.isidentifier() else "net"
    raise TypeError(f'a function of a session is shown, session["{name}"], and not {what}')
