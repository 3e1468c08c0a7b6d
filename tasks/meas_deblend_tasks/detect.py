"""Coadds → parents: footprints with the peaks in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from meas_deblend.detect import (
    DetectConfig,
    Detections,
    SkyObjectsConfig,
    StructureConfig,
    add_sky_objects,
    apply_edits,
    detect_bands,
    find_structure,
    merge_detections,
    merge_structure,
    parents_from_sources,
    warmup,
)
from meas_deblend.exceptions import NoWorkFoundError
from meas_deblend.framework import Config, Connections, Loop, PipelineTask, iterate_units, once

from .datasets import COADDS, DETECTIONS, EDITS, SELECTION, SOURCE_LIST
from .identifiers import object_places, parent_id
from .parent_files import DetectionFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from meas_deblend.detect import Edits, Selection
    from meas_deblend.image import MultibandExposure, SourceList

__all__ = ["DetectAndMergeTask", "DetectOutputs", "DetectTask", "DetectTaskConfig"]


class DetectTaskConfig(Config):
    """How sources are found."""

    detection: DetectConfig = Field(DetectConfig(), description="Thresholds, growing and merging of bands.")
    structure: StructureConfig = Field(StructureConfig(), description="Peaks that are parts of large sources.")
    sky_objects: SkyObjectsConfig = Field(SkyObjectsConfig(), description="Apertures on empty sky, for statistics.")
    tract: int = Field(0, ge=0, description="Tract that the identifiers are made from.")
    patch: int = Field(0, ge=0, description="Patch that the identifiers are made from.")


@dataclass(frozen=True)
class DetectOutputs:
    """What `DetectAndMergeTask` returns."""

    detections: Detections


class DetectAndMergeTask(PipelineTask[DetectTaskConfig]):
    """Detect in every band, merge the bands' peaks, and join footprints into parents.

    Peaks that the structure of a large source explains are merged into it, and listed.

    With a list of sources the peaks are the given positions, on the detected footprints. With a selection all parents
    are found, and those that are not to be deblended are marked: identifiers are those of the whole patch. On
    request sky objects are placed where there is nothing.
    """

    connections: ClassVar[Connections] = Connections(
        inputs=(COADDS, SOURCE_LIST, SELECTION, EDITS), outputs=(DETECTIONS,)
    )

    def prepare(self) -> None:
        """Load what detection takes, deconvolution included."""
        warmup()

    def run(
        self,
        coadds: MultibandExposure,
        source_list: SourceList | None = None,
        selection: Selection | None = None,
        edits: Edits | None = None,
    ) -> DetectOutputs:
        """Find the parents.

        Raises
        ------
        NoWorkFoundError
            If there is no parent.
        InputError
            If a parent that is selected does not exist, or none is selected; or an edit cannot be made.
        """
        detections = once(partial(self._found, coadds, source_list), DetectionFiles())
        ids = partial(parent_id, self.config.tract, self.config.patch)
        if source_list is None:
            detections = self._with_whole_sources(detections, coadds)
        for peak in detections.rejected:
            self.log.warning("given source %s at (x, y) = %s is off the image", peak.name or peak.id, peak.center[::-1])
        if not detections.parents:
            threshold = self.config.detection.threshold
            raise NoWorkFoundError(f"nothing detected above {threshold:g} σ in {', '.join(coadds.bands)}")
        peaks = sum(len(parent.footprint.peaks) for parent in detections.parents)
        self.log.info("%d parents with %d peaks", len(detections.parents), peaks)
        detections = self._with_sky_objects(detections, coadds, ids)
        if edits is not None:
            places = object_places(detections.parents)
            detections = apply_edits(detections, edits, places, coadds.box)
            if not detections.parents:
                raise NoWorkFoundError("edits have dropped everything that was detected")
        if selection is not None:
            detections = replace(detections, parents=selection.mark(detections.parents, coadds.box))
            self.log.info("%d of them are to be deblended", sum(parent.selected for parent in detections.parents))
        return DetectOutputs(detections)

    def _found(self, coadds: MultibandExposure, source_list: SourceList | None) -> Detections:
        """Detect, or look for what was detected at the given positions."""
        # Processes that are started have what is loaded, and would each load it again otherwise.
        warmup()
        each = partial(iterate_units, description="tiles", loop=Loop(ahead=False))
        found = detect_bands(coadds, self.config.detection, each)
        ids = partial(parent_id, self.config.tract, self.config.patch)
        if source_list is None:
            return merge_detections(found, self.config.detection, ids)
        positions = np.stack([source_list.y, source_list.x], axis=1)
        return parents_from_sources(positions, source_list.names, found, ids)

    def _with_whole_sources(self, detections: Detections, coadds: MultibandExposure) -> Detections:
        """Merge the pieces of large sources into them."""
        parents = detections.parents
        loop: Loop[int, Any] = Loop(cost=lambda n: len(parents[n].footprint.peaks), ahead=False)
        each = partial(iterate_units, description="parents", loop=loop)
        merged = find_structure(coadds, parents, self.config.structure, each)
        if merged:
            sources = len({(one.parent, one.into) for one in merged})
            self.log.info("%d peaks are the structure of %d large sources, and merged into them", len(merged), sources)
        return merge_structure(detections, merged)

    def _with_sky_objects(
        self, detections: Detections, coadds: MultibandExposure, ids: Callable[[int], int]
    ) -> Detections:
        """Add the sky objects that are asked for, as far as there is room."""
        wanted, before = self.config.sky_objects.n_sources, len(detections.parents)
        more = add_sky_objects(detections, coadds, self.config.sky_objects, ids, (self.config.tract, self.config.patch))
        placed = len(more.parents) - before
        if placed < wanted:
            self.log.warning("%d of %d sky objects were placed: there is no room for more", placed, wanted)
        return more


DetectTask = DetectAndMergeTask
"""The same under a short name."""
