"""Children → catalogs: what is measured on each object's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from meas_deblend.apportion import Apportioned, model_chi2
from meas_deblend.framework import Config, Connections, PipelineTask, progress
from meas_deblend.measure import MeasureConfig, child_pixels, measure_child
from meas_deblend.products import CatalogLayout, to_table

from .catalog import CatalogInputs, columns_of, ledger_columns, object_rows, parent_row
from .datasets import CHILDREN, COADDS, DETECTIONS, LEDGER, OBJECTS, PARENT_MODELS, PARENTS
from .measured import measured_row, with_sky_positions

if TYPE_CHECKING:
    from meas_deblend.detect import Detections
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

    from .catalog import Row

__all__ = ["MeasureOutputs", "MeasureTask", "MeasureTaskConfig"]


class MeasureTaskConfig(Config):
    """What is measured."""

    measurement: MeasureConfig = Field(MeasureConfig(), description="Apertures, centroid and moments.")


@dataclass(frozen=True)
class MeasureOutputs:
    """What `MeasureTask` returns."""

    objects: Any
    parents: Any
    ledger: Any


class MeasureTask(PipelineTask[MeasureTaskConfig]):
    """Measure every child on its re-apportioned pixels, in every band, and fill the catalogs."""

    connections: ClassVar[Connections] = Connections(
        inputs=(COADDS, DETECTIONS, PARENT_MODELS, CHILDREN), outputs=(OBJECTS, PARENTS, LEDGER)
    )

    def run(
        self,
        coadds: MultibandExposure,
        detections: Detections,
        parent_models: tuple[ParentModel, ...],
        children: tuple[Apportioned, ...],
    ) -> MeasureOutputs:
        """Measure all children."""
        objects: list[Row] = []
        parents: list[Row] = []
        pairs = list(zip(parent_models, children, strict=True))
        for model, shared in progress(pairs, description="parents"):
            quality = model_chi2(coadds, model)
            given = CatalogInputs(
                model,
                tuple(detections.footprint_bands.get(model.id, ())),
                quality.parent,
                quality.sources,
                self._measured(coadds, model, shared),
            )
            parents.append(parent_row(given))
            objects.extend(object_rows(given, coadds))
        radii = self.config.measurement.aperture_radii
        layout = CatalogLayout.of_bands(coadds.bands, coadds.zeropoints, radii, coadds.units)
        ledger = [row for shared in children for row in shared.ledger]
        self.log.info("measured %d objects in %d bands", len(objects), len(coadds.bands))
        return MeasureOutputs(
            objects=to_table("objects", columns_of("objects", with_sky_positions(objects, coadds), layout), layout),
            parents=to_table("parents", columns_of("parents", parents, layout), layout),
            ledger=to_table("ledger", ledger_columns(ledger), layout),
        )

    def _measured(self, coadds: MultibandExposure, model: ParentModel, shared: Apportioned) -> tuple[Row, ...]:
        """Measured columns of all sources of a parent, in the order of its peaks."""
        rows = []
        for source, child in zip(model.sources, shared.children, strict=True):
            pixels = child_pixels(coadds, child)
            measured = measure_child(pixels, coadds.psfs, source.peak.center, self.config.measurement)
            rows.append(measured_row(measured, child, coadds, self.config.measurement.aperture_radii))
        return tuple(rows)
