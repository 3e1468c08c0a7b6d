"""What is in a simulated sky: sources with their true parameters, and the truth as table columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from ..image import pixel_to_sky
from .profiles import PointSource, Profile, Sersic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["SimulatedComponent", "SimulatedSource", "truth_columns"]


@dataclass(frozen=True, slots=True)
class SimulatedComponent:
    """One profile with its spectrum.

    Parameters
    ----------
    profile : PointSource or Sersic
        Shape, of unit flux.
    flux : tuple of float (B,)
        Total flux per band, image units.
    offset : tuple of float
        ``(y, x)`` of its centre from the source's [px]; other than 0 for knots.
    """

    profile: Profile
    flux: tuple[float, ...]
    offset: tuple[float, float] = (0.0, 0.0)

    def transform(self, ky: FloatArray, kx: FloatArray) -> NDArray[Any]:
        """Fourier transform of unit flux about the source's centre, at ``ky``, ``kx`` [rad/px]."""
        shape = self.profile.transform(ky, kx)
        if self.offset == (0.0, 0.0):
            return shape
        return np.asarray(shape * np.exp(-1j * ky * self.offset[0]) * np.exp(-1j * kx * self.offset[1]))


@dataclass(frozen=True, slots=True)
class SimulatedSource:
    """One star or galaxy of a simulated sky.

    Parameters
    ----------
    id : int
        Unique in its sky.
    y, x : float
        True centre [px], on which the components lie but for their offsets.
    components : tuple of SimulatedComponent
        At least one; a galaxy's disc before its bulge.
    is_star : bool
        Whether it stands for a star.

    Raises
    ------
    ValueError
        If there is no component, or the components' fluxes differ in length.
    """

    id: int
    y: float
    x: float
    components: tuple[SimulatedComponent, ...]
    is_star: bool = False

    def __post_init__(self) -> None:
        lengths = {len(c.flux) for c in self.components}
        if len(lengths) != 1:
            raise ValueError(f"source {self.id}: components need one flux per band each, got lengths {sorted(lengths)}")

    @property
    def flux(self) -> NDArray[np.float64]:
        """Total flux per band (B,), image units."""
        return np.asarray(np.sum([c.flux for c in self.components], axis=0, dtype=np.float64))

    def half_light_radius(self, band: int) -> float:
        """Major semi-axis that holds half of the flux in ``band`` [px], before the PSF; 0 for a point source.

        Elliptical radii of all components are taken along the same ellipse, as `population` draws them; where
        isophotes twist it is an average. Knots count from their distance on.
        """
        extended = [(c.profile, c.flux[band]) for c in self.components if isinstance(c.profile, Sersic)]
        points = [(math.hypot(*c.offset), c.flux[band]) for c in self.components if not isinstance(c.profile, Sersic)]
        half = float(self.flux[band]) / 2
        if sum(f for distance, f in points if distance == 0) >= half:
            return 0.0

        def excess(radius: float) -> float:
            """Flux within a circle beyond half of the total."""
            inside = sum(f for distance, f in points if distance <= radius)
            return inside + sum(f * p.enclosed(radius) for p, f in extended) - half

        # Half of every component is inside the largest radius; the margin is for rounding.
        largest = max([p.half_light_radius for p, _ in extended] + [distance for distance, _ in points])
        return float(optimize.brentq(excess, 0.0, 1.001 * largest))


def truth_columns(
    sources: Sequence[SimulatedSource],
    bands: Sequence[str],
    *,
    pixel_scale: float,
    wcs: Any = None,
) -> dict[str, NDArray[Any]]:
    """Put the truth into columns, ready for a table.

    Parameters
    ----------
    sources : sequence of SimulatedSource
        N sources.
    bands : sequence of str
        Names, in the order of the fluxes.
    pixel_scale : float
        Arcseconds per pixel.
    wcs : astropy.wcs.WCS, optional
        Gives ``ra`` and ``dec`` [deg]; NaN without it.

    Returns
    -------
    dict of str to array (N,)
        ``id``, ``x``, ``y`` [px], ``ra``, ``dec`` [deg], ``is_star``; per band ``{band}_flux`` (total, image
        units), ``{band}_half_light_radius`` [arcsec, major semi-axis, before the PSF] and
        ``{band}_bulge_fraction`` (share of the flux in components with Sérsic index above 2); of the first
        component ``axis_ratio`` and ``position_angle`` [deg, from +x towards +y] (1 and 0 for point sources).
    """
    flux = np.array([s.flux for s in sources]).reshape(len(sources), len(bands))
    bulge = np.array([_bulge_flux(s) for s in sources]).reshape(flux.shape)
    x, y = np.array([s.x for s in sources]), np.array([s.y for s in sources])
    ra = dec = np.full(len(sources), np.nan)
    if wcs is not None:
        sky = pixel_to_sky(wcs, y, x)
        ra, dec = sky.ra.deg, sky.dec.deg
    shapes = [s.components[0].profile for s in sources]
    columns: dict[str, NDArray[Any]] = {
        "id": np.array([s.id for s in sources], dtype=np.int64),
        "x": x,
        "y": y,
        "ra": np.asarray(ra),
        "dec": np.asarray(dec),
        "is_star": np.array([s.is_star for s in sources], dtype=bool),
        "axis_ratio": np.array([1.0 if isinstance(p, PointSource) else p.axis_ratio for p in shapes]),
        "position_angle": np.array([0.0 if isinstance(p, PointSource) else p.position_angle for p in shapes]),
    }
    for k, band in enumerate(bands):
        columns[f"{band}_flux"] = flux[:, k]
        columns[f"{band}_half_light_radius"] = np.array([pixel_scale * s.half_light_radius(k) for s in sources])
        columns[f"{band}_bulge_fraction"] = bulge[:, k] / np.where(flux[:, k] == 0, 1, flux[:, k])
    return columns


def _bulge_flux(source: SimulatedSource) -> NDArray[np.float64]:
    total = np.zeros_like(source.flux)
    for component in source.components:
        if isinstance(component.profile, Sersic) and component.profile.sersic_index > 2:
            total = total + np.array(component.flux)
    return total
