"""Unrecognised blends: how well the score tells pairs that are detected as one from single galaxies.

usage: python tests/benchmarks/unrecognised.py [skies [first seed]] [--fit | --hst [FOLDER]]

On each sky (24) stand 25 places with a pair, 0.5 to 1 FWHM apart and of flux ratios above 0.2, or a single galaxy of
the same magnitude. They are detected, deblended and apportioned; places with one peak count. Printed: the area under
the ROC curve of each feature and of the score, and the completeness at some false-alarm rates. With --fit coefficients
are fitted, and printed as they stand in `meas_deblend/measure/_blend_score.py`.

With --hst pairs and single galaxies are put together from the real galaxies of a folder of fields with truth (default:
``fields/cosmos`` under MEAS_DEBLEND_DATA), 16 on a sky, with the noise and the PSFs of those fields: bright ones, then
those of all magnitudes. Where there is no such folder it says so, and ends.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy import optimize, stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from hst_pairs import hst_sky, read_galaxies
from unrecognised_pairs import FWHM, pair_sky

from meas_deblend.apportion import reapportion_parent
from meas_deblend.image import MultibandExposure
from meas_deblend.measure import MeasureConfig, ParentMeasurer, PsfShapes, Scene, detected_pixels, measure_noise
from meas_deblend.measure._blend_score import COEFFICIENTS
from meas_deblend.measure.unrecognised import BlendFeatures, blend_features, blend_score, object_pixels
from meas_deblend_tasks.deblend import MultiBandTask
from meas_deblend_tasks.deconvolve import DeconvolveTask
from meas_deblend_tasks.detect import DetectTask

PENALTY = 1.0
BRIGHT = 25.6
"""Magnitude in r above which the noise of the fields with HST galaxies hides most of what there is to see."""


def measured(exposure):
    """Position and features of every object of an exposure."""
    detections = DetectTask().run(exposure).detections
    models = MultiBandTask().run(exposure, DeconvolveTask().run(exposure, detections).split_parents).parent_models
    detected = detected_pixels([model.footprint for model in models], exposure.box.shape)
    config = MeasureConfig()
    scene = Scene(exposure, detected, measure_noise(exposure, detected, config.noise_lag))
    psfs = PsfShapes(exposure.psfs, config)
    for model in models:
        measurer = ParentMeasurer(scene, model, reapportion_parent(exposure, model), psfs, config)
        for k, source in enumerate(model.sources):
            pixels = object_pixels(measurer, k)
            yield source.peak.center, None if pixels is None else blend_features(pixels)


def samples(skies: Iterable[tuple[MultibandExposure, np.ndarray, float]]) -> tuple[list[BlendFeatures], np.ndarray]:
    """Features of places with one peak, and whether they are pairs; of skies, their places and the FWHM."""
    features, pairs = [], []
    for exposure, places, fwhm in skies:
        found = list(measured(exposure))
        where = np.array([center for center, _ in found]).reshape(-1, 2)
        for y, x, is_pair, *_ in places:
            distance = np.hypot(where[:, 0] - y, where[:, 1] - x)
            near = np.flatnonzero(distance < 2 * fwhm)
            if near.size == 1 and found[near[0]][1] is not None:
                features.append(found[near[0]][1])
                pairs.append(is_pair > 0)
    return features, np.array(pairs)


def area(score: np.ndarray, pairs: np.ndarray) -> float:
    """Area under the ROC curve: the probability that a pair scores higher than a single galaxy."""
    ranks, count = stats.rankdata(score), np.count_nonzero(pairs)
    return float((ranks[pairs].sum() - count * (count + 1) / 2) / (count * np.count_nonzero(~pairs)))


def fitted(features: list[BlendFeatures], pairs: np.ndarray) -> tuple[dict[str, float], float]:
    """Coefficients and constant of a logistic regression with a small penalty."""
    terms = np.array([one.terms() for one in features])
    middle, spread = terms.mean(axis=0), terms.std(axis=0)
    design, sign = np.column_stack([(terms - middle) / spread, np.ones(len(terms))]), np.where(pairs, -1.0, 1.0)

    def loss(w):
        return np.logaddexp(0, sign * (design @ w)).sum() + PENALTY * (w[:-1] ** 2).sum()

    found = optimize.minimize(loss, np.zeros(design.shape[1])).x
    slopes = found[:-1] / spread
    names = {name: round(float(a), 3) for name, a in zip(COEFFICIENTS, slopes, strict=True)}
    return names, round(float(found[-1] - (slopes * middle).sum()), 3)


def show(features: list[BlendFeatures], pairs: np.ndarray) -> None:
    """Print the areas, and what cuts let pass."""
    print(f"{np.count_nonzero(pairs)} unrecognised pairs, {np.count_nonzero(~pairs)} single galaxies")
    for k, name in enumerate(COEFFICIENTS):
        print(f"  {name:12} {area(np.array([one.terms()[k] for one in features]), pairs):.3f}")
    score = np.array([blend_score(one) for one in features])
    # Hanley & McNeil 1982, Radiology 143, 29: error of the area.
    found, n, m = area(score, pairs), np.count_nonzero(pairs), np.count_nonzero(~pairs)
    spread = (n - 1) * (found / (2 - found) - found**2) + (m - 1) * (2 * found**2 / (1 + found) - found**2)
    print(f"  {'score':12} {found:.3f} ± {np.sqrt((found * (1 - found) + spread) / (n * m)):.3f}")
    for alarms in (0.01, 0.05, 0.1, 0.2):
        limit = np.quantile(score[~pairs], 1 - alarms)
        caught = np.mean(score[pairs] > limit)
        print(f"  above {limit:.2f}: {alarms:.2f} of the single galaxies, {caught:.2f} of the pairs")


def show_hst(folder: Path, seeds: range) -> None:
    """Print the same for real galaxies, if they are there."""
    if not folder.is_dir():
        print(f"skipped: no fields of HST galaxies at {folder}; set MEAS_DEBLEND_DATA, or give their folder")
        return
    galaxies = read_galaxies(folder)
    for faintest, title in ((BRIGHT, f"brighter than r = {BRIGHT}"), (np.inf, "of all magnitudes")):
        skies = (hst_sky(galaxies, seed, faintest) for seed in seeds)
        print(f"{np.count_nonzero(galaxies.magnitudes < faintest)} HST galaxies {title}: ", end="")
        show(*samples((sky.exposure, sky.places, galaxies.fwhm) for sky in skies))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("skies", nargs="?", type=int, default=24)
    parser.add_argument("first", nargs="?", type=int, default=0, help="seed of the first sky")
    parser.add_argument("--fit", action="store_true", help="fit coefficients to simulated pairs")
    data = Path(os.environ.get("MEAS_DEBLEND_DATA", Path(__file__).parents[3] / "shared" / "data"))
    parser.add_argument("--hst", nargs="?", type=Path, const=data / "fields" / "cosmos", metavar="FOLDER")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.skies)
    if options.hst is not None:
        show_hst(options.hst, seeds)
        return
    drawn = (pair_sky(seed) for seed in seeds)
    features, pairs = samples((sky.sky.exposure, sky.places, FWHM) for sky in drawn)
    show(features, pairs)
    if options.fit:
        coefficients, constant = fitted(features, pairs)
        print(f"COEFFICIENTS = {coefficients}\nCONSTANT = {constant}")


if __name__ == "__main__":
    main()
