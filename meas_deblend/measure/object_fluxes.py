"""Fluxes of one object: their weights on each flavour of its pixels, values, and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Image
from .aperture_errors import MeasuredAperture, aperture_error_terms
from .area_change import AreaChange
from .ellipses import Ellipse
from .fluxes import draw_psfs
from .kron import KronRadius, kron_radius
from .linear import Photometry, PsfWeights, aperture_stack, flux_weights
from .shapes import common_ellipse
from .shares import SharedFluxes
from .values import FluxTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .child import ShapeSet
    from .config import MeasureConfig
    from .one_object import ObjectJob

    Float = NDArray[np.float64]

__all__ = ["ChildFluxes", "FlavorWeights", "flavor_weights", "object_fluxes"]

# The expansions are of first order: they may not take away most of the noise.
_LEAST = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class ChildFluxes:
    """What the covariance of one child's PSF flux with others is made from; see `shares`.

    Parameters
    ----------
    amplitude : Image
        a ρ √V (B, h, w) in float32, where pixels are the child's or sky.
    variance : float64 array (B,)
        Of the PSF flux.
    terms : SharedFluxes or None
        Sums of the PSF flux alone (F = 1); None in a parent with one child.
    """

    amplitude: Image
    variance: Float
    terms: SharedFluxes | None


@dataclass(frozen=True, slots=True, eq=False)
class FlavorWeights:
    """How fluxes are measured on one flavour of an object's pixels.

    Parameters
    ----------
    ellipse : Ellipse or None
        One standard deviation of the object; None without one.
    kron : KronRadius
    photometry : Photometry
        Weights.
    reach : float
        Long half-axis of the Kron aperture, within the window [px].
    measured : MeasuredAperture or None
        What the ellipses were measured from; None without one.
    """

    ellipse: Ellipse | None
    kron: KronRadius
    photometry: Photometry
    reach: float
    measured: MeasuredAperture | None

    @property
    def is_certain(self) -> bool:
        """Whether the ellipse is known well enough for first-order errors."""
        return self.measured is not None and self.measured.area.is_certain


def flavor_weights(job: ObjectJob, position: tuple[float, float], shapes: Sequence[ShapeSet]) -> list[FlavorWeights]:
    """Weights of the fluxes of each flavour; circles and PSFs are drawn once.

    Parameters
    ----------
    job : ObjectJob
    position : tuple of float
        ``(y, x)`` of all fluxes [px].
    shapes : sequence of ShapeSet
        Adaptive moments on each flavour's pixels.
    """
    config, box = job.config, job.own.box
    ellipses = [_ellipse(job, k, shape, position) for k, shape in enumerate(shapes)]
    circles = [Ellipse(radius, radius, 0.0) for radius in config.aperture_radii]
    pairs = [_apertures(ellipse, kron, config) for ellipse, kron in ellipses]
    drawn = aperture_stack(position, [*circles, *(shape for pair in pairs for shape in pair)], box)
    seen = PsfWeights.of(draw_psfs(job.parent.scene.exposure.psfs, position), config.color_sigma, box)
    stamp, count, out = job.parent.parent.model_psf, len(circles), []
    for k, (ellipse, kron) in enumerate(ellipses):
        if k == 2 and stamp is not None:
            alone = draw_psfs([job.parent.psfs.sharp(stamp)], position)
            seen = PsfWeights.of(alone, config.color_sigma, box).repeated(len(job.own.flux))
        usable = job.own.usable if k == 0 else np.ones_like(job.own.usable)
        apertures = drawn.some([*range(count), count + 2 * k, count + 2 * k + 1])
        weights = flux_weights(usable, seen, apertures, config.max_lost_fraction)
        longest = pairs[k][1]
        reach = min(box.shape) / 2 if longest is None else min(longest.a, min(box.shape) / 2)
        known = ellipse is not None and bool(np.isfinite(position).all())
        measured = None
        if known and ellipse is not None:
            area = AreaChange.of(shapes[k], min(box.shape) / 2)
            measured = MeasuredAperture(position, ellipse, kron, shapes[k], area)
        out.append(FlavorWeights(ellipse, kron, weights, reach, measured))
    return out


def _ellipse(
    job: ObjectJob, flavor: int, shape: ShapeSet, position: tuple[float, float]
) -> tuple[Ellipse | None, KronRadius]:
    """One σ of a flavour, and its Kron radius in units of that."""
    ellipse = common_ellipse(shape, job.psf_shapes[flavor], min(job.own.box.shape) / 2)
    if ellipse is None or not np.isfinite(position).all():
        return ellipse, KronRadius(float("nan"), float("nan"), flag=True)
    return ellipse, kron_radius(job.flavors[flavor], position, ellipse, job.parent.scene.noise)


def object_fluxes(job: ObjectJob, weights: Sequence[FlavorWeights]) -> tuple[list[FluxTable], FluxTable, ChildFluxes]:
    """Fluxes of all flavours, those of the image as it is, and what covariances need.

    Parameters
    ----------
    job : ObjectJob
    weights : sequence of FlavorWeights
        By `flavor_weights`.
    """
    noise, photometry = job.parent.scene.noise, weights[0].photometry
    variance = photometry.variance(np.sqrt(job.own.noise), noise)
    terms = None
    if len(job.parent.shared.children) > 1:
        shared = SharedFluxes.of(job, photometry)
        extra = shared.variance(job.parent.errors, job.child, job.config.share_error)
        variance = np.maximum(variance + extra, _LEAST * variance)
        terms = shared.some(slice(-2, -1))
    sizes = _size_terms(job, weights[0])
    variance = _with_sizes(variance, sizes[0])
    tables = [_table(photometry, photometry(job.own.flux), np.sqrt(variance))]
    spread = np.sqrt(np.maximum(job.parent.errors.amplitudes[:, job.child, job.child], 0.0))
    for flavor, cube in zip(weights[1:], job.models, strict=True):
        flux = np.full(variance.shape, np.nan) if cube is None else flavor.photometry(cube)
        error = np.where(spread > 0, np.abs(flux) * spread, np.nan)
        tables.append(_table(flavor.photometry, flux, error))
    whole = _with_sizes(photometry.variance(np.sqrt(job.whole.noise), noise), sizes[1])
    undeblended = _table(photometry, photometry(job.whole.flux), np.sqrt(whole))
    amplitude = photometry.own[0] * np.sqrt(np.where(_common(job), job.own.noise, 0.0))
    return tables, undeblended, ChildFluxes(_tight(Image(amplitude, job.own.box)), variance[-2], terms)


def _size_terms(job: ObjectJob, weights: FlavorWeights) -> Float:
    """Form what noise in the apertures' sizes adds to variances (2, 2, B): own and undeblended, ellipse and Kron."""
    if weights.measured is None:
        return np.zeros((2, 2, len(job.own.flux)))
    areas, noise = weights.photometry.apertures.areas[-2:], job.parent.scene.noise
    return aperture_error_terms((job.own, job.whole), areas, weights.measured, noise, job.config)


