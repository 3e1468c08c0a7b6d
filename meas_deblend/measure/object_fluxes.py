"""Fluxes of one object: their weights on each flavour of its pixels, values, and errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Image
from .aperture_errors import MeasuredAperture, aperture_error_terms
from .area_change import AreaChange
from .ellipses import Ellipse
from .fluxes import draw_psfs
from .kron import REACH, KronRadius, stack_weights, with_correlation
from .linear import Apertures, FluxWeights, PsfWeights, aperture_stack, product
from .shapes import SHORTEST, shape_part
from .shares import SharedFluxes
from .values import FluxTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .child import ShapeSet
    from .config import MeasureConfig
    from .one_object import ObjectJob

    Float = NDArray[np.float64]

__all__ = ["ChildFluxes", "FlavorAperture", "flavor_apertures", "object_fluxes"]

# The expansions are of first order: they may not take away most of the noise.
_LEAST = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class ChildFluxes:
    """What the covariance of one child's PSF flux with others is made from; see `shares`.

    Parameters
    ----------
    amplitude : Image
        a ρ √V (B, h, w) in float32, where pixels are the child's or sky; empty in a parent with one child.
    variance : float64 array (B,)
        Of the PSF flux.
    terms : SharedFluxes or None
        Sums of the PSF flux alone (F = 1); None in a parent with one child.
    """

    amplitude: Image
    variance: Float
    terms: SharedFluxes | None


@dataclass(frozen=True, slots=True, eq=False)
class FlavorAperture:
    """Elliptical and Kron apertures of one flavour of an object's pixels.

    Parameters
    ----------
    ellipse : Ellipse or None
        One standard deviation of the object; None without one.
    kron : KronRadius
    pair : tuple of Ellipse or None
        Elliptical aperture, and Kron aperture.
    reach : float
        Long half-axis of the Kron aperture, within the window [px].
    shape : ShapeSet
        The bands' adaptive moments.
    area : AreaChange
        What noise in them does to the ellipse's area.
    """

    ellipse: Ellipse | None
    kron: KronRadius
    pair: tuple[Ellipse | None, Ellipse | None]
    reach: float
    shape: ShapeSet
    area: AreaChange

    @property
    def is_certain(self) -> bool:
        """Whether the ellipse is known well enough for first-order errors."""
        return self.ellipse is not None and self.area.is_certain


def flavor_apertures(job: ObjectJob, position: tuple[float, float], shape: ShapeSet) -> list[FlavorAperture]:
    """Ellipses and Kron radii of each flavour.

    Parameters
    ----------
    job : ObjectJob
    position : tuple of float
        ``(y, x)`` of all fluxes [px].
    shape : ShapeSet
        Adaptive moments on the pixels of all flavours (3 B).
    """
    from ._aperture_kernels import find_apertures  # noqa: PLC0415 - loads the compiler

    box, noise = job.own.box, job.parent.scene.noise
    largest, psf = min(box.shape) / 2, job.psf_shape
    planes = job.flavors.flux, job.own.noise, stack_weights(job.own)
    offset = float(box.origin[0] - position[0]), float(box.origin[1] - position[1])
    moments = shape.moments, shape.covariance, shape.reasons
    found = find_apertures(planes, offset, moments, (psf.moments, psf.reasons), (SHORTEST, largest, REACH))
    out = []
    for k, (a, b, theta, value, error, total, certain, *_) in enumerate(found.tolist()):
        ellipse = None if math.isnan(a) else Ellipse(a, b, theta)
        kron = KronRadius(value, error, flag=math.isnan(value), total=total)
        if noise.lags and ellipse is not None:
            window = replace(job.own, flux=job.flavors.flux[k * job.bands : (k + 1) * job.bands])
            kron = with_correlation(kron, window, position, ellipse, noise)
        pair = _pair(ellipse, kron, job.config)
        reach = largest if pair[1] is None else min(pair[1].a, largest)
        is_known = bool(certain) and math.isfinite(offset[0] + offset[1])
        part = shape_part(shape, slice(k * job.bands, (k + 1) * job.bands))
        out.append(FlavorAperture(ellipse, kron, pair, reach, part, AreaChange(found[k, 7:], is_known)))
    return out


def object_fluxes(
    job: ObjectJob, position: tuple[float, float], apertures: Sequence[FlavorAperture]
) -> tuple[list[FluxTable], ChildFluxes]:
    """Fluxes of all flavours and, last, of the image as it is; and what covariances need.

    Parameters
    ----------
    job : ObjectJob
    position : tuple of float
        ``(y, x)`` of all fluxes [px].
    apertures : sequence of FlavorAperture
        By `flavor_apertures`.
    """
    made = _Photometry.of(job, position, [aperture.pair for aperture in apertures])
    weights, errors = made.own_weights, job.parent.errors
    variance, whole = weights.variance(np.stack([job.own.noise, job.whole.noise]), job.parent.scene.noise)
    terms, amplitude = None, Image(np.zeros((job.bands, 0, 0), np.float32), Box(job.own.box.origin, (0, 0)))
    if len(job.parent.shared.children) > 1:
        shared = SharedFluxes.of(job, weights)
        extra = shared.variance(errors, job.child, job.config.share_error)
        variance = np.maximum(variance + extra, _LEAST * variance)
        terms = shared.some(slice(-2, -1))
        noise = np.where(_common(job), job.own.noise, 0.0)
        amplitude = _tight(Image(weights.own[0] * np.sqrt(noise), job.own.box))
    sizes = _size_terms(job, position, weights, apertures[0])
    variance, whole = _with_sizes(variance, sizes[0]), _with_sizes(whole, sizes[1])
    flux = made.fluxes(job.images)
    flux[1:3][np.logical_not(job.modelled)] = np.nan
    spread = np.sqrt(np.maximum(errors.amplitudes[:, job.child, job.child], 0.0))
    error = np.empty_like(flux)
    error[0], error[3] = np.sqrt(variance), np.sqrt(whole)
    error[1:3] = np.where(spread > 0, np.abs(flux[1:3]) * spread, np.nan)
    return made.tables(flux, error), ChildFluxes(amplitude, variance[-2], terms)


@dataclass(frozen=True, slots=True, eq=False)
class _Photometry:
    """Weights of the fluxes F = S + 2 of four kinds of images: the flavours, and the image as it is.

    ``apertures`` holds circles, then an elliptical and a Kron aperture of each flavour; ``index`` (4, S) says which of
    them each kind is measured in. ``seen`` are the weights by PSFs of each kind.
    """

    apertures: Apertures
    index: NDArray[np.int64]
    seen: tuple[PsfWeights, PsfWeights, PsfWeights, PsfWeights]
    lost: NDArray[np.bool_] | None

    @classmethod
    def of(
        cls, job: ObjectJob, position: tuple[float, float], pairs: Sequence[tuple[Ellipse | None, Ellipse | None]]
    ) -> _Photometry:
        """Draw apertures and PSFs, each once."""
        config, box, stamp = job.config, job.own.box, job.parent.parent.model_psf
        circles = [Ellipse(radius, radius, 0.0) for radius in config.aperture_radii]
        stack = aperture_stack(position, [*circles, *(shape for pair in pairs for shape in pair)], box)
        first = len(circles) + 2 * np.array([[0], [1], [2], [0]])
        common = np.broadcast_to(np.arange(len(circles)), (len(first), len(circles)))
        index = np.concatenate([common, first, first + 1], axis=1)
        full = sharp = PsfWeights.of(draw_psfs(job.parent.scene.exposure.psfs, position), config.color_sigma, box)
        if stamp is not None:
            alone = draw_psfs([job.parent.psfs.sharp(stamp)], position)
            sharp = PsfWeights.of(alone, config.color_sigma, box)
        if job.own.is_complete:
            return cls(stack, index, (full, full, sharp, full), None)
        own = full.masked(job.own.usable)
        lost = full.lost(job.own.usable, stack.areas[index[0]], config.max_lost_fraction)
        return cls(stack, index, (own, full, sharp, own), lost)

    @property
    def own_weights(self) -> FluxWeights:
        """Weights on the object's own pixels."""
        return FluxWeights(self.apertures.areas[self.index[0]], self.seen[0].own)

    def fluxes(self, images: Float) -> Float:
        """Fluxes (4, F, B) of images (4 B, h, w)."""
        flat = images.reshape(4, -1, images.shape[1] * images.shape[2])
        out = np.empty((4, self.index.shape[1] + 2, flat.shape[1]))
        by_area = product(self.apertures.areas, images).reshape(-1, *out.shape[::2])
        out[:, :-2] = by_area[self.index, np.arange(4)[:, None]]
        for k, seen in enumerate(self.seen):
            # One PSF may be that of all bands.
            same = len(seen.psf) == 1
            out[k, -2:] = (
                product(seen.own, images[k * flat.shape[1] : (k + 1) * flat.shape[1]]) if same else seen(flat[k])
            )
        return out

    def tables(self, flux: Float, error: Float) -> list[FluxTable]:
        """Add corrections and flags to fluxes and errors (4, F, B)."""
        corrections, flags = np.ones(flux.shape), np.empty(flux.shape, dtype=bool)
        flags[:, :-2] = self.apertures.cut[self.index][:, :, None]
        inside = {id(seen): product(self.apertures.areas, seen.psf) for seen in (self.seen[0], *self.seen[1:3])}
        with np.errstate(divide="ignore", invalid="ignore"):
            for k, seen in enumerate(self.seen):
                corrections[k, :-2] = seen.total / inside[id(seen)][self.index[k]]
                corrections[k, -2:] = np.where(np.isfinite(seen.total), 1.0, np.nan)
                flags[k, -2:] = ~seen.known
        if self.lost is not None:
            flags[::3] |= self.lost
        broken = ~(np.isfinite(flux) & np.isfinite(error)) | (flags & ~np.isfinite(corrections))
        if flags[:, -2:].any():
            for k, seen in enumerate(self.seen):
                broken[k, -2:] |= flags[k, -2:] & ~seen.own.any(axis=(2, 3))
        flux, error, flags = np.where(broken, np.nan, flux), np.where(broken, np.nan, error), flags | broken
        return [FluxTable(*values) for values in zip(flux, error, flags, corrections, strict=True)]


def _size_terms(job: ObjectJob, position: tuple[float, float], weights: FluxWeights, aperture: FlavorAperture) -> Float:
    """Form what noise in the apertures' sizes adds to variances (2, 2, B): own and undeblended, ellipse and Kron."""
    if aperture.ellipse is None or not np.isfinite(position).all():
        return np.zeros((2, 2, job.bands))
    measured = MeasuredAperture(position, aperture.ellipse, aperture.kron, aperture.shape, aperture.area)
    noise = job.parent.scene.noise
    return aperture_error_terms((job.own, job.whole), weights.areas[-2:], measured, noise, job.config)


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


def _pair(ellipse: Ellipse | None, kron: KronRadius, config: MeasureConfig) -> tuple[Ellipse | None, Ellipse | None]:
    """Elliptical aperture, and Kron aperture."""
    if ellipse is None:
        return None, None
    factor = config.kron_minimum if kron.flag else max(config.kron_factor * kron.value, config.kron_minimum)
    return ellipse.scaled(config.ellipse_scale), ellipse.scaled(factor)
