"""Kernels that several parents and blends use: made once for PSFs that are equal."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..geometry import FloatArray
    from ..scarlet import Kernels

__all__ = ["kernels_for", "kernels_like"]

_KEPT = 64
# A key is all that the kernels depend on, so that it does not matter what was deblended before.
_KERNELS: OrderedDict[tuple[object, ...], Kernels] = OrderedDict()


def kernels_for(psfs: FloatArray, sigma: float | None, floor: float | None, size: int) -> Kernels:
    """Kernels of PSFs (band, h, w) with a model PSF and a floor that go with them, see `scarlet.match_psfs`.

    Finding those takes ten times as long as making the kernels; equal PSFs get the same object, with whose transforms
    blends are fitted.
    """
    from ..scarlet import matched_kernels  # noqa: PLC0415 - loads the compiler

    key = (_content(psfs), sigma, floor, size)
    return _kept(key, lambda: matched_kernels(psfs, sigma=sigma, floor=floor, size=size))


def kernels_like(kernels: Kernels, psfs: FloatArray) -> Kernels:
    """Kernels of other PSFs (band, h, w) with the model PSF and the floor of ``kernels``."""
    from ..scarlet import prepare_kernels  # noqa: PLC0415 - loads the compiler

    key = (_content(psfs), _content(kernels.model_psf), kernels.floor)
    return _kept(key, lambda: prepare_kernels(psfs, kernels.model_psf, floor=kernels.floor))


def _kept(key: tuple[object, ...], make: Callable[[], Kernels]) -> Kernels:
    if key not in _KERNELS:
        _KERNELS[key] = make()
        while len(_KERNELS) > _KEPT:
            _KERNELS.popitem(last=False)
    _KERNELS.move_to_end(key)
    return _KERNELS[key]


def _content(array: FloatArray) -> tuple[object, ...]:
    return array.shape, array.dtype.str, array.tobytes()
