"""Arguments of ``meas-deblend inject``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ._shared import LAYERS, add_coadds, add_layers

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_inject"]

INJECT_EXAMPLES = """\
examples:
  meas-deblend inject --coadd g=g.fits r=r.fits --survey hsc --random 100 --out inject/
  meas-deblend inject --coadd r=r.fits --psf fwhm=0.7 --zeropoint 27 --catalog stars.csv --detect --out inject/
  meas-deblend inject --coadd r=r.fits --survey hsc --random 50 --pairs 1 --separations 1 1.2 --out pairs/
"""


def add_inject(commands: Commands) -> None:
    """Add ``inject``."""
    inject = commands.add_parser(
        "inject",
        help="add sources of known truth to your own images and see what becomes of them",
        description="Add stars and galaxies to coadds, deblend again, and report completeness, flux and colour bias "
        "against separation, contrast and contamination. " + LAYERS,
        epilog=INJECT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_coadds(inject)
    inject.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="side of a pixel, for images without WCS")
    _add_injected_sources(inject)
    which = inject.add_mutually_exclusive_group()
    which.add_argument("--deblender", action="append", default=[], metavar="NAME", dest="deblenders",
                       help="none, sep, single_band, multi_band, joint_profiles, hybrid or a plug-in; several times "
                       "(default: multi_band)")  # fmt: skip
    which.add_argument("--pipeline", action="append", default=[], metavar="NAME", dest="pipelines",
                       help="pipeline definition instead, by name or file; may be given several times")  # fmt: skip
    inject.add_argument("--detect", action="store_true", help="detect on the injected images, instead of giving the "
                        "centres of what was detected before and of what was injected")  # fmt: skip
    inject.add_argument("--survey", default="generic", help="conventions and overrides of a survey, by name or as a "
                        "folder (default: generic)")  # fmt: skip
    add_layers(inject)
    inject.add_argument("--write-images", action="store_true", help="write the injected coadds")
    inject.add_argument("--out", required=True, metavar="DIR", help="folder for everything that is written")
    inject.add_argument("--overwrite", action="store_true", help="use DIR although there is something in it")
    inject.add_argument("--no-figures", action="store_true", help="write no figures")
    inject.set_defaults(function="inject")


def _add_injected_sources(parser: argparse.ArgumentParser) -> None:
    """Which sources ``inject`` adds; what is not given has the default of `inject.InjectionConfig`, `RandomConfig`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--catalog", metavar="FILE", help="table (CSV, FITS, Parquet) of sources: x y or ra dec, "
                      "mag_BAND, optionally half_light_radius (arcsec), axis_ratio, position_angle, sersic_index, "
                      "is_star")  # fmt: skip
    what.add_argument("--random", type=int, metavar="N", help="draw N stars and galaxies")
    parser.add_argument("--frame", default="icrs", help="frame of ra and dec in --catalog (default: icrs)")
    parser.add_argument("--density", type=float, metavar="N", help="most sources per arcmin² in one copy of the image, "
                        "but always one (default: 10)")  # fmt: skip
    parser.add_argument("--realizations", type=int, metavar="N", help="copies of the image over which the sources are "
                        "spread (default: as many as --density needs, and 8 at least)")  # fmt: skip
    parser.add_argument("--gain", nargs="+", default=[], metavar="GAIN", help="photo-electrons per image unit, for all "
                        "bands or as BAND=GAIN: adds the noise of the added light (default: no noise)")  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", help="seed of everything that is random (default: 1)")
    parser.add_argument("--band", metavar="BAND", help="reference band of magnitudes, contrasts and contamination "
                        "(default: r, or the middle one)")  # fmt: skip
    drawn = parser.add_argument_group("sources of --random")
    drawn.add_argument("--magnitudes", nargs=2, type=float, metavar=("BRIGHT", "FAINT"), help="range of magnitudes "
                       "(default: 4 mag down to a star of S/N 10)")  # fmt: skip
    drawn.add_argument("--star-fraction", type=float, metavar="F", help="share of stars (default: 0.3)")
    drawn.add_argument("--pairs", type=float, metavar="F", help="share of sources that are put beside a detected "
                       "object (default: 0.5)")  # fmt: skip
    drawn.add_argument("--separations", nargs=2, type=float, metavar=("LOW", "HIGH"),
                       help="distances of such pairs in arcsec (default: 0.5 3)")  # fmt: skip
    drawn.add_argument("--contrasts", nargs=2, type=float, metavar=("LOW", "HIGH"),
                       help="fluxes of such sources over the object's (default: 0.1 3)")  # fmt: skip
