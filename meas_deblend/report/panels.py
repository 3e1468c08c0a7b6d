"""Single panels of the figures: a colour picture and a map of σ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .rgb import to_rgb
from .style import sky_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, Box, FloatArray
    from .rgb import AsinhStretch

__all__ = ["MAX_SIDE", "SIGMA_LIMIT", "block_mean", "extent", "show_colour", "show_sigma"]

MAX_SIDE = 900
"""Larger pictures are averaged over blocks of pixels: the panel has no more dots than this on its longer side."""

SIGMA_LIMIT = 5.0
"""Maps of the residual run from minus to plus this many σ."""


def extent(box: Box) -> tuple[float, float, float, float]:
    """Edges (left, right, bottom, top) of ``box`` in pixel coordinates: half a pixel outside the outer centres."""
    (y0, x0), (y1, x1) = box.origin, box.stop
    return (x0 - 0.5, x1 - 0.5, y0 - 0.5, y1 - 0.5)


def block_mean(array: FloatArray, factor: int, mask: BoolArray | None = None) -> NDArray[np.float64]:
    """Mean of usable values over blocks of ``factor`` × ``factor`` pixels; NaN where a block has none.

    Parameters
    ----------
    array : float array (y, x) or (band, y, x)
        Values that are not finite are left out.
    factor : int
        Side of the blocks, at least 1. Incomplete blocks at the upper and right edges are averaged over the pixels
        that they have.
    mask : bool array like ``array``, or (y, x), optional
        True where a value is left out.
    """
    if array.ndim == 3:
        # Plane by plane, so that a whole patch needs little memory.
        masks = [mask] * len(array) if mask is None or mask.ndim == 2 else list(mask)
        return np.stack([block_mean(plane, factor, m) for plane, m in zip(array, masks, strict=True)])
    plane = array.astype(np.float64)
    usable = np.isfinite(plane) if mask is None else np.isfinite(plane) & ~mask
    plane[~usable] = 0.0
    rows, columns = (np.arange(0, side, factor) for side in plane.shape)
    total = np.add.reduceat(np.add.reduceat(plane, rows, axis=0), columns, axis=1)
    n = np.add.reduceat(np.add.reduceat(usable.astype(np.int64), rows, axis=0), columns, axis=1)
    mean: NDArray[np.float64] = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return mean


def block_factor(box: Box) -> int:
    """Side of the blocks that bring ``box`` to at most `MAX_SIDE` pixels."""
    return max(1, -(-max(box.shape) // MAX_SIDE))


def show_colour(axes: Any, cube: FloatArray, box: Box, stretch: AsinhStretch, mask: BoolArray | None = None) -> None:
    """Draw the colour picture of ``cube`` (band, y, x), bands in order of wavelength, on ``box``."""
    factor = block_factor(box)
    picture = to_rgb(block_mean(cube, factor, mask), stretch)
    axes.imshow(picture, origin="lower", extent=_drawn(box, factor), interpolation="nearest")
    _frame(axes, box)


def show_sigma(axes: Any, significance: FloatArray, box: Box) -> Any:
    """Draw a map of σ (y, x), red where the data are above the model, and return the image for a colour bar."""
    from matplotlib import colormaps  # noqa: PLC0415 - matplotlib is only loaded to draw

    factor = block_factor(box)
    colors = colormaps["RdBu_r"].with_extremes(bad="#9CA3AF")
    image = axes.imshow(
        block_mean(significance, factor),
        origin="lower",
        extent=_drawn(box, factor),
        interpolation="nearest",
        cmap=colors,
        vmin=-SIGMA_LIMIT,
        vmax=SIGMA_LIMIT,
    )
    _frame(axes, box)
    return image


def _drawn(box: Box, factor: int) -> tuple[float, float, float, float]:
    # The last block may reach over the box's edge; the frame then cuts it.
    left, _, bottom, _ = extent(box)
    rows, columns = (-(-side // factor) * factor for side in box.shape)
    return (left, left + columns, bottom, bottom + rows)


def _frame(axes: Any, box: Box) -> None:
    left, right, bottom, top = extent(box)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    sky_axes(axes, "")
