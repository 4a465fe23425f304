"""Every example in a docstring runs and gives what it says."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("floors", Path(__file__).parent / "test_floors.py")
assert spec is not None
assert spec.loader is not None
floors = importlib.util.module_from_spec(spec)
spec.loader.exec_module(floors)

MODULES = [name for name, path in floors.modules() if ">>>" in path.read_text()]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    importlib.import_module(name)
    results = doctest.testmod(sys.modules[name], optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted > 0
    assert results.failed == 0
