"""Boxes, peaks and footprints as plain records, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import CorruptModelError
from ..geometry import Box, Footprint, Peak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["FARTHEST", "LARGEST_AREA", "box_record", "finite", "footprint_record", "read_box", "read_footprint"]

LARGEST_AREA = 2**26
"""Pixels of the largest box: a footprint's mask is allocated from its box alone, whatever file declares it."""

FARTHEST = 2**30

Record = dict[str, Any]


def finite(value: float, what: str) -> float:
    """Return the number, if it is finite.

    Raises
    ------
    CorruptModelError
        If it is not; the message names ``what`` it is.
    """
    if not math.isfinite(value):
        raise CorruptModelError(f"{what} must be finite, got {value}")
    return value


def box_record(box: Box) -> list[int]:
    """First row, first column, height and width."""
    return [*box.origin, *box.shape]


def read_box(record: Sequence[int]) -> Box:
    """Read what `box_record` gave.

    Raises
    ------
    CorruptModelError
        If these are not integers, or there is no box of that size at that place.
    """
    y, x, height, width = record
    if not (type(y) is type(x) is type(height) is type(width) is int):
        raise CorruptModelError(f"a box must be four integers, got {record}")
    if not (-FARTHEST <= y <= FARTHEST and -FARTHEST <= x <= FARTHEST):
        raise CorruptModelError(f"a box at (y, x) = ({y}, {x})")
    if height < 0 or width < 0 or height * width > LARGEST_AREA or max(height, width) > LARGEST_AREA:
        raise CorruptModelError(f"a box of {height} × {width} px; the largest has {LARGEST_AREA} px")
    return Box((y, x), (height, width))


def _peak_record(peak: Peak) -> Record:
    position = None if peak.position is None else {"y": float(peak.position[0]), "x": float(peak.position[1])}
    return {
        "id": int(peak.id),
        "y": int(peak.y),
        "x": int(peak.x),
        "value": float(peak.value),
        "bands": list(peak.bands),
        "position": position,
        "name": peak.name,
    }


def _read_peak(record: Mapping[str, Any]) -> Peak:
    place = record["position"]
    position = None if place is None else (finite(place["y"], "positions"), finite(place["x"], "positions"))
    bands = tuple(record["bands"])
    return Peak(record["id"], record["y"], record["x"], record["value"], bands, position, record["name"])


def footprint_record(footprint: Footprint) -> Record:
    """Box, half-open runs and peaks."""
    # The box is kept beside the spans, because it need not be the tightest one.
    y, first, stop = footprint.spans().T.tolist()
    return {
        "box": box_record(footprint.box),
        "spans": {"y": y, "x_first": first, "x_stop": stop},
        "peaks": [_peak_record(peak) for peak in footprint.peaks],
    }


def read_footprint(record: Mapping[str, Any]) -> Footprint:
    """Read what `footprint_record` gave.

    Raises
    ------
    CorruptModelError
        If it is no footprint.
    """
    box = read_box(record["box"])
    peaks = tuple(_read_peak(peak) for peak in record["peaks"])
    return Footprint(box, _read_mask(record["spans"], box), peaks)


def _read_mask(spans: Mapping[str, Any], box: Box) -> NDArray[np.bool_]:
    y, first, stop = (np.array(spans[name], dtype=np.int64) for name in ("y", "x_first", "x_stop"))
    height, width = box.shape
    y -= box.origin[0]
    first -= box.origin[1]
    stop -= box.origin[1]
    inside = (y >= 0) & (y < height) & (first >= 0) & (first < stop) & (stop <= width)
    if not inside.all():
        raise CorruptModelError(f"{np.count_nonzero(~inside)} runs of the footprint are not inside {box}")
    # +1 where a run starts and −1 behind its end: the running sum is 1 on the run. What ends with a row does so in the
    # next one, so that the sum may run over all rows at once; the last ends behind the mask.
    steps = np.zeros(height * width + 1, dtype=np.int8)
    row = y * width
    steps[row + first] += 1
    steps[row + stop] -= 1
    return (np.cumsum(steps, dtype=np.int8)[:-1] > 0).reshape(height, width)
