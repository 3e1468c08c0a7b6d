"""Arguments of runs of many patches."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_many", "add_status", "add_tile"]

TILE_EXAMPLES = """\
examples:
  meas-deblend tile --coadd g=g.fits r=r.fits i=i.fits --size 4000 --out tiles/
  meas-deblend run --inputs tiles/patches.csv --out out/ -j 8
"""


def add_many(run: argparse.ArgumentParser) -> None:
    """Add what ``run`` takes for many patches alone."""
    many = run.add_argument_group("many patches (--inputs)")
    many.add_argument("--executor", metavar="WHERE", help="who works on patches: processes (default with -j 2 or "
                      "more), dask for a cluster of -j processes here, or dask://HOST:PORT")  # fmt: skip
    many.add_argument("--rerun", action="store_true", help="go on as --resume does, and do those patches again for "
                      "which --where holds")  # fmt: skip
    many.add_argument("--where", metavar="CONDITION", help="on the tasks of a patch, e.g. \"reason != 'ok'\" (default) "
                      "or \"outcome == 'failed' and tract == 9813\"")  # fmt: skip
    many.add_argument("--fail-fast", action="store_true", help="start no more patches once one has failed")


def add_status(commands: Commands) -> None:
    """Add ``status``."""
    status = commands.add_parser(
        "status",
        help="say how far a run of many patches is",
        description="Say where each patch of a run is, from its folder alone: while the run goes on, after it was "
        "stopped, or when it is complete.",
    )
    status.add_argument("folder", metavar="DIR", help="folder that the run writes to")
    status.add_argument("--json", action="store_true", help="all patches as JSON")
    status.set_defaults(function="status")


def add_tile(commands: Commands) -> None:
    """Add ``tile``."""
    tile = commands.add_parser(
        "tile",
        help="cut a large image into patches that overlap",
        description="Cut coadds that are larger than the memory into patches that overlap, and write the table of them "
        "for run --inputs. Files are read in parts.",
        epilog=TILE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tile.add_argument("--coadd", nargs="+", required=True, metavar="BAND=FILE", help="one FITS file per band, as for "
                      "run; not compressed with gzip")  # fmt: skip
    tile.add_argument("--size", type=int, default=4000, metavar="PIXELS",
                      help="largest side of a patch, overlaps included (default: 4000)")  # fmt: skip
    tile.add_argument("--overlap", type=int, metavar="PIXELS",
                      help="what neighbours share; as wide as the largest blends, and below half the size "
                      "(default: 400, or a quarter of a smaller size)")  # fmt: skip
    tile.add_argument("--tract", type=int, default=0, metavar="N", help="tract of all patches (default: 0)")
    tile.add_argument("--survey", default="generic", help="conventions of a survey, by name or as a folder (default: "
                      "generic)")  # fmt: skip
    tile.add_argument("--out", required=True, metavar="DIR", help="folder for the patches")
    tile.add_argument("--overwrite", action="store_true", help="use DIR although there is something in it")
    tile.set_defaults(function="tile")
