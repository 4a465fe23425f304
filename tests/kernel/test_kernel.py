"""The kernel `nnfp` in a process of its own, over its sockets."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from kernel.messages import PATIENCE, content_of, ok, reply_to, run, started, text, told

from nnfp_kernel.kernel.cells import translate

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"


def test_a_cell_is_a_program(client: BlockingKernelClient) -> None:
    status, messages = run(client, "net : R[3] ~> R[2]\nnet = dense[2]")
    assert status == "ok"
    assert "net   R[3] ~> R[2]" in text(messages)
    (result,) = [m for m in messages if m["msg_type"] == "execute_result"]
    assert "text/html" in result["content"]["data"]


def test_a_python_cell_shares_the_process_and_its_names(client: BlockingKernelClient) -> None:
    assert run(client, "%%python\nimport numpy\nx = numpy.ones(3)\nprint(x.sum())")[0] == "ok"
    status, messages = run(client, "%%nnfp -i x -o y\ny = 2 * x")
    assert status == "ok", text(messages)
    status, messages = run(client, "%%py\nlist(y)")
    assert status == "ok"
    assert text(messages).count("Array(2.") == 3


def test_lines_of_magic_run_before_a_program(client: BlockingKernelClient) -> None:
    status, messages = run(client, "!echo hello\n%nnfp type sum\nsum [1, 2]")
    assert status == "ok"
    told = text(messages)
    assert "hello" in told
    assert "sum : " in told
    assert "3 : R" in told


def test_a_mistake_is_shown_as_html_and_stops_without_python_frames(
    client: BlockingKernelClient,
) -> None:
    run(client, "rep A = R[3]\nrep B = R[3]\nencode = A\ndecode (B x) = x")
    status, messages = run(client, "f = encode >> decode")
    assert status == "error"
    _, shown, error = messages
    forms = shown["content"]["data"]
    assert shown["msg_type"] == "display_data"
    assert "<svg" in forms["text/html"]  # the wire that does not fit
    assert "f = encode >> decode" in forms["text/plain"]
    assert "Both are R[3], but A is not B" in forms["text/plain"]
    assert error["msg_type"] == "error"
    assert error["content"]["ename"] == "NnfpError"
    (line,) = error["content"]["traceback"]  # the HTML has said the rest
    assert line.startswith("NnfpError: these representations do not compose (cell ")
    assert error["content"]["evalue"] == forms["text/plain"]  # for logs
    assert ".py" not in "".join(forms.values())
    assert run(client, "1 + 1")[0] == "ok"  # and the kernel goes on


def test_a_mistake_that_shows_in_python_is_shown_as_html_too(
    client: BlockingKernelClient,
) -> None:
    run(client, "%%nnfp -o double\ndouble : R[3] -> R[3]\ndouble x = 2 * x")
    status, messages = run(client, "%%python\ndouble([1.0, 2.0])")
    assert status == "error"
    _, shown, error = messages
    assert "nnfp-errors" in shown["content"]["data"]["text/html"]
    assert len(error["content"]["traceback"]) == 1


def test_a_wrong_flag_fails_the_cell(client: BlockingKernelClient) -> None:
    status, messages = run(client, "%nnfp fly")
    assert status == "error"
    assert "has no verb" in text(messages)


def wait_until_it_trains(client: BlockingKernelClient, asked: str) -> None:
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") == asked and "loss" in text([message]):
            return


def test_an_interrupted_training_keeps_its_weights_and_the_kernel_goes_on(
    client: BlockingKernelClient, manager: KernelManager
) -> None:
    run(client, "%%python\nimport numpy\nX = numpy.ones((64, 3))\ntarget = numpy.ones(64)")
    run(client, "model : R[3] ~> R\nmodel x = ?w @ x")
    waited: list[float] = []
    while min(waited, default=1.0) >= 1 and len(waited) < 4:  # others may want the processor, too
        asked = client.execute(
            "%nnfp train model --data X,target --loss squaredError --steps 1000000000"
        )
        wait_until_it_trains(client, asked)
        struck = time.monotonic()
        manager.interrupt_kernel()
        messages = told(client, asked)
        waited.append(time.monotonic() - struck)
        assert reply_to(client, asked)["content"]["status"] == "ok"
        updates = [m for m in messages if m["msg_type"] == "update_display_data"]
        assert "interrupted after" in text(updates[-1:])
        assert "are kept" in text(updates[-1:])
        assert run(client, "1 + 1")[0] == "ok"
    assert min(waited) < 1, waited


def test_a_widget_is_answered_while_a_cell_trains(
    client: BlockingKernelClient, manager: KernelManager
) -> None:
    """Comm messages go by a subshell, as front ends send them: another thread of the kernel,
    which reads the session and calls its functions while the main one trains."""
    setup = """%%python
