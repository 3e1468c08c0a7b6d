"""What a deblender finds hard besides single galaxies: one giant galaxy, and the core of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .galaxies import draw_catalog
from .placement import Region, in_core

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .catsim import GalaxyCatalog
    from .field_config import FieldConfig

__all__ = ["cluster_core", "giant_galaxy"]

# Members of a cluster that a survey detects: from its brightest galaxies to far below L*.
_MEMBERS = (18.5, 24.5)
# Mean surface brightness of large discs within the half-light radius [AB mag / arcsec²] (Freeman 1970, in i).
_SURFACE_BRIGHTNESS = 21.5
# Where they are: centres in units of the image's sides, so that they hide neither each other nor a star in the middle.
_GIANT_AT, _CLUSTER_AT = (0.25, 0.72), (0.72, 0.3)


def giant_galaxy(
    rng: np.random.Generator, config: FieldConfig, radius: float
) -> tuple[GalaxyCatalog, NDArray[np.float64]]:
    """One spiral with the surface brightness of nearby ones: a row, and its position (1, 2).

    Parameters
    ----------
    rng : numpy Generator
        Draws its angle, its colours, and its place in a pixel.
    config : FieldConfig
        Bands and shape.
    radius : float
        Of half of its light [arcsec].
    """
    names = config.conditions.names
    galaxy = draw_catalog(rng, 1, config.magnitudes, names)
    axis_ratio, angle = 0.6, rng.uniform(0, 180)
    magnitude = _SURFACE_BRIGHTNESS - 2.5 * np.log10(2 * np.pi * axis_ratio * radius**2)
    colors = galaxy.magnitudes()[0] - galaxy.columns["i_draw"][0]
    values = {
        "redshift": 0.02, "fluxnorm_bulge": 0.2, "fluxnorm_disk": 0.8, "a_d": radius, "b_d": axis_ratio * radius,
        "a_b": radius / 5, "b_b": radius / 6, "pa_disk": angle, "pa_bulge": angle, "i_draw": magnitude, "kind": 1.0,
        **{f"{band}_ab": magnitude + color for band, color in zip(names, colors, strict=True)},
    }  # fmt: skip
    columns = {name: np.array([values[name]], dtype=np.float64) for name in galaxy.columns}
    return type(galaxy)(columns, galaxy.bands, galaxy.label), _place(rng, config, _GIANT_AT)[None]


def cluster_core(rng: np.random.Generator, config: FieldConfig) -> tuple[GalaxyCatalog, NDArray[np.float64]]:
    """Galaxies so close together that they make one parent: rows, and positions (n, 2).

    Surface density ∝ 1 / (1 + (r / r_c)²), as in the cores of clusters (King 1962), out to 3 r_c, with one galaxy on
    ``cluster_spacing`` squared on average.

    Parameters
    ----------
    rng : numpy Generator
    config : FieldConfig
        ``cluster_members``, and their ``cluster_spacing`` [px].
    """
    n = config.cluster_members
    members = draw_catalog(rng, n, _MEMBERS, config.conditions.names)
    edge = config.cluster_spacing * np.sqrt(n / np.pi)
    region = Region.middle(config.shape, None)
    return members, in_core(rng, n, region, _place(rng, config, _CLUSTER_AT), edge)


def _place(rng: np.random.Generator, config: FieldConfig, share: tuple[float, float]) -> NDArray[np.float64]:
    return np.asarray(np.array(config.shape) * share + rng.uniform(-0.5, 0.5, 2))
