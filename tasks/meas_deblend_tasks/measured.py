"""From one object's measurement to its catalog columns."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.image import pixel_to_sky
from meas_deblend.products import FLAVOR_PREFIXES, aperture_name, flux_factor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from meas_deblend.geometry import BoolArray
    from meas_deblend.image import MultibandExposure
    from meas_deblend.measure import FlavorMeasurement, FluxTable, MeasureConfig, ObjectMeasurement, ShapeSet

    from .catalog import Row

    Float = NDArray[np.float64]
    Named = tuple[str | tuple[str, ...], Any]

__all__ = ["MeasuredRows", "with_sky_positions"]

_MAGNITUDES = ("psf", "kron", "gaap")

_PLACE = ("_x", "_y", "_xErr", "_yErr", "_flag")
_IN_BANDS = (
    *(f"{kind}{end}" for kind in ("centroid", "sdssCentroid") for end in _PLACE),
    *("ixx", "iyy", "ixy", "ixxErr", "iyyErr", "ixyErr", "shape_flag", "e1", "e1Err", "e2", "e2Err"),
    *("halfLightRadius", "halfLightRadiusErr", "halfLightRadius_flag"),
    *("sizeExcess", "sizeExcessErr", "extendedness", "extendedness_flag"),
)


class MeasuredRows:
    """Measured columns of many objects, gathered as one array of numbers per object.

    Parameters
    ----------
    exposure : MultibandExposure
        Bands and zero points: fluxes go into the catalog in nJy where the zero point is known.
    config : MeasureConfig
        Names the apertures.
    """

    def __init__(self, exposure: MultibandExposure, config: MeasureConfig) -> None:
        self._bands = exposure.bands
        self._factor = np.array([flux_factor(z) for z in exposure.zeropoints])
        self._known = np.array([z is not None for z in exposure.zeropoints])
        apertures = tuple(aperture_name(radius) for radius in config.aperture_radii)
        self._fluxes = tuple(f"{name}Flux" for name in (*apertures, "ellipse", "kron", "psf", "gaap"))
        self._names: tuple[str, ...] = ()
        self._rows: list[Float] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, measured: ObjectMeasurement) -> None:
        """Add an object."""
        pairs = list(self._values(measured))
        if not self._names:
            self._names = tuple(name for names, _ in pairs for name in ((names,) if isinstance(names, str) else names))
        self._rows.append(np.concatenate([np.ravel(value) for _, value in pairs], dtype=np.float64))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Columns by name; those of flags are boolean. Empty without any object."""
        if not self._rows:
            return {}
        values, (names, flags) = np.stack(self._rows, axis=1), _unfolded(self._names, self._bands)
        marked = iter(values[flags].astype(bool))
        return {name: next(marked) if flag else value for name, value, flag in zip(names, values, flags, strict=True)}

    def _values(self, measured: ObjectMeasurement) -> Iterator[Named]:
        """Names, with ``{band}`` where there is a value per band, and values: one name, or those of an array's rows."""
        y, x = measured.position
        yield from (("x", x), ("y", y), ("{band}_maskedFraction", measured.masked_fraction))
        for name, flavor in measured.flavors.items():
            yield from self._flavor(FLAVOR_PREFIXES[name], flavor)
        own = measured.flavors["reapportioned"].fluxes
        yield from self._derived(own)
        yield from self._undeblended(own, measured.undeblended)
        yield "{band}_blendedness", measured.blendedness
        yield "{band}_deblend_blendedness", measured.model_blendedness
        yield "deblend_blendedness", measured.joint_model_blendedness
        yield "{band}_modelFluxErr", measured.model.error * self._factor
        yield "{band}_modelFlux_flag", measured.model.flag
        yield from ((f"{{band}}_{name}", value) for name, value in measured.extra.items())

    def _flavor(self, prefix: str, flavor: FlavorMeasurement) -> Iterator[Named]:
        name, table = f"{{band}}_{prefix}", flavor.fluxes
        values = np.stack([table.flux * self._factor, table.error * self._factor, table.flag], axis=1)
        yield tuple(f"{name}{flux}{end}" for flux in self._fluxes for end in ("", "Err", "_flag")), values
        found, (peak_y, peak_x), peak_errors = flavor.centroid, flavor.peak.center.T, flavor.peak.error.T
        centroid = (found.x, found.y, found.x_error, found.y_error, found.flag)
        peak = (peak_x, peak_y, peak_errors[1], peak_errors[0], flavor.peak.reasons != 0)
        others = (flavor.half_light.radius, flavor.half_light.error, flavor.half_light.flag)
        sizes = (flavor.sizes.excess, flavor.sizes.error, flavor.sizes.extendedness, flavor.sizes.flag)
        # One array for all: there are dozens of columns, of a few bands each.
        yield (
            tuple(name + end for end in _IN_BANDS),
            np.array([*centroid, *peak, *_moments(flavor.shape), *others, *sizes]),
        )
        if prefix != "convolved_":
            yield tuple(f"{name}i{axes}PSF" for axes in ("yy", "xy", "xx")), flavor.psf_shape.moments.T
            yield f"{name}psfShape_flag", flavor.psf_shape.flag
        yield from _ellipse(prefix, flavor)

    def _derived(self, own: FluxTable) -> Iterator[Named]:
        psf = self._fluxes.index("psfFlux")
        yield "{band}_psfInstFlux", own.flux[psf]
        yield "{band}_psfInstFluxErr", own.error[psf]
        yield "{band}_psfInstFlux_flag", own.flag[psf]
        for kind in _MAGNITUDES:
            k = self._fluxes.index(f"{kind}Flux")
            good = self._known & (own.flux[k] > 0)
            flux = np.where(good, own.flux[k] * self._factor, np.nan)
            yield f"{{band}}_{kind}Mag", 31.4 - 2.5 * np.log10(flux)
            yield f"{{band}}_{kind}MagErr", 2.5 / np.log(10) * own.error[k] * self._factor / flux
        yield tuple(f"{{band}}_{flux}_apCorr" for flux in self._fluxes[:-2]), own.correction[:-2]

    def _undeblended(self, own: FluxTable, whole: FluxTable) -> Iterator[Named]:
        values = np.stack([whole.flux, whole.error, whole.flux - own.flux], axis=1) * self._factor
        yield tuple(f"{{band}}_undeblended_{flux}{end}" for flux in self._fluxes for end in ("", "Err", "Diff")), values


