"""From measurements of objects to catalog columns.

Of each object the numbers are kept as they were measured, one behind the other; units, magnitudes and names come in
when all objects are together, since hundreds of columns cost as much for one object as for thousands.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.image import pixel_to_sky
from meas_deblend.measure import FLAVORS, ShapeSet, get_measurement
from meas_deblend.products import FLAVOR_PREFIXES, aperture_name, flux_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from meas_deblend.image import MultibandExposure
    from meas_deblend.measure import FlavorMeasurement, MeasureConfig, ObjectMeasurement

    from .catalog import Row

    Float = NDArray[np.float64]

__all__ = ["MeasuredColumns", "with_sky_positions"]

_MAGNITUDES = ("psf", "kron", "gaap")

_PLACE = ("_x", "_y", "_xErr", "_yErr", "_flag")
_CENTROID = tuple(f"centroid{end}" for end in _PLACE)
_PEAK = tuple(f"sdssCentroid{end}" for end in _PLACE)
_SIZES = (
    *("halfLightRadius", "halfLightRadiusErr", "halfLightRadius_flag"),
    *("sizeExcess", "sizeExcessErr", "extendedness", "extendedness_flag"),
)
_APERTURES = (
    *("ellipse_a", "ellipse_b", "ellipse_theta", "ellipse_flag"),
    *("kronRadius", "kronRadiusErr", "kronRadius_flag"),
)


class MeasuredColumns:
    """Which numbers of a measurement are kept, and the columns that are made of them.

    Parameters
    ----------
    exposure : MultibandExposure
        Bands and zero points: fluxes go into the catalog in nJy where the zero point is known.
    config : MeasureConfig
        Names the apertures and the plug-ins.
    """

    def __init__(self, exposure: MultibandExposure, config: MeasureConfig) -> None:
        self._bands = exposure.bands
        self._factor = np.array([flux_factor(z) for z in exposure.zeropoints])
        self._known = np.array([z is not None for z in exposure.zeropoints])
        apertures = tuple(aperture_name(radius) for radius in config.aperture_radii)
        self._fluxes = tuple(f"{name}Flux" for name in (*apertures, "ellipse", "kron", "psf", "gaap"))
        self._extra = tuple(column.name for name in config.plugins for column in get_measurement(name).columns)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the columns."""
        return frozenset(self.columns(np.zeros((0, 0))))

    def row(self, measured: ObjectMeasurement) -> Float:
        """Numbers of an object, in the order in which `columns` reads them."""
        flavors = [part for name in FLAVORS for part in _numbers(measured.flavors[name])]
        whole, model = measured.undeblended, measured.model
        parts = [
            *(measured.position, measured.masked_fraction, *flavors),
            *(measured.flavors[FLAVORS[0]].fluxes.correction, whole.flux, whole.error),
            *(measured.blendedness, measured.model_blendedness, measured.joint_model_blendedness),
            *(model.error, model.flag, *(measured.extra[name] for name in self._extra)),
        ]
        return np.concatenate(parts, axis=None, dtype=np.float64)

    def columns(self, rows: Float) -> dict[str, NDArray[Any]]:
        """Columns by name, those of flags boolean, from the rows (n, ·) of n objects; (0, 0) without any."""
        read, out = _Reader(rows), _Named(self._bands)
        fluxes, bands = (len(self._fluxes), len(self._bands)), len(self._bands)
        out["y"], out["x"] = read(2).T
        out.put("maskedFraction", read(bands))
        own = self._flavor(FLAVOR_PREFIXES[FLAVORS[0]], read, out)
        for name in FLAVORS[1:]:
            self._flavor(FLAVOR_PREFIXES[name], read, out)
        self._derived(own, out)
        corrections = read(*fluxes)
        for k, flux in enumerate(self._fluxes[:-2]):
            out.put(f"{flux}_apCorr", corrections[:, k])
        whole, error = read(*fluxes), read(*fluxes)
        for k, flux in enumerate(self._fluxes):
            for end, values in (("", whole), ("Err", error), ("Diff", whole - own[0])):
                out.put(f"undeblended_{flux}{end}", values[:, k] * self._factor)
        for name in ("blendedness", "deblend_blendedness"):
            out.put(name, read(bands))
        out["deblend_blendedness"] = read(1)[:, 0]
        out.put("modelFluxErr", read(bands) * self._factor)
        for name in ("modelFlux_flag", *self._extra):
            out.put(name, read(bands))
        return out

    def _flavor(self, prefix: str, read: _Reader, out: _Named) -> tuple[Float, Float, Float]:
        """Add the columns of a flavour; return its fluxes, errors and flags (n, F, B) in image units."""
        fluxes, bands = (len(self._fluxes), len(self._bands)), len(self._bands)
        flux, error, flag = read(*fluxes), read(*fluxes), read(*fluxes)
        for k, name in enumerate(self._fluxes):
            out.put(f"{prefix}{name}", flux[:, k] * self._factor)
            out.put(f"{prefix}{name}Err", error[:, k] * self._factor)
            out.put(f"{prefix}{name}_flag", flag[:, k])
        for names in (_CENTROID, _PEAK):
            for name in names:
                out.put(prefix + name, read(bands))
        for name, values in _moments(read(bands, 3), read(bands, 3, 3), read(bands)).items():
            out.put(prefix + name, values)
        for name in _SIZES:
            out.put(prefix + name, read(bands))
        psf, psf_flag = read(bands, 3), read(bands)
        if prefix != "convolved_":
            for k, axes in enumerate(("yy", "xy", "xx")):
                out.put(f"{prefix}i{axes}PSF", psf[:, :, k])
            out.put(f"{prefix}psfShape_flag", psf_flag)
        for name in _APERTURES:
            out[prefix + name] = read(1)[:, 0]
        out[f"{prefix}ellipse_theta"] = np.rad2deg(out[f"{prefix}ellipse_theta"])
        return flux, error, flag

    def _derived(self, own: tuple[Float, Float, Float], out: _Named) -> None:
        """Add counts and magnitudes of the object's own fluxes, errors and flags (n, F, B)."""
        psf = self._fluxes.index("psfFlux")
        for end, values in zip(("", "Err", "_flag"), own, strict=True):
            out.put(f"psfInstFlux{end}", values[:, psf])
        for kind in _MAGNITUDES:
            k = self._fluxes.index(f"{kind}Flux")
            good = self._known & (own[0][:, k] > 0)
            flux = np.where(good, own[0][:, k] * self._factor, np.nan)
            out.put(f"{kind}Mag", 31.4 - 2.5 * np.log10(flux))
            out.put(f"{kind}MagErr", 2.5 / np.log(10) * own[1][:, k] * self._factor / flux)


