"""Reads the bands of a patch, one after the other or several at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..exceptions import InputError
from .band_reader import BandData, image_shape, read_band, wcs_of_band
from .grids import check_grids_of_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._each import Each
    from .cubes import Cubes
    from .planes import PlaneSpec
    from .survey import Survey

__all__ = ["read_bands"]

_PLANES = ("image", "variance", "mask")
_NOWHERE = np.empty((0, 0))


class _Files(NamedTuple):
    """What is read, and where to."""

    specs: Mapping[str, PlaneSpec]
    survey: Survey
    cubes: Cubes

    def read(self, k: int) -> BandData:
        """Read band number ``k``."""
        band, spec = list(self.specs.items())[k]
        return read_band(band, spec, self.survey, partial(self.cubes.place, k))


def read_bands(specs: Mapping[str, PlaneSpec], survey: Survey, cubes: Cubes, each: Each | None) -> list[BandData]:
    """Read bands.

    Parameters
    ----------
    specs : mapping of str to PlaneSpec
        Files by band.
    survey : Survey
        Names of HDUs, mask planes and keywords.
    cubes : Cubes
        Where planes are read to.
    each : callable, optional
        Does several bands at a time, in processes that have the memory of ``cubes`` in common.  Default: one band
        after the other, here.

    Raises
    ------
    InputError
        That of the first band which cannot be read; of images that do not fit each other before any other.
    """
    files, places = _Files(specs, survey, cubes), range(len(specs))
    try:
        if each is None:
            return [files.read(k) for k in places]
        shape = _first_shape(specs, survey)
        if shape is not None:
            cubes.begin(shape)
        return [_completed(files, k, data) for k, data in enumerate(each(_read_elsewhere, places, files))]
    except InputError:
        # Where the images do not fit each other, it is of no use to mend anything else first.
        check_grids_of_files(specs, survey)
        raise


def _first_shape(specs: Mapping[str, PlaneSpec], survey: Survey) -> tuple[int, ...] | None:
    """Shape of the first image; None if it cannot be told, of which whoever reads it says why."""
    try:
        return image_shape(next(iter(specs.values())), survey)
    except InputError:
        return None


def _read_elsewhere(files: _Files, k: int) -> BandData:
    """Read a band for another process: what that has anyway, or what would not be the same there, is left out."""
    data = files.read(k)
    planes = {name: getattr(data, name) for name in _PLANES}
    there: dict[str, Any] = {
        name: _NOWHERE.astype(plane.dtype) for name, plane in planes.items() if files.cubes.put(k, name, plane)
    }
    given = files.specs[data.band].psf
    # World coordinates would be written as a header and read again: their numbers would be rounded.
    return replace(data, wcs=None, psf=data.psf if given is None else None, **there)


def _completed(files: _Files, k: int, data: BandData) -> BandData:
    """Put in what `_read_elsewhere` has left out."""
    spec = files.specs[data.band]
    left_out = [name for name in _PLANES if getattr(data, name).shape == _NOWHERE.shape]
    here: dict[str, Any] = {name: files.cubes.plane(k, name) for name in left_out}
    psf = data.psf if spec.psf is None else spec.psf
    return replace(data, wcs=wcs_of_band(data.band, spec, files.survey), psf=psf, **here)
