"""A small simulated sky with an isolated star, a pair, and four in a row; drawn once for all tests.

Everything on it is compact and well above the noise, so that what is detected does not hang on how it is detected.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from meas_deblend.image import write_coadd
from meas_deblend.simulate import (
    HSC_WIDE,
    PointSource,
    Sersic,
    SimulatedComponent,
    SimulatedSky,
    SimulatedSource,
    SkyConfig,
    observe,
)

BANDS = ("r", "i")
CONFIG = SkyConfig(bands=HSC_WIDE[1:3], shape=(76, 90))
#: Sources of each parent, by parent.
PEAKS = (1, 2, 4)
#: y, x, i-band magnitude, r − i, half-light radius in pixels (0: a star); parent by parent.
_SOURCES = (
    (15.2, 72.6, 22.6, 0.2, 0.0),
    (18.7, 20.4, 22.8, 0.6, 1.6),
    (17.1, 31.3, 23.3, 0.1, 1.2),
    (55.4, 18.2, 23.2, 0.3, 1.3),
    (52.8, 27.7, 22.7, 0.7, 1.5),
    (57.3, 37.6, 23.0, 0.1, 0.0),
    (54.9, 47.2, 23.4, 0.4, 1.4),
)


@cache
def sky() -> SimulatedSky:
    """The sky with its truth."""
    return observe([_source(k + 1, *values) for k, values in enumerate(_SOURCES)], CONFIG)


def exposure():
    """What was observed of it, in r and i."""
    return sky().exposure


def positions():
    """Where the sources are: a list of sources with columns x, y and id."""
    truth = sky().truth
    return {"x": truth["x"], "y": truth["y"], "id": truth["id"]}


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


def _source(number, y, x, magnitude, color, radius):
    magnitudes = np.array([magnitude + color, magnitude])
    flux = tuple(float(f) for f in 10 ** (-0.4 * (magnitudes - CONFIG.zeropoint)))
    profile = PointSource() if radius == 0 else Sersic(radius, 1.0, 0.7, 20.0 * number)
    return SimulatedSource(number, y, x, (SimulatedComponent(profile, flux),), is_star=radius == 0)
