"""Sources drawn on stamps: sizes, transforms of PSFs, images and derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from .planes import INDEX, N_PARAMETERS, fill_planes
from .radial import radial_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .scene import Sources

__all__ = ["SIZES", "PsfTransforms", "draw", "draw_stamps"]

SIZES = (24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256)
"""Sides of stamps in pixels: lengths that transform fast."""

_LOG_4 = float(np.log(4.0))

_LARGEST = 1 << 21  # Pixels that are transformed at once: 16 MB.


@dataclass(frozen=True, slots=True, eq=False)
class PsfTransforms:
    """PSFs of all bands, and their transforms on stamps of every size.

    Parameters
    ----------
    stamps : float64 array (band, h, w)
        Odd, with the middle pixel as the centre.
    rings : float64 array (band, size)
        Mean of a PSF in rings at the edges of stamps of each of `SIZES`; 0 beyond what is known of it.
    bands : int64 array (band,)
        Which of the image's bands they are of.
    kept : dict
        Transforms by size, made when they are first needed.
    parts : dict
        PSFs of some of the bands, by their indices.
    """

    stamps: NDArray[np.float64]
    rings: NDArray[np.float64]
    bands: NDArray[np.int64]
    kept: dict[int, NDArray[np.complex64]]
    parts: dict[tuple[int, ...], PsfTransforms]

    @classmethod
    def of(cls, stamps: NDArray[np.floating]) -> PsfTransforms:
        """PSFs of all bands (band, h, w)."""
        known = np.asarray(stamps, dtype=np.float64)
        h, w = known.shape[1:]
        radius = np.hypot(*np.ogrid[-(h // 2) : h - h // 2, -(w // 2) : w - w // 2])
        rings = np.zeros((len(known), len(SIZES)))
        for k, size in enumerate(SIZES):
            ring = np.abs(radius - (size / 2 - 2)) < 1
            if ring.any():
                rings[:, k] = known[:, ring].mean(axis=1)
        return cls(known, rings, np.arange(len(known)), {}, {})

    def select(self, bands: tuple[int, ...]) -> PsfTransforms:
        """Return those of some bands; itself for all of them."""
        if len(bands) == len(self.stamps):
            return self
        if bands not in self.parts:
            index = list(bands)
            self.parts[bands] = PsfTransforms(self.stamps[index], self.rings[index], self.bands[index], {}, {})
        return self.parts[bands]

    def on(self, size: int) -> NDArray[np.complex64]:
        """Transform (band, size, size // 2 + 1) around the first pixel; a PSF wider than the stamp is cut."""
        if size not in self.kept:
            b, h, w = self.stamps.shape
            ry, rx = min(h // 2, (size - 1) // 2), min(w // 2, (size - 1) // 2)
            wrapped = np.zeros((b, size, size))
            rows, columns = np.arange(-ry, ry + 1), np.arange(-rx, rx + 1)
            cut = self.stamps[:, h // 2 - ry : h // 2 + ry + 1, w // 2 - rx : w // 2 + rx + 1]
            wrapped[:, rows[:, None] % size, columns[None, :] % size] = cut
            self.kept[size] = scipy.fft.rfft2(wrapped).astype(np.complex64)
        return self.kept[size]


def draw(
    parameters: NDArray[np.float64], origin: tuple[int, int], size: int, psfs: PsfTransforms, which: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Draw a source of unit flux, or derivatives of it, on a stamp.

    Parameters
    ----------
    parameters : float64 array (8 + band,)
        See `planes`; centre in the frame.
    origin : tuple of int
        First pixel ``(y, x)`` of the stamp in the frame.
    size : int
        Side of the stamp.
    psfs : PsfTransforms
    which : int64 array (n,)
        Numbers of parameters to differentiate by; −1 for the image itself.

    Returns
    -------
    float32 array (band, n, size, size)
    """
    planes = np.empty((len(psfs.stamps), len(which), size, size // 2 + 1), dtype=np.complex64)
    _fill(parameters, origin, psfs, which, planes)
    return np.asarray(scipy.fft.irfft2(planes, s=(size, size), overwrite_x=True, workers=1))


def draw_stamps(
    numbers: NDArray[np.int64], sources: Sources, which: Sequence[NDArray[np.int64]]
) -> list[NDArray[np.float32]]:
    """Draw several sources, those on stamps of one size together.

    Parameters
    ----------
    numbers : int64 array (n,)
        Of the sources to draw.
    sources : Sources
    which : sequence of int64 array
        What to draw of each; see `draw`.

    Returns
    -------
    list of float32 array (band, count, size, size)
        In the order of ``numbers``.
    """
    out: dict[int, NDArray[np.float32]] = {}
    for size in np.unique(sources.sizes[numbers]):
        side = int(size)
        most = max(_LARGEST // (side * side), 1)
        batch: list[tuple[int, int]] = []
        for n in np.flatnonzero(sources.sizes[numbers] == size).tolist():
            k = int(numbers[n])
            count = len(sources.psfs[k].stamps) * len(which[n])
            if batch and sum(planes for _, planes in batch) + count > most:
                out |= _draw_batch(batch, numbers, sources, which)
                batch = []
            batch.append((n, count))
        out |= _draw_batch(batch, numbers, sources, which)
    return [out[n] for n in range(len(numbers))]


def _draw_batch(
    batch: list[tuple[int, int]], numbers: NDArray[np.int64], sources: Sources, which: Sequence[NDArray[np.int64]]
) -> dict[int, NDArray[np.float32]]:
    """Draw sources on stamps of one size; pairs of place in the list and number of planes come in."""
    size = int(sources.sizes[numbers[batch[0][0]]])
    ends = np.cumsum([count for _, count in batch])
    planes = np.empty((int(ends[-1]), size, size // 2 + 1), dtype=np.complex64)
    parts = {}
    for (n, count), end in zip(batch, ends, strict=True):
        k, parts[n] = int(numbers[n]), slice(int(end) - count, int(end))
        part = planes[parts[n]].reshape(count // max(len(which[n]), 1), len(which[n]), size, size // 2 + 1)
        _fill(sources.parameters[k], sources.origin(k), sources.psfs[k], which[n], part)
    images = scipy.fft.irfft2(planes, s=(size, size), overwrite_x=True, workers=1)
    return {
        n: images[part].reshape(len(sources.psfs[numbers[n]].stamps), len(which[n]), size, size)
        for n, part in parts.items()
    }


def _fill(
    parameters: NDArray[np.float64],
    origin: tuple[int, int],
    psfs: PsfTransforms,
    which: NDArray[np.int64],
    out: NDArray[np.complex64],
) -> None:
    local, gradients = parameters[:N_PARAMETERS].copy(), parameters[N_PARAMETERS:][psfs.bands]
    local[0] -= origin[0]
    local[1] -= origin[1]
    tables = radial_table(float(parameters[INDEX])).columns, radial_table(_LOG_4).columns
    fill_planes(local, gradients, tables, psfs.on(out.shape[2]), which, out)
