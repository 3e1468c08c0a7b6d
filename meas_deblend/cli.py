"""The command line ``meas-deblend``: the arguments, and which command they go to.

Only the parser is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from . import __version__
from .exceptions import MeasDeblendError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["build_parser", "main"]

LAYERS = (
    "Settings, low to high: class defaults, config/<survey>/<label>.yaml, the pipeline definition's config: block, "
    "-C files in order, -c settings in order."
)
RUN_EXAMPLES = """\
examples:
  meas-deblend run --coadd g=g.fits r=r.fits i=i.fits --survey hsc --out out/
  meas-deblend run --coadd r=image.fits,weight=weight.fits --psf fwhm=0.7 --zeropoint 27 --out out/
  meas-deblend run --coadd g=g.fits r=r.fits --sources mine.csv --out out/ -c multi_band:fit.max_iter=50
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="meas-deblend", description="Deblend multi-band sky images: every detected object gets its own pixels."
    )
    parser.add_argument("--version", action="version", version=f"meas_deblend {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_demo(commands)
    _add_show(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="deblend coadds",
        description="Detect, deblend and measure everything on a set of coadds on one pixel grid. " + LAYERS,
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "--coadd",
        nargs="+",
        required=True,
        metavar="BAND=FILE",
        help="one FITS file per band, with image, variance, mask and PSF in it; planes in files of their own: "
        "BAND=FILE,variance=FILE,mask=FILE,psf=FILE (or weight=, ivar=, sigma= in place of variance=)",
    )
    run.add_argument("--sources", metavar="FILE", help="table (CSV, FITS, Parquet) of positions to deblend instead of "
                     "detected peaks: columns x y (pixels, 0-based) or ra dec (degrees)")  # fmt: skip
    run.add_argument("--frame", help="frame of ra and dec in --sources (default: the table's column frame, else icrs)")
    run.add_argument("--psf", nargs="+", default=[], metavar="SPEC",
                     help="PSF for all bands, or for one as BAND=SPEC: an image file, or fwhm=ARCSEC")  # fmt: skip
    run.add_argument("--zeropoint", nargs="+", default=[], metavar="MAG",
                     help="AB magnitude of one image unit, for all bands or as BAND=MAG")  # fmt: skip
    run.add_argument("--background", choices=["none", "subtract"], default="none",
                     help="subtract a residual sky level per band before detection (default: none)")  # fmt: skip
    run.add_argument("--missing-psf", choices=["error", "drop"], default="error",
                     help="what to do with a band without a PSF (default: error)")  # fmt: skip
    _add_settings(run)
    _add_output(run)
    run.set_defaults(function="run")


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="simulate a small sky with truth and run the whole chain on it",
        description="Simulate a small grizy sky, write it as FITS coadds (DIR/sky), run the whole chain on it and "
        "compare the catalog with the truth.",
    )
    demo.add_argument("--seed", type=int, default=1, help="seed of the simulated sky (default: 1)")
    _add_settings(demo, survey=False)
    _add_output(demo)
    demo.set_defaults(function="demo")


def _add_show(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    show = commands.add_parser("show", help="show tasks, a task's settings or a pipeline")
    what = show.add_subparsers(title="what", dest="what", metavar="WHAT", required=True)
    tasks = what.add_parser("tasks", help="table of all tasks: label, class, config, inputs, outputs")
    tasks.set_defaults(function="show_tasks")
    config = what.add_parser("config", help="resolved settings of a task, as YAML", description=LAYERS)
    config.add_argument("label", help="label of the task in the pipeline, e.g. multi_band")
    config.add_argument("--history", metavar="FIELD", help="who set this field, and where: e.g. fit.max_iter")
    _add_settings(config)
    config.set_defaults(function="show_config")
    pipeline = what.add_parser("pipeline", help="tasks of a pipeline, in order, with their datasets")
    pipeline.add_argument("name", nargs="?", default="multiband", help="name or file (default: multiband)")
    pipeline.set_defaults(function="show_pipeline")


def _add_settings(parser: argparse.ArgumentParser, *, survey: bool = True) -> None:
    if survey:
        parser.add_argument("--survey", default="generic", help="conventions and overrides of a survey, by name or as "
                            "a folder (default: generic)")  # fmt: skip
    parser.add_argument("--pipeline", default="multiband", help="pipeline definition, by name or as a file "
                        "(default: multiband)")  # fmt: skip
    parser.add_argument("-C", "--config-file", action="append", default=[], metavar="FILE", dest="config_files",
                        help="YAML file of settings, label by label; may be given several times")  # fmt: skip
    parser.add_argument("-c", "--config", action="append", default=[], metavar="LABEL:FIELD=VALUE", dest="settings",
                        help="one setting, e.g. multi_band:fit.max_iter=50; may be given several times")  # fmt: skip


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for everything that is written")
    parser.add_argument("--overwrite", action="store_true", help="use DIR although there is something in it")
    parser.add_argument("--strict", action="store_true", help="stop at the first parent that fails")
    parser.add_argument("--no-figures", action="store_true", help="write no figures")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        0 if it worked, 1 if the run failed, 2 if the input or a setting cannot be used.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = build_parser().parse_args(given)
    options.command_line = ("meas-deblend", *given)
    try:
        return _load(options.function)(options)
    except MeasDeblendError as error:
        sys.stderr.write(f"meas-deblend: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("meas-deblend: interrupted\n")
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _load(name: str) -> Callable[[argparse.Namespace], int]:
    from . import commands  # noqa: PLC0415  (keeps --help fast)

    function: Callable[[argparse.Namespace], int] = getattr(commands, name)
    return function


if __name__ == "__main__":
    sys.exit(main())
