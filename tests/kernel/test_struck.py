"""A training in a kernel that is interrupted at any moment: it is answered, and what it has kept is
told. `make soak` tries 50 moments."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager
from kernel.messages import PATIENCE, ok, reply_to, text, told
from soak import FACTOR


@pytest.mark.slow
def test_interrupted_at_any_moment_a_kernel_answers(
    client: BlockingKernelClient, manager: KernelManager, tmp_path: Path
) -> None:
    ok(client, "%%python\nimport numpy\nX = numpy.random.default_rng(0).normal(size=(600, 4))")
    ok(client, "line : R[4] ~> R[4]\nline = dense[4] >> tanh >> dense[4]")
    train = "%nnfp train line --data X,X --loss squaredError --valid 0.2"
    ok(client, f"{train} --steps 20")  # what it needs is compiled
    line = f"{train} --steps 1000000000 --every 0s --checkpoint {tmp_path}"
    moments, ends = random.Random(0), []
    for _ in range(5 if FACTOR == 1 else 50):
        asked = client.execute(line + (" --resume" if any(tmp_path.iterdir()) else ""))
        while client.get_iopub_msg(timeout=PATIENCE)["parent_header"].get("msg_id") != asked:
            pass  # until it is busy: one that is not does not hear
        time.sleep(moments.uniform(0, 0.4))
        manager.interrupt_kernel()
        struck = time.monotonic()
        shown = told(client, asked)
        assert time.monotonic() - struck < PATIENCE
        status = reply_to(client, asked)["content"]["status"]
        errors = [each["content"]["ename"] for each in shown if each["msg_type"] == "error"]
        if status == "error":  # before the cell began
            assert errors == ["KeyboardInterrupt"]
            ends.append("before the cell")
        else:
            last = text([each for each in shown if each["msg_type"] != "stream"]).splitlines()
            assert [each for each in last if each.startswith("interrupted ")], last
            ends.append("in the training")
        assert "2 : R" in ok(client, "1 + 1")
    assert ends.count("in the training") > len(ends) / 2, ends
