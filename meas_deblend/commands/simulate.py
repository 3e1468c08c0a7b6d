"""``meas-deblend simulate``: fields of a survey with their truth, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from .._atomic import atomic_write
from ..exceptions import InputError
from ..framework import prepare_output
from ..simulate import (
    preset,
    read_catalog,
    render_source,
    render_with_galsim,
    simulate_field,
    survey_conditions,
    write_field,
    write_psfs,
)
from ._settings import say, shown_warnings, start_log

if TYPE_CHECKING:
    import argparse

    from ..simulate import SimulatedField

__all__ = ["simulate"]

RECORD = "simulation.json"


def simulate(options: argparse.Namespace) -> int:
    """Simulate fields and write them.

    Returns
    -------
    int
        0.

    Raises
    ------
    InputError
        If an argument, the catalog or the output folder cannot be used.
    """
    start_log()
    if options.n_fields < 1:
        raise InputError(f"--n-fields must be 1 or more, got {options.n_fields}")
    if options.seed < 0:
        raise InputError(f"--seed must be 0 or more, got {options.seed}")
    config = preset(options.preset, **_chosen(options))
    catalog = None if options.catalog is None else read_catalog(options.catalog, config.conditions.names)
    render = render_with_galsim if options.renderer == "galsim" else render_source
    folder = prepare_output(options.out, options.overwrite, RECORD)
    files: list[Path] = []
    with shown_warnings():
        for index in range(options.n_fields):
            field = simulate_field(config.model_copy(update={"index": index}), catalog, render)
            if index == 0:
                files.append(write_psfs(folder, field))
            files += write_field(folder, field, coadds=not options.no_coadds)
            say(_summary(field))
    _write_record(folder, files, options)
    say(f"written to {folder}")
    if not options.no_coadds:
        coadds = " ".join(f"{b}={folder / 'coadds' / 'field_000' / b}.fits" for b in config.conditions.names)
        drop = " --missing-psf drop" if config.poisoned else ""
        say(f"deblend the first with:\n  meas-deblend run --coadd {coadds}{drop} --out out/")
    fields = folder / "fields"
    say(f"score deblenders with:\n  meas-deblend evaluate --fields {fields} --deblender multi_band --out card/")
    return 0


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Options of the field that were given on the command line."""
    chosen: dict[str, Any] = {"seed": options.seed}
    if options.conditions is not None:
        chosen["conditions"] = survey_conditions(options.conditions)
    if options.size is not None:
        chosen["shape"] = (options.size, options.size)
    for name in ("morphology", "psf", "psf_variation"):
        if getattr(options, name) is not None:
            chosen[name] = getattr(options, name)
    return chosen


def _summary(field: SimulatedField) -> str:
    stars = sum(s.is_star for s in field.sources)
    parts = [f"{len(field.sources) - stars} galaxies"]
    if stars:
        parts.append(f"{stars} stars")
    if field.undetected:
        parts.append(f"{len(field.undetected)} galaxies too faint for the truth")
    parts += [f"{d.kind} in {d.band}" for d in field.defects]
    return f"field_{field.config.index:03d}: {', '.join(parts)}"


def _write_record(folder: Path, files: list[Path], options: argparse.Namespace) -> None:
    record = {
        "version": __version__,
        "preset": options.preset,
        "seed": options.seed,
        "n_fields": options.n_fields,
        "catalog": options.catalog,
        "renderer": options.renderer,
        "files": [str(file.relative_to(folder)) for file in files] + [RECORD],
    }
    with atomic_write(folder / RECORD, "w") as stream:
        stream.write(json.dumps(record, indent=2) + "\n")
