"""PSFs that are known at some positions, as stamps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..exceptions import InputError
from .psf import PsfStamp
from .psf_models import shift_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GridPsf"]


@dataclass(frozen=True, slots=True, eq=False)
class GridPsf:
    """A PSF given as stamps at positions on the image.

    Parameters
    ----------
    stamps : float array (n, h, w)
        Odd sides, centred, each the PSF of a point source at the centre of a pixel.  A stamp of nothing but NaN is a
        hole: the coadd has no PSF there.
    y, x : float array (n,)
        Positions to which the stamps belong, pixels, 0-based; no two are equal.
    interpolation : {"bilinear", "nearest"}, optional
        "bilinear" weighs the four stamps around a place and needs positions on a regular or irregular lattice (every
        y with every x); beyond the outermost the nearest stamps hold.  "nearest" takes the stamp of the nearest
        position: right for coadds whose PSF is constant within cells.  Default: "bilinear" on a lattice, else
        "nearest".

    Raises
    ------
    InputError
        If shapes do not fit, positions are not finite or repeated, a stamp is partly NaN or sums to nothing, all are
        holes, or "bilinear" is asked for without a lattice.
    """

    stamps: NDArray[np.float64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    interpolation: Literal["bilinear", "nearest"] | None = None
    _lattice: NDArray[np.intp] | None = field(init=False, repr=False, default=None)
    """Index of the stamp (row, column) for the sorted positions."""

    def __post_init__(self) -> None:
        stamps = np.array(self.stamps, dtype=np.float64)
        y, x = (np.array(values, dtype=np.float64) for values in (self.y, self.x))
        _check(stamps, y, x)
        lattice = _lattice_of(y, x)
        kind = self.interpolation or ("nearest" if lattice is None else "bilinear")
        if kind not in ("bilinear", "nearest"):
            raise InputError(f"interpolation of a PSF grid must be 'bilinear' or 'nearest', got {kind!r}")
        if kind == "bilinear" and lattice is None:
            raise InputError(
                f"the {len(y)} positions of the PSF grid are no lattice ({len(np.unique(y))} different y, "
                f"{len(np.unique(x))} different x, not every pair): give interpolation='nearest'"
            )
        for array in (stamps, y, x):
            array.setflags(write=False)
        for name, value in (("stamps", stamps), ("y", y), ("x", x), ("interpolation", kind), ("_lattice", lattice)):
            object.__setattr__(self, name, value)

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF of a point source at ``(y, x)``, moved by its sub-pixel part; NaN in a hole."""
        row, column = math.floor(y + 0.5), math.floor(x + 0.5)
        stamp = self._nearest(y, x) if self.interpolation == "nearest" else self._between(y, x)
        return PsfStamp(shift_stamp(stamp, y - row, x - column), (row, column))

    def _nearest(self, y: float, x: float) -> NDArray[np.float64]:
        nearest: NDArray[np.float64] = self.stamps[np.argmin((self.y - y) ** 2 + (self.x - x) ** 2)]
        return nearest

    def _between(self, y: float, x: float) -> NDArray[np.float64]:
        """Weigh the stamps around a place; holes have no weight."""
        if self._lattice is None:
            raise InputError("there is no lattice to interpolate on")
        rows, columns = _bracket(np.unique(self.y), y), _bracket(np.unique(self.x), x)
        parts = [(self._lattice[j, i], wy * wx) for j, wy in rows for i, wx in columns if wy * wx > 0.0]
        known = [(self.stamps[k], weight) for k, weight in parts if np.isfinite(self.stamps[k, 0, 0])]
        if not known:
            return np.full(self.stamps.shape[1:], np.nan)
        total = sum(weight for _, weight in known)
        return np.asarray(sum(stamp * (weight / total) for stamp, weight in known), dtype=np.float64)


def _bracket(nodes: NDArray[np.float64], place: float) -> list[tuple[int, float]]:
    """Index and weight of the nodes on both sides of a place; of the outermost, beyond it."""
    right = int(np.searchsorted(nodes, place))
    if right == 0 or right == len(nodes):
        return [(min(right, len(nodes) - 1), 1.0)]
    part = float((place - nodes[right - 1]) / (nodes[right] - nodes[right - 1]))
    return [(right - 1, 1.0 - part), (right, part)]


def _lattice_of(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.intp] | None:
    rows, columns = np.unique(y), np.unique(x)
    if len(rows) * len(columns) != len(y):
        return None
    lattice = np.full((len(rows), len(columns)), -1)
    lattice[np.searchsorted(rows, y), np.searchsorted(columns, x)] = np.arange(len(y))
    return np.asarray(lattice, dtype=np.intp)


def _check(stamps: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]) -> None:
    if stamps.ndim != 3 or 0 in stamps.shape or stamps.shape[1] % 2 == 0 or stamps.shape[2] % 2 == 0:
        raise InputError(f"stamps of a PSF grid must be (n, y, x) with odd sides, got shape {stamps.shape}")
    if y.shape != (len(stamps),) or x.shape != (len(stamps),):
        raise InputError(f"a PSF grid has {len(stamps)} stamps, but positions of shapes y {y.shape} and x {x.shape}")
    if not (np.isfinite(y) & np.isfinite(x)).all():
        raise InputError("positions of a PSF grid must be finite")
    if len(np.unique(np.stack([y, x]), axis=1)[0]) < len(y):
        raise InputError("a PSF grid has two stamps at one position")
    finite = np.isfinite(stamps)
    holes = ~finite.any(axis=(1, 2))
    if holes.all():
        raise InputError("all stamps of the PSF grid are NaN")
    wrong = np.flatnonzero(~holes & (~finite.all(axis=(1, 2)) | ~(np.nansum(stamps, axis=(1, 2)) > 0)))
    if wrong.size:
        raise InputError(
            f"stamps {', '.join(map(str, wrong[:5]))} of the PSF grid (from 0) are NaN in parts or do not have a "
            "positive sum; a stamp of nothing but NaN stands for a place without a PSF"
        )
