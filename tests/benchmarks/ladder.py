"""Flux errors and CPU time of the ladder's rungs, and of split blends, on crowded simulated blends.

usage: python tests/benchmarks/ladder.py [blends]

Per number of galaxies so many blends (3) of 126² pixels in three bands are deblended: whole and split on the first
rung, with two passes and with one, and on each lower rung. The error is that of the children's fluxes, |flux / true
flux - 1|, over sources and bands with a flux above 30 times the noise of 100 pixels.
"""

import sys
import time
from dataclasses import replace
from unittest import mock

import numpy as np

from meas_deblend.apportion import reapportion_parent
from meas_deblend.deblenders import MultiBand, MultiBandOptions
from meas_deblend.detect import DeconvolveConfig, HierarchyConfig, deconvolve_exposure, split_parents
from meas_deblend.geometry import Footprint, Parent, Peak
from meas_deblend.simulate import (
    HSC_WIDE,
    Sersic,
    SimulatedComponent,
    SimulatedSky,
    SimulatedSource,
    SkyConfig,
    observe,
)

SIDE, BANDS, BUDGET = 126, 3, 14.0


def crowd(count: int, seed: int) -> SimulatedSky:
    """Galaxies of many fluxes and sizes, anywhere on a square."""
    config = SkyConfig(bands=HSC_WIDE[:BANDS], shape=(SIDE, SIDE), seed=seed)
    rng, sources = np.random.default_rng(seed), []
    for k in range(count):
        y, x = rng.uniform(4, SIDE - 4, 2)
        magnitude = 23.5 - 1.5 * rng.exponential() + rng.uniform(0, 2)
        magnitudes = magnitude + np.linspace(0.6, 0, BANDS) * rng.uniform(0, 1.5)
        flux = tuple(float(f) for f in 10 ** (-0.4 * (magnitudes - config.zeropoint)))
        shape = Sersic(rng.uniform(1, 4), 1.0, rng.uniform(0.4, 1), rng.uniform(0, 180))
        sources.append(SimulatedSource(k + 1, y, x, (SimulatedComponent(shape, flux),), is_star=False))
    return observe(sources, config)


def one_blend(sky: SimulatedSky) -> Parent:
    """Take the whole image as one blend, with its deconvolved image."""
    places = [(round(source.y), round(source.x)) for source in sky.sources]
    peaks = tuple(Peak(k, *place, 1000.0 - k) for k, place in enumerate(places))
    parent = Parent(1, Footprint.from_box(sky.exposure.box, peaks))
    deconvolved = deconvolve_exposure(sky.exposure, [parent], DeconvolveConfig())
    return replace(split_parents([parent], deconvolved, HierarchyConfig())[0], blends=())


def errors(sky: SimulatedSky, parent: Parent, options: MultiBandOptions) -> tuple[np.ndarray, float]:
    """Errors of bright fluxes, and the CPU time of the deblender."""
    start = time.process_time()
    model = MultiBand()(sky.exposure, parent, options)
    seconds = time.process_time() - start
    children = reapportion_parent(sky.exposure, model).children
    flux = np.array([np.asarray(child.flux).sum(axis=(1, 2)) for child in children])
    truth = np.array([image.array.sum(axis=(1, 2)) for image in sky.images])
    noise = np.sqrt(100 * np.median(sky.exposure.variance, axis=(1, 2)))
    return np.abs(flux / truth - 1)[truth > 30 * noise], seconds


def main(blends: int) -> None:
    """Print one row per way of deblending and number of galaxies."""
    ways = {
        "whole": (MultiBandOptions(), 2),
        "split": (MultiBandOptions(memory_budget=BUDGET), 2),
        "split, one pass": (MultiBandOptions(memory_budget=BUDGET), 1),
    }
    for rung in ("joint_profiles", "one_component", "symmetric_templates", "psf_templates"):
        ways[rung] = (MultiBandOptions(ladder=(rung, "parent_only")), 2)
    print(f"{'galaxies':>8}  {'':22}{'mean':>8}{'median':>8}{'CPU [s]':>9}")
    for count in (24, 48):
        skies = [crowd(count, seed) for seed in range(10, 10 + blends)]
        parents = [one_blend(sky) for sky in skies]
        errors(skies[0], parents[0], MultiBandOptions())  # kernels are made, and all that is compiled is there
        for name, (options, passes) in ways.items():
            with mock.patch("meas_deblend.deblenders.ladder.PASSES", passes):
                found = [errors(sky, parent, options) for sky, parent in zip(skies, parents, strict=True)]
            every = np.concatenate([error for error, _ in found])
            total = sum(seconds for _, seconds in found)
            print(f"{count:8}  {name:22}{every.mean():8.3f}{np.median(every):8.3f}{total:9.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
