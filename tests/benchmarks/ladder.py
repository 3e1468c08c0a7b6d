"""Flux errors and CPU time of the ladder's rungs, and of split blends, on crowded simulated blends.

usage: python tests/benchmarks/ladder.py [blends]
       python tests/benchmarks/ladder.py --predictions RUNG [blends [first seed]]

Per number of galaxies so many blends (3) of 126² pixels in three bands are deblended: whole and split on the first
rung, with two passes and with one, and on each lower rung. The error is that of the children's fluxes, |flux / true
flux - 1|, over sources and bands with a flux above 30 times the noise of 100 pixels.

With --predictions so many blends (40) of 1 to 60 galaxies, evenly in the logarithm, in 1 to 5 bands, of 120 to 1500
pixels per galaxy, are deblended on one rung. Printed: predicted over measured time (the least of two runs) and memory
(as allocated, of a run of its own), blend by blend and summed up, and whether nine of ten times are within `FACTOR`
and no memory is above what was predicted.
"""

import argparse
import time
import tracemalloc
from dataclasses import replace
from unittest import mock

import numpy as np

from meas_deblend.apportion import reapportion_parent
from meas_deblend.deblenders import Cost, MultiBand, MultiBandOptions
from meas_deblend.deblenders.cost_model import BlendSize
from meas_deblend.detect import DeconvolveConfig, HierarchyConfig, deconvolve_exposure, split_parents
from meas_deblend.geometry import Footprint, Parent, Peak
from meas_deblend.image import MultibandExposure
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
FACTOR = 1.5
SIZES = ((1, 3), (4, 12), (13, 40), (41, 60))
"""Galaxies of the blends that are summed up together."""


def crowd(count: int, seed: int, side: int = SIDE, bands: int = BANDS) -> SimulatedSky:
    """Galaxies of many fluxes and sizes, anywhere on a square."""
    config = SkyConfig(bands=HSC_WIDE[:bands], shape=(side, side), seed=seed)
    rng, sources = np.random.default_rng(seed), []
    for k in range(count):
        y, x = rng.uniform(4, side - 4, 2)
        magnitude = 23.5 - 1.5 * rng.exponential() + rng.uniform(0, 2)
        magnitudes = magnitude + np.linspace(0.6, 0, bands) * rng.uniform(0, 1.5)
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


def made_blend(seed: int) -> tuple[MultibandExposure, Parent]:
    """Draw a blend of a number of galaxies, of bands, and of a crowding that the seed decides."""
    rng = np.random.default_rng([seed, 7])
    count, bands = round(np.exp(rng.uniform(0, np.log(60)))), int(rng.integers(1, 6))
    pixels = np.exp(rng.uniform(np.log(120), np.log(1500)))
    sky = crowd(count, seed, int(np.clip(np.sqrt(count * pixels), 30, 240)), bands)
    return sky.exposure, one_blend(sky)


def measured(exposure: MultibandExposure, parent: Parent, options: MultiBandOptions) -> Cost:
    """Least CPU time of two runs, and the memory of one more, which is the first: kernels are made in it."""
    deblender, seconds = MultiBand(), []
    tracemalloc.start()
    deblender(exposure, parent, options)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for _ in range(2):
        start = time.process_time()
        deblender(exposure, parent, options)
        seconds.append(time.process_time() - start)
    return Cost(min(seconds), float(memory))


def predictions(rung: str, seeds: range) -> None:
    """Print the two tables."""
    options = MultiBandOptions(ladder=(rung, "parent_only"), memory_budget=np.inf, cost_budget=np.inf, timeout=None)
    MultiBand()(*made_blend(0), options)  # what is loaded on first use is not the blend's
    print("| blend | pairs | time predicted [s] | measured | memory predicted [MB] | measured |")
    print("|---|---|---|---|---|---|")
    counts, times, memories = [], [], []
    for seed in seeds:
        exposure, parent = made_blend(seed)
        peaks, box = parent.footprint.peaks, parent.footprint.box
        size = BlendSize.of(peaks, box, len(exposure.bands), options.profiles)
        said, took = options.cost.predict(rung, size), measured(exposure, parent, options)
        what = f"{size.peaks} peaks, {box.shape[0]}² px × {size.bands}"
        print(f"| {what} | {size.overlaps} | {said.seconds:.2f} | {took.seconds:.2f} | ", end="")
        print(f"{said.memory / 1e6:.0f} | {took.memory / 1e6:.0f} |", flush=True)
        counts.append(size.peaks)
        times.append(said.seconds / took.seconds)
        memories.append(said.memory / took.memory)
    summed_up(np.array(counts), np.array(times), np.array(memories))


def summed_up(counts: np.ndarray, times: np.ndarray, memories: np.ndarray) -> None:
    """Print ratios of predicted to measured by number of peaks, and over all."""
    print(f"\n| peaks | blends | time: median | within {FACTOR} | least | most | memory: least | median |")
    print("|---|---|---|---|---|---|---|---|")
    near = np.abs(np.log(times)) < np.log(FACTOR)
    for low, high in (*SIZES, (SIZES[0][0], SIZES[-1][1])):
        own = (counts >= low) & (counts <= high)
        if own.any():
            t, m = times[own], memories[own]
            print(
                f"| {low} to {high} | {own.sum()} | {np.median(t):.2f} | {near[own].mean():.2f} | {t.min():.2f} | ",
                end="",
            )
            print(f"{t.max():.2f} | {m.min():.2f} | {np.median(m):.2f} |")
    print(f"nine of ten times within {FACTOR}: {near.mean() >= 0.9}; memory never above: {memories.min() >= 1}")


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blends", nargs="?", type=int)
    parser.add_argument("first", nargs="?", type=int, default=0)
    parser.add_argument("--predictions", metavar="RUNG")
    given = parser.parse_args()
    if given.predictions is None:
        main(given.blends or 3)
    else:
        predictions(given.predictions, range(given.first, given.first + (given.blends or 40)))
