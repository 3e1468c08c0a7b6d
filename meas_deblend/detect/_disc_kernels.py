"""Compiled sums over discs around pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

    Float = NDArray[np.float64]

__all__ = ["RUN", "moments_at", "stencil_significance"]

RUN = 32
"""Pixels of a row that are gone through together: their sums stay in the registers of a core."""


@jit
def stencil_significance(
    planes: tuple[Float, Float],
    stencil: Float,
    half: IntArray,
    where: BoolArray,
    out: tuple[NDArray[np.float32], BoolArray],
) -> None:
    """Σ k D / √Σ k² V on a disc around pixels.

    Parameters
    ----------
    planes : tuple of float64 array (y, x)
        ``D`` and ``V``, with a margin as wide as the disc reaches.
    stencil : float64 array (n, n)
        ``k``, on an odd square.
    half : int array (n,)
        Half width of the disc on each row of the stencil.
    where : bool array (y, x)
        Pixels that are asked for, without the margin; at least `RUN` columns.
    out : tuple of float32 array (y, x) and bool array (y, x)
        Where the denominator is positive the first is set to the ratio, and the second to True.
    """
    height, width = where.shape
    reach = len(stencil) // 2
    total, power = np.empty(RUN), np.empty(RUN)
    for y in range(height):
        x = 0
        while x < width:
            if not where[y, x]:
                x += 1
                continue
            first = min(x, width - RUN)
            total[:] = 0
            power[:] = 0
            for dy in range(len(stencil)):
                middle = first + reach
                here, around = planes[0][y + dy, middle : middle + RUN], planes[1][y + dy, middle : middle + RUN]
                k = stencil[dy, reach]
                for i in range(RUN):
                    total[i] += k * here[i]
                    power[i] += k * k * around[i]
                for dx in range(1, half[dy] + 1):
                    left, right = middle - dx, middle + dx
                    k, other = stencil[dy, reach - dx], stencil[dy, reach + dx]
                    before, behind = planes[0][y + dy, left : left + RUN], planes[0][y + dy, right : right + RUN]
                    for i in range(RUN):
                        total[i] += k * before[i] + other * behind[i]
                    before, behind = planes[1][y + dy, left : left + RUN], planes[1][y + dy, right : right + RUN]
                    k, other = k * k, other * other
                    for i in range(RUN):
                        power[i] += k * before[i] + other * behind[i]
            for i in range(RUN):
                if where[y, first + i] and power[i] > 0:
                    out[0][y, first + i] = total[i] / np.sqrt(power[i])
                    out[1][y, first + i] = True
            x = first + RUN


@jit
def moments_at(
    planes: tuple[Float, Float], usable: BoolArray, psf: Float, half: IntArray, where: tuple[IntArray, IntArray]
) -> Float:
    """Sum over the usable pixels of a disc around pixels (y, x): Σ1, ΣP, ΣP², ΣD, ΣPD, ΣV, ΣPV, ΣP²V.

    Parameters
    ----------
    planes : tuple of float64 array (y, x)
        ``D`` and ``V``, with a margin as wide as the disc reaches.
    usable : bool array (y, x)
    psf : float64 array (n, n)
        ``P``, on an odd square.
    half : int array (n,)
        Half width of the disc on each row of it.
    where : tuple of int array (m,)
        Pixels, counted without the margin.

    Returns
    -------
    float64 array (m, 8)
    """
    reach = len(psf) // 2
    out = np.zeros((len(where[0]), 8))
    for n in range(len(where[0])):
        y, x = where[0][n], where[1][n] + reach
        for dy in range(len(psf)):
            for dx in range(-half[dy], half[dy] + 1):
                if usable[y + dy, x + dx]:
                    p, d, v = psf[dy, reach + dx], planes[0][y + dy, x + dx], planes[1][y + dy, x + dx]
                    out[n, 0] += 1
                    out[n, 1] += p
                    out[n, 2] += p * p
                    out[n, 3] += d
                    out[n, 4] += p * d
                    out[n, 5] += v
                    out[n, 6] += p * v
                    out[n, 7] += p * p * v
    return out
