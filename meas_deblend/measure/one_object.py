"""One object on the way: its images, and all that is measured on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from ..models import FactorizedComponent
from .blendedness import gaussian_blendedness, model_space
from .child import CentroidSet, centroid_set, flux_position, joint_centroid, shape_set
from .fluxes import draw_psfs
from .kron import HalfLight, half_light_radii
from .moments import adaptive_moments, gaussian_centroid
from .object_fluxes import flavor_apertures, object_fluxes
from .pixels import Window, cropped
from .plugins import get_measurement
from .sdss_centroid import PeakCentroids, peak_centroids
from .shapes import shape_part, sizes
from .values import FLAVORS, FlavorMeasurement, FluxTable, ObjectMeasurement, Sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..apportion import Child
    from ..models import SourceModel
    from .child import ShapeSet
    from .config import MeasureConfig
    from .object_fluxes import ChildFluxes, FlavorAperture
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

    ``mine`` are its pixels. ``images`` (4 B, h, w) are those of the flavours, its own pixels and its models in the
    observed seeing and in that of the model PSF, 0 where it has no such model (``modelled``), and the image as it is.
    ``own`` and ``whole`` are windows on the first and the last, ``flavors`` on all but the last: models have the noise
    of its own pixels. ``psf_shape`` (3 B) is what the flavours have been seen through.
    """

    parent: ParentMeasurer
    child: int
    mine: Child
    target: Target
    images: Float
    own: Window
    whole: Window
    flavors: Window
    modelled: tuple[bool, bool]
    psf_shape: ShapeSet

    @classmethod
    def prepare(cls, parent: ParentMeasurer, child: int, target: Target) -> ObjectJob:
        """Cut everything out."""
        config, scene, source = parent.config, parent.scene, parent.parent.sources[child]
        mine: Child = parent.shared.children[child]
        box = _window_box(target.center, mine.box, config)
        whole = scene.whole(box)
        own = scene.isolated(whole, mine, scene.seed_at(source.peak))
        bands = len(own.flux)
        images = np.zeros((4 * bands, *box.shape))
        images[:bands], images[3 * bands :] = own.flux, whole.flux
        models = parent.templates[child], model_space(source, bands)
        for k, model in enumerate(models, 1):
            if model is not None:
                here, there = model.box.overlap_slices(box)
                images[(slice(k * bands, (k + 1) * bands), *there)] = model.array[(slice(None), *here)]
        modelled = not parent.templates[child].box.is_empty, models[1] is not None
        at = target.center if np.isfinite(target.center).all() else (0.0, 0.0)
        psf_shape = parent.psfs.flavors(*at, parent.parent.model_psf)
        flavors = Window(box, images[: 3 * bands], own.noise, own.usable, own.observed, _same(source, bands))
        return cls(parent, child, mine, target, images, own, whole, flavors, modelled, psf_shape)

    @property
    def config(self) -> MeasureConfig:
        """Options."""
        return self.parent.config

    @property
    def bands(self) -> int:
        """Number of bands B."""
        return len(self.own.flux)

    def run(self) -> tuple[ObjectMeasurement, ChildFluxes]:
        """Measure."""
        start, noise, config = self.target.center, self.parent.scene.noise, self.config
        sigma = _sigma(self.psf_shape, config)
        weight = np.tile(config.weight_scale * sigma[: self.bands], len(FLAVORS))
        core = cropped(self.flavors, _around(start, int(np.ceil(5 * weight.max() + config.max_shift))))
        plain = replace(core, same=None)
        centroid = centroid_set(gaussian_centroid(plain, start, weight, config, noise), start)
        peaks = peak_centroids(core, start, weight, noise, config.max_shift)
        shape = shape_set(adaptive_moments(self.flavors, start, sigma, config, noise))
        position = start
        if not self.target.forced:
            position = flux_position(joint_centroid(_part(centroid, slice(self.bands)), start), start, config)
        apertures = flavor_apertures(self, position, shape)
        tables, covariance = object_fluxes(self, position, apertures)
        reaches = [aperture.reach for aperture in apertures]
        found = _Found(
            (centroid, peaks, shape, self.psf_shape),
            sizes(shape, self.psf_shape, config.extended_above),
            half_light_radii(self.flavors, position, reaches, noise),
        )
        flavors = {
            name: found.flavor(slice(k * self.bands, (k + 1) * self.bands), tables[k], apertures[k])
            for k, name in enumerate(FLAVORS)
        }
        return self._measurement(position, flavors, tables[-1]), covariance

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
            blendedness=gaussian_blendedness(self.own, self.whole, position, shape, flavors[FLAVORS[0]].psf_shape),
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


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What was measured on all flavours together (3 B)."""

    fits: tuple[CentroidSet, PeakCentroids, ShapeSet, ShapeSet]
    sizes: Sizes
    half_light: HalfLight

    def flavor(self, part: slice, fluxes: FluxTable, aperture: FlavorAperture) -> FlavorMeasurement:
        """Return the part of one flavour."""
        centroid, peaks, shape, psf_shape = self.fits
        excess, light = self.sizes, self.half_light
        return FlavorMeasurement(
            fluxes=fluxes,
            centroid=_part(centroid, part),
            peak=PeakCentroids(peaks.center[part], peaks.error[part], peaks.reasons[part]),
            shape=shape_part(shape, part),
            psf_shape=shape_part(psf_shape, part),
            sizes=Sizes(excess.excess[part], excess.error[part], excess.extendedness[part], excess.flag[part]),
            half_light=HalfLight(light.radius[part], light.error[part], light.flag[part]),
            ellipse=aperture.ellipse,
            ellipse_flag=not aperture.is_certain,
            kron=aperture.kron,
        )


def _part(found: CentroidSet, part: slice) -> CentroidSet:
    return CentroidSet(found.y[part], found.x[part], found.y_error[part], found.x_error[part], found.reasons[part])


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
