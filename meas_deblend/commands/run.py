"""``meas-deblend run``: from coadds to catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._collector import collector_at_rest
from ..exceptions import InputError
from ._coadds import planes_of, read_options_of
from ._reading import reading
from ._settings import shown_warnings, start_log

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Deblend coadds and write everything to a folder.

    Returns
    -------
    int
        0 if there are objects, or there was nothing to detect; else 1. Of many patches: 1 if one failed.
    """
    if options.inputs is not None:
        from .patches import run_many  # noqa: PLC0415 - one patch needs nothing of it

        return run_many(options)
    many_only = {"--executor": options.executor, "--rerun": options.rerun, "--where": options.where,
                 "--fail-fast": options.fail_fast}  # fmt: skip
    if any(many_only.values()):
        raise InputError(f"{next(name for name, value in many_only.items() if value)} is for many patches: --inputs")
    start_log()
    with shown_warnings():
        planes, read_options = planes_of(options), read_options_of(options)
        with reading(planes, read_options, options.jobs) as read:
            with collector_at_rest():
                from ..output import RunContext  # noqa: PLC0415 - loaded while the coadds are read
                from .one_patch import run_one_patch  # noqa: PLC0415 - as above

            context = RunContext(options.command_line, planes, read_options, figures=not options.no_figures)
            return run_one_patch(options, context, read)