import numpy
X = numpy.ones((64, 3))
session = get_ipython().magics.workspace.session
def opened(comm, message):
    @comm.on_msg
    def _(message):
        comm.send({"names": session.names, "value": float(session["half"](3.0))})
get_ipython().kernel.comm_manager.register_target("asked", opened)"""
    ok(client, "half : R -> R\nhalf x = x / 2\nspread : R[3] ~> R\nspread x = squaredError x ?at")
    ok(client, setup)
    request = client.session.msg("create_subshell_request")
    client.control_channel.send(request)
    subshell = client.get_control_msg(timeout=PATIENCE)["content"]["subshell_id"]
    asked = client.execute("%nnfp train spread --data X --steps 1000000000")
    wait_until_it_trains(client, asked)
    comm = {"comm_id": "one", "target_name": "asked", "data": {}}
    for kind, content in (("comm_open", comm), ("comm_msg", {"comm_id": "one", "data": {}})):
        message = client.session.msg(kind, content)
        message["header"]["subshell_id"] = subshell
        client.shell_channel.send(message)
    while True:
        answer = client.get_iopub_msg(timeout=PATIENCE)
        if answer["msg_type"] == "comm_msg":
            break
        assert answer["content"] != {"execution_state": "idle"} or (
            answer["parent_header"].get("msg_id") != asked
        ), "the training ended first"
    assert answer["content"]["data"]["value"] == 1.5
    assert "spread" in answer["content"]["data"]["names"]
    manager.interrupt_kernel()
    told(client, asked)
    assert reply_to(client, asked)["content"]["status"] == "ok"


def test_a_training_is_stopped_by_the_button_of_its_widget(client: BlockingKernelClient) -> None:
    """As a front end with widgets has it: it says that it is here, then that the button was
    pressed, both by a subshell. In the end no widget is left in the output."""
    request = client.session.msg("create_subshell_request")
    client.control_channel.send(request)
    subshell = client.get_control_msg(timeout=PATIENCE)["content"]["subshell_id"]

    def say(comm: str, word: str) -> None:
        message = client.session.msg(
            "comm_msg", {"comm_id": comm, "data": {"method": "custom", "content": word}}
        )
        message["header"]["subshell_id"] = subshell
        client.shell_channel.send(message)

    def until(kind: str) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = client.get_iopub_msg(timeout=PATIENCE)
            assert message["content"] != {"execution_state": "idle"} or (
                message["parent_header"].get("msg_id") != asked
            ), "the training ended first"
            if message["msg_type"] == kind:
                yield message["content"]

    ok(client, "%%python\nimport numpy\nX = numpy.ones((64, 3))")
    ok(client, "spread : R[3] ~> R\nspread x = squaredError x ?at")
    asked = client.execute("%nnfp train spread --data X --steps 1000000000")
    opened = (each for each in until("comm_open") if "picture" in each["data"]["state"])
    comm = next(opened)["comm_id"]
    for update in until("update_display_data"):
        forms = update["data"]
        if WIDGET in forms:
            break
        say(comm, "here")  # again, as the front end does: the first may be too early
    assert forms[WIDGET]["model_id"] == comm
    assert forms["text/plain"].startswith("epoch ")
    assert "<svg" in forms["text/html"]
    shown = [next(until("comm_msg"))["data"]["state"]["picture"] for _ in range(3)]
    assert len(set(shown)) == 3

    say(comm, "stop")
    messages = told(client, asked)  # not of a billion steps
    assert reply_to(client, asked)["content"]["status"] == "ok"
    (last,) = [m["content"]["data"] for m in messages if m["msg_type"] == "update_display_data"]
    assert set(last) == {"text/plain", "text/html"}
    assert "interrupted after" in last["text/plain"]
    assert "are kept" in last["text/plain"]
    assert comm in [m["content"]["comm_id"] for m in messages if m["msg_type"] == "comm_close"]


def test_a_training_that_nobody_watches_opens_no_widget(
    client: BlockingKernelClient, manager: KernelManager
) -> None:
    """nbclient's notebooks: no widget is in the output, nor its state in the metadata."""
    asked = client.execute("%nnfp train spread --data X --steps 1000000000", allow_stdin=False)
    wait_until_it_trains(client, asked)
    time.sleep(1.0)
    manager.interrupt_kernel()
    messages = told(client, asked)
    assert reply_to(client, asked)["content"]["status"] == "ok"
    assert {m["msg_type"] for m in messages} <= {"status", "update_display_data"}
    assert not [m for m in messages if WIDGET in m["content"].get("data", {})]


