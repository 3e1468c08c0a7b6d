"""The update of a deconvolution, compiled: one pass over the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray

    Plane = NDArray[np.float32]

__all__ = ["advance"]


@jit
def advance(
    gradient: Plane,
    origin: tuple[int, int],
    steps: tuple[np.float32, np.float32],
    wanted: BoolArray,
    models: tuple[Plane, Plane],
) -> None:
    """Move a model along a gradient from where it was ahead, and that by a fraction of the move.

    Parameters
    ----------
    gradient : float32 array (y, x)
        On a part of the frame.
    origin : tuple of int
        First pixel (y, x) of that part.
    steps : tuple of float32
        What the gradient is multiplied by, and the fraction.
    wanted : bool array (Y, X)
        The model is 0 elsewhere.
    models : tuple of float32 array (Y, X)
        The model, at least 0, and where it was ahead; both are changed.
    """
    scale, beta = steps
    height, width = gradient.shape
    for row in range(height):
        # Rows by themselves lie in one piece, and their loops become vector instructions.
        y, x = origin[0] + row, origin[1]
        model, ahead = models[0][y, x : x + width], models[1][y, x : x + width]
        inside, slope = wanted[y, x : x + width], gradient[row]
        for k in range(width):
            new = max(slope[k] * scale + ahead[k], np.float32(0)) * np.float32(inside[k])
            ahead[k] = new + beta * (new - model[k])
            model[k] = new
