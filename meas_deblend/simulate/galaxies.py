"""Galaxies at random, as a catalog in CatSim's columns, from published distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .catsim import GalaxyCatalog
from .profiles import sersic_scale
from .spectra import galaxy_magnitudes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["draw_catalog", "galaxy_density", "projected_axis_ratio"]

# Half-light radius of an exponential disc in units of its scale length.
_DISC_HALF_LIGHT = sersic_scale(1.0)
_COUNT_SLOPE = 0.31
_EARLY_FRACTION = 0.1
_BULGE_SCATTER = 0.1


def galaxy_density(limit: float) -> float:
    """Galaxies per arcmin² brighter than ``limit`` in i: 46 · 10^(0.31 (i − 25)).

    LSST Science Collaboration (2009), eq. 3.7, from the CFHTLS Deep fields (Hoekstra et al. 2006), where it was
    checked for 20.5 < i < 25.5; beyond, it is extrapolated.
    """
    return float(46 * 10 ** (_COUNT_SLOPE * (limit - 25)))


def draw_catalog(rng: np.random.Generator, n: int, limits: tuple[float, float], bands: Sequence[str]) -> GalaxyCatalog:
    """Draw galaxies.

    * Magnitudes: counts of `galaxy_density` in i.
    * Redshifts: p(z | i) ∝ z² exp(−z / z0), z0 = 0.0417 i − 0.744 (LSST Science Collaboration 2009, eq. 3.8).
    * Types: a tenth are bulge-dominated; the others are discs, whose bulge fraction is half a Gaussian of σ = 0.1
      (Miller et al. 2013, section 3.1). Nearly half of these discs get no bulge at all, as in CatSim's faint galaxies.
    * Sizes: median size–magnitude relations of Miller et al. (2013, appendix B), scatter 0.4 in ln r, between the
      values for bright and faint galaxies of Shen et al. (2003). A bulge is as large as its disc's scale length.
    * Axis ratios: oblate spheroids seen from random sides (`projected_axis_ratio`).
    * Colours: templates of `galaxy_magnitudes` at the redshift; the scatter of the type stands for age and dust.

    What is approximate: sizes depend on magnitude alone, and types on neither redshift nor magnitude.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    n : int
        Number of galaxies.
    limits : pair of float
        Brightest and faintest i magnitude.
    bands : sequence of str
        Names out of u, g, r, i, z, y.

    Returns
    -------
    GalaxyCatalog
        n rows, with the extra columns ``i_draw`` (i magnitude) and ``kind`` (see `galaxy_magnitudes`).
    """
    i = _magnitudes(rng, n, limits)
    redshift = rng.gamma(3.0, np.maximum(0.0417 * i - 0.744, 0.02))
    early = rng.random(n) < _EARLY_FRACTION
    kind = np.where(early, np.abs(rng.normal(0, 0.15, n)), np.clip(rng.normal(1.0, 0.35, n), 0.3, 2.0))
    bulge = np.abs(rng.normal(0, _BULGE_SCATTER, n)) * (rng.random(n) < 0.55)
    bulge = np.where(early, 1.0, np.clip(bulge, 0, 0.8))
    size = np.where(early, np.exp(-1.320 - 0.278 * (i - 23)), np.exp(-1.145 - 0.269 * (i - 23)))
    # Bounds keep the tails of the scatter from the smallest and the largest galaxies that are seen at any magnitude.
    size = np.clip(size * np.exp(rng.normal(0, 0.4, n)), 0.05, 3.0)
    cosine, angle = rng.random(n), rng.uniform(0, 360, n)
    disc_q = projected_axis_ratio(np.clip(rng.normal(0.24, 0.05, n), 0.12, 1.0), cosine)
    bulge_q = projected_axis_ratio(np.clip(rng.normal(0.58, 0.16, n), 0.25, 1.0), cosine)
    has_disc, has_bulge = bulge < 1, bulge > 0
    a_d, a_b = size * _DISC_HALF_LIGHT * has_disc, size * has_bulge
    magnitudes = i[:, None] + galaxy_magnitudes(bands, redshift, kind)
    return GalaxyCatalog(
        {
            "redshift": redshift,
            "fluxnorm_bulge": bulge,
            "fluxnorm_disk": 1 - bulge,
            "a_b": a_b,
            "b_b": a_b * bulge_q,
            "a_d": a_d,
            "b_d": a_d * disc_q,
            "pa_bulge": angle * has_bulge,
            "pa_disk": angle * has_disc,
            **{f"{band}_ab": magnitudes[:, k] for k, band in enumerate(bands)},
            "i_draw": i,
            "kind": kind,
        },
        tuple(bands),
        "random galaxies",
    )


def projected_axis_ratio(thickness: NDArray[np.float64], cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apparent axis ratio of oblate spheroids, q² = γ² + (1 − γ²) cos² i (Hubble 1926).

    Thickness γ: spirals 0.24 ± 0.05, ellipticals 0.58 ± 0.16 (Padilla & Strauss 2008).
    """
    return np.asarray(np.sqrt(thickness**2 + (1 - thickness**2) * cosine**2))


def _magnitudes(rng: np.random.Generator, n: int, limits: tuple[float, float]) -> NDArray[np.float64]:
    low, high = limits
    return np.asarray(low + np.log10(1 + rng.random(n) * (10 ** (_COUNT_SLOPE * (high - low)) - 1)) / _COUNT_SLOPE)