def test_python_that_is_interrupted_leaves_a_kernel_that_goes_on(
    client: BlockingKernelClient, manager: KernelManager
) -> None:
    asked = client.execute("%%python\nimport time\nprint('here', flush=True)\ntime.sleep(60)")
    while "here" not in text([client.get_iopub_msg(timeout=PATIENCE)]):
        pass
    manager.interrupt_kernel()
    told(client, asked)
    assert reply_to(client, asked)["content"]["ename"] == "KeyboardInterrupt"
    assert "2 : R" in ok(client, "1 + 1")


@pytest.mark.parametrize("place", ["before", "after"])
def test_an_interrupt_beside_a_cell_is_answered(client: BlockingKernelClient, place: str) -> None:
    """While the kernel itself is at work, on which a front end would wait for ever."""
    ok(client, STRUCK.format(what="do_execute" if place == "before" else "finish_metadata"))
    status, messages = run(client, "1 + 1")
    if place == "before":
        assert status == "error"
        assert [m["content"]["ename"] for m in messages if m["msg_type"] == "error"] == [
            "KeyboardInterrupt"
        ]
    else:  # it is over: there is nothing to stop any more
        assert "2 : R" in text(messages)
    assert "2 : R" in ok(client, "1 + 1")


STRUCK = """%%python
import os, signal
kernel = get_ipython().kernel
def strike(*given, before=kernel.{what}, **asked):
    del kernel.{what}  # of this kernel alone: once
    os.kill(os.getpid(), signal.SIGINT)
    return before(*given, **asked)
get_ipython().events.register("post_run_cell", strike_next := lambda *_: (
    get_ipython().events.unregister("post_run_cell", strike_next), setattr(kernel, "{what}", strike)))
"""


def test_a_cell_sent_with_a_wrong_one_is_put_off_and_the_next_runs(
    client: BlockingKernelClient,
) -> None:
    wrong = client.execute("1 + nowhere")
    waiting = client.execute("1 + 1")
    told(client, wrong)
    assert reply_to(client, wrong)["content"]["status"] == "error"
    told(client, waiting)
    assert reply_to(client, waiting)["content"]["status"] == "aborted"
    assert "3 : R" in ok(client, "1 + 2")


def test_two_hundred_cells_in_a_row(client: BlockingKernelClient) -> None:
    ok(client, "%nnfp reset")
    cells = [
        f"c{k} : R -> R\nc{k} x = {k} + {f'c{k - 1} x' if k % 20 else 'x'}" for k in range(200)
    ]
    asked = [client.execute(cell) for cell in cells]
    for k, each in enumerate(asked):
        assert f"c{k} " in text(told(client, each))
        assert reply_to(client, each)["content"]["status"] == "ok"
    assert "3790 : R" in ok(client, "c199 0")


