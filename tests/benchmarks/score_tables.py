"""The tables of scores in the documentation, in Markdown, from cards that `meas-deblend evaluate` wrote.

usage: python tests/benchmarks/score_tables.py CARDS REFERENCE.npz [--publish FOLDER]

CARDS holds a folder FIELDS-DEBLENDER for each card, such as ``test-hybrid``; REFERENCE.npz has the published scores of
the same fields. Printed: the summaries in r, and the ratios to scarlet v1. With --publish the cards are copied to
FOLDER as FIELDS-DEBLENDER.json.
"""

import argparse
import contextlib
import io
import json
import shutil
import tempfile
from pathlib import Path

from meas_deblend.cli import main as command_line

FIELDS = ("test", "hard", "cosmos", "faint")
DEBLENDERS = ("none", "sep", "single_band", "multi_band", "joint_profiles", "hybrid")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cards", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--publish", type=Path)
    options = parser.parse_args()
    there = [(f, d) for f in FIELDS for d in DEBLENDERS if (options.cards / f"{f}-{d}" / "card.json").is_file()]
    summaries, ratios = [], []
    for fields, deblender in there:
        card = options.cards / f"{fields}-{deblender}" / "card.json"
        summaries.append(f"| {fields} | `{deblender}` | {summary(json.loads(card.read_text())['summary'])} |")
        if fields != "faint":
            ratios.append(f"| {fields} | `{deblender}` | {paired(card, options.reference)} |")
        if options.publish is not None:
            shutil.copy(card, options.publish / f"{fields}-{deblender}.json")
    print("\n".join([*summaries, "", *ratios]))


def summary(of: dict) -> str:
    """Columns of a card, r band."""
    low, high = of["mean_abs_dF_F_ci"]
    model = of["model"]["mean_abs"] if of.get("model") else None
    cells = (
        f"{of['mean_abs_dF_F']:.4f} ({low:.4f} … {high:.4f})",
        number(of["mean_abs_dF_F_blended"], 3),
        number(of["median_abs_dF_F_kappa_ge_0p1"], 3),
        number(of["p_gt_0p1_kappa_gt_0p1"], 2),
        number(model, 3),
        number(of["child"]["mean_abs"], 3),
        number(of["cosine"], 4),
        number(of["ssim"], 4),
        number(of["sd_e1"], 3),
        number(of["cpu_seconds_per_field"], 2),
    )
    return " | ".join(cells)


def number(value: float | None, digits: int) -> str:
    """A cell; a dash where there is no number."""
    return "–" if value is None else f"{value:.{digits}f}"


def paired(card: Path, reference: Path) -> str:
    """Ratios of a card to scarlet v1 on the same galaxies."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "paired.json"
        with contextlib.redirect_stdout(io.StringIO()):
            if command_line(["compare", str(card), "--reference", str(reference), "--out", str(out)]):
                raise SystemExit(f"{card} cannot be compared")
        ratios = next(value for name, value in json.loads(out.read_text()).items() if name.endswith("/ scarlet_v1"))
    field, model = ratios["field"], ratios["model"]
    cells = [
        interval(field, name)
        for name in ("mean_abs_ratio", "mean_abs_blended_ratio", "median_abs_ratio", "median_abs_kappa_ge_0p1_ratio")
    ]
    cells.append(interval(field, "p_gt_0p1_kappa_gt_0p1_difference", "+.2f"))
    return " | ".join([*cells, interval(model, "mean_abs_ratio") if model else "–"])


def interval(of: dict, name: str, form: str = ".2f") -> str:
    """A number with its 95 % interval."""
    low, high = of[f"{name}_ci"]
    return f"{of[name]:{form}} ({low:{form}} … {high:{form}})"


if __name__ == "__main__":
    main()
