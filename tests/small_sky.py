"""A small simulated sky with an isolated source, a pair, and four together; drawn once for all tests."""

from dataclasses import replace
from functools import cache

import numpy as np

from meas_deblend.image import write_coadd
from meas_deblend.simulate import HSC_WIDE, SimulatedSky, SkyConfig, simulate_sky

CONFIG = SkyConfig(
    bands=HSC_WIDE[1:3],
    shape=(84, 100),
    n_galaxies=6,
    n_stars=2,
    galaxy_magnitudes=(22.0, 24.0),
    star_magnitudes=(22.0, 23.5),
    companion_fraction=0.6,
    margin=10,
    seed=6,
)
BANDS = ("r", "i")
#: Peaks of each parent that a run with the default settings finds, by parent.
PEAKS = (1, 2, 4)


@cache
def sky() -> SimulatedSky:
    """The sky with its truth."""
    return simulate_sky(CONFIG)


def exposure():
    """What was observed of it, in r and i."""
    return sky().exposure


def noise_only():
    """The same patch without any source."""
    full = exposure()
    rng = np.random.default_rng(3)
    sigma = np.sqrt(np.median(full.variance, axis=(1, 2)))[:, None, None]
    images = (sigma * rng.standard_normal(full.images.shape)).astype(np.float32)
    return replace(full, images=images, variance=np.broadcast_to(sigma**2, images.shape).astype(np.float32))


def write_coadds(folder, what=None):
    """Write ``<band>.fits`` per band; return the files by band."""
    what = exposure() if what is None else what
    return {band: write_coadd(folder / f"{band}.fits", what, band) for band in what.bands}
