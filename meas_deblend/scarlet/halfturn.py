"""Half turns about positions between pixels."""

from __future__ import annotations

import numpy as np

from ..geometry import FloatArray
from ._jit import jit

__all__ = ["symmetric_about"]


@jit
def symmetric_about(image: FloatArray, position: tuple[float, float]) -> FloatArray:
    """Minimum of ``image`` (y, x) and itself turned by 180° about a position (y, x) inside it.

    The turned image is interpolated linearly along each axis, which leaves it as it is about a pixel or half-way
    between two. Pixels whose counterpart lies outside become 0.
    """
    ny, nx = image.shape
    ty, tx = 2 * position[0], 2 * position[1]
    by, bx = int(np.floor(ty)), int(np.floor(tx))
    fy, fx = image.dtype.type(ty - by), image.dtype.type(tx - bx)
    one = image.dtype.type(1)
    # A weight of 0 asks for no second neighbour.
    ey, ex = (1 if fy > 0 else 0), (1 if fx > 0 else 0)
    out = np.zeros_like(image)
    for y in range(max(by + ey - ny + 1, 0), min(by, ny - 1) + 1):
        j = by - y
        for x in range(max(bx + ex - nx + 1, 0), min(bx, nx - 1) + 1):
            i = bx - x
            turned = (one - fy) * ((one - fx) * image[j, i] + fx * image[j, i + ex])
            turned += fy * ((one - fx) * image[j + ey, i] + fx * image[j + ey, i + ex])
            out[y, x] = min(image[y, x], turned)
    return out
