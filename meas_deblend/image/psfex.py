"""PSFs as PSFEx models them: pixels that are polynomials in the position (Bertin 2011, ASP Conf. Ser. 442, 435)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..exceptions import InputError
from .psf import PsfStamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PsfexPsf", "lanczos_weights"]

LANCZOS = 4
"""Half width in samples of the kernel between samples: the one through which PSFEx itself fits its models to stars."""


@dataclass(frozen=True, slots=True, eq=False)
class PsfexPsf:
    """A PSF whose pixels are polynomials in the position on the image.

    With t = (x − zero) / scale for each axis, the PSF at a place is Σ_k t₁^i t₂^j mask_k, the powers i of the first
    axis running fastest and i + j ≤ degree.  It is divided by its sum: PSFEx normalises to the apertures in which it
    measures its stars, and sums of a few per cent above 1 are usual.  Between samples it is interpolated with a
    Lanczos kernel of four samples' half width.

    Parameters
    ----------
    mask : float array (term, h, w)
        PSF_MASK, odd sides; samples of the PSF that include the pixel.
    sampling : float
        PSF_SAMP: image pixels per sample, in (0, 10].
    axes : str
        Which coordinate is the first of the polynomial, and which the second: "xy" or "yx"; "x" or "y" for a
        polynomial in one of them; "" for a PSF that is the same everywhere.
    zero, scale : tuple of float
        POLZERO and POLSCAL of the axes, in FITS pixels: the first is 1.  A scale is not 0.
    degree : int
        POLDEG, 0 to 10.

    Raises
    ------
    InputError
        If the values do not fit each other.
    """

    mask: NDArray[np.float64]
    sampling: float = 1.0
    axes: Literal["xy", "yx", "x", "y", ""] = ""
    zero: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    degree: int = 0

    def __post_init__(self) -> None:
        mask = np.array(self.mask, dtype=np.float64)
        if mask.ndim != 3 or min(mask.shape[1:]) < 3 or mask.shape[1] % 2 == 0 or mask.shape[2] % 2 == 0:
            raise InputError(f"PSF_MASK must be (term, y, x) with odd sides of at least 3, got shape {mask.shape}")
        if not np.isfinite(mask).all():
            raise InputError(f"PSF_MASK: {int((~np.isfinite(mask)).sum())} of {mask.size} values are NaN or infinite")
        if not 0.0 < self.sampling <= 10.0:
            raise InputError(f"PSF_SAMP must be in (0, 10] px, got {self.sampling}")
        if not 0 <= self.degree <= 10:
            raise InputError(f"POLDEG must be in 0 … 10, got {self.degree}")
        if len(set(self.axes)) < len(self.axes):
            raise InputError(f"POLNAME names {self.axes[0]!r} twice")
        if not len(self.axes) == len(self.zero) == len(self.scale):
            raise InputError(f"{len(self.zero)} POLZERO and {len(self.scale)} POLSCAL for axes {self.axes!r}")
        if not np.isfinite((*self.zero, *self.scale)).all() or 0.0 in self.scale:
            raise InputError(f"POLZERO and POLSCAL must be finite, POLSCAL not 0; got {self.zero} and {self.scale}")
        terms = len(self._powers())
        if len(mask) != terms:
            raise InputError(
                f"PSF_MASK has {len(mask)} components, but a polynomial of degree {self.degree} in {len(self.axes)} "
                f"coordinates has {terms}"
            )
        mask.setflags(write=False)
        object.__setattr__(self, "mask", mask)

    def samples(self, y: float, x: float) -> NDArray[np.float64]:
        """PSF at a pixel position, 0-based, on the model's own samples (h, w); not normalised.

        Parameters
        ----------
        y, x : float
            The polynomial is continued beyond the positions for which it was made.
        """
        t = self.coordinates(y, x)
        terms = np.array([math.prod(v**p for v, p in zip(t, powers, strict=True)) for powers in self._powers()])
        samples: NDArray[np.float64] = terms @ self.mask.reshape(len(terms), -1)
        return samples.reshape(self.mask.shape[1:])

    def coordinates(self, y: float, x: float) -> tuple[float, ...]:
        """Variables of the polynomial at a pixel position, 0-based: within ±½ where PSFEx had stars."""
        place = {"x": x + 1.0, "y": y + 1.0}  # the first pixel of FITS is 1
        return tuple((place[a] - z) / s for a, z, s in zip(self.axes, self.zero, self.scale, strict=True))

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF of a point source at ``(y, x)``, on as many pixels as the model covers.

        Raises
        ------
        InputError
            If the model sums to nothing there, as it may far from the stars of which it was made.
        """
        samples = self.samples(y, x)
        total = samples.sum() * self.sampling**2
        if not total > 0.0:
            raise InputError(f"the PSFEx model sums to {samples.sum():.3g} at (y, x) = ({y:.1f}, {x:.1f})")
        center = (math.floor(y + 0.5), math.floor(x + 0.5))
        rows, columns = (
            lanczos_weights(n, self.sampling, rest)
            for n, rest in zip(samples.shape, (y - center[0], x - center[1]), strict=True)
        )
        return PsfStamp(rows @ samples @ columns.T / total, center)

    def _powers(self) -> list[tuple[int, ...]]:
        """Powers of the variables, one tuple for each component of the mask."""
        n = self.degree + 1
        if len(self.axes) == 2:
            return [(i, j) for j in range(n) for i in range(n - j)]
        return [(i,) for i in range(n)] if self.axes else [()]


@lru_cache(maxsize=16)  # PSFs are mostly wanted at the centres of pixels
def lanczos_weights(n: int, sampling: float, shift: float) -> NDArray[np.float64]:
    """Weights (pixel, sample) that interpolate ``n`` samples, 0 beyond them, at the middles of pixels.

    Lanczos kernel sinc(d) sinc(d / 4), |d| < 4, normalised for each pixel: constants stay constant.

    Parameters
    ----------
    n : int
        Number of samples, odd; the one in the middle is that at the source.
    sampling : float
        Pixels per sample.
    shift : float
        Position of the source relative to the middle of the middle pixel, pixels.
    """
    # Half a sample beyond the last is still covered.
    radius = max(math.ceil((n // 2 + 0.5) * sampling - 0.5), 2)
    place = (np.arange(-radius, radius + 1, dtype=np.float64) - shift) / sampling + n // 2
    distance = place[:, None] - np.arange(n)[None, :]
    # All samples within reach, in the model or not: what is not there is 0, and must not raise the others.
    near = (place - np.floor(place))[:, None] - np.arange(1 - LANCZOS, LANCZOS + 1)[None, :]
    weights: NDArray[np.float64] = _lanczos(distance) / _lanczos(near).sum(axis=1, keepdims=True)
    weights.setflags(write=False)
    return weights


def _lanczos(distance: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.where(np.abs(distance) < LANCZOS, np.sinc(distance) * np.sinc(distance / LANCZOS), 0.0)
