"""Pairs of galaxies that detection takes for one, and single galaxies of the same magnitudes, drawn here."""

from dataclasses import dataclass

import numpy as np

from meas_deblend.simulate import (
    HSC_WIDE,
    Sersic,
    SimulatedComponent,
    SimulatedSky,
    SimulatedSource,
    SkyConfig,
    observe,
)

BANDS = HSC_WIDE[:3]
STEP, ROWS = 50, 5
FWHM = float(np.mean([band.seeing for band in BANDS])) / SkyConfig().pixel_scale


@dataclass(frozen=True)
class PairSky:
    """A sky of places, at each of which stands a pair or a single galaxy."""

    sky: SimulatedSky
    places: np.ndarray
    """Rows of y, x of the light, and 1 for a pair or 0 for a single one."""


def pair_sky(seed, *, separations=(0.5, 1.0), ratios=(0.2, 1.0), magnitudes=(20.5, 24.0)):
    """Draw 25 of them, half of them pairs; separations in FWHM of the PSF, ratios of flux in the last band."""
    rng = np.random.default_rng([seed, 11])
    sources, places = [], []
    for n in range(ROWS**2):
        center = STEP * (np.array(divmod(n, ROWS)) + 0.5) + rng.uniform(-0.5, 0.5, 2)
        magnitude, is_pair = rng.uniform(*magnitudes), n % 2
        if is_pair:
            ratio = rng.uniform(*ratios)
            share, angle = 1 / (1 + ratio), rng.uniform(0, 2 * np.pi)
            away = rng.uniform(*separations) * FWHM * np.array([np.sin(angle), np.cos(angle)])
            sources += _galaxy(rng, center - (1 - share) * away, magnitude - 2.5 * np.log10(share), len(sources))
            sources += _galaxy(rng, center + share * away, magnitude - 2.5 * np.log10(1 - share), len(sources))
        else:
            sources += _galaxy(rng, center, magnitude, len(sources))
        places.append((*center, is_pair))
    config = SkyConfig(bands=BANDS, shape=(STEP * ROWS,) * 2, seed=seed)
    return PairSky(observe(sources, config), np.array(places))


def _galaxy(rng, center, magnitude, number):
    """Disc, redder bulge, and in one of three galaxies a blue knot: what single galaxies have as well."""
    size, angle = np.exp(rng.normal(np.log(2.5), 0.5)), rng.uniform(0, 180)
    shares = np.array([0.0, rng.uniform(0, 0.6), rng.uniform(0.03, 0.12) if rng.random() < 1 / 3 else 0.0])
    shares[0] = 1 - shares.sum()
    color = rng.uniform(0, 1.2) + np.array([0.0, rng.normal(0.5, 0.3), -0.8])
    slopes = np.linspace(1, 0, len(BANDS))[:, None] * color
    flux = 10 ** (-0.4 * (magnitude + slopes - SkyConfig().zeropoint)) * shares
    disc = Sersic(size, 1.0, rng.uniform(0.3, 1), angle)
    bulge = Sersic(size * rng.uniform(0.2, 0.6), 2.5, rng.uniform(0.6, 1), angle)
    knot = Sersic(0.5, 0.5, 1.0, 0.0)
    where = (0.0, 0.0), (0.0, 0.0), tuple(rng.normal(0, 0.7 * size, 2))
    parts = [
        SimulatedComponent(shape, tuple(map(float, flux[:, k])), offset)
        for k, (shape, offset) in enumerate(zip((disc, bulge, knot), where, strict=True))
        if shares[k] > 0
    ]
    return [SimulatedSource(number + 1, float(center[0]), float(center[1]), tuple(parts), is_star=False)]
