"""Arguments of the commands that get a machine ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._shared import add_settings

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_calibrate", "add_warmup"]


def add_warmup(commands: Commands) -> None:
    """Add ``warmup``."""
    warmup = commands.add_parser(
        "warmup",
        help="compile the inner loops ahead of the first run",
        description="Compile the inner loops and keep them on disk, so that the first run does not wait for the "
        "compiler: one to two minutes the first time, some seconds after that. What runs call is compiled in a process "
        "of its own, as the first run does by itself where this has not been done.",
    )
    warmup.set_defaults(function="warmup")


def add_calibrate(commands: Commands) -> None:
    """Add ``calibrate``."""
    calibrate = commands.add_parser(
        "calibrate",
        help="measure what blends cost on this machine",
        description="Deblend drawn blends of several sizes on each rung of the ladder, and print the coefficients of "
        "time and memory by which costs are predicted as YAML settings (multi_band:cost), with how far predictions "
        "are off on blends that were held out. It takes some minutes; nothing else should run meanwhile. Coefficients "
        "decide which blends are over a budget: use one file for all runs that are to agree.",
    )
    calibrate.add_argument("--out", metavar="FILE", help="write the settings to this file, for -C FILE")
    calibrate.add_argument("--overwrite", action="store_true", help="write FILE although it is there")
    add_settings(calibrate)
    calibrate.set_defaults(function="calibrate")
