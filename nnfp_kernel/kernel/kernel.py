"""IPython's kernel, whose cells are programs.

A cell's text is translated before it runs (`cells.py`); what is a program is completed,
inspected and judged complete by the session. Everything else is IPython's own and works as
in a Python notebook: `Out`, history, widgets, top-level `await` in a `%%python` cell,
tracebacks of Python, interrupt. Nothing of the language is imported before it is needed:
a kernel is there as soon as IPython's own.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, ClassVar

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type

from nnfp_kernel import __version__, load_ipython_extension
from nnfp_kernel.magics.completion import complete, program_of, told

from .cells import LOOK_UP, RUN, python_body, translate


class NnfpShell(ZMQInteractiveShell):
    """A shell whose cells are programs."""

    def transform_cell(self, raw_cell: str) -> str:
        # A cell comes here more than once; what was translated is Python by then.
        if raw_cell.lstrip().startswith((RUN, LOOK_UP)):
            return str(super().transform_cell(raw_cell))
        return str(super().transform_cell(translate(raw_cell)))

    @property
    def magics(self) -> Any:
        """The magics `%nnfp`, with the session."""
        return self.magics_manager.registry["NnfpMagics"]

    def run_program(self, program: str) -> Any:
        """Run a program in the session that the magics share."""
        return self.magics.cell("", program)

    def look_up(self, name: str, whole: bool) -> None:
        """Show what is known of a name: `NAME?`, or `NAME??` for the whole source. A name
        that no program knows is Python's."""
        found = self.inspected(name, len(name), whole)
        if found is None:
            self.run_line_magic("pinfo2" if whole else "pinfo", name)
            return
        payload = {"source": "page", "data": found._repr_mimebundle_(), "start": 0}
        self.payload_manager.write_payload(payload)

    def inspected(self, text: str, position: int, whole: bool) -> Any:
        """What is known of the name at an offset of a program, as a view; None for nothing."""
        from nnfp_kernel.magics import inspection

        session = self.magics.workspace.session
        found = session.inspect(program_of(text), position)
        if found is None:
            return None
        return inspection.view(found, tuple(session.program.reps), whole=whole)


class NnfpKernel(IPythonKernel):
    """The kernel."""

    shell_class = Type(NnfpShell)
    implementation = "nnfp"
    implementation_version = __version__
    banner = f"nnfp {__version__}: neural networks as functional programs"
    language_info: ClassVar[dict[str, Any]] = {
        "name": "nnfp",
        "version": __version__,
        "mimetype": "text/x-nnfp",
        "file_extension": ".nnfp",
        "pygments_lexer": "nnfp",
        "codemirror_mode": "nnfp",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        load_ipython_extension(self.shell)

    # --- interrupts -------------------------------------------------------------------------

    def pre_handler_hook(self) -> None:
        """An interrupt stops a cell, or what else is asked. Around a cell it waits: where
        ipykernel itself is struck it sends no reply, and a front end waits for one for ever."""
        super().pre_handler_hook()
        asked = self.get_parent("shell").get("header", {}).get("msg_type")
        self._struck, self._stoppable = False, asked != "execute_request"
        signal.signal(signal.SIGINT, self._strike)

    def _strike(self, number: int, frame: FrameType | None) -> None:
        self._struck = True
        if self._stoppable:
            raise KeyboardInterrupt

    async def do_execute(self, *given: Any, **asked: Any) -> Any:
        """Run a cell; one that is struck before it begins, or as it ends, is answered too."""
        if threading.current_thread() is not threading.main_thread():
            return await super().do_execute(*given, **asked)
        try:
            try:
                self._stoppable = True
                if self._struck:
                    raise KeyboardInterrupt
                return await super().do_execute(*given, **asked)
            finally:
                self._stoppable = False
        except KeyboardInterrupt:
            self._stoppable = False
            error = {"ename": "KeyboardInterrupt", "evalue": "", "traceback": ["KeyboardInterrupt"]}
            self.send_response(self.iopub_socket, "error", error)
            count = self.shell.execution_count
            return {"status": "error", "execution_count": count, "user_expressions": {}, **error}

    # --- what is asked beside cells -----------------------------------------------------------

    def do_is_complete(self, code: str) -> dict[str, str]:
        """Whether a console should run a cell; the indentation of its next line if not."""
        body = python_body(code)
        if body is not None:
            return dict(super().do_is_complete(body))
        if code.startswith("%%"):
            return dict(super().do_is_complete(code))
        from nnfp_kernel.language.parser import is_complete

        status, indent = is_complete(program_of(code))
        return (
            {"status": status, "indent": indent} if status == "incomplete" else {"status": status}
        )

    def do_complete(self, code: str, cursor_pos: int | None) -> dict[str, Any]:
        """What fits where the cursor stands, with types."""
        position = len(code) if cursor_pos is None else cursor_pos
        body = python_body(code)
        if body is not None:
            return self._shifted(super().do_complete, code, body, position)
        if _is_ipythons(code, position):
            return dict(super().do_complete(code, position))
        found = complete(self.shell.magics.workspace, code, position)
        types = [
            {
                "start": found.start,
                "end": found.end,
                "text": each.text,
                "type": told(each),
                "signature": each.type,
            }
            for each in found.items
        ]
        return {
            "status": "ok",
            "matches": [each.text for each in found.items],
            "cursor_start": found.start,
            "cursor_end": found.end,
            "metadata": {"_jupyter_types_experimental": types},
        }

    def _shifted(self, ask: Any, code: str, body: str, position: int) -> dict[str, Any]:
        """Completions of the Python in a `%%python` cell, counted from the cell's start."""
        before = len(code) - len(body)
        if position < before:
            return dict(ask(code, position))
        reply = dict(ask(body, position - before))
        reply["cursor_start"] += before
        reply["cursor_end"] += before
        for each in reply["metadata"].get("_jupyter_types_experimental", ()):
            each["start"] += before
            each["end"] += before
        return reply

    def do_inspect(
        self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()
    ) -> dict[str, Any]:
        """What is known of the name at the cursor: type, documentation, weights, source."""
        body = python_body(code)
        if body is not None:
            position = max(0, cursor_pos - (len(code) - len(body)))
            return dict(super().do_inspect(body, position, detail_level, omit_sections))
        if not _is_ipythons(code, cursor_pos):
            found = self.shell.inspected(code, cursor_pos, detail_level > 0)
            if found is not None:
                data = dict(found._repr_mimebundle_())
                return {"status": "ok", "found": True, "data": data, "metadata": {}}
        return dict(super().do_inspect(code, cursor_pos, detail_level, omit_sections))


def _is_ipythons(code: str, position: int) -> bool:
    """Whether an offset is on a line of IPython's, or in a cell of another cell magic."""
    start = code.rfind("\n", 0, position) + 1
    if code.startswith("%%"):
        return True
    return code.startswith(("%", "!", "?"), start) and not code.startswith("%nnfp", start)
