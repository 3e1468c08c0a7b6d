"""Kernels that several parents and blends use: made once for PSFs that are equal."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..geometry import FloatArray
    from ..scarlet import Kernels

__all__ = ["kernels_for", "kernels_like"]

T = TypeVar("T")

_KEPT = 64
# A key is all that the kernels depend on, so that it does not matter what was deblended before.
_KERNELS: OrderedDict[tuple[object, ...], Kernels] = OrderedDict()
# By the array of PSFs itself, for parents that share it; arrays are kept so that their ids stay theirs.
_OF_SAME: OrderedDict[tuple[object, ...], tuple[FloatArray, Kernels]] = OrderedDict()


def kernels_for(psfs: FloatArray, sigma: float | None, floor: float | None, size: int) -> Kernels:
    """Kernels of PSFs (band, h, w) with a model PSF and a floor that go with them, see `scarlet.match_psfs`.

    Finding those takes ten times as long as making the kernels; equal PSFs get the same object, with whose transforms
    blends are fitted.
    """
    from ..scarlet import matched_kernels  # noqa: PLC0415 - loads the compiler

    def make() -> Kernels:
        key = (_content(psfs), sigma, floor, size)
        return _kept(_KERNELS, key, lambda: matched_kernels(psfs, sigma=sigma, floor=floor, size=size))

    return _kept(_OF_SAME, (id(psfs), sigma, floor, size), lambda: (psfs, make()))[1]


def kernels_like(kernels: Kernels, psfs: FloatArray) -> Kernels:
    """Kernels of other PSFs (band, h, w) with the model PSF and the floor of ``kernels``."""
    from ..scarlet import prepare_kernels  # noqa: PLC0415 - loads the compiler

    key = (_content(psfs), _content(kernels.model_psf), kernels.floor)
    return _kept(_KERNELS, key, lambda: prepare_kernels(psfs, kernels.model_psf, floor=kernels.floor))


def _kept(known: OrderedDict[tuple[object, ...], T], key: tuple[object, ...], make: Callable[[], T]) -> T:
    if key not in known:
        known[key] = make()
        while len(known) > _KEPT:
            known.popitem(last=False)
    known.move_to_end(key)
    return known[key]


def _content(array: FloatArray) -> tuple[object, ...]:
    return array.shape, array.dtype.str, array.tobytes()
