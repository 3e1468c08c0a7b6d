"""From one child's measurement to its catalog columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meas_deblend.image import pixel_to_sky
from meas_deblend.products import aperture_name, flux_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meas_deblend.apportion import Child
    from meas_deblend.image import MultibandExposure
    from meas_deblend.measure import FluxSet, Measurement, ShapeSet

    from .catalog import Row

__all__ = ["measured_row", "with_sky_positions"]


def measured_row(measured: Measurement, child: Child, exposure: MultibandExposure, radii: tuple[float, ...]) -> Row:
    """Measured columns of one object; fluxes in nJy where the zero point is known."""
    y, x = measured.fluxes.position
    row: Row = {"x": x, "y": y}
    for k, band in enumerate(exposure.bands):
        factor = flux_factor(exposure.zeropoints[k])
        row |= _flux(f"{band}_psfFlux", measured.fluxes.psf, k, factor)
        for radius, flux in zip(radii, measured.fluxes.apertures, strict=True):
            row |= _flux(f"{band}_{aperture_name(radius)}Flux", flux, k, factor)
        row |= {
            f"{band}_zeroFlux": not bool((child.share[k] > 0).any()),
            f"{band}_maskedFraction": measured.masked_fraction[k],
            f"{band}_centroid_x": measured.centroid.x[k],
            f"{band}_centroid_y": measured.centroid.y[k],
            f"{band}_centroid_xErr": measured.centroid.x_error[k],
            f"{band}_centroid_yErr": measured.centroid.y_error[k],
            f"{band}_centroid_flag": bool(measured.centroid.flag[k]),
            **_moments(f"{band}_", measured.shape, k),
        }
    return row


def with_sky_positions(rows: Sequence[Row], exposure: MultibandExposure) -> list[Row]:
    """Add right ascension and declination (ICRS, degrees) of the rows' x and y; NaN without a WCS."""
    if exposure.wcs is None or not rows:
        return [row | {"coord_ra": np.nan, "coord_dec": np.nan} for row in rows]
    # One call for all rows: a sky position costs a millisecond to set up.
    sky = pixel_to_sky(exposure.wcs, [row["y"] for row in rows], [row["x"] for row in rows]).icrs
    positions = zip(sky.ra.deg.tolist(), sky.dec.deg.tolist(), strict=True)
    return [row | {"coord_ra": ra, "coord_dec": dec} for row, (ra, dec) in zip(rows, positions, strict=True)]


def _moments(prefix: str, shape: ShapeSet, k: int) -> Row:
    names = ("iyy", "ixy", "ixx")
    values = {prefix + name: value for name, value in zip(names, shape.moments[k], strict=True)}
    errors = {f"{prefix}{name}Err": value for name, value in zip(names, shape.errors[k], strict=True)}
    return values | errors | {f"{prefix}shape_flag": bool(shape.flag[k])}


def _flux(name: str, flux: FluxSet, k: int, factor: float) -> Row:
    return {
        name: flux.flux[k] * factor,
        f"{name}Err": flux.error[k] * factor,
        f"{name}_flag": bool(flux.flag[k]),
    }
