"""Arguments of ``meas-deblend models``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._types import Commands

__all__ = ["add_models"]

MODELS_EXAMPLES = """\
examples:
  meas-deblend models info out/
  meas-deblend models verify out/models.parquet
  meas-deblend models convert rubin_models.scarlet models.parquet
  meas-deblend models convert out/ for_rubin.scarlet --leave-out
  meas-deblend models extract out/ --id 17 pair.parquet
"""


def add_models(commands: Commands) -> None:
    """Add ``models``."""
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
