"""Which detected object is which true source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .scores import reference_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray
    from .fields import Field

__all__ = ["Detection", "Match", "count_detection", "match_objects"]


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Objects and true sources that belong together, one to one.

    Parameters
    ----------
    object_of : int64 array (source,)
        Index of the source's object; -1 for a source without one.
    source_of : int64 array (object,)
        Index of the object's source; -1 for an object without one.
    """

    object_of: NDArray[np.int64]
    source_of: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Detection:
    """Counts of detection against truth.

    Parameters
    ----------
    sources, objects, matched : int
        True sources, detected objects, pairs of them.
    unrecognised : int
        Sources without an object whose centre lies in the aperture of a source that has one: blends that were taken
        for one object.
    shredded : int
        Sources with an object in whose aperture more objects lie that belong to nobody.
    """

    sources: int
    objects: int
    matched: int
    unrecognised: int
    shredded: int

    def __add__(self, other: Detection) -> Detection:
        return Detection(
            self.sources + other.sources,
            self.objects + other.objects,
            self.matched + other.matched,
            self.unrecognised + other.unrecognised,
            self.shredded + other.shredded,
        )

    def rates(self) -> dict[str, float | int | None]:
        """Return the counts, completeness, purity, and the share of unrecognised and of shredded sources."""
        return {
            "sources": self.sources,
            "objects": self.objects,
            "matched": self.matched,
            "completeness": _share(self.matched, self.sources),
            "purity": _share(self.matched, self.objects),
            "unrecognised": _share(self.unrecognised, self.sources),
            "shredded": _share(self.shredded, self.sources),
        }


def match_objects(field: Field, positions: FloatArray) -> Match:
    """Match objects to true sources; the brightest source chooses first, the nearest free object.

    Parameters
    ----------
    field : Field
    positions : float array (object, 2)
        ``(y, x)`` of the objects in pixels.

    Returns
    -------
    Match
        Pairs are at most one FWHM of the PSF apart, in the reference band.
    """
    band = reference_band(field.setting.bands)
    where = np.asarray(positions, dtype=np.float64).reshape(-1, 2)
    object_of = np.full(len(field.x), -1, dtype=np.int64)
    source_of = np.full(len(where), -1, dtype=np.int64)
    brightness = field.truth[:, band].sum(axis=(1, 2), dtype=np.float64)
    for k in np.argsort(-brightness, kind="stable"):
        distance = np.hypot(where[:, 0] - field.y[k], where[:, 1] - field.x[k])
        distance[source_of >= 0] = np.inf
        if len(distance) and distance.min() <= field.setting.fwhm[band]:
            nearest = int(distance.argmin())
            object_of[k], source_of[nearest] = nearest, k
    return Match(object_of, source_of)


def count_detection(field: Field, positions: FloatArray, match: Match) -> Detection:
    """Count what was found, missed, taken for one, and torn apart."""
    where = np.asarray(positions, dtype=np.float64).reshape(-1, 2)
    has = match.object_of >= 0
    missed = np.flatnonzero(~has)
    spare = where[match.source_of < 0]
    unrecognised = sum(bool((_inside(field, field.y[k], field.x[k]) & has).any()) for k in missed)
    torn = np.zeros(len(field.x), dtype=bool)
    for y, x in spare:
        torn |= _inside(field, y, x) & has
    return Detection(len(field.x), len(where), int(has.sum()), unrecognised, int(torn.sum()))


def _inside(field: Field, y: float, x: float) -> NDArray[np.bool_]:
    """In which sources' apertures (source,) a position lies."""
    half = field.setting.fwhm[reference_band(field.setting.bands)] / 2
    dx, dy = x - field.x, y - field.y
    c, s = np.cos(field.theta), np.sin(field.theta)
    along, across = c * dx + s * dy, -s * dx + c * dy
    return np.asarray((along / np.hypot(field.a, half)) ** 2 + (across / np.hypot(field.b, half)) ** 2 <= 4)


def _share(part: int, whole: int) -> float | None:
    """Return part / whole; None of nothing."""
    return part / whole if whole else None
