"""Pulls of flux errors: (fitted − true flux) / error on simulated blends of the model's own family.

usage: python tests/benchmarks/pulls.py [blends [realisations [least S/N [largest S/N]]]]

Sources are Sérsic profiles in the resolution of the model PSF, made monotonic by the engine's own projection and cut at
1 % of their peaks, with log-normal spectra in four bands and S/N from 20 to 300, or as given. kappa is the
contamination of a source by the others, Σ t (T − t) / Σ t², with t and T the images of the source and of the blend,
averaged over bands. Printed per bin of kappa, for marginal and conditional errors: the standard deviation and the mean
of the pulls over all sources, bands and realisations, half the width between the 16th and 84th percentile, the fraction
beyond 3, and the scatter between realisations alone in units of the error, which leaves the bias out.
"""

import sys
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, Convolver, deblend_blend, model_psf, prepare_kernels
from meas_deblend.scarlet.component import scene
from meas_deblend.scarlet.monotone import monotonic
from meas_deblend.scarlet.profiles import Resolution, SersicShape, sersic_images

Range = tuple[float, float]

SIDE, SIGMAS, CUT = 45, (1.5, 1.6, 1.7, 1.9), 0.01
BINS = (0.0, 0.01, 0.1, 0.3, 1.0, np.inf)


@dataclass(frozen=True)
class Truth:
    """A blend without noise."""

    images: np.ndarray
    centers: list[tuple[int, int]]
    flux: np.ndarray
    kappa: np.ndarray


def component(rng: np.random.Generator, center: tuple[int, int], convolver: Convolver, snrs: Range) -> Component:
    """One source with an S/N in this range for a noise of 1 per pixel."""
    g, angle = rng.uniform(0, 0.25), rng.uniform(0, 2 * np.pi)
    index = rng.choice([0.5, 1.0, 1.5])
    shape = SersicShape(center, rng.uniform(0.8, 2.5), (g * np.cos(angle), g * np.sin(angle)), index)
    box = Box((center[0] - 15, center[1] - 15), (31, 31)) & Box((0, 0), convolver.shape)
    morph, _ = sersic_images(shape, box, Resolution(0.8))
    morph /= morph.max()
    morph = monotonic(np.where(morph < CUT, 0, morph), (center[0] - box.origin[0], center[1] - box.origin[1]))
    unit = Component(center, box, np.exp(rng.normal(0, 0.4, len(SIGMAS))), morph)
    snr = np.sqrt(np.sum(render([unit], convolver) ** 2))
    return Component(center, box, unit.spectrum * np.exp(rng.uniform(*np.log(snrs))) / snr, morph)


def render(components: list[Component], convolver: Convolver) -> np.ndarray:
    """Images (band, y, x) of the components."""
    return convolver.render(scene(components, (len(SIGMAS), *convolver.shape), np.dtype(float)))


def draw(seed: int, convolver: Convolver, snrs: Range = (20, 300)) -> Truth:
    """One to four sources, 4 to 12 pixels apart."""
    rng = np.random.default_rng(seed)
    centers = [(SIDE // 2, SIDE // 2)]
    count = rng.integers(1, 5)
    while len(centers) < count:
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(4, 12)
        y, x = centers[0][0] + distance * np.sin(angle), centers[0][1] + distance * np.cos(angle)
        if min(np.hypot(y - a, x - b) for a, b in centers) >= 4:
            centers.append((round(y), round(x)))
    parts = [component(rng, center, convolver, snrs) for center in centers]
    images = np.array([render([part], convolver) for part in parts])
    total = images.sum(axis=0)
    kappa = np.sum(images * (total - images), axis=(2, 3)) / np.sum(images**2, axis=(2, 3))
    return Truth(total, centers, np.array([part.flux for part in parts]), kappa.mean(axis=1))


def main(blends: int = 60, realisations: int = 8, least: int = 20, largest: int = 300) -> None:
    """Fit and print."""
    kernels = prepare_kernels(np.stack([model_psf(sigma, 31) for sigma in SIGMAS]))
    convolver, single = Convolver(kernels, (SIDE, SIDE)), kernels.astype(np.dtype(np.float32))
    kappa, pulls, scatter = [], {"marginal": [], "conditional": []}, {"marginal": [], "conditional": []}
    for seed in range(blends):
        truth = draw(seed, convolver, (least, largest))
        offsets, errors = [], {"marginal": [], "conditional": []}
        for k in range(realisations):
            noise = np.random.default_rng((seed, k)).normal(size=truth.images.shape)
            images = (truth.images + noise).astype(np.float32)
            blend = deblend_blend(images, np.ones_like(images), single, truth.centers)
            offsets.append(np.array([source.flux for source in blend.sources]) - truth.flux)
            for kind, found in errors.items():
                found.append(np.sqrt(np.einsum("ssb->sb", blend.flux_covariance(kind))))
        kappa.append(truth.kappa)
        for kind, found in errors.items():
            pulls[kind].append(np.moveaxis(np.array(offsets) / np.array(found), 1, 0))
            centred = np.array(offsets) - np.mean(offsets, axis=0)
            scatter[kind].append(
                np.moveaxis(centred / np.array(found), 1, 0) * np.sqrt(realisations / (realisations - 1))
            )
    all_kappa = np.concatenate(kappa)
    print(f"{'kappa':>14}{'sources':>9}{'errors':>13}{'width':>8}{'mean':>8}{'68 %':>8}{'> 3':>8}{'scatter':>9}")
    for low, high in [*pairwise(BINS), (0.0, 1.0)]:
        chosen = (all_kappa >= low) & (all_kappa < high)
        for kind in pulls:
            p, s = np.concatenate(pulls[kind])[chosen], np.concatenate(scatter[kind])[chosen]
            if p.size:
                half = np.diff(np.percentile(p, (15.87, 84.13)))[0] / 2
                print(
                    f"{low:6.2f} – {high:5.2f}{chosen.sum():9}{kind:>13}{p.std():8.2f}{p.mean():8.2f}{half:8.2f}"
                    f"{np.mean(np.abs(p) > 3):8.3f}{s.std():9.2f}"
                )


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:5]))