def _with_sizes(variance: Float, terms: Float) -> Float:
    """Add what elliptical and Kron apertures gain to the variances (F, B) of all fluxes."""
    out, sized = variance.copy(), variance[-4:-2]
    out[-4:-2] = np.where(np.isfinite(terms), np.maximum(sized + terms, _LEAST * sized), sized)
    return out


def _common(job: ObjectJob) -> NDArray[np.bool_]:
    """Pixels (B, h, w) whose noise other objects see too: not those that were replaced."""
    out = np.zeros(job.own.flux.shape, dtype=bool)
    here, there = job.parent.scene.exposure.box.overlap_slices(job.own.box)
    out[(slice(None), *there)] = ~job.parent.scene.detected[here]
    child = job.mine
    mine, at = child.box.overlap_slices(job.own.box)
    out[(slice(None), *at)] |= child.share[(slice(None), *mine)] > 0
    return out


def _tight(image: Image) -> Image:
    """Copy in float32 of the pixels around those that are not 0: it is kept until all objects are measured."""
    tight = image.project(Box.from_mask((image.array != 0).any(axis=0), image.box.origin))
    return Image(tight.array.astype(np.float32), tight.box)


def _table(photometry: Photometry, flux: Float, error: Float) -> FluxTable:
    broken = ~(np.isfinite(flux) & np.isfinite(error)) | (photometry.flags & ~np.isfinite(photometry.corrections))
    if photometry.flags[-2:].any():
        broken[-2:] |= photometry.flags[-2:] & ~photometry.own.any(axis=(2, 3))
    return FluxTable(
        np.where(broken, np.nan, flux),
        np.where(broken, np.nan, error),
        photometry.flags | broken,
        photometry.corrections,
    )


def _apertures(
    ellipse: Ellipse | None, kron: KronRadius, config: MeasureConfig
) -> tuple[Ellipse | None, Ellipse | None]:
    """Elliptical aperture, and Kron aperture."""
    if ellipse is None:
        return None, None
    factor = config.kron_minimum if kron.flag else max(config.kron_factor * kron.value, config.kron_minimum)
    return ellipse.scaled(config.ellipse_scale), ellipse.scaled(factor)
