"""The model PSF and the difference kernels that take a model from its resolution to that of each band."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import erf

from ..geometry import BoolArray, FloatArray, IntArray

__all__ = [
    "ComplexArray",
    "KernelMaker",
    "Kernels",
    "conjugate_transform",
    "difference_kernels",
    "kernel_transform",
    "model_psf",
    "prepare_kernels",
    "usable_stamps",
]


ComplexArray = NDArray[np.complexfloating[Any, Any]]

SMALL, LARGE = 1 << 15, 1 << 20
"""Numbers of values up to which many transforms are kept, those of most blends, and above which only the last: together
they stay below some hundred megabytes."""


def model_psf(sigma: float = 0.8, size: int = 15) -> FloatArray:
    """Circular Gaussian integrated over pixels: the resolution in which sources are modelled.

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels, > 0.
    size : int
        Side of the stamp in pixels, odd.

    Returns
    -------
    float64 array (size, size)
        Sum 1, centre at ``size // 2``.

    Raises
    ------
    ValueError
        If ``sigma`` is not positive or ``size`` is not odd.
    """
    if not sigma > 0:
        raise ValueError(f"sigma of the model PSF must be > 0 pixels, got {sigma}")
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size of the model PSF must be odd and positive, got {size}")
    edges = (np.arange(size + 1) - size / 2) / (np.sqrt(2) * sigma)
    profile = np.diff(erf(edges))
    psf: FloatArray = np.outer(profile, profile)
    psf /= psf.sum()
    return psf


def difference_kernels(psfs: FloatArray, model: FloatArray, *, floor: float = 0.0) -> FloatArray:
    """Kernels K with K ∗ model = psf, band by band.

    The ratio of the Fourier transforms, as in Melchior et al. 2018 (Astronomy and Computing 24, 129), section 2.2,
    with an optional floor below which frequencies of the model PSF are not divided by:
    K̂ = P̂ / Ĝ · |Ĝ|⁴ / (|Ĝ|⁴ + (floor · Ĝ(0))⁴). PSFs narrower than the model PSF, or noisy ones, have kernels that
    ring; a floor of a few thousandths damps this at the price of a blurrier match. (For kernels that ring alike, the
    fourth power leaves a third of the mismatch that the second, Wiener's, does.) Kernels with a floor are scaled so
    that ΣK = ΣP / ΣG: neither the floor nor the cut to the stamp costs flux.

    Parameters
    ----------
    psfs : array (band, h, w)
        PSF stamps, centre at ``h // 2, w // 2``.
    model : array (h', w')
        Model PSF, with the same convention for the centre.
    floor : float
        0 for the exact ratio.

    Returns
    -------
    array (band, h, w) of the dtype of ``psfs``
        Sides are odd: an even stamp gets a row or column of zeros at its end, which keeps its centre.
    """
    return KernelMaker.of(psfs, model).kernels(floor).astype(psfs.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class KernelMaker:
    """Transforms of PSFs and of a model PSF, of which kernels for any floor are made; see `difference_kernels`.

    Parameters
    ----------
    psfs : float64 array (band, h, w)
        With odd sides.
    model : float64 array (h', w')
    transforms : two complex arrays (band or 1, ly, lx)
        Of both, centred on index 0.
    lengths : list of int
        (ly, lx) before the transform.
    """

    psfs: FloatArray
    model: FloatArray
    transforms: tuple[ComplexArray, ComplexArray]
    lengths: list[int]

    @classmethod
    def of(cls, psfs: FloatArray, model: FloatArray) -> KernelMaker:
        """Transform stamps, whatever their type, in double precision: the ratio amplifies rounding."""
        psfs, model = _odd_stamps(psfs.astype(np.float64)), model.astype(np.float64)
        # Three pixels of margin beside the linear length, as in the code whose fits are to be reproduced: the kernel is
        # cut to the PSF's stamp, so what lies beyond depends on the length at the 1e-5 level.
        sides = zip(psfs.shape[-2:], model.shape, strict=True)
        lengths = [fft.next_fast_len(a + b + 3, real=True) for a, b in sides]
        return cls(
            psfs, model, (_centered_transform(psfs, lengths), _centered_transform(model[None], lengths)), lengths
        )

    def kernels(self, floor: float) -> FloatArray:
        """Kernels (band, h, w) with a floor, in double precision."""
        numerator, denominator = self.transforms
        power = np.abs(denominator) ** 2
        if floor > 0:
            power += (floor * np.abs(denominator[0, 0, 0])) ** 4 / np.maximum(power, np.finfo(np.float64).tiny)
        ratio = np.zeros_like(numerator)
        np.divide(numerator * denominator.conj(), power, out=ratio, where=power > 0)
        kernels = self._stamps(ratio)
        if floor > 0:
            sums, wanted = kernels.sum(axis=(1, 2)), self.psfs.sum(axis=(1, 2)) / self.model.sum()
            kernels *= np.divide(wanted, sums, out=np.ones(len(sums)), where=sums > 0)[:, None, None]
        return kernels

    def blurred(self, kernels: FloatArray) -> FloatArray:
        """Kernels ∗ model (band, h, w), which should be the PSFs."""
        return self._stamps(_centered_transform(kernels, self.lengths) * self.transforms[1])

    def _stamps(self, transform: ComplexArray) -> FloatArray:
        full = fft.irfft2(transform, s=self.lengths)
        h, w = self.psfs.shape[1:]
        rows, columns = np.arange(h) - h // 2, np.arange(w) - w // 2
        return np.ascontiguousarray(full[:, rows[:, None], columns[None, :]])


def usable_stamps(psfs: FloatArray) -> BoolArray:
    """Which stamps (band, h, w) are PSFs: finite, with a positive sum."""
    with np.errstate(invalid="ignore"):  # infinities of both signs
        total = psfs.sum(axis=(1, 2))
    return np.asarray(np.isfinite(total) & (total > 0))


def _odd_stamps(stamps: FloatArray) -> FloatArray:
    """Append a row or column of zeros to even sides: the centre n // 2 stays where it is."""
    return np.pad(stamps, [(0, 0), *((0, 1 - side % 2) for side in stamps.shape[-2:])])


def _centered_transform(stamps: FloatArray, lengths: list[int]) -> ComplexArray:
    """Real transform of stamps (band, h, w) whose centres are moved to index 0."""
    h, w = stamps.shape[-2:]
    cy, cx = h // 2, w // 2
    padded = np.zeros((len(stamps), *lengths), dtype=stamps.dtype)
    # Quadrant by quadrant: what lies before the centre goes to the end.
    for here_y, there_y in ((slice(cy, h), slice(h - cy)), (slice(cy), slice(lengths[0] - cy, None))):
        for here_x, there_x in ((slice(cx, w), slice(w - cx)), (slice(cx), slice(lengths[1] - cx, None))):
            padded[:, there_y, there_x] = stamps[:, here_y, here_x]
    transform: ComplexArray = fft.rfft2(padded)
    return transform


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """PSFs of the bands with what is derived from them: made once per place on the sky, used by every blend there.

    Parameters
    ----------
    psfs : array (band, h, w)
        PSF stamps with odd sides.
    model_psf : array (h', w')
        Resolution of the models.
    stamps : array (band, h, w)
        Difference kernels.
    floor : float
        With which they were made, see `difference_kernels`.
    """

    psfs: FloatArray
    model_psf: FloatArray
    stamps: FloatArray
    floor: float = 0.0

    @property
    def radius(self) -> tuple[int, int]:
        """Half sides (y, x) of the kernels: how far they carry flux."""
        return (self.stamps.shape[1] // 2, self.stamps.shape[2] // 2)

    def astype(self, dtype: np.dtype[np.floating]) -> Kernels:
        """Return the same kernels in another precision."""
        if self.stamps.dtype == dtype:
            return self
        psfs, model, stamps = (array.astype(dtype) for array in (self.psfs, self.model_psf, self.stamps))
        return Kernels(psfs, model, stamps, self.floor)

    @property
    def known(self) -> BoolArray:
        """Which bands (band,) have a PSF: the stamps of the others are 0."""
        return _known(self)

    def select(self, bands: IntArray | slice) -> Kernels:
        """Return the kernels of some bands."""
        return Kernels(self.psfs[bands], self.model_psf, self.stamps[bands], self.floor)


@lru_cache(maxsize=16)
def _known(kernels: Kernels) -> BoolArray:
    """`Kernels.known`, asked for by every blend."""
    known = usable_stamps(kernels.psfs)
    known.setflags(write=False)
    return known


def prepare_kernels(psfs: FloatArray, model: FloatArray | None = None, *, floor: float = 0.0) -> Kernels:
    """Kernels of the PSF stamps ``psfs`` (band, h, w) for a model PSF (y, x); default `model_psf()`.

    A stamp of which nothing is finite stands for a band without a PSF; its kernel is 0.

    Raises
    ------
    ValueError
        If ``psfs`` is not (band, h, w), a stamp is finite in parts or sums to nothing, or no band has a PSF.
    """
    psfs = np.asarray(psfs)
    if psfs.ndim != 3 or 0 in psfs.shape:
        raise ValueError(f"psfs has shape {psfs.shape}, expected (band, h, w)")
    finite = np.isfinite(psfs)
    missing = np.asarray(~finite.any(axis=(1, 2)))
    damaged = np.flatnonzero(~missing & ~finite.all(axis=(1, 2))).tolist()
    if damaged or missing.all():
        where = f"in bands {damaged}" if damaged else "in all bands"
        raise ValueError(
            f"psfs of shape {psfs.shape} holds values that are not finite {where}, expected finite stamps (band, h, w) "
            "(a band without a PSF: nothing but NaN)"
        )
    empty = [band for band, stamp in enumerate(psfs) if not missing[band] and not stamp.sum() > 0]
    if empty:
        raise ValueError(
            f"psfs of shape {psfs.shape}: stamps of bands {empty} sum to 0 or less, expected positive PSFs"
        )
    dtype = psfs.dtype if psfs.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    psfs = _odd_stamps(np.where(missing[:, None, None], 0, psfs).astype(dtype))
    model = (model_psf() if model is None else np.asarray(model)).astype(dtype)
    return Kernels(psfs, model, difference_kernels(psfs, model, floor=floor), floor)


def kernel_transform(kernels: Kernels, lengths: tuple[int, int], reach: tuple[int, int]) -> ComplexArray:
    """Real transform (band, Ly, Lx // 2 + 1) of the kernels, centred on index 0; kept for the last shapes used.

    ``reach`` cuts the kernels to that many pixels from their centres: longer arms would wrap around a short transform,
    although no pixel of the frame lies so far from another. Of large ones only the last.
    """
    return _TRANSFORMS[_rank(kernels, lengths)](kernels, lengths, reach)


def conjugate_transform(kernels: Kernels, lengths: tuple[int, int], reach: tuple[int, int]) -> ComplexArray:
    """Complex conjugate of `kernel_transform`, kept like it."""
    return _CONJUGATES[_rank(kernels, lengths)](kernels, lengths, reach)


def _rank(kernels: Kernels, lengths: tuple[int, int]) -> int:
    """0, 1 or 2: whether a transform is small, not small, or large."""
    size = len(kernels.stamps) * lengths[0] * (lengths[1] // 2 + 1)
    return (size > SMALL) + (size > LARGE)


def _transform(kernels: Kernels, lengths: tuple[int, int], reach: tuple[int, int]) -> ComplexArray:
    (ry, rx), (ky, kx) = kernels.radius, reach
    cut = kernels.stamps[:, ry - ky : ry + ky + 1, rx - kx : rx + kx + 1]
    transform = _centered_transform(cut, list(lengths))
    transform.setflags(write=False)
    return transform


def _conjugate(kernels: Kernels, lengths: tuple[int, int], reach: tuple[int, int]) -> ComplexArray:
    transform: ComplexArray = kernel_transform(kernels, lengths, reach).conj()
    transform.setflags(write=False)
    return transform


_KEPT = (128, 16, 1)
_TRANSFORMS = tuple(lru_cache(maxsize=n)(_transform) for n in _KEPT)
_CONJUGATES = tuple(lru_cache(maxsize=n)(_conjugate) for n in _KEPT)
