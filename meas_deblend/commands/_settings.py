"""What several commands share: settings from the arguments, logging, closing lines."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .._collector import collector_at_rest
from ..exceptions import InputError
from ..framework import Layer, layer_from_assignment, layer_from_dict, layer_from_file, load_pipeline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["check_free", "checked_layers", "layers_of", "say", "shown_warnings", "start_log"]


def layers_of(options: argparse.Namespace) -> list[Layer]:
    """Return the settings of ``-C`` and ``-c``, low to high."""
    files = [layer_from_file(path) for path in options.config_files]
    return files + [layer_from_assignment(text) for text in options.settings]


def checked_layers(options: argparse.Namespace, survey: str | Path) -> list[Layer]:
    """Return the settings of ``-C``, ``-c`` and ``--strict``, low to high, after the pipeline has taken them.

    Raises
    ------
    ConfigError
        If a setting is unknown or out of range.
    PipelineError
        If the definition cannot be used.
    """
    layers = layers_of(options)
    with collector_at_rest():
        pipeline = load_pipeline(options.pipeline, survey=survey, layers=layers)
    if not options.strict:
        return layers
    catching = [task.label for task in pipeline.tasks if "catch_failures" in type(task.resolved.config).model_fields]
    return [*layers, layer_from_dict({label: {"catch_failures": False} for label in catching}, "--strict")]


def start_log() -> None:
    """Send the package's log to standard error: as plain lines in a pipe, warnings only beside progress bars."""
    level = logging.WARNING if sys.stderr.isatty() else logging.INFO
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("meas_deblend")
    log.handlers = [handler]
    log.setLevel(level)
    log.propagate = False


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Print warnings about input and settings as lines of their own, each once, without Python's source lines."""
    said: set[str] = set()

    def _show(message: Warning | str, *_: object, **__: object) -> None:
        text = str(message)
        if text not in said:
            said.add(text)
            for line in text.splitlines():
                sys.stderr.write(f"warning: {line}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _show
        yield


def check_free(path: str | Path, *, overwrite: bool) -> None:
    """Refuse to write where a file is already, before there is work that would be lost.

    Raises
    ------
    InputError
        If there is one, and ``--overwrite`` is not given.
    """
    if Path(path).exists() and not overwrite:
        raise InputError(f"{path} is there already; give another file, or --overwrite")


def say(text: str) -> None:
    """Write a line of the command's result."""
    sys.stdout.write(text + "\n")
