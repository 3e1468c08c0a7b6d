"""Sérsic profiles and points in the resolution of the model PSF, with their derivatives.

The model PSF is a circular Gaussian integrated over pixels, so it acts on rows and columns separately: a profile that
is sampled on a finer grid becomes an image by one matrix product per axis, without transforms and for any centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erf, gammaincinv, gammaln, psi

from ..geometry import Box, FloatArray
from ._jit import jit

__all__ = ["Resolution", "SersicShape", "point_images", "sersic_images", "sersic_scale"]

ZONES = ((0.06, 0.03), (0.5, 0.11), (2.0, 0.3))
"""Width of cells, in pixels, up to distances from the centre along each axis; `OUTER` beyond. Each holds as many
samples as `NODES`, the positions of a Gauss-Legendre rule."""

OUTER = 1.2
"""Width of the outer cells: the model PSF smooths what is finer."""

NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(3)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The model PSF: a circular Gaussian integrated over pixels.

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels, > 0.

    Raises
    ------
    ValueError
        If ``sigma`` is not positive.
    """

    sigma: float = 0.8

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma of the model PSF must be > 0 pixels, got {self.sigma}")

    @classmethod
    def of(cls, model_psf: FloatArray) -> Resolution:
        """Resolution of a stamp made by `kernels.model_psf`: its variance without that of a pixel, 1/12."""
        profile = model_psf.sum(axis=0, dtype=np.float64)
        offsets = np.arange(len(profile)) - len(profile) // 2
        variance = float(np.sum(profile * offsets**2) / profile.sum()) - 1 / 12
        return cls(float(np.sqrt(variance)))

    def spread(self, pixels: FloatArray, positions: FloatArray) -> FloatArray:
        """Fraction (pixel, position) of unit flux at each position that falls into each row or column."""
        scale = np.sqrt(2) * self.sigma
        offsets = pixels[:, None] - positions
        out: FloatArray = (erf((offsets + 0.5) / scale) - erf((offsets - 0.5) / scale)) / 2
        return out

    def spread_slope(self, pixels: FloatArray, positions: FloatArray) -> FloatArray:
        """Differentiate `spread` with respect to the positions."""
        offsets = pixels[:, None] - positions
        norm = self.sigma * np.sqrt(2 * np.pi)
        upper, lower = (np.exp(-0.5 * ((offsets + half) / self.sigma) ** 2) for half in (0.5, -0.5))
        out: FloatArray = (lower - upper) / norm
        return out


def point_images(center: FloatArray, box: Box, resolution: Resolution) -> tuple[FloatArray, FloatArray]:
    """Image (y, x) of unit flux at ``center`` (y, x) on ``box``, and its derivatives (2, y, x) by the centre."""
    rows, columns = _pixels(box)
    y, x = (np.array([float(value)]) for value in center)
    row, column = resolution.spread(rows, y), resolution.spread(columns, x)
    slopes = resolution.spread_slope(rows, y) @ column.T, row @ resolution.spread_slope(columns, x).T
    return row @ column.T, np.stack(slopes)


