"""Whether the images of several bands are on one pixel grid; if not, what differs and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from .wcs import grid_offset, sky_to_pixel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .band_reader import BandData

__all__ = ["check_grids"]

# Offsets up to this do not change a deblended flux measurably, and headers are rarely written more precisely.
_TOLERANCE = 0.05

_REMEDY = (
    "resample them to a common WCS and shape (SWarp, reproject), for all bands of a run must show the same pixels, or "
    "deblend each in a run of its own; separate exposures are to be resampled as coadds are"
)


def check_grids(bands: Sequence[BandData]) -> list[str]:
    """Refuse bands that are not on one pixel grid; return what looks odd.

    Raises
    ------
    InputError
        If shapes, world coordinates or units differ: with the files, by how much, and what to do.
    """
    with_wcs = [data for data in bands if data.wcs is not None]
    shapes = {data.band: (data.image.shape[0], data.image.shape[1]) for data in bands}
    if len(set(shapes.values())) > 1:
        listing = ", ".join(f"{band} {shape}" for band, shape in shapes.items())
        raise InputError(
            f"the images must be on one pixel grid, but their shapes (y, x) differ: {listing}; {_REMEDY} "
            f"({_files(bands)})"
        )
    units = {data.band: data.units for data in bands}
    if len(set(units.values())) > 1:
        listing = ", ".join(f"{band} {unit}" for band, unit in units.items())
        raise InputError(f"the images must have one unit, but BUNIT differs: {listing}; scale them to one")
    for data in with_wcs[1:]:
        _check_offset(with_wcs[0], data, shapes[data.band])
    return _notes(bands, with_wcs)


def _notes(bands: Sequence[BandData], with_wcs: Sequence[BandData]) -> list[str]:
    notes = [
        f"bands {a.band} and {b.band}: both files hold the same bytes ({b.source.path})"
        for k, b in enumerate(bands)
        for a in bands[:k]
        if a.source.sha256 == b.source.sha256 and np.array_equal(a.image, b.image, equal_nan=True)
    ]
    if with_wcs and len(with_wcs) < len(bands):
        without = ", ".join(data.band for data in bands if data.wcs is None)
        notes.append(f"no WCS in the header of {without}: taken to be on the grid of {with_wcs[0].band}")
    return notes


def _check_offset(first: BandData, second: BandData, shape: tuple[int, int]) -> None:
    offset = grid_offset(first.wcs, second.wcs, shape)
    if offset > _TOLERANCE:
        raise InputError(
            f"bands {first.band} and {second.band} are not on one pixel grid: equal pixels lie up to {offset:.4g} px "
            f"apart on the sky (at most {_TOLERANCE} px is allowed){_shift(first, second, shape)}; {_REMEDY} "
            f"({_files((first, second))})"
        )


def _shift(first: BandData, second: BandData, shape: tuple[int, int]) -> str:
    """Where the middle of the second image lies in the first; "" where that cannot be told."""
    y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    sky = second.wcs.pixel_to_world(x, y).icrs
    there_y, there_x = (float(v) for v in sky_to_pixel(first.wcs, sky.ra.deg, sky.dec.deg))
    if not np.isfinite([there_y, there_x]).all():
        return ""
    return f", the middle of {second.band} ({there_y - y:+.4g}, {there_x - x:+.4g}) px (y, x) off that of {first.band}"


def _files(bands: Sequence[BandData]) -> str:
    return ", ".join(f"{data.band}: {data.source.path}" for data in bands)
