"""``meas-deblend inject``: sources of known truth in the user's own images."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from .._atomic import atomic_write
from ..chains import DeblenderChain, load_chain, load_chains, load_pipeline_chain
from ..exceptions import InputError
from ..framework import prepare_output, versions
from ..image import read_coadds, write_coadd
from ..inject import (
    BAND_COLUMNS,
    COLUMNS,
    InjectionConfig,
    RandomConfig,
    describe_sky,
    make_realizations,
    random_catalog,
    read_injection_catalog,
    reference_color,
    run_injection,
    spread_sources,
)
from ..products.column_file import write_columns
from ._coadds import planes_of, read_options_of, values_by_band
from ._settings import layers_of, say, shown_warnings, start_log

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..image import MultibandExposure
    from ..inject import InjectionCatalog, InjectionResult, KnownObjects, Realization

__all__ = ["inject"]

_SUMMARY, _SKY = "summary.json", "multi_band"

T = TypeVar("T", bound=BaseModel)


def inject(options: argparse.Namespace) -> int:
    """Inject sources, run the chains on what comes out, and write table, summary and figures.

    Returns
    -------
    int
        0; 1 if none of the deblenders recovered a source.
    """
    start_log()
    # Each of many runs would have its own lines; of these only warnings are of interest.
    logging.getLogger("meas_deblend").setLevel(logging.WARNING)
    configs = _configs(options)
    with shown_warnings():
        chains = _chains(options)
        exposure = read_coadds(planes_of(options), **read_options_of(options))
        if options.pixel_scale is not None:
            exposure = replace(exposure, pixel_scale=options.pixel_scale)
        folder = prepare_output(options.out, options.overwrite, _SUMMARY)
        known = describe_sky(exposure, _sky_chain(chains, options))
        catalog = _catalog(options, exposure, known, configs)
        total = len(spread_sources(exposure, len(catalog), configs[0]))
        say(f"{len(catalog)} sources in {total} realizations; {len(known)} objects were there before")
        copies: Iterable[Realization] = _told(make_realizations(exposure, catalog, configs[0]), total)
        copies = _written(copies, folder) if options.write_images else copies
        result = run_injection(exposure, catalog, chains, configs[0], known=known, realizations=copies)
    files = _write(result, catalog, exposure, folder)
    files += sorted(folder.glob("images/*/*.fits")) if options.write_images else []
    files += [] if options.no_figures else _figures(result, folder)
    settings = {
        "injection": configs[0].model_dump(mode="json"),
        "random": None if options.catalog else configs[1].model_dump(mode="json"),
        **{chain.deblender: chain.settings for chain in chains},
    }
    _write_summary(result.summary | {"settings": settings}, files, folder)
    for line in _table(result.summary):
        say(line)
    for name, errors in result.summary["errors"].items():
        say(f"{name}: failed on {len(errors)} realizations, e.g. {errors[0]}")
    say(f"written to {folder}")
    return int(not any(d["all"]["completeness"]["value"] for d in result.summary["deblenders"].values()))


def _configs(options: argparse.Namespace) -> tuple[InjectionConfig, RandomConfig]:
    """Options that were given; the others keep their defaults."""
    if options.random is not None and options.random < 1:
        raise InputError(f"--random must be 1 or more, got {options.random}")
    if options.pixel_scale is not None and not options.pixel_scale > 0:
        raise InputError(f"--pixel-scale must be above 0 arcsec, got {options.pixel_scale}")
    names = ("density", "realizations", "band", "seed", "detect")
    given = {name: getattr(options, name) for name in names} | {"gain": values_by_band(options.gain, "--gain", "GAIN")}
    drawn = ("magnitudes", "star_fraction", "pairs", "separations", "contrasts")
    return _valid(InjectionConfig, given), _valid(RandomConfig, {name: getattr(options, name) for name in drawn})


def _valid(kind: type[T], given: Mapping[str, Any]) -> T:
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = []
        for found in error.errors():
            option = f"--{str(found['loc'][0]).replace('_', '-')}: " if found["loc"] else ""
            lines.append(f"{option}{found['msg']}, got {found['input']}")
        raise InputError("; ".join(lines)) from error


def _chains(options: argparse.Namespace) -> tuple[DeblenderChain, ...]:
    layers = layers_of(options)
    if options.pipelines:
        chains = tuple(load_pipeline_chain(name, layers, options.survey) for name in options.pipelines)
    else:
        chains = load_chains(options.deblenders or [_SKY], layers, options.survey)
    names = [chain.deblender for chain in chains]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"each deblender is named once, but {', '.join(repeated)} is named more often")
    return chains


def _sky_chain(chains: Sequence[DeblenderChain], options: argparse.Namespace) -> DeblenderChain:
    """Chain that says what is on the image before: joint models know best how the light of neighbours is shared."""
    own = next((chain for chain in chains if chain.deblender == _SKY), None)
    return load_chain(_SKY, (), options.survey) if own is None else own


def _catalog(
    options: argparse.Namespace,
    exposure: MultibandExposure,
    known: KnownObjects,
    configs: tuple[InjectionConfig, RandomConfig],
) -> InjectionCatalog:
    if options.catalog is not None:
        return read_injection_catalog(options.catalog, exposure, options.frame)
    config, population = configs
    rng = np.random.default_rng([config.seed, 2])
    return random_catalog(exposure, known, options.random, population, band=config.band, rng=rng)


def _told(realizations: Iterable[Realization], total: int) -> Iterator[Realization]:
    """Pass realizations through, and show on a terminal how far it is."""
    for realization in realizations:
        if sys.stderr.isatty():
            sys.stderr.write(f"\rrealization {realization.number + 1} of {total}")
            sys.stderr.flush()
        yield realization
    if sys.stderr.isatty():
        sys.stderr.write("\n")


def _written(realizations: Iterable[Realization], folder: Path) -> Iterator[Realization]:
    """Pass realizations through, and write their coadds."""
    for realization in realizations:
        place = folder / "images" / f"{realization.number:04d}"
        for band in realization.exposure.bands:
            write_coadd(place / f"{band}.fits", realization.exposure, band, overwrite=True)
        yield realization


def _write(result: InjectionResult, catalog: InjectionCatalog, exposure: MultibandExposure, folder: Path) -> list[Path]:
    """Write the table of what was found, and the catalog of what was injected, which can be injected again."""
    from astropy.table import Table  # noqa: PLC0415 - slow to load

    meanings = COLUMNS | {f"{b}_{name}": text for b in exposure.bands for name, text in BAND_COLUMNS.items()}
    about = {"table": "injection", "bands": list(exposure.bands), "columns": meanings}
    files = [write_columns(folder / "injection.parquet", result.columns, about), folder / "catalog.ecsv"]
    with atomic_write(files[1], "w") as stream:
        Table(catalog.columns(exposure.wcs)).write(stream, format="ascii.ecsv")
    return files


def _figures(result: InjectionResult, folder: Path) -> list[Path]:
    from ..report import injection_figure, save_figure  # noqa: PLC0415 - matplotlib takes its time

    return [save_figure(injection_figure(result.summary), folder / "injection.png")]


def _write_summary(summary: Mapping[str, Any], files: Sequence[Path], folder: Path) -> None:
    """Write ``summary.json``, as the last; it lists the other files."""
    record = {**summary, "versions": dict(versions()), "files": [str(path.relative_to(folder)) for path in files]}
    with atomic_write(folder / _SUMMARY, "w") as stream:
        json.dump(record, stream, indent=1, ensure_ascii=False, allow_nan=False)
        stream.write("\n")


def _table(summary: Mapping[str, Any]) -> list[str]:
    """Table of all sources, for people."""
    band = summary["reference_band"]
    color = reference_color(summary["bands"], band)
    head = [
        "deblender",
        "recovered",
        "n",
        f"{band} aperture",
        "scatter",
        "model",
        "PSF (stars)",
        *([color] if color else []),
    ]
    rows = [[*head, "s/realization"]]
    for name, numbers in summary["deblenders"].items():
        everything = numbers["all"]
        fluxes = everything["bands"][band]
        rows.append(
            [
                name,
                _cell(everything["completeness"], "{:.2f}"),
                str(fluxes["aperture"]["n"]),
                _cell(fluxes["aperture"], "{:+.3f}"),
                _cell({"value": fluxes["scatter"]}, "{:.3f}"),
                _cell(fluxes["model"], "{:+.3f}"),
                _cell(fluxes["psf"], "{:+.3f}"),
                *([_cell(everything["colors"][color], "{:+.3f}")] if color else []),
                f"{summary['seconds_per_realization'][name]:.2f}",
            ]
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cell(number: Mapping[str, Any], form: str) -> str:
    """Value ± error; a dash for what could not be measured."""
    if number.get("value") is None:
        return "–"
    text = form.format(number["value"])
    return text if number.get("error") is None else f"{text} ± {form.replace('+', '').format(number['error'])}"
