"""Arguments of the commands that simulate skies and score deblenders on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._shared import LAYERS, add_layers

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["SIMULATE_PRESETS", "add_compare", "add_evaluate", "add_simulate"]

SIMULATE_PRESETS = (
    "field", "postage", "faint", "patch", "three-in-a-row", "bright-star", "crowded", "poisoned", "correlated",
)  # fmt: skip


def add_simulate(commands: Commands) -> None:
    """Add ``simulate``."""
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


def add_evaluate(commands: Commands) -> None:
    """Add ``evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="score deblenders on fields with truth",
        description="Deblend fields with truth and write a card per deblender: card.json, objects.parquet and a page "
        "of figures, in DIR for one deblender and in DIR/NAME for several. " + LAYERS,
    )
    parser.add_argument("--fields", required=True, metavar="DIR",
                        help="folder with field_*.npz, and psf.npz in it or beside it")  # fmt: skip
    parser.add_argument("--deblender", action="append", required=True, metavar="NAME", dest="deblenders",
                        help="none, sep, single_band, multi_band, joint_profiles, hybrid or a plug-in; may be given "
                        "several times")  # fmt: skip
    parser.add_argument("--detect", action="store_true", help="detect sources instead of giving the true centres")
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--survey", default="generic", help="whose overrides of settings apply (default: generic)")
    add_layers(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the cards")
    parser.add_argument("--overwrite", action="store_true", help="use DIR although there is something in it")
    parser.add_argument("--no-figures", action="store_true", help="write no page")
    parser.set_defaults(function="evaluate")


def add_compare(commands: Commands) -> None:
    """Add ``compare``."""
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
