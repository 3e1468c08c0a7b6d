"""Whether the images of several bands are on one pixel grid; if not, what differs and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..exceptions import InputError
from .band_reader import open_image
from .wcs import grid_offset, sky_to_pixel, wcs_from_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .band_reader import BandData
    from .planes import PlaneSpec
    from .survey import Survey

__all__ = ["check_grids", "check_grids_of_files"]

# Offsets up to this do not change a deblended flux measurably, and headers are rarely written more precisely.
_TOLERANCE = 0.05

_REMEDY = (
    "resample them to a common WCS and shape (SWarp, reproject), for all bands of a run must show the same pixels, or "
    "deblend each in a run of its own; separate exposures are to be resampled as coadds are"
)


class _Grid(NamedTuple):
    """Pixel grid of one image; ``wcs`` is None where the header has none."""

    band: str
    shape: tuple[int, int]
    wcs: Any
    path: str


def check_grids(bands: Sequence[BandData]) -> list[str]:
    """Refuse bands that are not on one pixel grid; return what looks odd.

    Raises
    ------
    InputError
        If shapes, world coordinates or units differ: with the files, by how much, and what to do.
    """
    grids = [_Grid(d.band, (d.image.shape[0], d.image.shape[1]), d.wcs, d.source.path) for d in bands]
    _compare(grids)
    units = {data.band: data.units for data in bands}
    if len(set(units.values())) > 1:
        listing = ", ".join(f"{band} {unit}" for band, unit in units.items())
        raise InputError(f"the images must have one unit, but BUNIT differs: {listing}; scale them to one")
    return _notes(bands)


def check_grids_of_files(specs: Mapping[str, PlaneSpec], survey: Survey) -> None:
    """Refuse files whose images are not on one pixel grid, from their headers alone.

    Images whose grid cannot be read are passed over.

    Parameters
    ----------
    specs : mapping of str to PlaneSpec
        Files by band.
    survey : Survey
        Names of HDUs.

    Raises
    ------
    InputError
        See `check_grids`.
    """
    grids = []
    for band, spec in specs.items():
        try:
            with open_image(spec, survey) as (file, hdu):
                if hdu.header["NAXIS"] == 2:
                    wcs = wcs_from_header(hdu.header, file.hdus, f"band {band}")
                    grids.append(_Grid(band, hdu.shape, wcs, str(file.path)))
        except InputError:
            continue  # whoever reads this image's pixels is told of it
    _compare(grids)


def _compare(grids: Sequence[_Grid]) -> None:
    shapes = {grid.band: grid.shape for grid in grids}
    if len(set(shapes.values())) > 1:
        listing = ", ".join(f"{band} {shape}" for band, shape in shapes.items())
        raise InputError(
            f"the images must be on one pixel grid, but their shapes (y, x) differ: {listing}; {_REMEDY} "
            f"({_files(grids)})"
        )
    with_wcs = [grid for grid in grids if grid.wcs is not None]
    for grid in with_wcs[1:]:
        offset = grid_offset(with_wcs[0].wcs, grid.wcs, grid.shape)
        if offset > _TOLERANCE:
            first = with_wcs[0]
            raise InputError(
                f"bands {first.band} and {grid.band} are not on one pixel grid: equal pixels lie up to {offset:.4g} px "
                f"apart on the sky (at most {_TOLERANCE} px is allowed){_shift(first, grid)}; {_REMEDY} "
                f"({_files((first, grid))})"
            )


def _shift(first: _Grid, second: _Grid) -> str:
    """Where the middle of the second image lies in the first; "" where that cannot be told."""
    y, x = (second.shape[0] - 1) / 2, (second.shape[1] - 1) / 2
    sky = second.wcs.pixel_to_world(x, y).icrs
    there_y, there_x = (float(v) for v in sky_to_pixel(first.wcs, sky.ra.deg, sky.dec.deg))
    if not np.isfinite([there_y, there_x]).all():
        return ""
    return f", the middle of {second.band} ({there_y - y:+.4g}, {there_x - x:+.4g}) px (y, x) off that of {first.band}"


def _files(grids: Sequence[_Grid]) -> str:
    return ", ".join(f"{grid.band}: {grid.path}" for grid in grids)


def _notes(bands: Sequence[BandData]) -> list[str]:
    notes = [
        f"bands {a.band} and {b.band}: both files hold the same bytes ({b.source.path})"
        for k, b in enumerate(bands)
        for a in bands[:k]
        if a.source.sha256 == b.source.sha256 and np.array_equal(a.image, b.image, equal_nan=True)
    ]
    with_wcs = [data for data in bands if data.wcs is not None]
    if with_wcs and len(with_wcs) < len(bands):
        without = ", ".join(data.band for data in bands if data.wcs is None)
        notes.append(f"no WCS in the header of {without}: taken to be on the grid of {with_wcs[0].band}")
    return notes
