"""Fluxes that are linear in the pixels, Σ a D, with errors Σ a² ρ² V: PSF flux and aperture fluxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .._interrupt import raise_interrupt
from ..geometry import Box, Image
from ..image import ImagePsf
from .apertures import aperture_weights
from .flags import FlagReason, add_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray
    from ..image import Psf
    from .config import MeasureConfig
    from .pixels import ObjectPixels, Window

__all__ = ["FluxSet", "Fluxes", "PsfCube", "draw_psfs", "flux_covariance", "measure_fluxes", "psf_flux_weights"]


@dataclass(frozen=True, slots=True, eq=False)
class FluxSet:
    """One kind of flux in B bands.

    Parameters
    ----------
    flux, error : float64 array (B,)
        Value and standard deviation, image units; NaN, with a reason, where they could not be measured.
    reasons : int array (B,)
        `FlagReason`s.
    """

    flux: NDArray[np.float64]
    error: NDArray[np.float64]
    reasons: IntArray

    @property
    def flag(self) -> BoolArray:
        """True (B,) where the flux is not to be trusted."""
        return np.asarray(self.reasons != 0)


@dataclass(frozen=True, slots=True, eq=False)
class Fluxes:
    """PSF flux and aperture fluxes of one object at one position.

    Parameters
    ----------
    position : tuple of float
        ``(y, x)`` of the PSF and of the apertures' centre, in all bands [px].
    psf : FluxSet
        PSF flux.
    apertures : tuple of FluxSet
        One per radius of `MeasureConfig.aperture_radii`.
    """

    position: tuple[float, float]
    psf: FluxSet
    apertures: tuple[FluxSet, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PsfCube:
    """PSFs of all bands, drawn at one position on one box.

    Parameters
    ----------
    cube : float64 array (B, h, w)
        0 in bands without a usable PSF.
    box : Box
        Where it lies.
    usable : bool array (B,)
        Whether there is a PSF.
    """

    cube: NDArray[np.float64]
    box: Box
    usable: BoolArray


def draw_psfs(psfs: Sequence[Psf | None], position: tuple[float, float]) -> PsfCube:
    """Draw the PSFs of B bands at ``position`` (y, x) [px], on the smallest box around the pixel that holds them all.

    A PSF that is missing, is not defined there (it raises the package's errors or a ValueError), is not finite or
    has no positive sum is marked as unusable.
    """
    together = _drawn_together(psfs, position)
    if together is not None:
        return together
    stamps = [_draw(psf, position) for psf in psfs]
    boxes = [box for _, box in stamps]
    frame = boxes[0]
    for box in boxes[1:]:
        frame = frame | box
    cube = np.zeros((len(psfs), *frame.shape))
    for image, (stamp, box) in zip(cube, stamps, strict=True):
        image[box.slices_in(frame)] = stamp
    return PsfCube(cube, frame, np.array([stamp.size > 0 for stamp, _ in stamps]))


def _drawn_together(psfs: Sequence[Psf | None], position: tuple[float, float]) -> PsfCube | None:
    """Stamps of one size, moved by `image.shift_stamp`'s rule together; None for all other PSFs.

    Stamps are so small that products of matrices cost less than transforms, above all as their sides tend to be prime.
    """
    from ._matched_kernels import shift_matrix  # noqa: PLC0415 - loads the compiler

    alike = tuple(psf for psf in psfs if isinstance(psf, ImagePsf))
    if len(alike) < len(psfs) or len({psf.stamp.shape for psf in alike}) != 1 or not np.isfinite(position).all():
        return None
    (height, width), pixel = alike[0].stamp.shape, [math.floor(p + 0.5) for p in position]
    dy, dx = (p - whole for p, whole in zip(position, pixel, strict=True))
    cube = shift_matrix(height, dy) @ _stacked(alike) @ shift_matrix(width, dx).T
    box = Box((pixel[0] - height // 2, pixel[1] - width // 2), (height, width))
    return PsfCube(cube, box, np.ones(len(alike), dtype=bool))


@lru_cache(maxsize=8)
def _stacked(psfs: tuple[ImagePsf, ...]) -> NDArray[np.float64]:
    """Stamps of one size, once: the same PSFs are drawn for every object of an exposure."""
    out = np.stack([psf.stamp for psf in psfs])
    out.setflags(write=False)
    return out


def _draw(psf: Psf | None, position: tuple[float, float]) -> tuple[NDArray[np.float64], Box]:
    nothing = np.zeros((0, 0)), Box((0, 0), (0, 0))
    if psf is None or not np.isfinite(position).all():
        return nothing
    try:
        stamp, center = psf.image(*position)
    except Exception as error:  # noqa: BLE001 - PSFs are plug-ins, and each has errors of its own
        raise_interrupt(error)
        # A coadd has no PSF where no exposure contributed: the band is flagged and the others go on.
        return nothing
    if not np.isfinite(stamp).all() or stamp.sum() <= 0:
        return nothing
    origin = (center[0] - stamp.shape[0] // 2, center[1] - stamp.shape[1] // 2)
    return stamp, Box(origin, (stamp.shape[0], stamp.shape[1]))


def measure_fluxes(
    pixels: ObjectPixels, psfs: Sequence[Psf | None], position: tuple[float, float], config: MeasureConfig
) -> Fluxes:
    """Measure PSF flux and aperture fluxes at a fixed position.

    The PSF flux is the least-squares fit of the PSF with all pixels weighted alike, a = P / Σ P² over the usable
    pixels of the PSF's stamp, as in Rubin's pipelines: its expectation does not depend on the variances.
    Aperture fluxes sum the pixels of a circle by the area inside; bad pixels add nothing. Errors are those of
    the noise for a fixed share: σ² = Σ a² ρ² V.

    Parameters
    ----------
    pixels : ObjectPixels
        B bands: of a child, or of the image itself (`image_pixels`).
    psfs : sequence of Psf or None (B,)
        One per band.
    position : tuple of float
        ``(y, x)`` [px].
    config : MeasureConfig
        Radii and limits.

    Returns
    -------
    Fluxes
        Never raises for what is on the sky: what cannot be measured is NaN and flagged.
    """
    drawn = draw_psfs(psfs, position)
    apertures = tuple(_aperture_flux(pixels, drawn, position, r, config) for r in config.aperture_radii)
    return Fluxes(position, _psf_flux(pixels, drawn, position, config), apertures)


def psf_flux_weights(pixels: ObjectPixels, drawn: PsfCube) -> Image:
    """Weights a (B, h, w) of the PSF flux on the PSFs' box; 0 on unusable pixels and in bands without PSF."""
    usable = pixels.window(drawn.box).usable
    profile = np.where(usable, drawn.cube, 0.0)
    norm = (profile**2).sum(axis=(1, 2), keepdims=True)
    return Image(np.divide(profile, norm, out=np.zeros_like(profile), where=norm > 0), drawn.box)


def flux_covariance(objects: Sequence[ObjectPixels], weights: Sequence[Image], variance: Image) -> NDArray[np.float64]:
    """Covariance of linear fluxes that share pixels: Cov(i, j) = Σ a_i ρ_i a_j ρ_j V for fixed shares.

    Parameters
    ----------
    objects : sequence of ObjectPixels (n,)
        Children of a blend, B bands.
    weights : sequence of Image (n,)
        Weights a (B, h, w) of each object's flux, e.g. by `psf_flux_weights`.
    variance : Image
        The image's own variance (B, h, w), over all of the objects' boxes.

    Returns
    -------
    float64 array (B, n, n)
        Symmetric; image units squared.
    """
    frame = variance.box
    shape = variance.array.shape
    effective = np.zeros((len(objects), *shape))
    for out, pixels, weight in zip(effective, objects, weights, strict=True):
        # noise = ρ² V, so its ratio to V, where the object has pixels, is the square of the share.
        noise = pixels.window(frame).noise
        share = np.sqrt(np.divide(noise, variance.array, out=np.zeros(shape), where=noise > 0))
        out[:] = weight.project(frame).array * share
    usable = np.where((effective != 0).any(axis=0), variance.array, 0.0)
    return np.asarray(np.einsum("ibyx,byx,jbyx->bij", effective, usable, effective, optimize=True))


def _psf_flux(pixels: ObjectPixels, drawn: PsfCube, position: tuple[float, float], config: MeasureConfig) -> FluxSet:
    window = pixels.window(drawn.box)
    weights = np.asarray(psf_flux_weights(pixels, drawn).array, dtype=np.float64)
    light = drawn.cube**2
    reasons = _lost(window, light, config.max_lost_fraction)
    reasons = add_reason(reasons, ~drawn.usable, FlagReason.NO_PSF)
    return _linear(window, weights, reasons, position)


def _aperture_flux(
    pixels: ObjectPixels, drawn: PsfCube, position: tuple[float, float], radius: float, config: MeasureConfig
) -> FluxSet:
    count = len(pixels.flux)
    if not np.isfinite(position).all():
        nothing = np.full(count, np.nan)
        return FluxSet(nothing, nothing, np.full(count, int(FlagReason.NON_FINITE)))
    area = aperture_weights(position, radius)
    window = pixels.window(area.box)
    inside = np.asarray(area.array, dtype=np.float64)
    by_area = _lost(window, np.broadcast_to(inside, window.flux.shape), config.max_lost_fraction)
    # One bad pixel in the middle of a star is little area and much light.
    by_light = _lost(window, inside * Image(drawn.cube, drawn.box).project(area.box).array, config.max_lost_fraction)
    weights = np.where(window.usable, inside, 0.0)
    return _linear(window, weights, by_area | by_light, position)


def _lost(window: Window, light: NDArray[np.float64], limit: float) -> IntArray:
    """Reasons (B,) why too much of ``light`` (B, h, w) is not seen: beyond the edge, or masked."""
    total = light.sum(axis=(1, 2))
    edge = (light * ~window.observed).sum(axis=(1, 2))
    masked = (light * ~window.usable).sum(axis=(1, 2)) - edge
    reasons = add_reason(np.zeros(len(light), dtype=np.int64), edge > limit * total, FlagReason.EDGE)
    # The difference of two equal sums is not exactly 0.
    return add_reason(reasons, masked > limit * total + 1e-12 * total, FlagReason.MASKED)


def _linear(window: Window, weights: NDArray[np.float64], reasons: IntArray, position: tuple[float, float]) -> FluxSet:
    """Σ a D and its error; NaN where no usable pixel has a weight, or the result overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        flux = (weights * window.flux).sum(axis=(1, 2))
        error = np.sqrt((weights**2 * window.noise).sum(axis=(1, 2)))
    empty = ~((weights != 0) & window.usable).any(axis=(1, 2))
    no_psf = (reasons & int(FlagReason.NO_PSF)) != 0
    reasons = add_reason(reasons, empty & ~no_psf, FlagReason.NO_USABLE_PIXELS)
    broken = ~(np.isfinite(flux) & np.isfinite(error)) | ~np.isfinite(position).all()
    reasons = add_reason(reasons, broken, FlagReason.NON_FINITE)
    unmeasured = empty | no_psf | broken
    return FluxSet(np.where(unmeasured, np.nan, flux), np.where(unmeasured, np.nan, error), reasons)
