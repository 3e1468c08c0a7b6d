"""One patch from coadds to its folder."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..api import deblend, prepare_result
from ..compiling import compile_apart, is_compiled
from ..detect import Selection, parse_bbox
from ..edit_file import read_edits
from ..exceptions import InputError, PipelineError
from ..framework import (
    CHECKPOINT,
    Checkpoint,
    Workplace,
    load_pipeline,
    preparations,
    prepare_output,
    resume_output,
    watching,
    working,
)
from ..image import check_files
from ..output import RunContext, prepare_figures, write_run
from ._coadds import sources_of
from ._settings import checked_layers, say
from ._summary import outcome_lines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..api import DeblendResult
    from ..detect import Edits
    from ..framework import Layer
    from ..image import MultibandExposure
    from ..products import RunRecord
    from ._reading import Reading

__all__ = ["Settings", "deblend_and_write", "run_one_patch"]

_KEPT = "meas-deblend: the parents that were done are kept in {}; --resume goes on with them"


def run_one_patch(options: argparse.Namespace, context: RunContext, read: Reading) -> int:
    """Check all that was asked for, deblend the coadds once they are read, and write the folder.

    Parameters
    ----------
    options : argparse.Namespace
        Of ``meas-deblend run``.
    context : RunContext
        What is recorded.
    read : Reading
        Gives the coadds; what is wrong with settings is told first.

    Returns
    -------
    int
        0 if there are objects, or there was nothing to detect; else 1.
    """
    layers = checked_layers(options, options.survey)
    selection = Selection(tuple(options.only), None if options.bbox is None else parse_bbox(options.bbox))
    edits = None if options.edits is None else read_edits(options.edits)
    if options.resume and options.overwrite:
        raise InputError("--resume goes on with the run in DIR, --overwrite removes it: choose one")
    prepare = resume_output if options.resume else prepare_output
    if not options.overwrite:
        prepare(options.out)  # a folder in use is told before the coadds are used
    if not is_compiled():
        check_files(context.planes)  # nobody waits for the compiler to be told of a misspelt name
        compile_apart()
    coadds = read(_preparations(options, layers))
    selection.check_box(coadds.box)
    if edits is not None:
        edits.check_positions(coadds.box)
    settings = Settings(
        options.pipeline, layers, sources_of(options, coadds), selection, options.jobs, options.resume, edits
    )
    # Only now, so that input that cannot be used costs nobody the earlier run.
    folder = resume_output(options.out) if options.resume else prepare_output(options.out, options.overwrite)
    return deblend_and_write(coadds, folder, context, settings)[0]


def _preparations(options: argparse.Namespace, layers: Sequence[Layer]) -> Iterator[Callable[[], object]]:
    """Yield what the tasks load, for the time when other processes look at what was read."""
    yield from preparations(load_pipeline(options.pipeline, survey=options.survey, layers=layers))


@dataclass(frozen=True, slots=True)
class Settings:
    """What is run on the coadds.

    Parameters
    ----------
    pipeline : str
        Definition, by name or as a file.
    layers : sequence of Layer
        Settings, low to high; the pipeline takes them.
    sources : mapping of str to array, optional
        Columns ``x``, ``y`` and ``name`` of the sources to deblend.
    selection : Selection
        Which parents are deblended.
    jobs : int
        Number of processes.
    resume : bool
        Go on with what an earlier run left in the folder.
    edits : Edits, optional
        What is changed by hand between detection and deblending.
    """

    pipeline: str
    layers: Sequence[Layer]
    sources: Mapping[str, Any] | None = None
    selection: Selection = field(default_factory=Selection)
    jobs: int = 1
    resume: bool = False
    edits: Edits | None = None


def deblend_and_write(
    coadds: MultibandExposure, folder: Path, context: RunContext, settings: Settings
) -> tuple[int, DeblendResult | None]:
    """Deblend coadds, write the folder, and print what came out.

    What is done so far is kept in the folder until everything is written.

    Parameters
    ----------
    coadds : MultibandExposure
        What `read_coadds` made of ``context.planes``.
    folder : Path
        Output folder, of `framework.prepare_output` or `framework.resume_output`.
    context : RunContext
        What is recorded; ``read_options["survey"]`` is the survey.
    settings : Settings

    Returns
    -------
    int
        0 if there are objects, or there was nothing to detect; else 1.
    DeblendResult or None
        What came out; None if a step failed.
    """
    start = time.monotonic()
    checkpoint = folder / CHECKPOINT
    checkpoint.mkdir(exist_ok=True)
    # What comes after the last step is loaded while others measure, Matplotlib not by every process that draws.
    afterwards = Workplace(preparations=iter([prepare_result, *([prepare_figures] if context.figures else [])]))
    try:
        with watching() as observer, working(afterwards):
            result = deblend(
                coadds,
                context.read_options["survey"],
                settings.layers,
                settings.sources,
                pipeline=settings.pipeline,
                only=settings.selection.only,
                bbox=settings.selection.bbox,
                edits=settings.edits,
                observer=observer,
                jobs=settings.jobs,
                checkpoint=checkpoint,
                resume=settings.resume,
            )
    except PipelineError as error:
        # Definition and settings have been checked: it is a step that failed.
        sys.stderr.write(f"meas-deblend: {error}\n{_KEPT.format(checkpoint)}\n")
        return 1, None
    except KeyboardInterrupt:
        sys.stderr.write(f"{_KEPT.format(checkpoint)}\n")
        raise
    with working(Workplace(settings.jobs)):
        record = write_run(result, coadds, folder, context)
    Checkpoint(checkpoint).remove()
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
    return [*lines, *outcome_lines(result.objects, counts), _ledger_line(result), f"written to {folder}"]


def _ledger_line(result: DeblendResult) -> str:
    ledger = result.ledger
    total = float(sum(abs(value) for value in ledger["data"]))
    # Rounded before it is printed, so that a tiny negative part does not show as -0.0 %.
    part = {n: round(float(ledger[n].sum()) / total, 3) + 0.0 if total else 0.0 for n in ("unassigned", "masked")}
    return f"ledger closes: {part['unassigned']:.1%} of the flux unassigned, {part['masked']:.1%} masked"
