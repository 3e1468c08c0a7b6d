"""Which sources are injected: positions, magnitudes and shapes, from a table or drawn at random."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError, InputWarning
from ..image import pixel_positions, pixel_to_sky, table_columns
from ..simulate import PointSource, Sersic, SimulatedComponent, SimulatedSource
from ..simulate.profiles import SERSIC_INDICES
from .checks import pixel_scale_of_exposure, zeropoints_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..image import MultibandExposure
    from ..simulate import Profile

__all__ = ["InjectionCatalog", "read_injection_catalog"]

_SHAPES = {"half_light_radius": 0.0, "axis_ratio": 1.0, "position_angle": 0.0, "sersic_index": 1.0}
_POSITIONS = ("x", "y", "ra", "dec", "coord_ra", "coord_dec", "frame")
_MEANING = (
    "x and y in pixels, 0-based, or ra and dec in degrees; mag_<band>: AB magnitudes of the whole; optionally "
    "half_light_radius (arcsec, major semi-axis before the PSF), axis_ratio, position_angle (degrees from +x to +y), "
    "sersic_index, is_star"
)
_TRUE, _FALSE = ("true", "t", "yes", "1", "1.0"), ("false", "f", "no", "0", "0.0")


@dataclass(frozen=True, slots=True, eq=False)
class InjectionCatalog:
    """Stars and Sérsic galaxies, as columns.

    Parameters
    ----------
    bands : tuple of str
        B names.
    y, x : float64 array (n,)
        Positions [px].
    magnitudes : float64 array (n, B)
        AB magnitudes of the whole source.
    half_light_radius : float64 array (n,)
        Major semi-axis that holds half of the flux, before the PSF [arcsec]; above 0 but for stars.
    axis_ratio : float64 array (n,)
        Minor over major axis, in (0, 1].
    position_angle : float64 array (n,)
        Of the major axis, from +x towards +y [deg].
    sersic_index : float64 array (n,)
        Within `simulate.profiles.SERSIC_INDICES`.
    is_star : bool array (n,)
        Point sources, whose shapes are not used.
    label : str
        How messages name the catalog.

    Raises
    ------
    InputError
        If a value is not finite or out of range: the message names column, row and what is allowed.
    """

    bands: tuple[str, ...]
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    magnitudes: NDArray[np.float64]
    half_light_radius: NDArray[np.float64]
    axis_ratio: NDArray[np.float64]
    position_angle: NDArray[np.float64]
    sersic_index: NDArray[np.float64]
    is_star: NDArray[np.bool_]
    label: str = "catalog"

    def __post_init__(self) -> None:
        galaxy = ~self.is_star
        low, high = SERSIC_INDICES
        q, n = self.axis_ratio, self.sersic_index
        self._check("x and y", np.isfinite(self.y + self.x), self.x, "finite")
        for b, band in enumerate(self.bands):
            column = self.magnitudes[:, b]
            self._check(f"mag_{band}", np.isfinite(column) & (np.abs(column) < 100), column, "finite magnitudes")
        radius = self.half_light_radius
        self._check(
            "half_light_radius", ~galaxy | (radius > 0) & np.isfinite(radius), radius,
            "above 0 arcsec, but for stars (is_star)",
        )  # fmt: skip
        self._check("axis_ratio", ~galaxy | (q > 0) & (q <= 1), q, "in (0, 1]")
        self._check("position_angle", ~galaxy | np.isfinite(self.position_angle), self.position_angle, "finite")
        self._check("sersic_index", ~galaxy | (n >= low) & (n <= high), n, f"within {low} … {high}")

    def __len__(self) -> int:
        return len(self.x)

    def _check(self, name: str, good: NDArray[np.bool_], values: NDArray[np.float64], allowed: str) -> None:
        if not good.all():
            row = int(np.argmin(good))
            raise InputError(f"{self.label}: {name} must be {allowed}, but row {row} (from 0) has {values[row]:.6g}")

    def take(self, rows: Sequence[int] | NDArray[Any]) -> InjectionCatalog:
        """Return some of the sources."""
        index = np.asarray(rows)
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return InjectionCatalog(**{k: v[index] if isinstance(v, np.ndarray) else v for k, v in parts.items()})

    def columns(self, wcs: Any = None) -> dict[str, NDArray[Any]]:
        """Columns as `read_injection_catalog` reads them; with ``ra`` and ``dec`` where there is a WCS."""
        out: dict[str, NDArray[Any]] = {"x": self.x, "y": self.y}
        if wcs is not None:
            sky = pixel_to_sky(wcs, self.y, self.x).icrs
            out |= {"ra": sky.ra.deg, "dec": sky.dec.deg}
        out |= {f"mag_{band}": self.magnitudes[:, b] for b, band in enumerate(self.bands)}
        return out | {name: getattr(self, name) for name in (*_SHAPES, "is_star")}

    def sources(self, exposure: MultibandExposure) -> tuple[SimulatedSource, ...]:
        """Return the sources in the exposure's units, with ids from 0 in the order of the rows.

        Raises
        ------
        InputError
            If a zero point is missing, or the pixel scale, unless all are stars.
        """
        flux = 10 ** (-0.4 * (self.magnitudes - zeropoints_of(exposure)))
        scale = 1.0 if self.is_star.all() else pixel_scale_of_exposure(exposure)
        return tuple(
            SimulatedSource(
                k,
                float(self.y[k]),
                float(self.x[k]),
                (SimulatedComponent(self._profile(k, scale), tuple(float(f) for f in flux[k])),),
                bool(self.is_star[k]),
            )
            for k in range(len(self))
        )

    def _profile(self, k: int, pixel_scale: float) -> Profile:
        if self.is_star[k]:
            return PointSource()
        return Sersic(
            float(self.half_light_radius[k]) / pixel_scale,
            float(self.sersic_index[k]),
            float(self.axis_ratio[k]),
            float(self.position_angle[k]),
        )


def read_injection_catalog(table: Any, exposure: MultibandExposure, frame: str | None = None) -> InjectionCatalog:
    """Read the sources that a user wants to have injected.

    Parameters
    ----------
    table : str, Path, astropy Table or mapping
        The table, or a file: .csv, .ecsv, .fits (.gz), .parquet. Columns (any case): ``x y`` (pixels, 0-based) or
        ``ra dec`` (degrees), ``mag_<band>`` per band of the exposure, optionally ``half_light_radius`` (arcsec),
        ``axis_ratio``, ``position_angle`` (degrees, from +x towards +y), ``sersic_index``, ``is_star``. Without
        ``is_star``, sources with a half-light radius of 0, or without one, are stars.
    exposure : MultibandExposure
        Where they go.
    frame : str, optional
        Frame of sky positions; default: ICRS.

    Returns
    -------
    InjectionCatalog
        Of the sources whose positions are on the image.

    Raises
    ------
    InputError
        If the table cannot be read, a column is missing (the message lists those found and expected), a value is out
        of range, or no source is on the image.

    Warns
    -----
    InputWarning
        If sources off the image were left out.
    """
    expected = (*_POSITIONS, *_SHAPES, "is_star", *(f"mag_{band}".lower() for band in exposure.bands))
    columns, label = table_columns(table, "catalog", frozenset(expected).__contains__)
    magnitudes = [_magnitudes(columns, band, label) for band in exposure.bands]
    y, x = pixel_positions(columns, exposure.wcs, frame, label)
    if len(y) == 0:
        raise InputError(f"{label} holds no sources")
    shapes = {name: _numbers(columns, name, default, len(y), label) for name, default in _SHAPES.items()}
    star = _booleans(columns["is_star"], label) if "is_star" in columns else ~(shapes["half_light_radius"] > 0)
    catalog = InjectionCatalog(exposure.bands, y, x, np.stack(magnitudes, axis=1), **shapes, is_star=star, label=label)
    return _on_image(catalog, exposure.box.shape)


def _magnitudes(columns: Mapping[str, NDArray[Any]], band: str, label: str) -> NDArray[np.float64]:
    name = f"mag_{band}".lower()
    if name not in columns:
        raise InputError(
            f"{label}: no column mag_{band}; found {', '.join(columns) or 'no column'}; expected {_MEANING}"
        )
    return _numbers(columns, name, np.nan, 0, label)


def _numbers(
    columns: Mapping[str, NDArray[Any]], name: str, default: float, length: int, label: str
) -> NDArray[np.float64]:
    if name not in columns:
        return np.full(length, default)
    try:
        return np.atleast_1d(columns[name]).astype(np.float64)
    except ValueError as error:
        raise InputError(f"{label}: column {name!r} must hold numbers: {error}") from error


def _booleans(values: NDArray[Any], label: str) -> NDArray[np.bool_]:
    if values.dtype.kind in "bif":
        return values.astype(bool)
    words = [str(value).strip().lower() for value in values]
    wrong = [word for word in words if word not in (*_TRUE, *_FALSE)]
    if wrong:
        raise InputError(f"{label}: column 'is_star' must hold true or false, got {wrong[0]!r}")
    return np.array([word in _TRUE for word in words], dtype=bool)


def _on_image(catalog: InjectionCatalog, shape: tuple[int, int]) -> InjectionCatalog:
    inside = (catalog.y >= -0.5) & (catalog.y < shape[0] - 0.5) & (catalog.x >= -0.5) & (catalog.x < shape[1] - 0.5)
    if not inside.any():
        raise InputError(
            f"{catalog.label}: none of the {len(catalog)} positions is on the image of {shape[0]} × {shape[1]} px; "
            f"they span y {catalog.y.min():.6g} … {catalog.y.max():.6g} and x {catalog.x.min():.6g} … "
            f"{catalog.x.max():.6g}"
        )
    if not inside.all():
        warnings.warn(
            f"{catalog.label}: {int((~inside).sum())} of {len(catalog)} sources are off the image and were left out",
            InputWarning,
            stacklevel=3,
        )
    return catalog.take(np.flatnonzero(inside))
