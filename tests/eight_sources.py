"""Eight sources in four parents: one alone, a point by a disk, a disk with two points, and two large disks.

Drawn in three bands with Gaussian PSFs and uniform noise.
"""

import numpy as np
from scipy.signal import fftconvolve

from meas_deblend.image import ImagePsf, MaskPlanes, MultibandExposure

BANDS = ("g", "r", "i")
SIGMAS = (1.0, 1.2, 1.4)
SHAPE = (115, 115)
#: Uniform noise of ±0.025 has a standard deviation of 0.0144.
NOISE = 0.025
PLANES = MaskPlanes({"BAD": 0, "NO_DATA": 1}, bad=("BAD", "NO_DATA"))
#: y, x, flux in g, r, i.
POINTS = (
    (30, 15, (8, 2, 1)),
    (12, 20, (1, 2, 8)),
    (32, 60, (1, 2, 8)),
    (16, 80, (8, 2, 1)),
)
#: y, x, half-light radii along both axes, angle, radius where it ends, brightest pixel in g, r, i.
DISKS = (
    (40, 20, 5.0, 2.0, -np.pi / 4, 15, (2, 4, 8)),
    (25, 70, 5.0, 4.0, np.pi / 48, 20, (2, 5, 8)),
    (70, 70, 6.0, 4.0, 0.0, 25, (2, 10, 18)),
    (85, 85, 6.0, 4.0, np.pi / 2, 25, (5, 10, 20)),
)
#: Peaks of each parent.
PEAKS = [1, 2, 2, 3]


def gaussian(sigma, side=41):
    """PSF of unit sum."""
    r = np.arange(side) - side // 2
    stamp = np.exp(-0.5 * np.add.outer(r**2, r**2) / sigma**2)
    return stamp / stamp.sum()


def disk(y0, x0, a, b, angle, radius):
    """Exponential disk, 1 at its brightest."""
    y, x = np.indices(SHAPE, dtype=float)
    y, x = y - y0, x - x0
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    # 1.678 takes the half-light radius to the scale length.
    return np.exp(-1.678 * np.hypot(along / a, across / b)) * (np.hypot(y, x) <= radius)


def eight_sources(seed=0):
    """Exposure of the scene."""
    flux = np.zeros((3, *SHAPE))
    for y, x, spectrum in POINTS:
        flux[:, y, x] += spectrum
    for *where, spectrum in DISKS:
        flux += np.array(spectrum)[:, None, None] * disk(*where)
    psfs = [gaussian(sigma) for sigma in SIGMAS]
    seen = np.stack([fftconvolve(image, psf, mode="same") for image, psf in zip(flux, psfs, strict=True)])
    noise = np.random.default_rng(seed).uniform(-NOISE, NOISE, seen.shape)
    return MultibandExposure(
        bands=BANDS,
        images=(seen + noise).astype(np.float32),
        variance=np.full(seen.shape, NOISE**2 / 3, dtype=np.float32),
        mask=np.zeros(seen.shape, dtype=np.int64),
        psfs=tuple(ImagePsf(psf) for psf in psfs),
        mask_planes=PLANES,
        zeropoints=(27.0,) * 3,
    )


def centers():
    """Pixels (y, x) of the sources."""
    return sorted((y, x) for y, x, *_ in (*POINTS, *DISKS))
