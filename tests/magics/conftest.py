"""A real IPython shell with the extension loaded, for each test its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.history_manager.enabled = False
    made.run_line_magic("load_ext", "nnfp_kernel")
    yield made
    made.run_line_magic("unload_ext", "nnfp_kernel")
    InteractiveShell.clear_instance()