def with_sky_positions(rows: Sequence[Row], exposure: MultibandExposure) -> list[Row]:
    """Add right ascension and declination (ICRS, degrees) of the rows' x and y; NaN without a WCS."""
    if exposure.wcs is None or not rows:
        return [row | {"coord_ra": np.nan, "coord_dec": np.nan} for row in rows]
    # One call for all rows: a sky position costs a millisecond to set up.
    sky = pixel_to_sky(exposure.wcs, [row["y"] for row in rows], [row["x"] for row in rows]).icrs
    positions = zip(sky.ra.deg.tolist(), sky.dec.deg.tolist(), strict=True)
    return [row | {"coord_ra": ra, "coord_dec": dec} for row, (ra, dec) in zip(rows, positions, strict=True)]


@lru_cache(16)
def _unfolded(names: tuple[str, ...], bands: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Names of columns, one per band where there is a value for each, and which of them are flags."""
    each = [[name.replace("{band}", band) for band in bands] if "{band}" in name else [name] for name in names]
    columns = tuple(column for named in each for column in named)
    flags = np.array([column.endswith("_flag") for column in columns])
    flags.setflags(write=False)
    return columns, flags


def _moments(shape: ShapeSet) -> Iterator[Float | BoolArray]:
    """Moments, and distortions, in the order of `_IN_BANDS`."""
    yy, xy, xx = shape.moments.T
    yy_error, xy_error, xx_error = shape.errors.T
    yield from (xx, yy, xy, xx_error, yy_error, xy_error, shape.flag)
    total = xx + yy
    e1, e2 = (xx - yy) / total, 2 * xy / total
    yield from (e1, shape.error_of(2 * np.stack([-xx, np.zeros_like(xx), yy], axis=1) / total[:, None] ** 2))
    yield from (e2, shape.error_of(np.stack([-e2, np.full_like(e2, 2), -e2], axis=1) / total[:, None]))


def _ellipse(prefix: str, flavor: FlavorMeasurement) -> Iterator[Named]:
    ellipse = flavor.ellipse
    yield f"{prefix}ellipse_a", np.nan if ellipse is None else ellipse.a
    yield f"{prefix}ellipse_b", np.nan if ellipse is None else ellipse.b
    yield f"{prefix}ellipse_theta", np.nan if ellipse is None else np.rad2deg(ellipse.theta)
    yield f"{prefix}ellipse_flag", flavor.ellipse_flag
    yield f"{prefix}kronRadius", flavor.kron.value
    yield f"{prefix}kronRadiusErr", flavor.kron.error
    yield f"{prefix}kronRadius_flag", flavor.kron.flag
