"""Reading coadds while this process loads what works on them."""

from __future__ import annotations

import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..compiling import is_compiled
from ..framework import Loop, Workplace, check_jobs, map_units, working
from ..framework.apart import CallBeside
from ..framework.beside import SharedArray, SharedRoom, can_call_beside
from ..image import read_coadds
from ..image.readers import wcs_of_coadds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .._each import Each
    from ..image import MultibandExposure, PlaneSpec

__all__ = ["Reading", "reading"]

_CUBES = ("images", "variance", "mask")


class Reading(Protocol):
    """Gives the coadds when they are read."""

    def __call__(self, preparations: Iterator[Callable[[], object]]) -> MultibandExposure:
        """Wait for them; with several processes, go through preparations meanwhile."""


def _name(k: int) -> str:
    """Name of a unit in messages; bands without a PSF may have been left out."""
    return f"band number {k + 1}"


_each_band: Each = partial(map_units, loop=Loop(name=_name, ahead=False))
"""Does several bands at a time."""


@contextmanager
def reading(planes: Mapping[str, PlaneSpec], options: Mapping[str, Any], jobs: int) -> Iterator[Reading]:
    """Begin to read coadds, if there may be several processes; else they are read when they are asked for.

    Where loops have to be compiled first, nothing is read before: that takes memory, and so do coadds.

    Parameters
    ----------
    planes : mapping of str to PlaneSpec
        Files by band.
    options : mapping
        Keyword arguments of `read_coadds`.
    jobs : int
        Number of processes.

    Yields
    ------
    Reading
        Raises and warns as `read_coadds` does.

    Raises
    ------
    InputError
        If so many processes are not possible here.
    """
    check_jobs(jobs)
    if jobs == 1 or not can_call_beside() or not is_compiled():
        yield partial(_read_here, planes, options, jobs)
        return
    room = SharedRoom()
    with closing(room), closing(CallBeside(partial(_read_there, planes, options, jobs, room), "coadds")) as call:
        yield partial(_collect, planes, options, room, call)


def _read_here(
    planes: Mapping[str, PlaneSpec],
    options: Mapping[str, Any],
    jobs: int,
    preparations: Iterator[Callable[[], object]],
) -> MultibandExposure:
    with working(Workplace(jobs, preparations=preparations)):
        return read_coadds(planes, **options, each=_each_band)


@dataclass(frozen=True, slots=True)
class _Read:
    """What comes from the process that read.

    Parameters
    ----------
    exposure : MultibandExposure
        Without pixels, and without world coordinates: their numbers would be rounded on the way.
    cubes : dict of str to SharedArray
        Where its pixels are.
    warned : tuple of Warning
        What is to be told.
    """

    exposure: MultibandExposure
    cubes: dict[str, SharedArray]
    warned: tuple[Warning, ...]


def _read_there(planes: Mapping[str, PlaneSpec], options: Mapping[str, Any], jobs: int, room: SharedRoom) -> _Read:
    with warnings.catch_warnings(record=True) as caught, working(Workplace(jobs)):
        warnings.simplefilter("always")
        exposure = read_coadds(planes, **options, each=_each_band, each_file=_each_band, empty=room.empty)
    cubes = {name: room.place_of(getattr(exposure, name)) for name in _CUBES}
    nothing: dict[str, Any] = {
        name: np.empty((len(exposure.bands), 0, 0), place.dtype) for name, place in cubes.items()
    }
    warned = tuple(one.message for one in caught if isinstance(one.message, Warning))
    return _Read(replace(exposure, wcs=None, **nothing), cubes, warned)


def _collect(
    planes: Mapping[str, PlaneSpec],
    options: Mapping[str, Any],
    room: SharedRoom,
    call: CallBeside[_Read],
    preparations: Iterator[Callable[[], object]],
) -> MultibandExposure:
    there = call.result(preparations)
    for warning in there.warned:
        warnings.warn(warning, stacklevel=2)
    cubes: dict[str, Any] = {name: room.take(place) for name, place in there.cubes.items()}
    wcs = wcs_of_coadds(planes, there.exposure.bands, options["survey"])
    return replace(there.exposure, wcs=wcs, **cubes)