def test_a_cell_of_ten_thousand_lines(client: BlockingKernelClient) -> None:
    lines = [f"n{k} = {k}" if k % 100 == 0 else f"-- line {k}" for k in range(9_999)]
    told_of = ok(client, "\n".join([*lines, "n9900 + n100"]))
    assert "10000 : R" in told_of
    status, messages = run(client, "\n".join([*lines, "n9900 + nowhere"]))
    assert status == "error"
    assert "line 10000" in "\n".join(messages[-1]["content"]["traceback"])
    ok(client, "%nnfp reset")


def test_a_program_in_other_letters(client: BlockingKernelClient) -> None:
    told_of = ok(
        client, "größe : R → R\ngröße χ = (λ y -> y ^ 2) χ  -- \U0001f600\n(größe ∘ größe) 2"
    )
    assert "größe" in told_of
    assert "16 : R" in told_of
    text_before = "-- \U0001f600\nf x = grö"  # the emoji is one character, as Jupyter counts
    reply = content_of(client, client.complete(text_before))
    assert (reply["matches"], reply["cursor_start"]) == (["größe"], len(text_before) - 3)


def test_lines_that_end_as_on_windows(client: BlockingKernelClient) -> None:
    cell = "%nnfp reset\r\nrep W = R[2]\r\n\r\ntwice : W -> W\r\ntwice x = 2 * x\r\n"
    assert "twice" in ok(client, cell + "%nnfp type twice\r\nsum [1, 2]\r\n")
    assert "5" in ok(client, "%%python\r\nx = 2\r\nx + 3\r\n")
    status, messages = run(client, "f x = x\r\ng x = nowhere\r\n")
    assert status == "error"
    assert "line 2, columns 7-13" in "\n".join(messages[-1]["content"]["traceback"])


def test_history_has_the_cells_as_they_were_written(client: BlockingKernelClient) -> None:
    cells = ["h x = x + 1", "%%python\n2 + 2", "fold?"]
    for cell in cells:
        ok(client, cell)
    asked = client.history(hist_access_type="tail", n=3, raw=True, output=False)
    tail = content_of(client, asked)["history"]
    assert [entry[2] for entry in tail] == cells
    first = tail[0][1]
    asked = client.history(hist_access_type="range", session=0, start=first, stop=first + 2)
    assert [entry[2] for entry in content_of(client, asked)["history"]] == cells[:2]


