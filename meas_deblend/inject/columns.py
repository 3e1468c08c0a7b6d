"""The table of an injection: one row per deblender and injected source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .checks import zeropoints_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..image import MultibandExposure
    from ..simulate import SimulatedSource
    from .catalog import InjectionCatalog
    from .measurement import ApertureFluxes, ObjectFluxes
    from .realizations import Realization
    from .sky import DeblendedObject, KnownObjects

__all__ = ["BAND_COLUMNS", "COLUMNS", "InjectionRow", "Neighbor", "neighbors_of"]

_NANOJANSKY_ZEROPOINT = 31.4

COLUMNS = {
    "deblender": "Name of the deblender.",
    "realization": "Number of the copy of the image that it was injected into.",
    "injectionId": "Row of the catalog.",
    "x": "Column of its position [px, 0-based].",
    "y": "Row of its position [px, 0-based].",
    "is_star": "It is a point source.",
    "half_light_radius": "Major semi-axis that holds half of the flux, before the PSF [arcsec].",
    "axis_ratio": "Minor over major axis.",
    "position_angle": "Of the major axis, from +x towards +y [deg].",
    "sersic_index": "Sérsic index.",
    "neighborSeparation": "Distance to the nearest other source, detected before or injected [arcsec; px without a "
    "pixel scale]; NaN if there is none.",
    "neighborInjected": "That one was injected too.",
    "contrast": "Its total flux over that of the nearest other source, in the reference band; NaN if there is none, or "
    "its flux is not positive.",
    "found": "It has an object.",
    "recovered": "It has an object with significant aperture flux in the reference band (3 σ unless set).",
    "objectDistance": "From its position to its object's peak [px]; NaN without an object.",
    "parentPeaks": "Peaks in its object's parent; 0 without an object.",
    "outcome": "What became of that parent; empty without an object.",
}
"""Columns that do not depend on the band, and what they mean."""

BAND_COLUMNS = {
    "mag": "AB magnitude.",
    "trueFlux": "Total flux [nJy].",
    "trueApertureFlux": "Flux of its noiseless image within the aperture [nJy].",
    "blendApertureFlux": "Flux of the injected image within the aperture [nJy].",
    "childApertureFlux": "Flux of its re-apportioned pixels within the aperture [nJy]; NaN if it was not recovered.",
    "apertureFluxErr": "Standard deviation of blendApertureFlux by the variance plane [nJy].",
    "usableFraction": "Part of its flux within the aperture that is on usable pixels.",
    "kappa": "Contamination: blendApertureFlux / trueApertureFlux − 1, noise included.",
    "modelFlux": "Sum of its model [nJy]; NaN if it was not recovered or has none.",
    "psfFlux": "PSF flux of its re-apportioned pixels [nJy]; NaN if it was not recovered.",
    "psfFluxErr": "Standard deviation of psfFlux for fixed shares [nJy].",
    "neighborChange": "By how much the flux of the nearest other source changed when it was injected [nJy]; NaN for "
    "one that was injected too, or has no object.",
}
"""Columns of each band, ``<band>_<name>``, and what they mean."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """The nearest other source.

    Parameters
    ----------
    separation : float
        [px]; NaN if there is none.
    injected : bool
        Whether it was injected too.
    contrast : float
        Flux relative to it, in the reference band; NaN if that is not positive.
    known : int
        Its index among the known objects; -1 if it is none.
    """

    separation: float
    injected: bool
    contrast: float
    known: int


@dataclass(frozen=True, slots=True, eq=False)
class InjectionRow:
    """All that is known of one injected source in one run.

    Parameters
    ----------
    deblender : str
    realization : int
    source : SimulatedSource
    found : DeblendedObject or None
        Its object.
    recovered : bool
        Whether that has significant flux.
    apertures : ApertureFluxes
    fluxes : ObjectFluxes or None
        None if it was not recovered.
    neighbor : Neighbor
    neighbor_change : float64 array (B,)
    """

    deblender: str
    realization: int
    source: SimulatedSource
    found: DeblendedObject | None
    recovered: bool
    apertures: ApertureFluxes
    fluxes: ObjectFluxes | None
    neighbor: Neighbor
    neighbor_change: NDArray[np.float64]

    @staticmethod
    def columns(
        rows: Sequence[InjectionRow], catalog: InjectionCatalog, exposure: MultibandExposure
    ) -> dict[str, NDArray[Any]]:
        """Put rows into columns, fluxes into nJy."""
        ids = np.array([row.source.id for row in rows], dtype=np.int64)
        scale = exposure.pixel_scale or 1.0
        out: dict[str, NDArray[Any]] = {
            "deblender": np.array([row.deblender for row in rows], dtype=object),
            "realization": np.array([row.realization for row in rows], dtype=np.int32),
            "injectionId": ids,
            "x": catalog.x[ids],
            "y": catalog.y[ids],
            "is_star": catalog.is_star[ids],
            **{
                n: getattr(catalog, n)[ids]
                for n in ("half_light_radius", "axis_ratio", "position_angle", "sersic_index")
            },
            "neighborSeparation": scale * _floats([row.neighbor.separation for row in rows]),
            "neighborInjected": np.array([row.neighbor.injected for row in rows], dtype=bool),
            "contrast": _floats([row.neighbor.contrast for row in rows]),
            "found": np.array([row.found is not None for row in rows], dtype=bool),
            "recovered": np.array([row.recovered for row in rows], dtype=bool),
            "objectDistance": _floats([row._distance for row in rows]),
            "parentPeaks": np.array([row._peaks for row in rows], dtype=np.int32),
            "outcome": np.array(["" if row.found is None else row.found.parent.outcome for row in rows], dtype=object),
        }
        factors = 10 ** (0.4 * (_NANOJANSKY_ZEROPOINT - zeropoints_of(exposure)))
        for b, band in enumerate(exposure.bands):
            values = {name: _floats(column) for name, column in _band(rows, b, float(factors[b])).items()}
            values["mag"] = catalog.magnitudes[ids, b]
            out |= {f"{band}_{name}": values[name] for name in BAND_COLUMNS}
        return out

    @property
    def _distance(self) -> float:
        if self.found is None:
            return float("nan")
        y, x = self.found.source.peak.center
        return float(np.hypot(y - self.source.y, x - self.source.x))

    @property
    def _peaks(self) -> int:
        return 0 if self.found is None else len(self.found.parent.footprint.peaks)


def neighbors_of(realization: Realization, known: KnownObjects, reference: int) -> list[Neighbor]:
    """Return the nearest other source of each injected one, out of what was there and what was injected too."""
    mine = np.array([[s.y, s.x] for s in realization.sources], dtype=np.float64).reshape(-1, 2)
    where = np.concatenate([np.stack([known.y, known.x], axis=1), mine])
    flux = np.concatenate([known.flux[:, reference], [s.flux[reference] for s in realization.sources]])
    out = []
    for k, (y, x) in enumerate(mine):
        distance = np.hypot(where[:, 0] - y, where[:, 1] - x)
        distance[len(known) + k] = np.inf
        nearest = int(np.argmin(distance))
        if not np.isfinite(distance[nearest]):
            out.append(Neighbor(float("nan"), False, float("nan"), -1))
            continue
        injected = nearest >= len(known)
        own = float(realization.sources[k].flux[reference])
        contrast = own / float(flux[nearest]) if flux[nearest] > 0 else float("nan")
        out.append(Neighbor(float(distance[nearest]), injected, contrast, -1 if injected else nearest))
    return out


def _band(rows: Sequence[InjectionRow], b: int, factor: float) -> dict[str, list[float]]:
    """Columns of the band of that index."""
    nan = float("nan")
    fluxes = [row.fluxes for row in rows]
    return {
        "trueFlux": [factor * float(row.source.flux[b]) for row in rows],
        "trueApertureFlux": [factor * float(row.apertures.truth[b]) for row in rows],
        "blendApertureFlux": [factor * float(row.apertures.blend[b]) for row in rows],
        "childApertureFlux": [factor * float(row.apertures.child[b]) if row.recovered else nan for row in rows],
        "apertureFluxErr": [factor * float(row.apertures.error[b]) for row in rows],
        "usableFraction": [float(row.apertures.usable[b]) for row in rows],
        "kappa": [float(row.apertures.kappa[b]) for row in rows],
        "modelFlux": [nan if f is None else factor * float(f.model[b]) for f in fluxes],
        "psfFlux": [nan if f is None else factor * float(f.psf[b]) for f in fluxes],
        "psfFluxErr": [nan if f is None else factor * float(f.psf_error[b]) for f in fluxes],
        "neighborChange": [factor * float(row.neighbor_change[b]) for row in rows],
    }


def _floats(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
