"""What the commands of ``meas-deblend`` do; each takes the parsed arguments and returns an exit code.

A command is imported when it is called: one that reads a store need not wait for what fits blends.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

__all__ = ["MODULES", "command"]

MODULES = {
    "calibrate": "calibrate",
    "compare": "evaluate",
    "demo": "demo",
    "evaluate": "evaluate",
    "explain": "explain",
    "export": "export",
    "inject": "inject",
    "lsst_init": "lsst",
    "lsst_pipeline": "lsst",
    "measure": "measure",
    "models_convert": "models",
    "models_extract": "models",
    "models_info": "models",
    "models_merge": "models",
    "models_verify": "models",
    "new_plugin": "new_plugin",
    "plan": "plan",
    "run": "run",
    "show_config": "show",
    "show_pipeline": "show",
    "show_run": "show",
    "show_survey": "show",
    "show_tasks": "show",
    "simulate": "simulate",
    "status": "patches",
    "tile": "patches",
    "warmup": "warmup",
}
"""Which module holds the function of which name."""


def command(name: str) -> Callable[[argparse.Namespace], int]:
    """Return the function of a command, by the name that its parser gives."""
    function: Callable[[argparse.Namespace], int] = getattr(import_module(f".{MODULES[name]}", __name__), name)
    return function
