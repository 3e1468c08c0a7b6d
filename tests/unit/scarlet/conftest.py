"""Scenes made of factorized components, with truth."""

from dataclasses import dataclass

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, Convolver, model_psf, prepare_kernels
from meas_deblend.scarlet.component import scene

CENTERS = ((10, 12), (10, 12), (20, 23), (20, 10), (25, 20))
SIGMAS = (0.8, 2.5, 1.1, 2.1, 1.5)
SPECTRA = ((40, 10, 0), (0, 25, 40), (15, 8, 3), (20, 3, 4), (0, 30, 60))
SHAPE = (3, 35, 35)


@dataclass(frozen=True)
class Scene:
    """Images without noise, with what they are made of."""

    images: np.ndarray
    variance: np.ndarray
    psfs: np.ndarray
    components: tuple[Component, ...]
    centers: tuple[tuple[int, int], ...]


def stamp(center, sigma, spectrum):
    """Pixel-integrated Gaussian of 15 x 15 pixels with unit sum."""
    return Component(
        center, Box((center[0] - 7, center[1] - 7), (15, 15)), np.array(spectrum, dtype=float), model_psf(sigma, 15)
    )


@pytest.fixture(scope="session")
def five():
    """Three bands, 35 x 35 pixels, five Gaussians, two of them concentric: four sources."""
    psfs = np.stack([model_psf(sigma, 15) for sigma in (1.05, 0.9, 1.2)])
    components = tuple(stamp(*parts) for parts in zip(CENTERS, SIGMAS, SPECTRA, strict=True))
    convolver = Convolver(prepare_kernels(psfs), SHAPE[1:])
    images = convolver.render(scene(components, SHAPE, np.dtype(np.float64)))
    return Scene(images, np.full(SHAPE, 0.01), psfs, components, CENTERS[1:])


@pytest.fixture(scope="session")
def pair():
    """Return a function that makes two point-like or extended sources on 31 x 31 pixels with noise from a seed."""

    def make(seed=0, noise=0.05, centers=((15, 11), (15, 19)), sigmas=(1.4, 2.0), spectra=((60, 30, 20), (20, 40, 80))):
        psfs = np.stack([model_psf(sigma, 21) for sigma in (1.3, 1.5, 1.8)])
        components = tuple(stamp(*parts) for parts in zip(centers, sigmas, spectra, strict=True))
        convolver = Convolver(prepare_kernels(psfs), (31, 31))
        clean = convolver.render(scene(components, (3, 31, 31), np.dtype(np.float64)))
        images = clean + np.random.default_rng(seed).normal(0, noise, clean.shape)
        return Scene(images, np.full(clean.shape, noise**2), psfs, components, centers)

    return make
