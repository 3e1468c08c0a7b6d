"""All measurements of all objects of a parent, on three flavours of pixels."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..apportion import Apportioned, Child, ModelOverlap, child_boxes, render_templates, template_frame
from ..geometry import Box, Footprint, Image, Peak
from ..models import BlendModel, ParentModel, SourceModel, model_fluxes
from .blendedness import model_overlaps
from .object_fluxes import ChildFluxes
from .one_object import ObjectJob, Target
from .shapes import PsfShapes
from .shares import TemplateErrors, box_bounds, template_errors
from .values import ModelFluxes, ObjectMeasurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .config import MeasureConfig
    from .scene import Scene

    Float = NDArray[np.float64]

__all__ = ["ParentMeasurer", "measure_sky"]


class ParentMeasurer:
    """Measures the objects of one parent.

    Parameters
    ----------
    scene : Scene
        The image and its noise.
    parent : ParentModel
    shared : Apportioned
        Its children, in the order of ``parent.sources``.
    psfs : PsfShapes
        Of the same exposure; shared between parents.
    config : MeasureConfig
    """

    def __init__(
        self, scene: Scene, parent: ParentModel, shared: Apportioned, psfs: PsfShapes, config: MeasureConfig
    ) -> None:
        self.scene, self.parent, self.shared, self.psfs, self.config = scene, parent, shared, psfs, config
        if len(shared.children) != len(parent.sources):
            raise ValueError(f"{len(shared.children)} children for {len(parent.sources)} sources of parent {parent.id}")
        frame = template_frame(parent, scene.exposure.box)
        self.templates = render_templates(parent, frame) if shared.templates is None else _cut(shared.templates, frame)
        self.overlaps: tuple[ModelOverlap, ...] = model_overlaps(parent)
        self.errors: TemplateErrors = template_errors(scene, self.templates, parent.footprint.box)
        self.bounds = box_bounds(child_boxes(shared.children))

    def measure(self, child: int, target: Target | None = None) -> tuple[ObjectMeasurement, ChildFluxes]:
        """Measure one object.

        Parameters
        ----------
        child : int
            Its place in ``parent.sources``.
        target : Target, optional
            Where; default: at its own centroid.

        Returns
        -------
        ObjectMeasurement
            Trouble on the sky never raises: what could not be measured is flagged.
        ChildFluxes
            For covariances.
        """
        source = self.parent.sources[child]
        target = target if target is not None else Target(source.peak.center, source.id)
        # Values near the largest float may overflow; what comes of it is flagged.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return ObjectJob.prepare(self, child, target).run()

    @cached_property
    def _total_fluxes(self) -> Float:
        """Of the models (B, n)."""
        bands = len(self.parent.psfs)
        return np.array([model_fluxes(source, bands) for source in self.parent.sources]).reshape(-1, bands).T

    @cached_property
    def model_covariance(self) -> Float:
        """Covariance (B, n, n) of the models' total fluxes; 0 where nothing is known.

        That of the fit, shapes fitted too, where the models have one; else that of the templates' amplitudes alone,
        and never less: the fit takes noise as uncorrelated, the amplitudes do not.
        """
        sources = self.parent.sources
        total = self._total_fluxes
        covariance: Float = total[:, :, None] * total[:, None, :] * self.errors.amplitudes
        place = {source.id: k for k, source in enumerate(sources)}
        for blend in self.parent.blends:
            if blend.flux_covariance is not None:
                index = np.array([place[source.id] for source in blend.sources])
                least = np.einsum("bkk->bk", covariance)[:, index].copy()
                covariance[:, index[:, None], index] = blend.flux_covariance
                covariance[:, index, index] = np.maximum(covariance[:, index, index], least)
        return covariance

    def model_fluxes(self, child: int) -> ModelFluxes:
        """Total flux of an object's model, and its error."""
        flux = self._total_fluxes[:, child]
        variance = self.model_covariance[:, child, child]
        error = np.where(variance > 0, np.sqrt(np.maximum(variance, 0.0)), np.nan)
        return ModelFluxes(flux, error, ~(np.isfinite(flux) & np.isfinite(error)))


def _cut(templates: Sequence[Image], frame: Box) -> tuple[Image, ...]:
    """Templates within a frame; those that do not leave it are not copied."""
    return tuple(t if frame.encloses(t.box) else t.project(t.box & frame) for t in templates)


def measure_sky(scene: Scene, target: Target, psfs: PsfShapes, config: MeasureConfig) -> ObjectMeasurement:
    """Measure a place where no object is, with all objects replaced by noise; there are no models there.

    Parameters
    ----------
    scene : Scene
    target : Target
    psfs : PsfShapes
        Of the same exposure.
    config : MeasureConfig
    """
    bands = len(scene.exposure.bands)
    at = target.center if np.isfinite(target.center).all() else (0.0, 0.0)
    peak = Peak(0, round(at[0]), round(at[1]))
    nothing = Box((peak.y, peak.x), (0, 0))
    empty = np.zeros((bands, 0, 0))
    source = SourceModel(target.number, peak, ())
    footprint = Footprint(nothing, np.zeros((0, 0), dtype=bool), (peak,))
    parent = ParentModel(0, footprint, (BlendModel(0, nothing, (source,)),), np.zeros((bands, 1, 1), np.float32))
    child = Child(nothing, empty, empty, empty.astype(bool))
    shared = Apportioned((child,), Image(empty, nothing), Image(empty, nothing), ())
    return ParentMeasurer(scene, parent, shared, psfs, config).measure(0, target)[0]
