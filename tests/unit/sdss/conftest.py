"""Skies that the tests of the single-band deblender share."""

from types import SimpleNamespace

import numpy as np
import pytest

from meas_deblend.geometry import Box, Image
from meas_deblend.image import PsfStamp


class GaussianPsf:
    """A circular Gaussian of width ``sigma`` on stamps of ``n`` pixels, drawn exactly at any position."""

    def __init__(self, sigma, n):
        self.sigma, self.n = sigma, n

    def image(self, y, x):
        cy, cx = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
        array = gaussian((self.n, self.n), self.n // 2 + y - cy, self.n // 2 + x - cx, self.sigma)
        return PsfStamp(array / array.sum(), (cy, cx))


def gaussian(shape, y0, x0, sigma):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-0.5 * ((y - y0) ** 2 + (x - x0) ** 2) / sigma**2)


def star(flux, y, x, psf, shape=(61, 61)):
    stamp, (cy, cx) = psf.image(y, x)
    box = Box((cy - psf.n // 2, cx - psf.n // 2), stamp.shape)
    return flux * Image(stamp, box).project(Box((0, 0), shape)).array


def blob(center, widths, n, shape=(100, 100)):
    """A double Gaussian of flux 1e6, the wider one with 0.03 of the height, on a stamp of ``n`` pixels."""

    def profile(r2):
        return np.exp(-r2 / 2 / widths[0] ** 2) + 0.03 * np.exp(-r2 / 2 / widths[1] ** 2)

    d = np.arange(n) - n // 2
    y, x = np.mgrid[: shape[0], : shape[1]]
    y, x = y - center[0], x - center[1]
    on_stamp = (abs(y) <= n // 2) & (abs(x) <= n // 2)
    return 1e6 * np.where(on_stamp, profile(y**2 + x**2), 0) / profile(d[:, None] ** 2 + d**2).sum()


@pytest.fixture(scope="session")
def sky():
    """Makers of PSFs, stars and galaxies."""
    return SimpleNamespace(GaussianPsf=GaussianPsf, gaussian=gaussian, star=star, blob=blob)


@pytest.fixture(scope="session")
def three_blobs():
    """Three overlapping galaxies in a triangle, their footprint and peaks, brightest first."""
    image = sum(blob(c, (10, 30), 99) for c in ((35, 75), (65, 75), (50, 50)))
    return SimpleNamespace(
        image=image,
        variance=np.ones_like(image),
        footprint=image >= 5,
        psf=GaussianPsf(3, 11),
        peaks=[(50, 51), (36, 74), (64, 74)],
    )
