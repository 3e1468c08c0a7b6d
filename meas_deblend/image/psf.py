"""Point-spread functions behind one protocol, so that those that vary over the field fit in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Psf", "PsfStamp"]


class PsfStamp(NamedTuple):
    """A PSF drawn on pixels.

    Parameters
    ----------
    stamp : float64 array (y, x)
        Odd sides; fraction of a unit point source's flux per pixel.
    center : tuple of int
        Pixel ``(y, x)`` of the exposure on which the stamp's middle pixel lies.
    """

    stamp: NDArray[np.float64]
    center: tuple[int, int]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Let a stamp be given wherever an array is wanted."""
        return np.array(self.stamp, dtype=dtype, copy=copy if copy is not None else False)


@runtime_checkable
class Psf(Protocol):
    """The PSF of one band, at any position."""

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF of a point source at ``(y, x)``, drawn with its sub-pixel shift around the nearest pixel."""
        ...
