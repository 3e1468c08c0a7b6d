"""Arguments of the commands that deblend coadds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ._patches import add_many
from ._shared import LAYERS, add_coadds, add_layers, add_output, add_settings

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_demo", "add_measure", "add_plan", "add_run"]

RUN_EXAMPLES = """\
examples:
  meas-deblend run --coadd g=g.fits r=r.fits i=i.fits --survey hsc --out out/
  meas-deblend run --coadd r=image.fits,weight=weight.fits --psf fwhm=0.7 --zeropoint 27 --out out/
  meas-deblend run --coadd g=g.fits r=r.fits i=i.fits --survey hsc --only 17 23 --out again/
  meas-deblend run --coadd g=g.fits r=r.fits --sources mine.csv --out out/ -c multi_band:fit.max_iter=50
  meas-deblend run --inputs patches.csv --survey hsc --out out/ -j 8
"""
PLAN_EXAMPLES = """\
examples:
  meas-deblend plan --coadd g=g.fits r=r.fits i=i.fits --survey hsc
  meas-deblend plan --coadd g=g.fits r=r.fits --survey hsc -c multi_band:memory_budget=500 --json > plan.json
"""


def add_run(commands: Commands) -> None:
    """Add ``run``."""
    run = commands.add_parser(
        "run",
        help="deblend coadds",
        description="Detect, deblend and measure everything on a set of coadds on one pixel grid. " + LAYERS,
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_coadds(run, many=True)
    _add_what(run)
    add_settings(run)
    add_output(run)
    run.add_argument("-j", "--jobs", type=int, default=1, metavar="N",
                     help="processes (default: 1); the products are the same for any number")  # fmt: skip
    run.add_argument("--resume", action="store_true",
                     help="go on with a run in DIR that was stopped or killed, where it stopped")  # fmt: skip
    add_many(run)
    run.set_defaults(function="run")


def add_plan(commands: Commands) -> None:
    """Add ``plan``."""
    plan = commands.add_parser(
        "plan",
        help="say what a run will do, and what it will take, before it starts",
        description="Detect and deconvolve, and say for each parent on which rung of the ladder a run with the same "
        "arguments will deblend it, why so, and what that is predicted to take in time and memory. Nothing is fitted, "
        "and no file is written. " + LAYERS,
        epilog=PLAN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_coadds(plan)
    _add_what(plan)
    add_settings(plan)
    plan.add_argument("-j", "--jobs", type=int, default=1, metavar="N",
                      help="processes for which the elapsed time is predicted (default: 1)")  # fmt: skip
    plan.add_argument("--top", type=int, default=20, metavar="N",
                      help="list the N most costly parents; 0: none (default: 20)")  # fmt: skip
    plan.add_argument("--json", action="store_true", help="all parents and the totals as JSON")
    plan.set_defaults(function="plan")


def _add_what(parser: argparse.ArgumentParser) -> None:
    """Which positions, and which parents, are deblended."""
    parser.add_argument("--sources", metavar="FILE", help="table (CSV, FITS, Parquet) of positions to deblend instead "
                        "of detected peaks: columns x y (pixels, 0-based) or ra dec (degrees)")  # fmt: skip
    parser.add_argument("--frame", help="frame of ra and dec in --sources (default: the table's column frame, else "
                        "icrs)")  # fmt: skip
    parser.add_argument("--only", nargs="+", type=int, default=[], metavar="PARENT", help="deblend only these parents, "
                        "by their parentObjectId in the parents table of a run with the same detection; the others "
                        "keep rows with the reason not_selected")  # fmt: skip
    parser.add_argument("--bbox", metavar="X0:X1,Y0:Y1", help="deblend only parents with a pixel in this box: columns "
                        "X0 to X1 - 1 of rows Y0 to Y1 - 1, counted from 0")  # fmt: skip
    parser.add_argument("--edits", metavar="FILE", help="YAML file of what is changed by hand after detection: merge, "
                        "drop_peak, add_peak, protect")  # fmt: skip


def add_demo(commands: Commands) -> None:
    """Add ``demo``."""
    demo = commands.add_parser(
        "demo",
        help="simulate a small sky with truth and run the whole chain on it",
        description="Simulate a small grizy sky, write it as FITS coadds (DIR/sky), run the whole chain on it and "
        "compare the catalog with the truth.",
    )
    demo.add_argument("--seed", type=int, default=1, help="seed of the simulated sky (default: 1)")
    add_settings(demo, survey=False)
    add_output(demo)
    demo.set_defaults(function="demo")


def add_measure(commands: Commands) -> None:
    """Add ``measure``."""
    measure = commands.add_parser(
        "measure",
        help="measure a run's objects again, or at other positions",
        description="Make heavy footprints anew from the run's model store and measure them, with the run's settings "
        "and those given here. In place, objects.parquet and flux_covariance.parquet are written anew; positions of "
        "--sources go to forced.parquet.",
    )
    measure.add_argument("folder", metavar="DIR", help="folder that a run wrote")
    measure.add_argument("--coadd", nargs="+", default=[], metavar="BAND=FILE",
                         help="where image files are now (default: where the run read them)")  # fmt: skip
    measure.add_argument("--sources", metavar="FILE", help="table (CSV, FITS, Parquet) of positions to measure at: "
                         "columns x y (pixels, 0-based) or ra dec (degrees)")  # fmt: skip
    measure.add_argument("--frame", help="frame of ra and dec in --sources (default: the table's column frame, else "
                         "icrs)")  # fmt: skip
    measure.add_argument("--id", nargs="+", type=int, default=[], metavar="ID", dest="ids",
                         help="measure only these objects")  # fmt: skip
    measure.add_argument("--allow-different", action="store_true",
                         help="measure although the coadds are not those that the models were made from")  # fmt: skip
    add_layers(measure)
    measure.add_argument("--out", metavar="DIR", help="folder for what is written (default: that of the run)")
    measure.set_defaults(function="measure")
