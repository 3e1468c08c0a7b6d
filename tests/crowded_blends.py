"""Crowded blends of round Gaussian sources with known pixels, drawn here."""

from dataclasses import dataclass

import numpy as np

from meas_deblend.geometry import Footprint, Image, Parent, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure, PsfStamp

PLANES = MaskPlanes({"BAD": 0, "CLEAN": 1}, ("BAD",))
SIGMAS = (1.5, 1.8)


class GaussianPsf:
    """A round Gaussian, the same everywhere."""

    def __init__(self, sigma, size=21):
        self.sigma, self.size = sigma, size

    def image(self, y, x):
        """Stamp with the shift within the pixel."""
        cy, cx = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
        r = np.arange(self.size) - self.size // 2
        stamp = np.outer(*(np.exp(-0.5 * ((r - d) / self.sigma) ** 2) for d in (y - cy, x - cx)))
        return PsfStamp(stamp / stamp.sum(), (cy, cx))


@dataclass(frozen=True)
class Blend:
    """An exposure, its only parent, and the pixels (source, band, y, x) of each source without noise."""

    exposure: MultibandExposure
    parent: Parent
    truth: np.ndarray

    def errors(self, shared):
        """|flux / true flux − 1| (source, band) of the children."""
        flux = np.array([np.asarray(child.flux).sum(axis=(1, 2)) for child in shared.children])
        return np.abs(flux / self.truth.sum(axis=(2, 3)) - 1)


def draw(sources, shape, seed=0, noise=1.0, deconvolved=True):
    """Draw sources (y, x, fluxes, sigma before convolution); all pixels are the parent's footprint."""
    yy, xx = np.indices(shape)
    truth = np.zeros((len(sources), len(SIGMAS), *shape))
    detect = np.zeros(shape)
    for k, (y, x, fluxes, size) in enumerate(sources):
        r2 = (yy - y) ** 2 + (xx - x) ** 2
        for b, (sigma, flux) in enumerate(zip(SIGMAS, fluxes, strict=True)):
            s2 = sigma**2 + size**2
            truth[k, b] = flux * np.exp(-0.5 * r2 / s2) / (2 * np.pi * s2)
        s2 = 0.8**2 + size**2
        detect += sum(fluxes) * np.exp(-0.5 * r2 / s2) / (2 * np.pi * s2)
    images = truth.sum(axis=0) + np.random.default_rng(seed).normal(0, noise, truth.shape[1:])
    exposure = MultibandExposure(
        tuple("gr"),
        images.astype(np.float32),
        np.full(images.shape, noise**2, dtype=np.float32),
        np.zeros(images.shape, dtype=np.int32),
        tuple(GaussianPsf(s) for s in SIGMAS),
        PLANES,
    )
    heights = truth.max(axis=(2, 3)).sum(axis=1)
    peaks = tuple(Peak(k, round(y), round(x), float(h)) for k, ((y, x, *_), h) in enumerate(zip(sources, heights)))
    footprint = Footprint.from_box(exposure.box, peaks)
    image = Image(detect.astype(np.float32), exposure.box) if deconvolved else None
    return Blend(exposure, Parent(7, footprint, (), image), truth)


def row_of(count, spacing=9.0, flux=2000.0):
    """Draw as many sources in a row, each overlapping the next, with colours that alternate."""
    colours = ((1.0, 0.4), (0.4, 1.0))
    sources = [(12.0, 10 + k * spacing, tuple(flux * c for c in colours[k % 2]), 1.2) for k in range(count)]
    return draw(sources, (25, int(20 + (count - 1) * spacing)), seed=count)
