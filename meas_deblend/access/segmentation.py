"""Which object each pixel belongs to, in the terms of tools that know one object per pixel."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..apportion import render_templates
from ..exceptions import ModelError
from ..geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models import ParentModel
    from ..products import ModelSource, StoreMetadata

__all__ = ["Segmentation", "segmentation_of"]

_LARGEST_LABEL = 1_000_000
"""photutils lists all labels up to the largest one: at 10⁷ that takes seconds, with 63 bits it ends the process."""


@dataclass(frozen=True, repr=False, eq=False)
class Segmentation:
    """Objects by pixel.

    Parameters
    ----------
    array : int64 array (y, x)
        objectId of the object that has most of the pixel's light; 0 where nothing was detected.
    box : Box
        Where it lies on the coadds.
    ids : int64 array (n,)
        All objects that have a pixel, increasing.
    """

    array: NDArray[np.int64]
    box: Box
    ids: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.int32]:
        """The same with small labels (y, x): label k stands for ``ids[k - 1]``, 0 for the sky."""
        small = np.searchsorted(self.ids, self.array).astype(np.int32) + 1
        return np.where(self.array == 0, 0, small).astype(np.int32)

    def to_photutils(self) -> Any:
        """Return a ``photutils.segmentation.SegmentationImage``.

        Its labels are the catalog's identifiers if these are at most 10⁶, which they are for images outside any
        survey's tracts; else those of `labels`, because photutils lists all labels up to the largest one.

        Raises
        ------
        ImportError
            If photutils is not installed.
        """
        try:
            module = import_module("photutils.segmentation")
        except ImportError as error:
            raise ImportError("SegmentationImage is a class of photutils: pip install photutils") from error
        fits = not self.ids.size or int(self.ids[-1]) <= _LARGEST_LABEL
        return module.SegmentationImage(self.array.astype(np.int32) if fits else self.labels)

    def __repr__(self) -> str:
        h, w = self.box.shape
        return f"<Segmentation: {self.ids.size} objects on {h} × {w} pixels>"


def segmentation_of(store: ModelSource) -> Segmentation:
    """Give each pixel of a detected footprint to one object; `Models.segmentation` is the door to it.

    In a blend that is the object with the brightest model there, as seen and summed over bands; where no object has
    a model, the one with the nearest peak.

    Parameters
    ----------
    store : ModelSource
        Models. If it does not know the shape of the coadds, the box around all footprints is taken.

    Raises
    ------
    ModelError
        If a footprint leaves the coadds, or the models are of several patches.
    """
    frame = _frame(store)
    array = np.zeros(frame.shape, dtype=np.int64)
    about: StoreMetadata | None = None
    for parent in store.parents():
        footprint = parent.footprint
        if about is not None and store.metadata_of(parent.id) != about:
            raise ModelError("a segmentation is of the coadds of one patch, but these models are of several")
        about = store.metadata_of(parent.id)
        if not frame.encloses(footprint.box):
            raise ModelError(f"parent {parent.id} on {footprint.box} leaves the coadds on {frame}")
        ids = np.array([source.id for source in parent.sources], dtype=np.int64)
        if ids.size and not footprint.box.is_empty:
            part = array[footprint.box.slices_in(frame)]
            part[footprint.mask] = ids[_brightest(parent)[footprint.mask]]
    return Segmentation(array, frame, np.unique(array[array > 0]))


def _frame(store: ModelSource) -> Box:
    if store.metadata.shape != (0, 0):
        return Box((0, 0), store.metadata.shape)
    frame = Box((0, 0), (0, 0))
    for parent in store.parents():
        frame |= parent.footprint.box
    return frame


def _brightest(parent: ParentModel) -> NDArray[np.intp]:
    """Return the number of the source that has each pixel (y, x) of the footprint's box."""
    box = parent.footprint.box
    y, x = (grid + origin for grid, origin in zip(np.indices(box.shape), box.origin, strict=True))
    peaks = [source.peak.center for source in parent.sources]
    distance = np.stack([(y - peak[0]) ** 2 + (x - peak[1]) ** 2 for peak in peaks])
    nearest: NDArray[np.intp] = np.argmin(distance, axis=0)
    if len(peaks) == 1:
        return nearest
    light = np.zeros((len(peaks), *box.shape))
    for total, template in zip(light, render_templates(parent, box), strict=True):
        cube = np.where(np.isfinite(template.array), np.maximum(template.array, 0), 0)
        here, there = template.box.overlap_slices(box)
        total[there] = cube.sum(axis=0)[here]
    brightest: NDArray[np.intp] = np.where(light.max(axis=0) > 0, np.argmax(light, axis=0), nearest)
    return brightest
