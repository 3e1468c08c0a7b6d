"""``meas-deblend run --inputs``, ``status`` and ``tile``: many patches."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .._phrases import counted, duration
from ..compiling import compile_apart
from ..exceptions import InputError
from ..framework import Outcome, prepare_output
from ..image import load_survey
from ..patches import (
    Cut,
    Running,
    RunSettings,
    cut_tiles,
    outcome_table,
    read_patches,
    read_status,
    run_patches,
)
from ._coadds import planes_of, read_options_of
from ._settings import checked_layers, say, shown_warnings, start_log

if TYPE_CHECKING:
    import argparse

    from ..patches import ManyResult, PatchResult

__all__ = ["run_many", "status", "tile"]

_OF_ONE_PATCH = ("sources", "frame", "only", "bbox", "edits")


def run_many(options: argparse.Namespace) -> int:
    """Deblend many patches, each into a folder of its own.

    Returns
    -------
    int
        0 if no patch failed and all are done; else 1.
    """
    start_log()
    start = time.monotonic()
    with shown_warnings():
        result = _run(options)
    for line in _closing(result, time.monotonic() - start):
        say(line)
    return 1 if result.failed or result.not_done else 0


def _run(options: argparse.Namespace) -> ManyResult:
    given = [name for name in _OF_ONE_PATCH if getattr(options, name)]
    if given:
        raise InputError(f"--{given[0]} is for one patch: give it with --coadd, in a run of its own")
    if options.where is not None and not options.rerun:
        raise InputError("--where says which patches --rerun does again: give both")
    if (options.resume or options.rerun) and options.overwrite:
        raise InputError("--resume and --rerun go on with the run in DIR, --overwrite removes it: choose one")
    patches = read_patches(options.inputs)
    layers = tuple(checked_layers(options, options.survey))
    read_options = read_options_of(options)
    command = options.command_line
    settings = RunSettings(options.pipeline, layers, read_options, command, figures=not options.no_figures)
    condition = (options.where or "reason != 'ok'") if options.rerun else None
    running = Running(options.jobs, options.executor, options.resume, condition, options.fail_fast, options.overwrite)
    compile_apart()
    say(f"{counted(len(patches), 'patch', 'patches')}, {counted(sum(len(p.bands) for p in patches), 'coadd')}")
    try:
        return run_patches(patches, Path(options.out), settings, running, _tell)
    except KeyboardInterrupt:
        sys.stderr.write(f"meas-deblend: patches that are done are kept in {options.out}; --resume does the others\n")
        raise
    except OSError as error:
        raise InputError(
            f"{options.out}: the tables of all patches cannot be written ({error}); patches that are done are kept: "
            "mend it, and --resume"
        ) from error


def _tell(result: PatchResult, done: int, to_do: int) -> None:
    """Write a line on a patch."""
    objects = result.counts.get("objects")
    what = f", {counted(objects, 'object')}" if objects is not None else ""
    decisive = result.decisive
    why = "" if result.outcome is Outcome.OK else f": {decisive.label}: {decisive.error or decisive.reason}"
    line = f"[{done}/{to_do}] {result.entry.name}: {result.outcome.value} in {duration(result.seconds)}{what}{why}"
    sys.stderr.write(line + "\n")


def _closing(result: ManyResult, seconds: float) -> list[str]:
    """Table of outcomes, and what there is."""
    lines = [*outcome_table(result.results), ""]
    for name in result.not_done[:10]:
        lines.append(f"{name}: not done")
    if len(result.not_done) > 10:
        lines.append(f"… and {len(result.not_done) - 10} more")
    counts = f"{counted(result.objects, 'object')}, {result.seams.primary} of them primary"
    patches = counted(len(result.results), "patch", "patches")
    lines.append(f"{counts}, in {patches}; {len(result.failed)} failed; {duration(seconds)}")
    lines += result.seams.lines()
    if result.failed:
        lines.append("manifest/ and log.txt of a patch say why it failed; mend it, and go on with --rerun")
    return [*lines, f"written to {result.folder}"]


def status(options: argparse.Namespace) -> int:
    """Say how far a run of many patches is.

    Returns
    -------
    int
        1 if a patch has failed; else 0.
    """
    found = read_status(Path(options.folder))
    if options.json:
        rows = [
            {
                "tract": state.entry.tract,
                "patch": state.entry.patch,
                "state": state.state,
                "at": state.running,
                "reason": "" if state.result is None else state.result.decisive.reason,
                "error": "" if state.result is None else state.result.decisive.error,
                "seconds": state.since if state.result is None else state.result.seconds,
                "counts": {} if state.result is None else dict(state.result.counts),
            }
            for state in found.states
        ]
        seams = {} if found.seams is None else asdict(found.seams)
        say(json.dumps({"writer": found.writer, "patches": rows, "seams": seams}, indent=1))
    else:
        for line in found.lines():
            say(line)
    return 1 if any(state.state == Outcome.FAILED for state in found.states) else 0


def tile(options: argparse.Namespace) -> int:
    """Cut coadds into patches, and write the table of them.

    Returns
    -------
    int
        0.
    """
    planes = planes_of(options)
    survey = load_survey(options.survey)
    folder = prepare_output(options.out, options.overwrite, record="patches.json")
    tiles, table = cut_tiles(planes, survey, folder, Cut(options.size, options.overlap, options.tract))
    height, width = (max(one.shape[axis] for one in tiles) for axis in (0, 1))
    what = f"{counted(len(tiles), 'patch', 'patches')} of up to {width} × {height} pixels in {', '.join(planes)}"
    say(f"{what}, written to {folder}")
    say(f"next: meas-deblend run --inputs {table} --survey {options.survey} --out DIR")
    return 0
