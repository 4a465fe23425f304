"""Jupyter's own tests of a kernel. `iopub_welcome` alone is left out: ipykernel sends none."""

from __future__ import annotations

import unittest
from typing import Any, ClassVar

import jupyter_kernel_test
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.slow


class TestConformance(jupyter_kernel_test.KernelTests, unittest.TestCase):
    kernel_name = "nnfp"
    language_name = "nnfp"
    file_extension = ".nnfp"
    code_hello_world = "!echo hello, world"
    code_stderr = "%%python\nimport sys\nprint('told', file=sys.stderr)"
    completion_samples: ClassVar[list[dict[str, Any]]] = [
        {"text": "f x = mapAcc", "matches": ["mapAccum", "mapAccumRight"]},
        {"text": "f : R -> Bo", "matches": ["Bool"]},
        {"text": "%nnfp der", "matches": ["derivative"]},
        {"text": "%%python\nimport num", "matches": ["numbers", "numpy"]},
    ]
    complete_code_samples: ClassVar[list[str]] = [
        "1 + 2",
        "f x = 2 * x",
        "%nnfp list",
        "%%python\nx = 1",
        "f : R -> R\nf x = x",
    ]
    incomplete_code_samples: ClassVar[list[str]] = [
        "f x =",
        "f : R -> R",
        "g x = sum (map f",
        "%%python\ndef f(x):",
    ]
    invalid_code_samples: ClassVar[list[str]] = ["f x = x)", "%%python\nx = )"]
    code_page_something = "fold?"
    # Of Python: a mistake in a program is shown as HTML too, beside the one error.
    code_generate_error = "%%python\n1 / 0"
    code_execute_result: ClassVar[list[dict[str, str]]] = [
        {"code": "1 + 2", "result": "3 : R"},
        {"code": "[1, 2] + 1", "mime": "text/html"},
        {"code": "%%python\n6 * 7", "result": "42"},
    ]
    code_display_data: ClassVar[list[dict[str, str]]] = [
        {"code": "%nnfp type sum", "mime": "text/html"},
        {"code": "%%python\nfrom IPython.display import *\ndisplay(HTML('<b>a</b>'))",
         "mime": "text/html"},
    ]  # fmt: skip
    code_history_pattern = "1 + 2*"
    # IPython calls the session that runs 0 in a `range` and by its number in a `tail`, which
    # that of `range` does not expect; test_kernel.py has one of its own.
    supported_history_operations = ("tail", "search")
    code_inspect_sample = "fold"
    code_clear_output = "%%python\nfrom IPython.display import clear_output\nclear_output()"

    @classmethod
    def setUpClass(cls) -> None:
        """The kernel is that of all tests: the fixture below."""

    @classmethod
    def tearDownClass(cls) -> None:
        pass

    @pytest.fixture(autouse=True)
    def _kernel(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        type(self).km, type(self).kc = manager, client
