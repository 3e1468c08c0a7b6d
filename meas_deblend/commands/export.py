"""``meas-deblend export``: a catalog of a run in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._phrases import counted
from ..access import open_run
from ..exceptions import InputError
from ._settings import check_free, say

if TYPE_CHECKING:
    import argparse

__all__ = ["export"]


def export(options: argparse.Namespace) -> int:
    """Write a catalog as a FITS file.

    Returns
    -------
    int
        0.

    Raises
    ------
    ModelError
        If the folder is not a run's, or the run has no such catalog.
    InputError
        If the file that is to be written is there, and ``--overwrite`` is not given; if a pattern fits no column, or
        FITS cannot hold so many.
    """
    file = Path(options.fits)
    check_free(file, overwrite=options.overwrite)
    if not file.parent.is_dir():
        raise InputError(f"--fits: there is no folder {file.parent} to write {file.name} to")
    run = open_run(options.folder)
    run.write_fits(file, options.table, options.columns, overwrite=options.overwrite)
    rows = len(getattr(run, options.table))
    say(f"{options.table}: {counted(rows, 'row')} written to {file}")
    return 0
