"""Compiled: by how much each pixel changes the size of an aperture; the formulas stand in `aperture_errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..scarlet._jit import jit
from ._newton_kernels import _form, _gram, _inverted, _polynomials

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["moment_influence", "radius_influence", "ring_light"]


@jit
def moment_influence(images: Float, origin: Float, bands: tuple[Float, Float], precision: Float, out: Float) -> bool:
    """Change of ½ tr(M⁻¹ δM) by each pixel, M being a mean of the adaptive moments of B bands.

    Parameters
    ----------
    images : float64 array (B, h, w)
    origin : float64 array (2,)
        Of the images' first pixel [px].
    bands : tuple of float64 array
        y, x, Iyy, Iyx, Ixx of the adaptive weight of each band (B, 5), and the weight of each band in the mean (B,);
        those with 0 are not looked at.
    precision : float64 array (3,)
        yy, yx, xx of M⁻¹ [px⁻²].
    out : float64 array (B, h, w)
        Overwritten.

    Returns
    -------
    bool
        False where the moments of a band do not depend on the pixels in first order.
    """
    weights, share = bands
    jacobian, inverse = np.zeros((5, 5)), np.zeros((5, 5))
    q, s, data, coefficient = np.zeros((5, 6)), np.zeros((5, 6)), np.zeros((6, 6)), np.zeros(6)
    out[:] = 0.0
    for band in range(len(images)):
        if share[band] == 0:
            continue
        weight = weights[band]
        _gram(images[band], origin, weight, np.int64(4), data)
        _polynomials(weight, q, s)
        for i in range(5):
            for j in range(5):
                jacobian[i, j] = _form(q[i], data, s[j])
            jacobian[i, i] -= data[0, 0] * (1.0 if i < 2 else 0.5)
        if not _inverted(jacobian, inverse):
            return False
        for m in range(6):
            coefficient[m] = 0.0
        for j in range(5):
            # Iyx stands for two elements of M.
            slope = precision[0] * inverse[2, j] / 2 + precision[1] * inverse[3, j] + precision[2] * inverse[4, j] / 2
            for m in range(6):
                coefficient[m] -= share[band] * slope * q[j, m]
        _add_weighted(origin, weight, coefficient, out[band])
    return True


@jit
def _add_weighted(origin: Float, weight: Float, coefficient: Float, out: Float) -> None:
    """Add w times a polynomial of the six monomials."""
    half = -0.5 / (weight[2] * weight[4] - weight[3] ** 2)
    for row in range(out.shape[0]):
        dy = row + origin[0] - weight[0]
        for column in range(out.shape[1]):
            dx = column + origin[1] - weight[1]
            value = coefficient[0] + coefficient[1] * dy + coefficient[2] * dx
            value += coefficient[3] * dy * dy + coefficient[4] * dy * dx + coefficient[5] * dx * dx
            exponent = half * (weight[4] * dy * dy - 2 * weight[3] * dy * dx + weight[2] * dx * dx)
            out[row, column] += value * np.exp(exponent)


@jit
def radius_influence(
    weight: Float,
    offset: tuple[float, float],
    ellipse: tuple[float, float, float, float],
    scale: tuple[float, float],
    out: Float,
) -> None:
    """Change of 2 ln R by each pixel, R = Σ r I / Σ I over an ellipse, I a weighted sum of B bands.

    Parameters
    ----------
    weight : float64 array (B,)
    offset : tuple of float
        ``(y, x)`` of the first pixel from the centre [px].
    ellipse : tuple of float
        a, b [px], θ [rad] of r = 1, and the largest r.
    scale : tuple of float
        R and Σ I.
    out : float64 array (B, h, w)
        Overwritten.
    """
    a, b, theta, largest = ellipse
    cos, sin, (value, total) = np.cos(theta), np.sin(theta), scale
    for row in range(out.shape[1]):
        y = row + offset[0]
        for column in range(out.shape[2]):
            x = column + offset[1]
            radius = np.sqrt(((x * cos + y * sin) / a) ** 2 + ((y * cos - x * sin) / b) ** 2)
            change = 2 * (radius - value) / (value * total) if radius <= largest else 0.0
            for band in range(len(weight)):
                out[band, row, column] = weight[band] * change


@jit
def ring_light(
    images: Float, offset: tuple[float, float], ellipse: tuple[float, float, float], bounds: tuple[float, float]
) -> Float:
    """Light (n,) of n images on the pixels whose elliptical radii are within ``bounds``."""
    a, b, theta = ellipse
    cos, sin, out = np.cos(theta), np.sin(theta), np.zeros(len(images))
    for row in range(images.shape[1]):
        y = row + offset[0]
        for column in range(images.shape[2]):
            x = column + offset[1]
            radius = np.sqrt(((x * cos + y * sin) / a) ** 2 + ((y * cos - x * sin) / b) ** 2)
            if bounds[0] <= radius < bounds[1]:
                for k in range(len(images)):
                    out[k] += images[k, row, column]
    return out
