"""Arguments that several commands take."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["LAYERS", "add_coadds", "add_layers", "add_output", "add_settings"]

LAYERS = (
    "Settings, low to high: class defaults, config/<survey>/<label>.yaml, the pipeline definition's config: block, "
    "-C files in order, -c settings in order."
)


def add_coadds(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    """Add the arguments for which coadds are read, and how; with ``many``, those of many patches instead."""
    where: Any = parser
    if many:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--inputs", metavar="TABLE", help="many patches: a CSV table with columns tract, patch, "
                           "band, image and optionally variance, mask, psf, inner; or a pattern such as "
                           "'{tract}/{patch}/{band}.fits'")  # fmt: skip
    where.add_argument(
        "--coadd",
        nargs="+",
        required=not many,
        metavar="BAND=FILE",
        help="one FITS file per band, with image, variance, mask and PSF in it; planes in files of their own: "
        "BAND=FILE,variance=FILE,mask=FILE,psf=FILE (or weight=, ivar=, sigma= in place of variance=)",
    )
    parser.add_argument("--psf", nargs="+", default=[], metavar="SPEC",
                        help="PSF for all bands, or for one as BAND=SPEC: an image file, psfex=FILE, grid=FILE, or "
                             "fwhm=ARCSEC")  # fmt: skip
    parser.add_argument("--zeropoint", nargs="+", default=[], metavar="MAG",
                        help="AB magnitude of one image unit, for all bands or as BAND=MAG")  # fmt: skip
    parser.add_argument("--background", choices=["none", "subtract"], default="none",
                        help="subtract a residual sky level per band before detection (default: none)")  # fmt: skip
    parser.add_argument("--missing-psf", choices=["error", "drop"], default="error",
                        help="what to do with a band without a PSF (default: error)")  # fmt: skip


def add_settings(parser: argparse.ArgumentParser, *, survey: bool = True) -> None:
    """Add the arguments for survey, pipeline and settings."""
    if survey:
        parser.add_argument("--survey", default="generic", help="conventions and overrides of a survey, by name or as "
                            "a folder (default: generic)")  # fmt: skip
    parser.add_argument("--pipeline", default="multiband", help="pipeline definition, by name or as a file "
                        "(default: multiband)")  # fmt: skip
    add_layers(parser)


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for settings."""
    parser.add_argument("-C", "--config-file", action="append", default=[], metavar="FILE", dest="config_files",
                        help="YAML file of settings, label by label; may be given several times")  # fmt: skip
    parser.add_argument("-c", "--config", action="append", default=[], metavar="LABEL:FIELD=VALUE", dest="settings",
                        help="one setting, e.g. multi_band:fit.max_iter=50; may be given several times")  # fmt: skip


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for where everything is written, and how."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for everything that is written")
    parser.add_argument("--overwrite", action="store_true", help="use DIR although there is something in it")
    parser.add_argument("--strict", action="store_true", help="stop at the first parent that fails")
    parser.add_argument("--no-figures", action="store_true", help="write no figures")
