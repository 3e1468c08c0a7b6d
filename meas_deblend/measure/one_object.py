"""One object on the way: its images, and all that is measured on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from ..models import FactorizedComponent
from .blendedness import gaussian_blendedness, model_space
from .child import flux_position, joint_centroid
from .fluxes import draw_psfs
from .kron import half_light_radii
from .object_fluxes import flavor_weights, object_fluxes
from .pixels import Window, cropped
from .plugins import get_measurement
from .sdss_centroid import PeakCentroids, peak_centroids
from .shapes import band_centroids, band_shapes, sizes_of_all, stacked
from .values import FLAVORS, FlavorMeasurement, FluxTable, ObjectMeasurement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..apportion import Child
    from ..models import SourceModel
    from .child import ShapeSet
    from .config import MeasureConfig
    from .object_fluxes import ChildFluxes
    from .objects import ParentMeasurer

    Float = NDArray[np.float64]

__all__ = ["ObjectJob", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is measured, and where.

    Parameters
    ----------
    center : tuple of float
        Where to look for it, ``(y, x)`` [px].
    number : int
        Identifier.
    forced : bool
        Fluxes are measured exactly at ``center``.
    """

    center: tuple[float, float]
    number: int
    forced: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ObjectJob:
    """One object, with the images that it is measured on.

    ``mine`` are its pixels; ``models`` are its cubes in the observed seeing and in that of the model PSF, None without
    such a model; ``flavors`` are its own pixels and those two, which have the noise of its own pixels, 0 without a
    model; ``same`` says which images repeat another one (see `Window.same`).
    """

    parent: ParentMeasurer
    child: int
    mine: Child
    target: Target
    whole: Window
    own: Window
    flavors: tuple[Window, Window, Window]
    models: tuple[Float | None, Float | None]
    same: NDArray[np.int64]
    psf_shapes: tuple[ShapeSet, ShapeSet, ShapeSet]

    @classmethod
    def prepare(cls, parent: ParentMeasurer, child: int, target: Target) -> ObjectJob:
        """Cut everything out."""
        config, scene = parent.config, parent.scene
        mine: Child = parent.shared.children[child]
        box = _window_box(target.center, mine.box, config)
        whole = scene.whole(box)
        own = scene.isolated(whole, mine, scene.seed_at(parent.parent.sources[child].peak))
        template = parent.templates[child]
        model = model_space(parent.parent.sources[child], len(own.flux))
        convolved = None if template.box.is_empty else np.asarray(template.project(box).array, np.float64)
        deconvolved = None if model is None else np.asarray(model.project(box).array, np.float64)
        at = target.center if np.isfinite(target.center).all() else (0.0, 0.0)
        observed = parent.psfs.observed(*at)
        sharp = parent.psfs.model(parent.parent.model_psf)
        bands = len(own.flux)
        same = _same(parent.parent.sources[child], bands)
        models = convolved, deconvolved
        cubes = [np.zeros_like(own.flux) if cube is None else cube for cube in models]
        first, second = (
            replace(own, flux=cube, same=same[k * bands : (k + 1) * bands] - k * bands)
            for k, cube in enumerate(cubes, 1)
        )
        flavors, psf_shapes = (own, first, second), (observed, observed, sharp)
        return cls(parent, child, mine, target, whole, own, flavors, models, same, psf_shapes)

    @property
    def config(self) -> MeasureConfig:
        """Options."""
        return self.parent.config

    def run(self) -> tuple[ObjectMeasurement, ChildFluxes]:
        """Measure."""
        start, noise = self.target.center, self.parent.scene.noise
        images = stacked(self.own, [window.flux for window in self.flavors[1:]])
        sigma = np.concatenate([_sigma(shape, self.config) for shape in self.psf_shapes])
        weight = np.tile(self.config.weight_scale * sigma[: len(self.own.flux)], len(FLAVORS))
        core = cropped(images, _around(start, int(np.ceil(5 * weight.max() + self.config.max_shift))))
        centroids = band_centroids(core, start, weight, self.config, noise)
        peaks = peak_centroids(core, start, weight, noise, self.config.max_shift)
        shapes = band_shapes(replace(images, same=self.same), start, sigma, self.config, noise)
        position = start
        if not self.target.forced:
            position = flux_position(joint_centroid(centroids[0], start), start, self.config)
        photometry = flavor_weights(self, position, shapes)
        tables, undeblended, covariance = object_fluxes(self, photometry)
        excess = sizes_of_all(shapes, self.psf_shapes, self.config.extended_above)
        flavors = {}
        for k, name in enumerate(FLAVORS):
            part = slice(k * len(self.own.flux), (k + 1) * len(self.own.flux))
            flavors[name] = FlavorMeasurement(
                fluxes=tables[k],
                centroid=centroids[k],
                peak=PeakCentroids(peaks.center[part], peaks.error[part], peaks.reasons[part]),
                shape=shapes[k],
                psf_shape=self.psf_shapes[k],
                sizes=excess[k],
                half_light=half_light_radii(self.flavors[k], position, photometry[k].reach, noise),
                ellipse=photometry[k].ellipse,
                ellipse_flag=not photometry[k].is_certain,
                kron=photometry[k].kron,
            )
        return self._measurement(position, flavors, undeblended), covariance

    def _measurement(
        self, position: tuple[float, float], flavors: Mapping[str, FlavorMeasurement], undeblended: FluxTable
    ) -> ObjectMeasurement:
        """Add what is measured once for all flavours."""
        overlap, shape = self.parent.overlaps[self.child], flavors[FLAVORS[0]].shape
        return ObjectMeasurement(
            position=position,
            flavors=flavors,
            undeblended=undeblended,
            model=self.parent.model_fluxes(self.child),
            blendedness=gaussian_blendedness(self.own, self.whole, position, shape, self.psf_shapes[0]),
            model_blendedness=overlap.bands,
            joint_model_blendedness=overlap.joint,
            masked_fraction=_masked_fraction(self.mine),
            extra=self._extra(position),
        )

    def _extra(self, position: tuple[float, float]) -> dict[str, Float]:
        """Return what plug-ins measure on the re-apportioned pixels."""
        if not self.config.plugins:
            return {}
        drawn = draw_psfs(self.parent.scene.exposure.psfs, position)
        out: dict[str, Float] = {}
        for name in self.config.plugins:
            out |= get_measurement(name).checked(self.own, drawn, position)
        return out


