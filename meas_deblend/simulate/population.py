"""Which stars and galaxies are in a piece of sky: magnitudes, sizes, shapes, colours and positions at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .catalog import SimulatedComponent, SimulatedSource
from .colors import galaxy_colors, star_colors
from .profiles import PointSource, Sersic, sersic_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import SkyConfig

__all__ = ["draw_magnitudes", "draw_positions", "draw_sources"]

# Half-light radius of an exponential disc in units of its scale length.
_DISC_HALF_LIGHT = sersic_scale(1.0)


def draw_sources(config: SkyConfig, rng: np.random.Generator) -> tuple[SimulatedSource, ...]:
    """Draw the sources of a sky, galaxies before stars, each from bright to faint.

    Parameters
    ----------
    config : SkyConfig
        Numbers and ranges.
    rng : numpy Generator
        Source of randomness.

    Returns
    -------
    tuple of SimulatedSource
        ``n_galaxies`` + ``n_stars`` sources with ids from 1.
    """
    galaxies = np.sort(draw_magnitudes(rng, config.n_galaxies, config.galaxy_magnitudes, config.count_slope))
    # Star counts at high latitude rise slowly with magnitude (Bahcall & Soneira 1980).
    stars = np.sort(draw_magnitudes(rng, config.n_stars, config.star_magnitudes, slope=0.1))
    positions = draw_positions(config, rng)
    sources = []
    for k, (y, x) in enumerate(positions):
        is_star = k >= config.n_galaxies
        if is_star:
            components = _star(config, float(stars[k - config.n_galaxies]), rng)
        else:
            components = _galaxy(config, float(galaxies[k]), rng)
        sources.append(SimulatedSource(k + 1, float(y), float(x), components, is_star))
    return tuple(sources)


def draw_magnitudes(rng: np.random.Generator, n: int, limits: tuple[float, float], slope: float) -> NDArray[np.float64]:
    """Draw ``n`` magnitudes within ``limits`` from counts N(m) ∝ 10^(slope · m).

    Galaxies have slopes near 0.3 in red bands (Tyson 1988).
    """
    low, high = limits
    u = rng.random(n)
    if slope == 0:
        return low + (high - low) * u
    return np.asarray(low + np.log10(1 + u * (10 ** (slope * (high - low)) - 1)) / slope)


def draw_positions(config: SkyConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw positions (y, x) [px] of all sources, galaxies first.

    Companions sit around an earlier, thus brighter, galaxy; their separations follow the angular correlation
    function w(θ) ∝ θ^−0.8 (Peebles 1980), so p(θ) ∝ θ^0.2.

    Returns
    -------
    float64 array (n, 2)
        Inside the image less its margin.  The smallest separation is kept wherever 100 trials find room.
    """
    low = np.full(2, config.margin)
    high = np.array(config.shape) - 1 - config.margin
    nearest = config.min_separation / config.pixel_scale
    ring = np.array(config.companion_separation) / config.pixel_scale
    n = config.n_galaxies + config.n_stars
    out = np.empty((n, 2))
    for k in range(n):
        companion = 0 < k < config.n_galaxies and rng.random() < config.companion_fraction
        for _ in range(100):
            if companion:
                theta = (ring[0] ** 1.2 + rng.random() * (ring[1] ** 1.2 - ring[0] ** 1.2)) ** (1 / 1.2)
                angle = rng.uniform(0, 2 * np.pi)
                trial = out[rng.integers(k)] + theta * np.array([np.sin(angle), np.cos(angle)])
                trial = np.clip(trial, low, high)
            else:
                trial = rng.uniform(low, high)
            if k == 0 or np.hypot(*(out[:k] - trial).T).min() >= nearest:
                break
        out[k] = trial
    return out


def _star(config: SkyConfig, magnitude: float, rng: np.random.Generator) -> tuple[SimulatedComponent, ...]:
    bands = [b.name for b in config.bands]
    # Faint high-latitude samples are mostly red dwarfs, with a tail of bluer turn-off stars (Bochanski et al. 2010).
    g_minus_i = 3.0 - 2.7 * rng.beta(1.2, 2.0)
    flux = _flux(config, magnitude + star_colors(bands, g_minus_i))
    return (SimulatedComponent(PointSource(), flux),)


def _galaxy(config: SkyConfig, magnitude: float, rng: np.random.Generator) -> tuple[SimulatedComponent, ...]:
    """Draw a bulge-dominated galaxy, or a disc with a small red bulge.

    Sizes: median size–magnitude relations of Miller et al. (2013, appendix B), scatter 0.4 in ln r, between the
    values of bright and faint galaxies in Shen et al. (2003).  Bulge fractions of discs: half a Gaussian
    of σ = 0.1 (Miller et al. 2013).
    """
    bands = [b.name for b in config.bands]
    red = bool(rng.random() < config.red_fraction)
    stretch = rng.normal(1.0, 0.12)
    median = np.exp(-1.320 - 0.278 * (magnitude - 23)) if red else np.exp(-1.145 - 0.269 * (magnitude - 23))
    size = float(np.clip(median * np.exp(rng.normal(0, 0.4)), 0.05, 2.5)) / config.pixel_scale
    shape = (_axis_ratio(red, rng), float(rng.uniform(0, 180)))
    bulge_fraction = 1.0 if red else float(np.clip(abs(rng.normal(0, 0.1)), 0.005, 0.5))
    bulge_colors = galaxy_colors(bands, red=True, stretch=stretch)
    bulge = SimulatedComponent(
        # The bulge of a disc galaxy is as large as the disc's scale length: smaller than its half-light radius.
        Sersic(size, 4.0, *shape),
        _flux(config, magnitude - 2.5 * np.log10(bulge_fraction) + bulge_colors),
    )
    if red:
        return (bulge,)
    disc_colors = galaxy_colors(bands, red=False, stretch=stretch)
    disc = SimulatedComponent(
        Sersic(_DISC_HALF_LIGHT * size, 1.0, *shape),
        _flux(config, magnitude - 2.5 * np.log10(1 - bulge_fraction) + disc_colors),
    )
    return (disc, bulge)


def _axis_ratio(red: bool, rng: np.random.Generator) -> float:
    """Apparent axis ratio of an oblate spheroid seen from a random side, q² = γ² + (1 − γ²) cos² i (Hubble 1926).

    Thickness γ: spirals 0.24 ± 0.05, ellipticals 0.58 ± 0.16 (Padilla & Strauss 2008).
    """
    mean, sigma = (0.58, 0.16) if red else (0.24, 0.05)
    thickness = float(np.clip(rng.normal(mean, sigma), 0.12, 1.0))
    return float(np.sqrt(thickness**2 + (1 - thickness**2) * rng.random() ** 2))


def _flux(config: SkyConfig, magnitude: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f) for f in 10 ** (-0.4 * (magnitude - config.zeropoint)))
