"""Boxes and footprints' masks of many rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from ._flat import Lists, UnusualError, numbers, present
from ._footprints import FARTHEST, LARGEST_AREA

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["boxed", "boxes_of", "masks_of"]

_new = object.__new__
_set_origin, _set_shape = (getattr(Box, name).__set__ for name in ("origin", "shape"))


def boxes_of(array: pa.Array, first: int, stop: int) -> NDArray[np.int64]:
    """Boxes of a part of a column as rows (y, x, height, width).

    Raises
    ------
    UnusualError
        If one is null, or is none that `_footprints.read_box` takes.
    """
    lists = Lists.of(array)
    start, end = lists.bounds(first, stop)
    if (lists.lengths(first, stop) != 4).any():
        raise UnusualError
    boxes = numbers(present(lists.values), np.int32)[start:end].reshape(-1, 4).astype(np.int64)
    sides = boxes[:, 2:]
    if (np.abs(boxes[:, :2]) > FARTHEST).any() or (sides < 0).any() or (sides > LARGEST_AREA).any():
        raise UnusualError
    if (sides[:, 0] * sides[:, 1] > LARGEST_AREA).any():
        raise UnusualError
    return boxes


def boxed(boxes: NDArray[np.int64]) -> list[Box]:
    """Rows (y, x, height, width), which `boxes_of` checked, as boxes."""
    out = []
    for y, x, height, width in boxes.tolist():
        # Without the constructor, which checks again, and is a tenth of the time to read a store.
        box = _new(Box)
        _set_origin(box, (y, x))
        _set_shape(box, (height, width))
        out.append(box)
    return out


def masks_of(spans: Sequence[pa.Array], boxes: NDArray[np.int64], first: int) -> list[NDArray[np.bool_]]:
    """Masks (y, x) of footprints, as views of one array.

    Parameters
    ----------
    spans : sequence of Array
        Columns of the runs' rows, first columns and stops.
    boxes : int64 array (footprint, 4)
    first : int
        Row of the first footprint in the columns.

    Raises
    ------
    UnusualError
        If runs are null, outside their box, or not in the order of rows and columns without overlap.
    """
    columns = [Lists.of(array) for array in spans]
    offsets = columns[0].offsets[first : first + len(boxes) + 1]
    if any(not np.array_equal(offsets, one.offsets[first : first + len(boxes) + 1]) for one in columns):
        raise UnusualError
    y, x, stop = (numbers(present(one.values), np.int32)[offsets[0] : offsets[-1]].astype(np.int64) for one in columns)
    own = np.repeat(boxes, np.diff(offsets), axis=0)
    y -= own[:, 0]
    x -= own[:, 1]
    stop -= own[:, 1]
    if not ((y >= 0) & (y < own[:, 2]) & (x >= 0) & (x < stop) & (stop <= own[:, 3])).all():
        raise UnusualError
    areas = boxes[:, 2] * boxes[:, 3]
    ends = np.cumsum(areas)
    rows = np.repeat(ends - areas, np.diff(offsets)) + y * own[:, 3]
    x, stop = rows + x, rows + stop
    if (x[1:] < stop[:-1]).any():
        raise UnusualError
    # +1 where a run starts and −1 behind its end: the running sum is 1 on the run, also over all masks at once.
    steps = np.zeros(int(areas.sum()) + 1, dtype=np.int8)
    steps[x] += 1
    steps[stop] -= 1
    flat = np.cumsum(steps, dtype=np.int8)[:-1].view(np.bool_)
    shapes = boxes[:, 2:].tolist()
    return [flat[b - a : b].reshape(shape) for a, b, shape in zip(areas.tolist(), ends.tolist(), shapes, strict=True)]
