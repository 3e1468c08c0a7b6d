"""Arguments of the commands for people who extend the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_new_plugin"]


def add_new_plugin(commands: Commands) -> None:
    """Add ``new-plugin``."""
    plugin = commands.add_parser(
        "new-plugin",
        help="write a package with a deblender of your own to start from",
        description="Write an installable package with a deblender that works, its options, and tests that pass. "
        "Installed, it is found by its name: run --pipeline any_deblender -c deblend:deblender.name=NAME.",
    )
    plugin.add_argument("name", metavar="NAME", help="name of the deblender and its package, e.g. my_way")
    plugin.add_argument("--out", default=".", metavar="DIR", help="folder for the package's folder (default: here)")
    plugin.set_defaults(function="new_plugin")
