"""Errors of apertures whose size was measured on the same pixels: elliptical and Kron apertures.

The flux F of band b within an aperture of area A, weights a, changes with the noise n of the pixels by

    δF = Σ a n + c δ ln A,    c = ∂F / ∂ ln A,    δ ln A = Σ_b Σ u_b n_b,

where u, the influence of each pixel on ln A, follows from how the aperture is measured (delta method; influence
functions: Huber 1981, Robust Statistics, section 1.3). With N the covariance of the noise, which is that of `noise`,

    Var F = a N a + 2 c (a N u_b) + c² Σ_b (u_b N u_b):

the aperture's own term has a sign, since what makes an object brighter within the aperture may make it look smaller.
An isophote has the same brightness all around, so to first order a change of the aperture's form at a constant area
changes nothing, and c is the light in a ring about its edge over the ring's change of ln A.

* Elliptical aperture: M is the mean of the bands' adaptive moments with weights ω_b, A ∝ √det M, so
  δ ln A = ½ tr(M⁻¹ δM), with differences in place of derivatives where M is hardly known (`AreaChange`). The moments
  θ solve Σ w D q = 0 (see `_newton_kernels`), so δθ_b = −J_b⁻¹ Σ w q n.
* Kron aperture: its axes are the larger of k R and k₀, in units of the ellipse above. The first-moment radius in
  pixels does not depend on the ellipse that it is counted in, but for its end, so where R decides
  δ ln A = 2 δR / R, δR = Σ (r − R) n / Σ I over the weighted sum I of the bands; where k₀ decides, it is that of the
  ellipse. Where the noise leaves open which of the two, the ellipse counts by the chance that it does, and R by how
  much the size changes over ± 1 σ of R between its limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from ..geometry import Box
from .kron import REACH, stack_weights
from .pixels import cropped
from .shapes import band_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .area_change import AreaChange
    from .child import ShapeSet
    from .config import MeasureConfig
    from .ellipses import Ellipse
    from .kron import KronRadius
    from .noise import NoiseCorrelation
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["MeasuredAperture", "aperture_error_terms"]

# Elliptical radii of the ring, relative to the aperture's edge.
_RING = (0.85, 1.15)


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredAperture:
    """How elliptical and Kron apertures were measured on an object's pixels.

    Parameters
    ----------
    center : tuple of float
        ``(y, x)`` [px].
    ellipse : Ellipse
        One standard deviation, by `object_fluxes.flavor_apertures`.
    kron : KronRadius
        In units of that.
    shape : ShapeSet
        The bands' adaptive moments.
    area : AreaChange
        What they do to the area of the ellipse.
    """

    center: tuple[float, float]
    ellipse: Ellipse
    kron: KronRadius
    shape: ShapeSet
    area: AreaChange


def aperture_error_terms(
    windows: Sequence[Window], areas: Float, measured: MeasuredAperture, noise: NoiseCorrelation, config: MeasureConfig
) -> Float:
    """Return what the noise of the apertures' sizes adds to the variances of their fluxes; may be below 0.

    Parameters
    ----------
    windows : sequence of Window (n,)
        The pixels (B, h, w) that everything was measured on, and others, on the same box, whose fluxes are measured in
        the same apertures: of them only the light at the edges is looked at.
    areas : float64 array (2, h, w)
        Part of each pixel inside the elliptical and the Kron aperture.
    measured : MeasuredAperture
    noise : NoiseCorrelation
    config : MeasureConfig

    Returns
    -------
    float64 array (n, 2, B)
        Image units squared; 0 for an aperture whose size is not measured.
    """
    from ._influence_kernels import ring_light  # noqa: PLC0415 - loads the compiler

    near = [_contiguous(cropped(window, _around(measured, config))) for window in windows]
    inside = np.ascontiguousarray(areas[(slice(None), *near[0].box.slices_in(windows[0].box))])
    offset = _offset(near[0], measured)
    by_moments, by_radius = _influences(near[0], measured)
    by_ellipse, by_kron, factor = _deciding(measured.kron, config)
    cases = [(by_moments, config.ellipse_scale), (by_moments, factor)]
    if by_kron > 0:
        cases[1] = by_ellipse * by_moments + by_kron * by_radius, factor
    out = np.zeros((len(windows), 2, len(near[0].flux)))
    covered = by_moments
    for k, (influence, scale) in enumerate(cases):
        if k == 0 or influence is not by_moments:
            covered = _covered(near[0].noise, influence, noise)
        mixed = covered.reshape(len(covered), -1) @ inside[k].ravel()
        # Thresholded correlations need not be positive definite.
        own = max(float(np.vdot(influence, covered)), 0.0)
        edge = measured.ellipse.scaled(scale)
        for terms, part in zip(out, near, strict=True):
            light = ring_light(part.flux, offset, (edge.a, edge.b, edge.theta), _RING)
            slope = light / (2 * math.log(_RING[1] / _RING[0]))
            terms[k] = 2 * slope * mixed + slope**2 * own
    return out


def _covered(noise: Float, influence: Float, correlation: NoiseCorrelation) -> Float:
    """Return N u (B, h, w)."""
    if not correlation.lags:
        return noise * influence
    sigma = np.sqrt(noise)
    return sigma * correlation.smooth(influence * sigma)


def _contiguous(window: Window) -> Window:
    """Return a window with its pixels in one piece: windows are views of various kinds, each compiled for."""
    return replace(window, flux=np.ascontiguousarray(window.flux), noise=np.ascontiguousarray(window.noise))


def _deciding(kron: KronRadius, config: MeasureConfig) -> tuple[float, float, float]:
    """How much the ellipse and the Kron radius decide the size of its aperture, and that size in units of the ellipse.

    The first is the chance that the size is the least one; the second, relative to the derivative 2 / R, the change of
    ln A over ± 1 σ of R, between the least size and that of the ellipse within which R was taken.
    """
    if kron.flag:
        return 1.0, 0.0, config.kron_minimum
    size, width = config.kron_factor * kron.value, config.kron_factor * kron.error
    factor = max(size, config.kron_minimum)
    if not width > 0:
        return float(size <= config.kron_minimum), float(size > config.kron_minimum), factor
    chance = float(ndtr((config.kron_minimum - size) / width))
    largest = max(config.kron_factor * REACH, config.kron_minimum)
    low, high = (min(max(s, config.kron_minimum), largest) for s in (size - width, size + width))
    by_kron = math.log(high / low) * size / (2 * width)
    # Less than a thousandth is not worth a second convolution.
    return chance, (by_kron if by_kron > 1e-3 else 0.0), factor


def _influences(window: Window, measured: MeasuredAperture) -> tuple[Float, Float]:
    """Influence of each pixel (B, h, w) on ln A by the moments, and by the Kron radius; 0 where it is not measured."""
    from ._influence_kernels import moment_influence, radius_influence  # noqa: PLC0415 - loads the compiler

    ellipse, kron, (by_moments, by_radius) = measured.ellipse, measured.kron, np.zeros((2, *window.flux.shape))
    share = band_weights(measured.shape)
    if share.any():
        moments = np.where(share[:, None] > 0, measured.shape.moments, 1.0)
        # Moments were taken about centres of their own: elsewhere they are no solution, and noise may do anything.
        about = measured.shape.center
        centers = np.tile(measured.center, (len(moments), 1)) if about is None else about
        weights = np.concatenate([centers, moments], axis=1)
        origin = np.array(window.box.origin, dtype=np.float64)
        if not moment_influence(window.flux, origin, (weights, share), measured.area.slopes, by_moments):
            by_moments[:] = 0.0
    if not kron.flag:
        shape = ellipse.a, ellipse.b, ellipse.theta, REACH
        scale = kron.value, kron.total
        radius_influence(stack_weights(window), _offset(window, measured), shape, scale, by_radius)
    return by_moments, by_radius


def _around(measured: MeasuredAperture, config: MeasureConfig) -> Box:
    """Pixels that the sizes and the fluxes depend on."""
    factor = 0.0 if measured.kron.flag else config.kron_factor * measured.kron.value
    reach = max(REACH, _RING[1] * max(config.ellipse_scale, config.kron_minimum, factor)) * measured.ellipse.a + 2
    center = round(measured.center[0]), round(measured.center[1])
    return Box(center, (1, 1)).grow(math.ceil(reach))


def _offset(window: Window, measured: MeasuredAperture) -> tuple[float, float]:
    y, x = (float(first - at) for first, at in zip(window.box.origin, measured.center, strict=True))
    return y, x
