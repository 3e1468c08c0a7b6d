"""Arguments of the commands that get a machine ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_warmup"]


def add_warmup(commands: Commands) -> None:
    """Add ``warmup``."""
    warmup = commands.add_parser(
        "warmup",
        help="compile the inner loops ahead of the first run",
        description="Compile the inner loops of the multi-band engine and keep them on disk, so that the first run "
        "does not wait for the compiler: some seconds the first time, a fraction of one after that.",
    )
    warmup.set_defaults(function="warmup")