class _Reader:
    """Reads rows (n, ·) from left to right."""

    def __init__(self, rows: Float) -> None:
        self._rows, self._at = rows, 0

    def __call__(self, *shape: int) -> Float:
        """Return the next numbers of all rows (n, *shape)."""
        first, self._at = self._at, self._at + math.prod(shape)
        return self._rows[:, first : self._at].reshape(len(self._rows), *shape)


class _Named(dict[str, Any]):
    """Columns by name."""

    def __init__(self, bands: Sequence[str]) -> None:
        super().__init__()
        self._bands = bands

    def __setitem__(self, name: str, values: NDArray[Any]) -> None:
        super().__setitem__(name, values.astype(bool) if name.endswith("_flag") else values)

    def put(self, name: str, values: NDArray[Any]) -> None:
        """Add a column for each band from values (n, B)."""
        for k, band in enumerate(self._bands):
            self[f"{band}_{name}"] = values[:, k]


def _numbers(flavor: FlavorMeasurement) -> tuple[Any, ...]:
    """Numbers of one flavour, in the order in which `MeasuredColumns` reads them."""
    table, found, peak, shape = flavor.fluxes, flavor.centroid, flavor.peak, flavor.shape
    light, size, ellipse, kron = flavor.half_light, flavor.sizes, flavor.ellipse, flavor.kron
    return (
        *(table.flux, table.error, table.flag),
        *(found.x, found.y, found.x_error, found.y_error, found.flag),
        *(peak.center[:, 1], peak.center[:, 0], peak.error[:, 1], peak.error[:, 0], peak.reasons != 0),
        *(shape.moments, shape.covariance, shape.flag),
        *(light.radius, light.error, light.flag, size.excess, size.error, size.extendedness, size.flag),
        *(flavor.psf_shape.moments, flavor.psf_shape.flag),
        (np.nan, np.nan, np.nan) if ellipse is None else (ellipse.a, ellipse.b, ellipse.theta),
        flavor.ellipse_flag,
        (kron.value, kron.error, kron.flag),
    )


def _moments(moments: Float, covariance: Float, flag: Float) -> dict[str, Float]:
    """Moments (n, B, 3) and distortions, with their errors."""
    shape = ShapeSet(moments.reshape(-1, 3), covariance.reshape(-1, 3, 3), flag.reshape(-1).astype(np.int64))
    (yy, xy, xx), (yy_error, xy_error, xx_error) = shape.moments.T, shape.errors.T
    total = xx + yy
    e1, e2 = (xx - yy) / total, 2 * xy / total
    e1_error = shape.error_of(2 * np.stack([-xx, np.zeros_like(xx), yy], axis=1) / total[:, None] ** 2)
    e2_error = shape.error_of(np.stack([-e2, np.full_like(e2, 2), -e2], axis=1) / total[:, None])
    flat = {"ixx": xx, "iyy": yy, "ixy": xy, "ixxErr": xx_error, "iyyErr": yy_error, "ixyErr": xy_error}
    flat |= {"e1": e1, "e1Err": e1_error, "e2": e2, "e2Err": e2_error}
    return {name: values.reshape(flag.shape) for name, values in flat.items()} | {"shape_flag": flag}


def with_sky_positions(rows: Sequence[Row], exposure: MultibandExposure) -> list[Row]:
    """Add right ascension and declination (ICRS, degrees) of the rows' x and y; NaN without a WCS."""
    if exposure.wcs is None or not rows:
        return [row | {"coord_ra": np.nan, "coord_dec": np.nan} for row in rows]
    # One call for all rows: a sky position costs a millisecond to set up.
    sky = pixel_to_sky(exposure.wcs, [row["y"] for row in rows], [row["x"] for row in rows]).icrs
    positions = zip(sky.ra.deg.tolist(), sky.dec.deg.tolist(), strict=True)
    return [row | {"coord_ra": ra, "coord_dec": dec} for row, (ra, dec) in zip(rows, positions, strict=True)]