@dataclass(frozen=True, slots=True)
class SersicShape:
    """Sérsic profile exp(−b (ρ^(1/n) − 1)) with elliptical isophotes (Sérsic 1963; Graham & Driver 2005).

    Parameters
    ----------
    center : tuple of float
        ``(y, x)`` in pixels.
    radius : float
        Half-light radius in pixels, geometric mean of both axes; > 0.
    ellipticity : tuple of float
        ``(g1, g2)`` with axis ratio (1 − |g|) / (1 + |g|) and major axis at half the angle of (g1, g2) from x to y;
        |g| < 1.
    index : float
        n: 0.5 for a Gaussian, 1 for an exponential, 4 for de Vaucouleurs.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    center: tuple[float, float]
    radius: float
    ellipticity: tuple[float, float] = (0.0, 0.0)
    index: float = 1.0

    def __post_init__(self) -> None:
        if not (self.radius > 0 and np.isfinite(self.radius)):
            raise ValueError(f"half-light radius must be > 0 pixels, got {self.radius}")
        if not np.hypot(*self.ellipticity) < 1:
            raise ValueError(f"ellipticity (g1, g2) must be shorter than 1, got {self.ellipticity}")
        if not 0.2 <= self.index <= 10:
            raise ValueError(f"Sérsic index must be between 0.2 and 10, got {self.index}")


def sersic_scale(index: float) -> tuple[float, float]:
    """Return b of the Sérsic index n, which makes the radius enclose half of the light, and db/dn.

    b solves γ(2n, b) = Γ(2n) / 2 (Graham & Driver 2005, eq. 4); the derivative is a central difference of fourth order
    of that solution, good to 1e-10.
    """
    h = 1e-3 * index
    b = [float(gammaincinv(2 * (index + k * h), 0.5)) for k in (-2, -1, 1, 2)]
    return float(gammaincinv(2 * index, 0.5)), (b[0] - 8 * b[1] + 8 * b[2] - b[3]) / (12 * h)


def sersic_images(shape: SersicShape, box: Box, resolution: Resolution) -> tuple[FloatArray, FloatArray]:
    """Sérsic profile of unit total flux on ``box`` in the resolution of the model PSF.

    Returns
    -------
    image : float64 array (y, x)
        Its sum is below 1 by what falls outside the box.
    derivatives : float64 array (6, y, x)
        With respect to centre y, centre x, radius, g1, g2 and index.
    """
    n = shape.index
    b, slope = sersic_scale(n)
    # Surface brightness at the centre for unit flux, its logarithm and the derivative of that by n.
    log_norm = 2 * n * np.log(b) - np.log(2 * np.pi * n * shape.radius**2) - gammaln(2 * n)
    norm_slope = 2 * np.log(b) + 2 * n * slope / b - 1 / n - 2 * psi(2 * n)
    # The grid moves with the centre, so that the image is a smooth function of it.
    grids = [_grid(c, o, m) for c, o, m in zip(shape.center, box.origin, box.shape, strict=True)]
    samples = sample_sersic(
        (grids[0], grids[1]),
        (shape.radius, shape.ellipticity[0], shape.ellipticity[1], n),
        (b, slope, log_norm, norm_slope),
    )
    rows, columns = (pixels - c for pixels, c in zip(_pixels(box), shape.center, strict=True))
    (y, _), (x, _) = grids
    across = resolution.spread(columns, x).T
    images = resolution.spread(rows, y) @ samples @ across
    by_row = resolution.spread_slope(rows, y) @ samples[0] @ across
    by_column = resolution.spread(rows, y) @ samples[0] @ resolution.spread_slope(columns, x).T
    return images[0], np.concatenate([[by_row, by_column], images[1:]])


def _pixels(box: Box) -> tuple[FloatArray, FloatArray]:
    """Positions of the rows and columns of a box."""
    (y, x), (ny, nx) = box.origin, box.shape
    return np.arange(y, y + ny, dtype=np.float64), np.arange(x, x + nx, dtype=np.float64)


def _grid(center: float, first: int, count: int) -> tuple[FloatArray, FloatArray]:
    """Offsets of samples from the centre along an axis, dense near it, and their weights.

    They reach across the ``count`` pixels from ``first``, in whole blocks of 8 pixels: a small shift changes nothing.
    """
    reach = 8 * float(np.ceil((max(center - first, first + count - center) + 4) / 8))
    edges = [0.0]
    for limit, spacing in (*ZONES, (reach, OUTER)):
        edges += np.linspace(edges[-1], limit, round((limit - edges[-1]) / spacing) + 1)[1:].tolist()
    starts, widths = np.array(edges[:-1]), np.diff(edges)
    offsets = (starts[:, None] + widths[:, None] * (NODES + 1) / 2).ravel()
    weights = (widths[:, None] * NODE_WEIGHTS / 2).ravel()
    return np.concatenate([-offsets[::-1], offsets]), np.concatenate([weights[::-1], weights])


@jit
def sample_sersic(
    grids: tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]],
    shape: tuple[float, float, float, float],
    scale: tuple[float, float, float, float],
) -> FloatArray:
    """Flux in the cells of a grid (5, y, x): the profile and its derivatives by radius, g1, g2 and index.

    ``grids`` holds offsets from the centre and weights for each axis; ``scale`` is b, db/dn, and the logarithm of the
    central surface brightness with its derivative by n.
    """
    (rows, row_weights), (columns, column_weights) = grids
    radius, g1, g2, n = shape
    b, slope, log_norm, norm_slope = scale
    round_ = 1 - g1 * g1 - g2 * g2
    out = np.zeros((5, len(rows), len(columns)))
    for j in range(len(rows)):
        for i in range(len(columns)):
            dy, dx = rows[j], columns[i]
            # Coordinates in which the isophotes are circles, before the factor 1 / √(1 − |g|²).
            u, v = (1 - g1) * dx - g2 * dy, (1 + g1) * dy - g2 * dx
            square = (u * u + v * v) / (round_ * radius * radius)
            log_square = np.log(square)
            power = np.exp(log_square / (2 * n))
            flux = np.exp(log_norm - b * power) * row_weights[j] * column_weights[i]
            # d ln I / d ln ρ², through which radius and ellipticity act.
            steep = -b * power / (2 * n)
            base = 2 * steep / (u * u + v * v)
            out[0, j, i] = flux
            out[1, j, i] = flux * (-2 * steep - 2) / radius
            out[2, j, i] = flux * (base * (v * dy - u * dx) + 2 * steep * g1 / round_)
            out[3, j, i] = flux * (-base * (u * dy + v * dx) + 2 * steep * g2 / round_)
            out[4, j, i] = flux * (norm_slope - slope * power + b * power * log_square / (2 * n * n))
    return out
