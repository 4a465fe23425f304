"""A conversation with a kernel: what a front end asks, and what comes back."""

from __future__ import annotations

from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

PATIENCE = 60  # seconds, for a slow machine; what must be fast is measured
Message = dict[str, Any]


def started(manager: KernelManager) -> BlockingKernelClient:
    """A client of a kernel that is ready."""
    made = manager.client()
    made.start_channels()
    made.wait_for_ready(timeout=PATIENCE)
    return made


def run(client: BlockingKernelClient, cell: str) -> tuple[str, list[Message]]:
    """The reply's status, and the messages that came before the kernel was idle."""
    asked = client.execute(cell)
    shown = [each for each in told(client, asked) if each["msg_type"] != "status"]
    return reply_to(client, asked)["content"]["status"], shown


def told(client: BlockingKernelClient, asked: str) -> list[Message]:
    """What is told of a request until the kernel is idle."""
    messages: list[Message] = []
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") != asked:
            continue
        messages.append(message)
        if message["content"] == {"execution_state": "idle"}:
            return messages


def reply_to(client: BlockingKernelClient, asked: str) -> Message:
    while True:
        reply = client.get_shell_msg(timeout=PATIENCE)
        if reply["parent_header"].get("msg_id") == asked:
            return dict(reply)


def text(messages: list[Message]) -> str:
    """All texts in some messages."""
    parts = []
    for message in messages:
        content = message["content"]
        parts.append(content.get("text") or content.get("data", {}).get("text/plain") or "")
    return "\n".join(filter(None, parts))


def ok(client: BlockingKernelClient, cell: str) -> str:
    """What a cell that succeeds shows, as text."""
    status, messages = run(client, cell)
    assert status == "ok", (cell[:200], messages[-1]["content"])
    return text(messages)


def content_of(client: BlockingKernelClient, asked: str) -> Message:
    """The content of the reply to a request that is no cell."""
    return dict(reply_to(client, asked)["content"])
