"""``meas-deblend plan``: what a run will do, before it starts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._phrases import by_count, counted, duration
from ..detect import Selection, parse_bbox
from ..exceptions import InputError
from ..framework import watching
from ..image import read_coadds
from ..planning import plan as make_plan
from ._coadds import planes_of, read_options_of, sources_of
from ._settings import layers_of, say, shown_warnings, start_log

if TYPE_CHECKING:
    import argparse

    from ..planning import ParentPlan, Plan

__all__ = ["plan"]


def plan(options: argparse.Namespace) -> int:
    """Print what a run with the same arguments will do.

    Returns
    -------
    int
        0.

    Raises
    ------
    MeasDeblendError
        As `planning.plan` does.
    """
    for name, least in (("jobs", 1), ("top", 0)):
        if getattr(options, name) < least:
            raise InputError(f"--{name} must be {least} or more, got {getattr(options, name)}")
    start_log()
    with shown_warnings():
        selection = Selection(tuple(options.only), None if options.bbox is None else parse_bbox(options.bbox))
        coadds = read_coadds(planes_of(options), **read_options_of(options))
        with watching() as observer:
            made = make_plan(
                coadds,
                options.survey,
                layers_of(options),
                sources_of(options, coadds),
                pipeline=options.pipeline,
                only=selection.only,
                bbox=selection.bbox,
                edits=options.edits,
                observer=observer,
            )
    if options.json:
        say(json.dumps(made.as_dict(), indent=2))
    else:
        for line in (*_table(made.parents[: options.top]), *_totals(made, options.jobs, options.top)):
            say(line)
    return 0


def _table(parents: tuple[ParentPlan, ...]) -> list[str]:
    """Lines of a table, one per parent."""
    if not parents:
        return []
    rows = [("parent", "peaks", "pixels", "blends", "seconds", "Mbyte", "rung", "reason")]
    for one in parents:
        rows.append(
            (str(one.id), str(one.peaks), str(one.area), str(one.blends), f"{one.seconds:.2f}", _megabytes(one.memory),
             one.rung, one.reason or "-")
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = len(widths) - 2  # all but the last two columns
    lines = [
        "  ".join(cell.rjust(w) if k < numbers else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, widths)))
        for row in rows
    ]
    return [*(line.rstrip() for line in lines), ""]


def _megabytes(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _totals(made: Plan, jobs: int, top: int) -> list[str]:
    parents, peaks = len(made.parents), sum(parent.peaks for parent in made.parents)
    options = made.options
    lines = [f"{counted(parents, 'parent')} with {counted(peaks, 'peak')}"]
    if made.left_out:
        lines[0] += f"; {counted(made.left_out, 'other is', 'others are')} not selected"
    if made.sky:
        lines[0] += f"; {counted(made.sky, 'sky object')}, which nobody deblends"
    if 0 < top < parents:
        lines.append(f"listed: the {top} most costly (--top)")
    lines.append(f"parents by their lowest rung: {by_count(made.rungs)}")
    lines.append(f"peaks by rung: {by_count(made.peaks)}")
    if made.reasons:
        lines.append(f"parents by reason: {by_count(made.reasons)}")
    time = f"predicted time of deblending: {duration(made.seconds)} of one core"
    lines.append(time + (f", {duration(made.elapsed(jobs))} with {jobs} processes" if jobs > 1 else ""))
    lines.append(
        f"largest predicted memory of a parent, beyond the images: {_megabytes(made.memory)} Mbyte\n"
        f"budgets of one blend: {duration(options.cost_budget)} (multi_band:cost_budget), {options.memory_budget:g} "
        "Mbyte (multi_band:memory_budget)"
    )
    return lines
