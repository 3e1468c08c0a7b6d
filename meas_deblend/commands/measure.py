"""``meas-deblend measure``: a run's objects measured again, or positions of another catalog."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..access import Run
from ..exceptions import InputError
from ..remeasure import remeasure, write_remeasured
from ._settings import layers_of, say, shown_warnings, start_log

if TYPE_CHECKING:
    import argparse

__all__ = ["measure"]


def measure(options: argparse.Namespace) -> int:
    """Measure again and write the tables.

    Returns
    -------
    int
        0.
    """
    start_log()
    start = time.monotonic()
    with shown_warnings():
        run = Run(Path(options.folder))
        result = remeasure(
            run,
            _moved(options.coadd),
            sources=options.sources,
            frame=options.frame,
            ids=options.ids,
            layers=layers_of(options),
            allow_different=options.allow_different,
        )
        files = write_remeasured(result, run, Path(options.out or options.folder))
    name = "forced" if "forced" in result.tables else "objects"
    what = "positions" if name == "forced" else "objects"
    say(f"measured {len(result.tables[name])} {what}, {time.monotonic() - start:.1f} s")
    say(f"written to {', '.join(str(file) for file in files)}")
    return 0


def _moved(texts: list[str]) -> dict[str, str]:
    """Image files by band."""
    moved: dict[str, str] = {}
    for text in texts:
        band, separator, path = text.partition("=")
        if not (separator and band and path):
            raise InputError(f"--coadd: {text!r} is no BAND=FILE")
        if band in moved:
            raise InputError(f"--coadd: band {band} is given twice ({moved[band]} and {path})")
        moved[band] = path
    return moved