def _around(center: tuple[float, float], reach: int) -> Box:
    if not np.isfinite(center).all():
        return Box((0, 0), (1, 1))
    return Box((round(center[0]), round(center[1])), (1, 1)).grow(reach)


def _window_box(center: tuple[float, float], child: Box, config: MeasureConfig) -> Box:
    """Pixels that an object is measured on: its own, its apertures', within the window's radius."""
    needed = max(*config.aperture_radii, 4 * config.color_sigma, 10.0) + config.max_shift + 1
    if not np.isfinite(center).all():
        return Box((0, 0), (1, 1)).grow(int(needed))
    reach = 0
    if not child.is_empty:
        (y, x), (y0, x0), (y1, x1) = center, child.origin, child.stop
        reach = round(max(abs(y - y0), abs(y1 - 1 - y), abs(x - x0), abs(x1 - 1 - x)))
    return _around(center, int(np.ceil(max(needed, min(reach, config.window_radius)))))


def _sigma(shape: ShapeSet, config: MeasureConfig) -> Float:
    """σ of a round weight as wide as the PSF (B,)."""
    sigma = np.sqrt((shape.moments[:, 0] + shape.moments[:, 2]) / 2)
    return np.where(shape.flag, config.fallback_sigma, sigma)


def _same(source: SourceModel, bands: int) -> NDArray[np.int64]:
    """Images, of all flavours, that repeat another one: models of one component, before convolution."""
    same = np.arange(len(FLAVORS) * bands)
    if len(source.components) == 1 and isinstance(source.components[0], FactorizedComponent):
        lit = 2 * bands + np.flatnonzero(source.components[0].spectrum > 0)
        same[lit] = lit[0] if lit.size else 0
    return same


def _masked_fraction(child: Child) -> Float:
    """Part of a child's pixels that is not usable (B,); NaN without pixels."""
    lost = child.masked.sum(axis=(1, 2))
    count = lost + (child.share > 0).sum(axis=(1, 2))
    return np.where(count > 0, lost / np.maximum(count, 1), np.nan)
