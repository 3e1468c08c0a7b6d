"""Scenes of Sérsic profiles drawn without Fourier transforms, for tests of the fit."""

import numpy as np
from scipy.signal import fftconvolve
from scipy.special import gammaincinv, gammaln

from meas_deblend.profiles import Calibration, Positions, PsfTransforms

SIGMAS = (1.5, 1.8, 2.1)
#: Samples per pixel and axis of what is drawn.
FINE = 5


def gaussian_stamp(sigma, size=31, fine=1):
    """PSF of unit flux per pixel area, sampled ``fine`` times per pixel."""
    r = (np.arange(size * fine) - (size * fine) // 2) / fine
    profile = np.exp(-0.5 * (r / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
    return np.outer(profile, profile)


def sersic_image(center, radius, ratio, angle, index, shape):
    """Unit flux in cells of 1 / `FINE` px, one of each pixel on its centre; cells near the cusp are integrated."""
    b = gammaincinv(2 * index, 0.5)
    norm = b ** (2 * index) / (2 * np.pi * index * radius**2 * np.exp(gammaln(2 * index)))
    rows, columns = (np.arange(n * FINE) / FINE - (FINE // 2) / FINE for n in shape)

    def brightness(y, x):
        along = (np.cos(angle) * x + np.sin(angle) * y) * np.sqrt(ratio)
        across = (np.cos(angle) * y - np.sin(angle) * x) / np.sqrt(ratio)
        return norm * np.exp(-b * (np.hypot(along, across) / radius) ** (1 / index))

    y, x = rows[:, None] - center[0], columns[None, :] - center[1]
    out = brightness(y, x) / FINE**2
    parts = (np.arange(40) + 0.5) / 40 - 0.5
    for j in np.flatnonzero(np.abs(y[:, 0]) < 1):
        for i in np.flatnonzero(np.abs(x[0]) < 1):
            out[j, i] = brightness(y[j, 0] + parts[:, None] / FINE, x[0, i] + parts / FINE).mean() / FINE**2
    return out


def convolved(image, sigma):
    """Convolve with a PSF, which holds the response of pixels already, and take the values at their centres."""
    seen = fftconvolve(image, gaussian_stamp(sigma, fine=FINE), mode="same")
    return seen[FINE // 2 :: FINE, FINE // 2 :: FINE]


def psfs(sigmas=SIGMAS):
    return PsfTransforms.of(np.stack([gaussian_stamp(sigma) for sigma in sigmas]))


def positions(centers, width=0.02, transforms=None):
    transforms = psfs() if transforms is None else transforms
    n = len(centers)
    return Positions(np.array(centers, dtype=float).reshape(n, 2), np.full(n, width), (transforms,) * n)


#: Images in units of which a magnitude of 23 is 10^(0.4 · 7); discs of that brightness have 3.9 px there.
CALIBRATION = Calibration(1, 30.0, 0.2)


def scene(sources, shape=(64, 64), noise=1.0, seed=0, sigmas=SIGMAS):
    """Image (band, y, x) with noise, and each source without, of (center, radius, ratio, angle, index, fluxes)."""
    truth = np.zeros((len(sources), len(sigmas), *shape))
    for k, (center, radius, ratio, angle, index, fluxes) in enumerate(sources):
        if radius == 0:
            r = [
                np.exp(-0.5 * (np.subtract.outer(np.arange(n), c) ** 2)[:, None] / np.square(sigmas))
                for n, c in zip(shape, center, strict=True)
            ]
            for band, (sigma, flux) in enumerate(zip(sigmas, fluxes, strict=True)):
                truth[k, band] = flux * np.outer(r[0][:, band], r[1][:, band]) / (2 * np.pi * sigma**2)
            continue
        image = sersic_image(center, radius, ratio, angle, index, shape)
        for band, (sigma, flux) in enumerate(zip(sigmas, fluxes, strict=True)):
            truth[k, band] = flux * convolved(image, sigma)
    images = truth.sum(axis=0)
    if noise:
        images = images + np.random.default_rng(seed).normal(0, noise, images.shape)
    return images, truth
