"""Arguments of ``meas-deblend lsst``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ._shared import add_coadds

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_lsst"]

LSST_EXAMPLE = """\
examples:
  meas-deblend lsst init repo --coadd g=g.fits r=r.fits i=i.fits --survey hsc --tract 9813 --patch 42
  meas-deblend lsst init repo --inputs patches.csv --survey hsc
  pipetask run -b repo -p "$(meas-deblend lsst pipeline multiband)" -i meas_deblend/coadds -o meas_deblend/run \\
      --register-dataset-types -j 2
"""


def add_lsst(commands: Commands) -> None:
    """Add ``lsst``."""
    lsst = commands.add_parser(
        "lsst",
        help="work inside Rubin's middleware: repositories, pipelines for pipetask and BPS",
        description="Work inside Rubin's middleware (extra lsst, Python 3.12 or later): make a Butler repository of "
        "coadds in files, and find the pipelines that pipetask and BPS run.",
        epilog=LSST_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = lsst.add_subparsers(title="what", dest="what", metavar="WHAT", required=True)
    init = what.add_parser("init", help="make a repository of coadds, or add patches to one",
                           description="Make a Butler repository if there is none, register what patches need (bands, "
                           "sky map, tract, patch), and put their images and PSFs into a collection. The command "
                           "that runs the multi-band pipeline on them is printed.")  # fmt: skip
    init.add_argument("repository", metavar="REPO", help="folder of the repository")
    add_coadds(init, many=True)
    init.add_argument("--survey", default="generic", help="conventions of a survey, by name or as a folder "
                      "(default: generic)")  # fmt: skip
    init.add_argument("--tract", type=int, metavar="N", help="tract of --coadd (default: 0)")
    init.add_argument("--patch", type=int, metavar="N", help="patch of --coadd (default: 0)")
    init.add_argument("--skymap", default="meas_deblend", metavar="NAME", help="sky map (default: meas_deblend); one "
                      "that the repository has is used as it is")  # fmt: skip
    init.add_argument("--dataset-type", default="deep_coadd", metavar="NAME", help="dataset type of the images "
                      "(default: deep_coadd); PSFs are in NAME_psf")  # fmt: skip
    init.add_argument("--collection", default="meas_deblend/coadds", metavar="NAME", help="collection that they are "
                      "put into (default: meas_deblend/coadds)")  # fmt: skip
    init.add_argument("--registry", metavar="URL", help="database of a new repository, e.g. "
                      "postgresql+psycopg2://host/database (default: an SQLite file in REPO)")  # fmt: skip
    init.set_defaults(function="lsst_init")
    pipeline = what.add_parser("pipeline", help="print where a pipeline for pipetask and BPS is")
    pipeline.add_argument("name", metavar="NAME", help="multiband, single_band, profile, any_deblender or none")
    pipeline.set_defaults(function="lsst_pipeline")
