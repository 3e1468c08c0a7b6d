"""Small blends with known answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalog import SimulatedComponent, SimulatedSource
from .colors import galaxy_colors, star_colors
from .config import SkyConfig
from .profiles import PointSource, Sersic
from .scene import observe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .profiles import Profile
    from .scene import SimulatedSky

__all__ = ["star_field", "three_in_a_row", "two_galaxies"]

_SMALL = SkyConfig(shape=(81, 101))
_ELLIPTICAL = Sersic(3.0, 4.0, 0.8, 30.0)
_DISC = Sersic(4.0, 1.0, 0.6, 100.0)


def two_galaxies(
    separation: float, magnitudes: tuple[float, float] = (21.0, 21.5), config: SkyConfig = _SMALL
) -> SimulatedSky:
    """Simulate a red elliptical and a blue disc, side by side in the middle of the image.

    Parameters
    ----------
    separation : float
        Distance of their centres along x [px].
    magnitudes : tuple of float
        i-band magnitudes of the red and of the blue one.
    config : SkyConfig
        How they are observed.

    Returns
    -------
    SimulatedSky
        Two sources, the red one on the left.
    """
    y, x = _middle(config)
    red = _source(1, (y, x - separation / 2), _ELLIPTICAL, _flux(config, magnitudes[0], red=True))
    blue = _source(2, (y, x + separation / 2), _DISC, _flux(config, magnitudes[1], red=False))
    return observe((red, blue), config)


def three_in_a_row(
    separation: float, magnitudes: tuple[float, float, float] = (21.0, 22.0, 21.0), config: SkyConfig = _SMALL
) -> SimulatedSky:
    """Simulate three equally spaced discs in a row: what symmetric templates cannot take apart.

    The mirror image of each outer one lies on the other, so the middle one's symmetric template contains both.

    Parameters
    ----------
    separation : float
        Distance of neighbours along x [px].
    magnitudes : tuple of float
        i-band magnitudes from left to right.
    config : SkyConfig
        How they are observed.

    Returns
    -------
    SimulatedSky
        Three sources from left to right; blue, red, blue.
    """
    y, x = _middle(config)
    sources = tuple(
        _source(k + 1, (y, x + (k - 1) * separation), Sersic(2.5), _flux(config, m, red=k == 1))
        for k, m in enumerate(magnitudes)
    )
    return observe(sources, config)


def star_field(positions: NDArray[np.floating[Any]], magnitude: float, config: SkyConfig) -> SimulatedSky:
    """Simulate equal stars.

    Parameters
    ----------
    positions : float array (n, 2)
        ``(y, x)`` [px].
    magnitude : float
        i-band magnitude of each; their colour is g − i = 1.
    config : SkyConfig
        How they are observed.

    Returns
    -------
    SimulatedSky
        n stars with ids from 1.
    """
    colors = star_colors([b.name for b in config.bands], 1.0)
    flux = tuple(float(f) for f in 10 ** (-0.4 * (magnitude + colors - config.zeropoint)))
    return observe([_source(k + 1, (y, x), PointSource(), flux) for k, (y, x) in enumerate(positions)], config)


def _middle(config: SkyConfig) -> tuple[float, float]:
    return (config.shape[0] - 1) / 2, (config.shape[1] - 1) / 2


def _flux(config: SkyConfig, magnitude: float, *, red: bool) -> tuple[float, ...]:
    colors = galaxy_colors([b.name for b in config.bands], red=red, stretch=1.0)
    return tuple(float(f) for f in 10 ** (-0.4 * (magnitude + colors - config.zeropoint)))


def _source(id_: int, center: tuple[float, float], profile: Profile, flux: tuple[float, ...]) -> SimulatedSource:
    is_star = isinstance(profile, PointSource)
    return SimulatedSource(id_, float(center[0]), float(center[1]), (SimulatedComponent(profile, flux),), is_star)
