"""Toy tasks that a definition can name, and definitions of toy pipelines."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOYS = Path(__file__).parent / "toys"

CHAIN = """\
description: Find, fit, measure.
tasks:
  measure: toy_tasks.MeasureTask
  fit:
    class: toy_tasks.FitTask
  detect: toy_tasks.DetectTask
subsets:
  early:
    subset: [detect, fit]
    description: All but measuring.
"""


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """The toy tasks' module, importable by its name."""
    if str(TOYS) not in sys.path:
        sys.path.insert(0, str(TOYS))
    return importlib.import_module("toy_tasks")


@pytest.fixture
def write(tmp_path):
    """Function that writes a file below the test's folder and returns its path."""

    def _write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return _write


@pytest.fixture
def chain(toys, write) -> Path:
    """The definition of a pipeline of the three toy tasks, not in their order."""
    return write("chain.yaml", CHAIN)
