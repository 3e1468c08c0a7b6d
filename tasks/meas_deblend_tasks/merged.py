"""Peaks that were merged into large sources, as rows of their own table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from meas_deblend.detect import MergedPeak
    from meas_deblend.models import ParentModel

__all__ = ["merged_columns", "merged_into"]


def merged_columns(
    merged: Sequence[MergedPeak], models: Sequence[ParentModel], bands: Sequence[str]
) -> dict[str, list[Any]]:
    """Columns of the table ``merged_peaks``.

    Parameters
    ----------
    merged : sequence of MergedPeak
    models : sequence of ParentModel
        Of all parents, with their objects.
    bands : sequence of str
        Of the exposure.
    """
    objects = {(model.id, s.peak.y, s.peak.x): s.id for model in models for s in model.sources}
    into = [objects.get((one.parent, one.into.y, one.into.x), 0) if one.into is not None else 0 for one in merged]
    columns: dict[str, list[Any]] = {
        "objectId": into,
        "parentObjectId": [one.parent for one in merged],
        "x": [one.peak.center[1] for one in merged],
        "y": [one.peak.center[0] for one in merged],
        "deblend_peak_center_x": [one.peak.x for one in merged],
        "deblend_peak_center_y": [one.peak.y for one in merged],
        "peakSignificance": [one.peak.value for one in merged],
        "structureContrast": [one.structure.contrast for one in merged],
        "structureColorChi2": [one.structure.chi2 for one in merged],
        "structureDistance": [one.structure.distance for one in merged],
    }
    return columns | {f"merge_peak_{band}": [band in one.peak.bands for one in merged] for band in bands}


def merged_into(objects: ArrayLike, heads: ArrayLike) -> NDArray[np.bool_]:
    """Which objects (n,) peaks were merged into."""
    return np.isin(np.asarray(objects), np.asarray(heads, dtype=np.int64))
