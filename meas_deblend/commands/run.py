"""``meas-deblend run``: from coadds to catalogs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..api import deblend
from ..framework import prepare_output, watching
from ..image import read_coadds
from ..output import RunContext, write_run
from ._coadds import planes_of, read_options_of
from ._settings import layers_of, say, shown_warnings, start_log

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ..api import DeblendResult
    from ..image import PlaneSpec
    from ..products import RunRecord

__all__ = ["deblend_and_write", "run"]


def run(options: argparse.Namespace) -> int:
    """Deblend coadds and write everything to a folder.

    Returns
    -------
    int
        0 if there are objects, or there was nothing to detect; else 1.
    """
    start_log()
    with shown_warnings():
        planes, read_options = planes_of(options), read_options_of(options)
        folder = prepare_output(options.out, options.overwrite)
        return deblend_and_write(planes, read_options, folder, options)[0]


def deblend_and_write(
    planes: Mapping[str, PlaneSpec], read_options: Mapping[str, Any], folder: Path, options: argparse.Namespace
) -> tuple[int, DeblendResult]:
    """Read coadds, deblend them, write the folder, and print what came out.

    Parameters
    ----------
    planes : mapping of str to PlaneSpec
        Files of each band.
    read_options : mapping
        Keyword arguments of `read_coadds`.
    folder : Path
        Empty output folder.
    options : argparse.Namespace
        ``pipeline``, settings, ``sources``, ``frame``, ``no_figures``.

    Returns
    -------
    int
        Exit code.
    DeblendResult
        What came out.
    """
    start = time.monotonic()
    coadds = read_coadds(planes, **read_options)
    with watching() as observer:
        result = deblend(
            coadds,
            read_options["survey"],
            layers_of(options),
            getattr(options, "sources", None),
            pipeline=options.pipeline,
            frame=getattr(options, "frame", None),
            observer=observer,
        )
    context = RunContext(tuple(sys.argv), planes, read_options, figures=not options.no_figures)
    record = write_run(result, coadds, folder, context)
    for line in _summary(result, record, folder, time.monotonic() - start):
        say(line)
    return (0 if len(result.objects) or result.reason else 1), result


def _summary(result: DeblendResult, record: RunRecord, folder: Path, seconds: float) -> list[str]:
    if not len(result.objects):
        return [f"no objects: {result.reason or 'no parent could be deblended'}", f"written to {folder}"]
    counts = record.counts
    children = counts["objects"] - counts["isolated"]
    lines = [
        f"{counts['objects']} objects ({counts['isolated']} isolated, {children} deblended) "
        f"in {counts['parents']} parents, {seconds:.1f} s"
    ]
    if counts["degraded"] or counts["failed"]:
        reasons = sorted({str(reason) for reason in result.parents["deblend_reason"] if reason})
        lines.append(
            f"{counts['degraded']} parents degraded, {counts['failed']} failed ({', '.join(reasons)}): "
            "see deblend_reason and deblend_message in parents.parquet"
        )
    lines.append(_ledger_line(result))
    return [*lines, f"written to {folder}"]


def _ledger_line(result: DeblendResult) -> str:
    ledger = result.ledger
    total = float(sum(abs(value) for value in ledger["data"]))
    # Rounded before it is printed, so that a tiny negative part does not show as -0.0 %.
    part = {n: round(float(ledger[n].sum()) / total, 3) + 0.0 if total else 0.0 for n in ("unassigned", "masked")}
    return f"ledger closes: {part['unassigned']:.1%} of the flux unassigned, {part['masked']:.1%} masked"