def test_what_fits_is_listed_with_its_type(client: BlockingKernelClient) -> None:
    ok(client, "rep Word = R[4]\nspelling : Word ~> R[2]\nspelling (Word x) = ?W @ x")
    cell = "g = spelli"
    reply = content_of(client, client.complete(cell))
    assert reply["matches"] == ["spelling"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (4, len(cell))
    (entry,) = reply["metadata"]["_jupyter_types_experimental"]
    assert (entry["text"], entry["type"]) == ("spelling", "Word ~> R[2]")

    def matches(cell: str, position: int | None = None) -> list[str]:
        return list(content_of(client, client.complete(cell, position))["matches"])

    assert matches("g = spelling.") == ["spelling.W"]
    assert "Word" in matches("h : W")
    assert matches("%nnfp weig") == ["weights"]
    assert matches("%nnfp graph spelling --ad") == ["--adjoint"]
    assert matches("f x = x\n%nnfp weights spel") == ["spelling"]
    assert "spelling" in matches("f x = x\ng = spelli\nh x = x", 14)
    assert "%%time" in matches("%%ti")
    ok(client, "%%python\nlongName = 1")
    assert matches("%%python\nlongNa") == ["longName"]
    assert matches("%%python\nx = 1\nlongNa + 1", 21) == ["longName"]
    assert matches("%%nnfp -i longN") == ["longName"]


def test_a_name_is_looked_at(client: BlockingKernelClient) -> None:
    ok(client, "-- Reads <b>one</b> word.\nreading : R[3] ~> R\nreading x = ?w @ x")

    def inspected(cell: str, position: int | None = None) -> dict[str, str]:
        reply = content_of(client, client.inspect(cell, position))
        return dict(reply["data"]) if reply["found"] else {}

    shown = inspected("g = reading >> tanh", 8)
    for part in ("reading : R[3] ~> R", "Reads <b>one</b> word.", "reading.w : R[3]", "?w @ x"):
        assert part in shown["text/plain"]
    assert "<b>one</b>" not in shown["text/html"]
    assert "&lt;b&gt;one&lt;/b&gt;" in shown["text/html"]
    assert inspected("reading x = ?w @ x", 14)["text/plain"].startswith("?w : R[3]")
    assert "Matrix product" in inspected("f x = ?w @ x", 10)["text/plain"]
    assert inspected("nowhere") == {}
    ok(client, "%%python\ndef helper(x):\n    'Helps.'")
    assert "Helps." in inspected("%%python\nhelper(", 16)["text/plain"]
    for cell, part in (("reading?", "R[3] ~> R"), ("?fold", "encoding RNN"), ("helper?", "Helps.")):
        asked = client.execute(cell)
        told(client, asked)
        (payload,) = content_of(client, asked)["payload"]
        assert part in payload["data"]["text/plain"]


def test_a_console_knows_how_deep_the_next_line_is(client: BlockingKernelClient) -> None:
    def asked(cell: str) -> dict[str, Any]:
        return content_of(client, client.is_complete(cell))

    assert asked("f x =") == {"status": "incomplete", "indent": "  "}
    assert asked("f x = y\n  where")["indent"] == "    "
    assert asked("%nnfp list\nf x =")["status"] == "incomplete"
    assert asked("%%python\nif x:") == {"status": "incomplete", "indent": "    "}
    assert asked("f x = )") == {"status": "invalid"}


def test_a_kernel_started_again_has_forgotten_all(
    client: BlockingKernelClient, manager: KernelManager, specs: KernelSpecManager
) -> None:
    """Two kernels at once, each with a session of its own; the second is started again."""
    ok(client, "shared x = 2 * x")
    other = KernelManager(kernel_name="nnfp", kernel_spec_manager=specs)
    other.start_kernel(extra_arguments=["--log-level=40"])
    second = started(other)
    try:
        assert run(second, "shared 1")[0] == "error"
        ok(second, "shared x = 3 * x")
        assert "2 : R" in ok(client, "shared 1")
        assert "3 : R" in ok(second, "shared 1")
        other.restart_kernel(now=True)
        second.wait_for_ready(timeout=PATIENCE)
        assert run(second, "shared 1")[0] == "error"
        assert "5 : R" in ok(second, "2 + 3")
    finally:
        second.stop_channels()
        other.shutdown_kernel(now=True)


def test_the_kernel_is_known_with_its_pictures(specs: KernelSpecManager) -> None:
    spec = specs.get_kernel_spec("nnfp")
    assert spec.display_name == "nnfp"
    assert spec.argv[0] == sys.executable
    held = {path.name for path in Path(spec.resource_dir).iterdir()}
    assert held == {"kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}
    for size in (32, 64):
        png = (Path(spec.resource_dir) / f"logo-{size}x{size}.png").read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        assert [int.from_bytes(png[at : at + 4], "big") for at in (16, 20)] == [size, size]


def test_what_is_a_program_and_what_is_python() -> None:
    assert translate("%%python\nx = 1") == "x = 1"
    assert translate("%%time\nf x = x") == "%%time\nf x = x"
    assert translate("%pwd") == "%pwd"
    assert translate("\n\n") == "\n\n"
    assert translate("-- it's a comment\nf x = 'x'").startswith("get_ipython().run_program(")
    # a line of magic further down belongs to the program, which runs it in its place
    assert translate("map?") == "get_ipython().look_up('map', False)"
    assert translate("??cell.W\n1") == (
        "get_ipython().look_up('cell.W', True)\nget_ipython().run_program('\\n1')"
    )
    assert translate("f x = ?w") == "get_ipython().run_program('f x = ?w')"
    assert translate("f x = x\n%nnfp type f") == (
        "get_ipython().run_program('f x = x\\n%nnfp type f')"
    )
