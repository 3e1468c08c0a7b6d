"""Children → catalogs: what is measured on each object's own pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from meas_deblend.apportion import image_sums, reapportion_parent
from meas_deblend.deblenders import MultiBandOptions, get_deblender
from meas_deblend.framework import Config, Connections, Loop, PipelineTask, map_units
from meas_deblend.measure import MeasureConfig, NoiseCorrelation, PsfShapes, Scene, detected_pixels, measure_noise
from meas_deblend.products import to_table, unpack_rows

from .datasets import (
    CHILDREN,
    COADDS,
    DETECTIONS,
    FLUX_COVARIANCE,
    LEDGER,
    MERGED_PEAKS,
    NOISE,
    OBJECTS,
    PARENT_MODELS,
    PARENTS,
    PATCH_LEDGER,
)
from .measured import MeasuredColumns
from .measured_parent import PER_PARENT, MeasureWork, measure_parent
from .measured_tables import catalog_layout, forced_table, noise_columns, on_sky
from .merged import merged_columns, merged_into
from .patch_account import patch_ledger_columns
from .sample import sample_blend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meas_deblend.apportion import Apportioned
    from meas_deblend.detect import Detections
    from meas_deblend.geometry import Footprint
    from meas_deblend.image import MultibandExposure, SourceList
    from meas_deblend.models import ParentModel

__all__ = ["MeasureOutputs", "MeasureTask", "MeasureTaskConfig"]


class MeasureTaskConfig(Config):
    """What is measured."""

    measurement: MeasureConfig = Field(MeasureConfig(), description="Fluxes, centroids, shapes and their errors.")
    patch_tolerance: float = Field(
        1e-6,
        gt=0,
        le=1e-3,
        description="Largest difference between the image and what parents, sky and masked pixels hold of it, as a "
        "fraction of Σ|image|.",
    )


@dataclass(frozen=True)
class MeasureOutputs:
    """What `MeasureTask` returns; tables of the whole patch are None where only some of its parents were measured."""

    objects: Any
    parents: Any
    ledger: Any
    flux_covariance: Any
    noise_correlation: Any
    patch_ledger: Any = None
    merged_peaks: Any = None


class MeasureTask(PipelineTask[MeasureTaskConfig]):
    """Measure every child on its re-apportioned pixels and on its models, in every band, and fill the catalogs.

    A run in which the parents and the sky do not add up to the image fails.
    """

    connections: ClassVar[Connections] = Connections(
        inputs=(COADDS, DETECTIONS, PARENT_MODELS, CHILDREN),
        outputs=(OBJECTS, PARENTS, LEDGER, PATCH_LEDGER, FLUX_COVARIANCE, NOISE, MERGED_PEAKS),
    )

    def prepare(self) -> None:
        """Load the measurements and the tables."""
        exposure, parent = sample_blend()
        model = get_deblender("multi_band")(exposure, parent, MultiBandOptions())
        config = MeasureConfig()
        scene = Scene(exposure, parent.footprint.on(exposure.box), NoiseCorrelation.white(2), config.noise_seed)
        layout, children = catalog_layout(exposure, config), [reapportion_parent(exposure, model)]
        psfs = PsfShapes(exposure.psfs, config)
        columns = MeasuredColumns(exposure, config)
        work = MeasureWork(scene, psfs, config, layout, columns, [model], children, {})
        to_table("objects", on_sky(work.objects([measure_parent(work, 0)]), exposure), layout)
        image_sums(exposure, [parent.footprint])

    def run(
        self,
        coadds: MultibandExposure,
        detections: Detections,
        parent_models: Sequence[ParentModel],
        children: Sequence[Apportioned],
    ) -> MeasureOutputs:
        """Measure all children.

        Raises
        ------
        MeasDeblendError
            If the ledger of the patch does not close.
        """
        merged = merged_columns(detections.merged, parent_models, coadds.bands)
        made = self.measure(coadds, parent_models, children, detections.footprint_bands)
        made.objects["deblend_hasMergedPeaks"][:] = merged_into(made.objects["objectId"], merged["objectId"])
        footprints = {model.id: model.footprint for model in parent_models}
        columns = patch_ledger_columns(coadds, footprints, made.ledger, self.config.patch_tolerance)
        layout = made.ledger.meta["layout"]
        return replace(
            made,
            patch_ledger=to_table("patch_ledger", columns, layout),
            merged_peaks=to_table("merged_peaks", merged, layout),
        )

    def measure(
        self,
        coadds: MultibandExposure,
        parent_models: Sequence[ParentModel],
        children: Sequence[Apportioned],
        footprint_bands: Mapping[int, Sequence[str]],
        footprints: Sequence[Footprint] | None = None,
    ) -> MeasureOutputs:
        """Measure all children; the same for models that come from a run and from a store.

        Parameters
        ----------
        coadds : MultibandExposure
        parent_models, children
            One of each per parent, in the same order.
        footprint_bands : mapping of int to sequence of str
            Bands in which each parent was detected.
        footprints : sequence of Footprint, optional
            Of all parents of the patch, if only some are measured.
        """
        config = self.config.measurement
        scene, layout = self._scene(coadds, parent_models, footprints), catalog_layout(coadds, config)
        psfs = PsfShapes(coadds.psfs, config)
        made = MeasuredColumns(coadds, config)
        work = MeasureWork(scene, psfs, config, layout, made, parent_models, children, footprint_bands)
        measured = map_units(measure_parent, range(len(parent_models)), work, description="parents", loop=work.loop())
        objects = on_sky(work.objects(measured), coadds)
        others = (name for name in PER_PARENT if name != "objects")
        columns = {name: unpack_rows(name, [one.rows[name] for one in measured], layout) for name in others}
        del measured
        self.log.info("measured %d objects in %d bands", len(objects["objectId"]), len(coadds.bands))
        return MeasureOutputs(
            objects=to_table("objects", objects, layout),
            noise_correlation=to_table("noise_correlation", noise_columns(scene.noise, coadds.bands), layout),
            **{name: to_table(name, values, layout) for name, values in columns.items()},
        )

    def measure_at(
        self,
        coadds: MultibandExposure,
        parent_models: Sequence[ParentModel],
        children: Sequence[Apportioned],
        positions: SourceList,
        footprints: Sequence[Footprint] | None = None,
    ) -> dict[str, Any]:
        """Measure at given positions, each on the pixels of the nearest object: "forced" and "noise_correlation".

        Parameters
        ----------
        coadds, parent_models, children, footprints
            As for `measure`.
        positions : SourceList
            Where.
        """
        config = self.config.measurement
        scene = self._scene(coadds, parent_models, footprints)
        layout = catalog_layout(coadds, config)
        return {
            "forced": forced_table(scene, (parent_models, children), positions, config),
            "noise_correlation": to_table("noise_correlation", noise_columns(scene.noise, coadds.bands), layout),
        }

    def _scene(
        self,
        coadds: MultibandExposure,
        parent_models: Sequence[ParentModel],
        footprints: Sequence[Footprint] | None = None,
    ) -> Scene:
        """Return the image, with its noise measured between the parents."""
        config = self.config.measurement
        given = [model.footprint for model in parent_models] if footprints is None else footprints
        detected = detected_pixels(given, coadds.box.shape)
        each = partial(map_units, description="bands", loop=Loop(ahead=False))
        noise = measure_noise(coadds, detected, config.noise_lag, each)
        for k, band in enumerate(coadds.bands):
            self.log.info(
                "band %s: Σξ = %.3f, sky / plane variance %.3f", band, noise.xi[k].sum(), noise.variance_ratio[k]
            )
        return Scene(coadds, detected, noise, config.noise_seed)
