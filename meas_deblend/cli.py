"""The command line ``meas-deblend``: the arguments, and which command they go to.

Only the parser is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
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
INJECT_EXAMPLES = """\
examples:
  meas-deblend inject --coadd g=g.fits r=r.fits --survey hsc --random 100 --out inject/
  meas-deblend inject --coadd r=r.fits --psf fwhm=0.7 --zeropoint 27 --catalog stars.csv --detect --out inject/
  meas-deblend inject --coadd r=r.fits --survey hsc --random 50 --pairs 1 --separations 1 1.2 --out pairs/
"""
MODELS_EXAMPLES = """\
examples:
  meas-deblend models info out/
  meas-deblend models verify out/models.parquet
  meas-deblend models convert rubin_models.scarlet models.parquet
  meas-deblend models convert out/ for_rubin.scarlet --leave-out
  meas-deblend models extract out/ --id 17 pair.parquet
"""

# As meas_deblend.simulate.PRESETS has them; a test compares.
SIMULATE_PRESETS = (
    "field", "postage", "faint", "patch", "three-in-a-row", "bright-star", "crowded", "poisoned", "correlated",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="meas-deblend", description="Deblend multi-band sky images: every detected object gets its own pixels."
    )
    parser.add_argument("--version", action="version", version=f"meas_deblend {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_demo(commands)
    _add_measure(commands)
    _add_show(commands)
    _add_simulate(commands)
    _add_evaluate(commands)
    _add_compare(commands)
    _add_inject(commands)
    _add_models(commands)
    warmup = commands.add_parser(
        "warmup",
        help="compile the inner loops ahead of the first run",
        description="Compile the inner loops of the multi-band engine and keep them on disk, so that the first run "
        "does not wait for the compiler: some seconds the first time, a fraction of one after that.",
    )
    warmup.set_defaults(function="warmup")
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="deblend coadds",
        description="Detect, deblend and measure everything on a set of coadds on one pixel grid. " + LAYERS,
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_coadds(run)
    run.add_argument("--sources", metavar="FILE", help="table (CSV, FITS, Parquet) of positions to deblend instead of "
                     "detected peaks: columns x y (pixels, 0-based) or ra dec (degrees)")  # fmt: skip
    run.add_argument("--frame", help="frame of ra and dec in --sources (default: the table's column frame, else icrs)")
    _add_settings(run)
    _add_output(run)
    run.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="processes (default: 1); the products are "
                     "the same for any number")  # fmt: skip
    run.add_argument("--resume", action="store_true", help="go on with a run in DIR that was stopped or killed, with "
                     "the parents that it has done")  # fmt: skip
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


def _add_measure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    _add_layers(measure)
    measure.add_argument("--out", metavar="DIR", help="folder for what is written (default: that of the run)")
    measure.set_defaults(function="measure")


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


def _add_simulate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    simulate = commands.add_parser(
        "simulate",
        help="simulate fields of a survey with their truth",
        description="Simulate fields in electrons and write them as FITS coadds (DIR/coadds), in the compact format of "
        "deblending test sets (DIR/fields, DIR/psf.npz), and as tables of the truth (DIR/truth).",
    )
    simulate.add_argument("preset", choices=SIMULATE_PRESETS, metavar="PRESET",
                          help=f"what to simulate: {', '.join(SIMULATE_PRESETS)}")  # fmt: skip
    simulate.add_argument("--seed", type=int, default=1, help="seed of everything that is random (default: 1)")
    simulate.add_argument("--n-fields", type=int, default=1, metavar="N", help="number of fields (default: 1)")
    simulate.add_argument("--catalog", metavar="FILE", help="draw galaxies from this table (FITS, CSV, ECSV, Parquet) "
                          "in CatSim's columns, instead of from published distributions")  # fmt: skip
    simulate.add_argument("--conditions", metavar="NAME", help="survey conditions: lsst (default), or galcheat:SURVEY "
                          "or surveycodex:SURVEY where that package is installed")  # fmt: skip
    simulate.add_argument("--size", type=int, metavar="PIXELS", help="side of the images, e.g. of a patch")
    simulate.add_argument("--morphology", choices=["disc_bulge", "free", "mixed"],
                          help="discs and bulges; profiles with gradients, twists and knots; or half each")  # fmt: skip
    simulate.add_argument("--psf", choices=["kolmogorov", "moffat"], help="kind of PSF (default: kolmogorov)")
    simulate.add_argument("--psf-variation", type=float, metavar="FRACTION",
                          help="growth of the PSF's width towards the corners (default: 0)")  # fmt: skip
    simulate.add_argument("--renderer", choices=["core", "galsim"], default="core",
                          help="what draws the sources (default: core)")  # fmt: skip
    simulate.add_argument("--no-coadds", action="store_true", help="write no FITS coadds")
    simulate.add_argument("--out", required=True, metavar="DIR", help="folder for everything that is written")
    simulate.add_argument("--overwrite", action="store_true", help="use DIR although there is something in it")
    simulate.set_defaults(function="simulate")


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score deblenders on fields with truth",
        description="Deblend fields with truth and write a card per deblender: card.json, objects.parquet and a page "
        "of figures, in DIR for one deblender and in DIR/NAME for several. " + LAYERS,
    )
    parser.add_argument("--fields", required=True, metavar="DIR",
                        help="folder with field_*.npz, and psf.npz in it or beside it")  # fmt: skip
    parser.add_argument("--deblender", action="append", required=True, metavar="NAME", dest="deblenders",
                        help="none, sep, single_band, multi_band or a plug-in; may be given several times")  # fmt: skip
    parser.add_argument("--detect", action="store_true", help="detect sources instead of giving the true centres")
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--survey", default="generic", help="whose overrides of settings apply (default: generic)")
    _add_layers(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the cards")
    parser.add_argument("--overwrite", action="store_true", help="use DIR although there is something in it")
    parser.add_argument("--no-figures", action="store_true", help="write no page")
    parser.set_defaults(function="evaluate")


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "compare",
        help="put evaluation cards side by side",
        description="Print the summaries of cards, and paired ratios: of each card to the first, and of each card to "
        "each published deblender.",
    )
    parser.add_argument("cards", nargs="+", metavar="CARD", help="folder of a card, or its card.json")
    parser.add_argument("--reference", metavar="FILE",
                        help="npz file with published scores of the same fields")  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="JSON file for the paired numbers")
    parser.add_argument("--figure", metavar="FILE", help="picture (PNG or PDF) of how many sources have which error")
    parser.set_defaults(function="compare")


def _add_inject(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    inject = commands.add_parser(
        "inject",
        help="add sources of known truth to your own images and see what becomes of them",
        description="Add stars and galaxies to coadds, deblend again, and report completeness, flux and colour bias "
        "against separation, contrast and contamination. " + LAYERS,
        epilog=INJECT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_coadds(inject)
    inject.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="side of a pixel, for images without WCS")
    _add_injected_sources(inject)
    which = inject.add_mutually_exclusive_group()
    which.add_argument("--deblender", action="append", default=[], metavar="NAME", dest="deblenders",
                       help="none, sep, single_band, multi_band or a plug-in; may be given several times (default: "
                       "multi_band)")  # fmt: skip
    which.add_argument("--pipeline", action="append", default=[], metavar="NAME", dest="pipelines",
                       help="pipeline definition instead, by name or file; may be given several times")  # fmt: skip
    inject.add_argument("--detect", action="store_true", help="detect on the injected images, instead of giving the "
                        "centres of what was detected before and of what was injected")  # fmt: skip
    inject.add_argument("--survey", default="generic", help="conventions and overrides of a survey, by name or as a "
                        "folder (default: generic)")  # fmt: skip
    _add_layers(inject)
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


def _add_models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    models = commands.add_parser(
        "models",
        help="look into, check, convert and cut files of models",
        description="Look into, check, convert and cut files of models: a model store (models.parquet, or the run's "
        "folder), the same as JSON, and the scarlet models of Rubin's pipelines (JSON or zip archive). What a file is "
        "follows from its content.",
        epilog=MODELS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = models.add_subparsers(title="what", dest="what", metavar="WHAT", required=True)
    info = what.add_parser("info", help="what a file holds")
    info.add_argument("--json", action="store_true", help="as JSON: n_parents, n_blends, n_sources, bands, version, …")
    verify = what.add_parser("verify", help="read everything and list what is wrong",
                             description="Read everything and check identifiers, boxes, PSFs and that all values are "
                             "finite. The exit code is 1 if something is wrong.")  # fmt: skip
    verify.add_argument("--all", action="store_true", help="list all problems, not only the first 20")
    convert = what.add_parser("convert", help="write the same models in another layout")
    extract = what.add_parser("extract", help="write the parents of some objects to a file of their own",
                              description="Write parents to a file of their own: those that are named, and those of "
                              "the objects that are named, each with all its objects.")  # fmt: skip
    for parser, name in ((info, "info"), (verify, "verify"), (convert, "convert"), (extract, "extract")):
        parser.add_argument("path", metavar="IN", help="file of models, or folder of a run")
        parser.set_defaults(function=f"models_{name}")
    convert.add_argument("--units", help="unit of the pixels, where the file that is read does not tell, e.g. nJy")
    extract.add_argument("--id", action="append", required=True, metavar="ID", dest="ids",
                         help="object or parent, or several with commas; may be given several times")  # fmt: skip
    merge = what.add_parser("merge", help="join files of one pixel grid")
    merge.add_argument("inputs", nargs="+", metavar="IN", help="files of models with the same bands, units and grid")
    merge.set_defaults(function="models_merge")
    for parser in (convert, extract, merge):
        parser.add_argument("out", metavar="OUT", help="file to write: .parquet (model store), .json (the same as "
                            "JSON), .zip or .scarlet (archive for Rubin's pipelines)")  # fmt: skip
        parser.add_argument("--to", choices=["parquet", "json", "rubin"], help="the layout, whatever the suffix")
        parser.add_argument("--leave-out", action="store_true", help="leave out parents that Rubin's layout cannot "
                            "hold, instead of stopping")  # fmt: skip


def _add_coadds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--coadd",
        nargs="+",
        required=True,
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


def _add_settings(parser: argparse.ArgumentParser, *, survey: bool = True) -> None:
    if survey:
        parser.add_argument("--survey", default="generic", help="conventions and overrides of a survey, by name or as "
                            "a folder (default: generic)")  # fmt: skip
    parser.add_argument("--pipeline", default="multiband", help="pipeline definition, by name or as a file "
                        "(default: multiband)")  # fmt: skip
    _add_layers(parser)


def _add_layers(parser: argparse.ArgumentParser) -> None:
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
    log = logging.getLogger("meas_deblend")
    before = log.handlers, log.level, log.propagate
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
    finally:
        # A command sends the log to the terminal; whoever calls this from Python gets theirs back.
        log.handlers, log.level, log.propagate = before


def _load(name: str) -> Callable[[argparse.Namespace], int]:
    from . import commands  # noqa: PLC0415  (keeps --help fast)

    function: Callable[[argparse.Namespace], int] = getattr(commands, name)
    return function


if __name__ == "__main__":
    sys.exit(main())
