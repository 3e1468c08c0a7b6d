"""ROC curve of the score of unrecognised blends, for explanation/unrecognised.md: python unrecognised.py FOLDER."""

import sys
from pathlib import Path

import numpy as np

import meas_deblend as md
from meas_deblend.report import save_figure
from meas_deblend.report.style import PALETTE, new_figure

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from unrecognised_pairs import FWHM, pair_sky

#: Not those that the coefficients were fitted to; pairs, half of the objects, of these separations in FWHM.
SEEDS = range(500, 505)
SEPARATIONS = {"0.5 to 0.75 FWHM": (0.5, 0.75), "0.75 to 1 FWHM": (0.75, 1.0)}


def scores(separations: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of pairs that are detected as one, and of single galaxies."""
    found: tuple[list[float], list[float]] = ([], [])
    for seed in SEEDS:
        sky = pair_sky(seed, separations=separations)
        objects = md.deblend(sky.sky.exposure).objects
        for y, x, is_pair in sky.places:
            near = np.hypot(objects["y"] - y, objects["x"] - x) < 2 * FWHM
            value = float(objects["deblend_unrecognisedBlendScore"][near][0]) if near.sum() == 1 else np.nan
            if np.isfinite(value):
                found[int(is_pair == 0)].append(value)
    return np.array(found[0]), np.array(found[1])


def main(folder: Path) -> None:
    """Draw the curves, and how scores are spread."""
    figure = new_figure(8.0, 3.4)
    curves, spread = figure.subplots(1, 2)
    every = {name: scores(limits) for name, limits in SEPARATIONS.items()}
    single = np.concatenate([alone for _, alone in every.values()])
    cuts = np.linspace(0, 1, 501)
    for (name, (pairs, _)), color in zip(every.items(), (PALETTE["blue"], PALETTE["vermilion"]), strict=True):
        area = np.mean(pairs[:, None] > single[None])
        alarms, caught = ((values[:, None] > cuts).mean(axis=0) for values in (single, pairs))
        curves.plot(alarms, caught, color=color, label=f"{name}: area {area:.2f}")
        spread.hist(pairs, np.linspace(0, 1, 21), density=True, histtype="step", color=color, label=f"pairs, {name}")
    spread.hist(single, np.linspace(0, 1, 21), density=True, color="0.8", label="single galaxies", zorder=0)
    curves.plot([0, 1], [0, 1], ":", color="0.5")
    curves.set(xlabel="single galaxies above the cut", ylabel="pairs above the cut")
    spread.set(xlabel="deblend_unrecognisedBlendScore", ylabel="density")
    for axes in (curves, spread):
        axes.legend(fontsize=7.5, frameon=False)
    save_figure(figure, folder / "unrecognised.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
