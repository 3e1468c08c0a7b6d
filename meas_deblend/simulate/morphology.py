"""Galaxies that are more than a disc and a bulge: colour gradients, twisted isophotes, knots of young stars."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .catalog import SimulatedComponent, SimulatedSource
from .profiles import PointSource, Sersic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .catsim import GalaxyCatalog
    from .conditions import SurveyConditions

__all__ = ["free_galaxy"]

# Wavelength [nm] at which shares of the light are given.
_PIVOT = 620.0
_KNOT_FRACTION = 0.4


def free_galaxy(
    catalog: GalaxyCatalog,
    row: int,
    conditions: SurveyConditions,
    center: tuple[float, float],
    rng: np.random.Generator,
) -> SimulatedSource:
    """Galaxy of one row with free Sérsic indices and what real galaxies have besides.

    Magnitudes, half-light ellipse and whether the bulge dominates are the catalog's. The rest is drawn:

    * Sérsic indices: discs 0.6 … 1.8, bulge-dominated galaxies 2.2 … 5.5, the spread of van der Wel et al. (2012).
    * A second Sérsic component with 15 … 50 % of the light and a third to three quarters of the radius, turned by
      N(0, 30°): together isophotes twist, as they do in a sixth and more of all galaxies (Nieto et al. 1992).
    * The inner part is redder: its share of the light grows with wavelength as λ^γ, γ = 0.6 ± 0.3, which gives
      differences of a few tenths of a magnitude between inner and outer parts (de Jong 1996, discs; Tamura &
      Ohta 2003, ellipticals).
    * Two in five of the disc galaxies have 2 to 9 knots, blue and unresolved, with 3 … 15 % of the light, along the
      exponential disc (Elmegreen et al. 2005 find such clumps common in faint galaxies).

    The distributions are round numbers in the spirit of these papers, not fits to them.

    Parameters
    ----------
    catalog : GalaxyCatalog
        With the bands of ``conditions``.
    row : int
        Which galaxy; its id is ``row`` + 1.
    conditions : SurveyConditions
        Turns magnitudes into electrons and arcsec into pixels.
    center : pair of float
        ``(y, x)`` [px].
    rng : numpy Generator
        Source of randomness.

    Returns
    -------
    SimulatedSource
        Outer and inner component, then knots. The half-light radius in the band nearest to 620 nm is the catalog's.
    """
    a, b, angle = (float(part[row]) for part in catalog.ellipse())
    early = float(catalog.bulge_fraction()[row]) > 0.5
    electrons = conditions.electrons(catalog.magnitudes()[row])
    wavelength = np.array([band.wavelength for band in conditions.bands])
    q, degrees = b / a, math.degrees(angle)
    outer_n, inner_n = (rng.uniform(2.2, 5.5), rng.uniform(1.5, 4.0)) if early else rng.uniform((0.6, 0.8), (1.8, 3.0))
    outer = Sersic(1.0, float(outer_n), q, degrees)
    inner = Sersic(
        float(rng.uniform(0.33, 0.75)),
        float(inner_n),
        float(min(1.0, q + (1 - q) * rng.uniform(0.0, 0.6))),
        float((degrees + rng.normal(0, 30)) % 180),
    )
    knots = _knots(rng, q, angle) if not early and rng.random() < _KNOT_FRACTION else []
    shares = _shares(
        np.array([rng.uniform(0.15, 0.5), rng.uniform(0.03, 0.15) if knots else 0.0]),
        np.array([rng.normal(0.6, 0.3), rng.normal(-1.5, 0.3)]),
        wavelength / _PIVOT,
    )
    parts = [
        SimulatedComponent(outer, _tuple(electrons * (1 - shares.sum(axis=0)))),
        SimulatedComponent(inner, _tuple(electrons * shares[0])),
    ]
    weights = rng.dirichlet(np.full(max(len(knots), 1), 2.0))
    parts += [
        SimulatedComponent(PointSource(), _tuple(electrons * shares[1] * w), knot)
        for knot, w in zip(knots, weights, strict=False)
    ]
    source = SimulatedSource(row + 1, float(center[0]), float(center[1]), tuple(parts))
    pivot = int(np.argmin(np.abs(wavelength - _PIVOT)))
    return _scaled(source, a / conditions.pixel_scale / source.half_light_radius(pivot))


def _knots(rng: np.random.Generator, axis_ratio: float, angle: float) -> list[tuple[float, float]]:
    """Positions (y, x) in an exponential disc of unit half-light radius, within 2.5 half-light radii."""
    number = int(rng.integers(2, 10))
    radius = np.minimum(rng.gamma(2.0, 1 / 1.678, number), 2.5)
    phase = rng.uniform(0, 2 * np.pi, number)
    along, across = radius * np.cos(phase), axis_ratio * radius * np.sin(phase)
    y = along * math.sin(angle) + across * math.cos(angle)
    x = along * math.cos(angle) - across * math.sin(angle)
    return [(float(v), float(u)) for v, u in zip(y, x, strict=True)]


def _shares(
    pivot: NDArray[np.float64], slope: NDArray[np.float64], wavelength: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shares (part, B) of inner part and knots, the outer part taking the rest; each changes with λ as a power."""
    weight = pivot[:, None] * wavelength[None, :] ** slope[:, None]
    return np.asarray(weight / (1 - pivot.sum() + weight.sum(axis=0)))


def _scaled(source: SimulatedSource, factor: float) -> SimulatedSource:
    parts = []
    for part in source.components:
        profile = part.profile
        if isinstance(profile, Sersic):
            profile = replace(profile, half_light_radius=factor * profile.half_light_radius)
        parts.append(replace(part, profile=profile, offset=(factor * part.offset[0], factor * part.offset[1])))
    return replace(source, components=tuple(parts))


def _tuple(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
