"""Detection and deconvolution: cost in yardsticks, memory in images, and how both grow with the area.

usage: python tests/benchmarks/detection.py [side …]

Skies of 100 galaxies per square arcminute of 0.2″ pixels in six bands, with bad pixels and a bad column. Memory is by
how much the process has grown at most since the sky was drawn, in units of one float32 image of one band: give one side
at a time, for a process does not shrink.
"""

import resource
import sys
from pathlib import Path

import numpy as np
from yardstick import cpu_seconds, yardstick

from meas_deblend.detect import (
    DeconvolveConfig,
    DetectConfig,
    HierarchyConfig,
    deconvolve_exposure,
    detect_bands,
    merge_detections,
    split_parents,
)
from meas_deblend.image import MaskPlanes, MoffatPsf, MultibandExposure

BANDS = "ugrizy"
PER_PIXEL = 100 * (0.2 / 60) ** 2


def sky(side: int) -> MultibandExposure:
    """Gaussian galaxies with a power law of fluxes in noise of 1."""
    rng = np.random.default_rng(side)
    images = rng.standard_normal((len(BANDS), side, side), dtype=np.float32)
    number = round(PER_PIXEL * side**2)
    flux = 60 * np.minimum(rng.random(number) ** (-1 / 0.9), 3000)
    seeing = np.linspace(1.5, 1.9, len(BANDS))
    for y, x, total, size in zip(*rng.uniform(0, side, (2, number)), flux, rng.uniform(0.1, 2.5, number), strict=True):
        colors, reach = rng.uniform(0.6, 1.6, len(BANDS)), int(6 * np.hypot(1.7, size)) + 1
        rows = np.arange(max(int(y) - reach, 0), min(int(y) + reach + 1, side))
        columns = np.arange(max(int(x) - reach, 0), min(int(x) + reach + 1, side))
        r2 = (rows[:, None] - y) ** 2 + (columns - x) ** 2
        for k, sigma in enumerate(seeing):
            variance = sigma**2 + size**2
            images[k, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += (
                total * colors[k] / (2 * np.pi * variance) * np.exp(-0.5 * r2 / variance)
            )
    mask = np.zeros(images.shape, dtype=np.int32)
    mask[:, :, side // 3] = 1
    mask[0][rng.random((side, side)) < 1e-3] = 1
    psfs = tuple(MoffatPsf(float(2.3548 * sigma), 3.5) for sigma in seeing)
    return MultibandExposure(tuple(BANDS), images, np.ones_like(images), mask, psfs, MaskPlanes({"BAD": 0}, ("BAD",)))


def measured(side: int) -> dict[str, float]:
    """CPU seconds of the steps on a sky of this side, printed with their memory."""
    exposure, config, unit = sky(side), DetectConfig(), yardstick()
    area, results, costs = side**2 * len(BANDS) / 1e6, {}, {}
    before = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[1])

    def run(name, action):
        costs[name] = cpu_seconds(lambda: results.update({name: action()}), 1)
        grown = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"  {name}: {costs[name]:.2f} s, {costs[name] / unit / area:.0f} Y per megapixel and band, "
              f"{grown / (4 * side**2):.1f} images")  # fmt: skip

    print(f"{side}×{side}×{len(BANDS)}")
    run("detect", lambda: detect_bands(exposure, config))
    run("merge", lambda: merge_detections(results["detect"], config, int))
    run("deconvolve", lambda: deconvolve_exposure(exposure, results["merge"].parents, DeconvolveConfig()))
    run("split", lambda: split_parents(results["merge"].parents, results["deconvolve"], HierarchyConfig()))
    found, split = results["merge"].parents, results["split"]
    print(f"  {sum(len(p.footprint.peaks) for p in found)} peaks, {len(found)} parents, "
          f"{sum(max(len(p.blends), 1) for p in split)} blends")  # fmt: skip
    return costs


if __name__ == "__main__":
    sides = [int(text) for text in sys.argv[1:]] or [512, 1024, 2048]
    totals = [sum(measured(side).values()) for side in sides]
    if len(sides) > 1:
        exponent = np.polyfit(2 * np.log(sides), np.log(totals), 1)[0]
        print(f"cost grows as area^{exponent:.2f}")
