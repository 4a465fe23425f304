"""The kernel `nnfp` in a process of its own, over its sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from nnfp_kernel.kernel.install import install
from nnfp_kernel.kernel.kernel import translate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelManager]:
    folder = tmp_path_factory.mktemp("kernel")
    install(prefix=str(folder))
    specs = KernelSpecManager(kernel_dirs=[str(Path(folder) / "share/jupyter/kernels")])
    made = KernelManager(kernel_name="nnfp", kernel_spec_manager=specs)
    made.start_kernel(extra_arguments=["--log-level=40"])
    yield made
    made.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def client(manager: KernelManager) -> Iterator[BlockingKernelClient]:
    made = manager.client()
    made.start_channels()
    made.wait_for_ready(timeout=120)
    yield made
    made.stop_channels()


def run(client: BlockingKernelClient, cell: str) -> tuple[str, list[dict[str, Any]]]:
    """The reply's status, and the messages that came before the kernel was idle."""
    asked = client.execute(cell)
    messages = []
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != asked:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
        messages.append(message)
    shown = [message for message in messages if message["msg_type"] != "status"]
    return reply_to(client, asked)["content"]["status"], shown


def reply_to(client: BlockingKernelClient, asked: str) -> dict[str, Any]:
    while True:
        reply = client.get_shell_msg(timeout=120)
        if reply["parent_header"].get("msg_id") == asked:
            return dict(reply)


def text(messages: list[dict[str, Any]]) -> str:
    parts = []
    for message in messages:
        content = message["content"]
        parts.append(content.get("text") or content.get("data", {}).get("text/plain") or "")
    return "\n".join(filter(None, parts))


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


def test_an_interrupted_training_keeps_its_weights_and_the_kernel_goes_on(
    client: BlockingKernelClient, manager: KernelManager
) -> None:
    run(client, "%%python\nimport numpy\nX = numpy.ones((64, 3))\ntarget = numpy.ones(64)")
    run(client, "model : R[3] ~> R\nmodel x = ?w @ x")
    asked = client.execute(
        "%nnfp train model --data X,target --loss squaredError --steps 1000000000"
    )
    told = []
    struck = 0.0
    idle = {"execution_state": "idle"}
    while not told or told[-1]["content"] != idle:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != asked:
            continue
        told.append(message)
        if not struck and "loss" in text([message]):  # it trains
            struck = time.monotonic()
            manager.interrupt_kernel()
    waited = time.monotonic() - struck
    assert reply_to(client, asked)["content"]["status"] == "ok"
    updates = [m for m in told if m["msg_type"] == "update_display_data"]
    assert "interrupted after" in text(updates[-1:])
    assert "are kept" in text(updates[-1:])
    assert waited < 2, waited
    assert run(client, "1 + 1")[0] == "ok"


def test_what_is_a_program_and_what_is_python() -> None:
    assert translate("%%python\nx = 1") == "x = 1"
    assert translate("%%time\nf x = x") == "%%time\nf x = x"
    assert translate("%pwd") == "%pwd"
    assert translate("\n\n") == "\n\n"
    assert translate("-- it's a comment\nf x = 'x'").startswith("get_ipython().run_program(")
    # a line of magic further down belongs to the program, which runs it in its place
    assert translate("f x = x\n%nnfp type f") == (
        "get_ipython().run_program('f x = x\\n%nnfp type f')"
    )
