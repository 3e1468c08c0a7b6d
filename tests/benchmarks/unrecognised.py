"""Unrecognised blends: how well the score tells pairs that are detected as one from single galaxies.

usage: python tests/benchmarks/unrecognised.py [skies [first seed]] [--fit]

On each sky (24) stand 25 places with a pair, 0.5 to 1 FWHM apart and of flux ratios above 0.2, or a single galaxy of
the same magnitude. They are detected, deblended and apportioned; places with one peak count. Printed: the area under
the ROC curve of each feature and of the score, and the completeness at some false-alarm rates. With --fit coefficients
are fitted, and printed as they stand in `meas_deblend/measure/_blend_score.py`.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import optimize, stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from unrecognised_pairs import FWHM, pair_sky

from meas_deblend.apportion import reapportion_parent
from meas_deblend.measure import MeasureConfig, ParentMeasurer, PsfShapes, Scene, detected_pixels, measure_noise
from meas_deblend.measure._blend_score import COEFFICIENTS
from meas_deblend.measure.unrecognised import BlendFeatures, blend_features, blend_score, object_pixels
from meas_deblend_tasks.deblend import MultiBandTask
from meas_deblend_tasks.deconvolve import DeconvolveTask
from meas_deblend_tasks.detect import DetectTask

PENALTY = 1.0


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


def samples(skies: range) -> tuple[list[BlendFeatures], np.ndarray]:
    """Features of places with one peak, and whether they are pairs."""
    features, pairs = [], []
    for seed in skies:
        sky = pair_sky(seed)
        found = list(measured(sky.sky.exposure))
        where = np.array([center for center, _ in found])
        for y, x, is_pair in sky.places:
            distance = np.hypot(where[:, 0] - y, where[:, 1] - x)
            nearest = int(distance.argmin())
            if np.count_nonzero(distance < 2 * FWHM) == 1 and found[nearest][1] is not None:
                features.append(found[nearest][1])
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


def main(skies: int, first: int, fit: bool) -> None:
    """Print the tables."""
    features, pairs = samples(range(first, first + skies))
    print(f"{np.count_nonzero(pairs)} unrecognised pairs, {np.count_nonzero(~pairs)} single galaxies")
    for k, name in enumerate(COEFFICIENTS):
        print(f"  {name:12} {area(np.array([one.terms()[k] for one in features]), pairs):.3f}")
    score = np.array([blend_score(one) for one in features])
    print(f"  {'score':12} {area(score, pairs):.3f}")
    for alarms in (0.01, 0.05, 0.1, 0.2):
        limit = np.quantile(score[~pairs], 1 - alarms)
        caught = np.mean(score[pairs] > limit)
        print(f"  above {limit:.2f}: {alarms:.2f} of the single galaxies, {caught:.2f} of the pairs")
    if fit:
        coefficients, constant = fitted(features, pairs)
        print(f"COEFFICIENTS = {coefficients}\nCONSTANT = {constant}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word != "--fit"]
    main(numbers[0] if numbers else 24, numbers[1] if len(numbers) > 1 else 0, "--fit" in sys.argv)
