"""Which model PSF and which kernels go with given PSFs: the rule by which both are chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import BoolArray, FloatArray
from .kernels import KernelMaker, Kernels, model_psf, prepare_kernels, usable_stamps

__all__ = ["PsfMatch", "is_undersampled", "match_psfs", "matched_kernels", "undersampling_warning"]

MISMATCH = 0.002
"""Largest |K ∗ G − P| that is tolerated, as a fraction of P's peak: it comes before the ringing."""

RINGING = 0.01
"""Largest −min K / max K that is aimed at."""

FLOORS = (1e-4, 5e-3, 1e-2, 2e-2)
"""Floors that are tried: where the last is needed, the mismatch of any PSF exceeds its limit."""

WIDTHS = (0.8, 0.7, 0.6, 0.5)
"""Standard deviations of the model PSF that are tried, in pixels: the widest that does, for narrower ones leave more
of the blurring to be undone by the fit. Below 0.5 px a Gaussian hardly differs from a pixel."""

NYQUIST_LIMIT = 0.03
"""Transform of a PSF at the Nyquist frequency, relative to that at 0, above which it is under-sampled; a Gaussian has
it at a FWHM of 2 px."""


@dataclass(frozen=True, slots=True, eq=False)
class PsfMatch:
    """A model PSF and the regularisation of the kernels K with K ∗ G ≈ P.

    Parameters
    ----------
    sigma : float
        Standard deviation of the model PSF in pixels.
    floor : float
        Floor of the kernels, see `difference_kernels`.
    mismatch : float array (band,)
        Largest |K ∗ G − P| over the peak of P; NaN for bands without a PSF.
    ringing : float array (band,)
        −min K / max K, at least 0; NaN likewise.
    """

    sigma: float
    floor: float
    mismatch: FloatArray
    ringing: FloatArray

    @property
    def meets_rule(self) -> bool:
        """Whether mismatch and ringing of all bands are within their limits."""
        return self.matches and bool(np.nanmax(self.ringing, initial=0) <= RINGING)

    @property
    def matches(self) -> bool:
        """Whether the mismatch of all bands is within its limit."""
        return bool(np.nanmax(self.mismatch, initial=0) <= MISMATCH)

    def __str__(self) -> str:
        worst = (float(np.nanmax(values, initial=0)) for values in (self.mismatch, self.ringing))
        return "model PSF of {:.2f} px, kernels match to {:.2%} of the peak and ring by {:.1%}".format(
            self.sigma, *worst
        )


def match_psfs(psfs: FloatArray, *, sigma: float | None = None, floor: float | None = None, size: int = 15) -> PsfMatch:
    """Choose the width of the model PSF and the floor of the kernels.

    The widest model PSF and the least floor for which the kernels reproduce the PSFs to 0.2 % of their peaks and ring
    by no more than 1 %; if none does, what rings least among those that reproduce them.

    Parameters
    ----------
    psfs : array (band, h, w)
        Centred stamps; those that are not finite or have no flux are left out.
    sigma, floor : float, optional
        Given values are not changed.
    size : int
        Side of the model PSF's stamp, odd.

    Returns
    -------
    PsfMatch

    Raises
    ------
    ValueError
        If ``sigma`` is not positive or ``size`` is not odd.
    """
    stamps = np.asarray(psfs)
    known = usable_stamps(stamps)
    tried: list[PsfMatch] = []
    for width in WIDTHS if sigma is None else (sigma,):
        maker = KernelMaker.of(stamps[known], model_psf(width, size))
        for level in FLOORS if floor is None else (floor,):
            match = _tried(maker, known, (width, level))
            if match.meets_rule:
                return match
            tried.append(match)
            if not match.matches:
                break  # a higher floor matches worse still
    return min(tried, key=lambda match: (not match.matches, float(np.nanmax(match.ringing, initial=0))))


def _tried(maker: KernelMaker, known: BoolArray, setting: tuple[float, float]) -> PsfMatch:
    """Return how kernels for ``setting``, a width and a floor, do."""
    mismatch, ringing = np.full((2, len(known)), np.nan)
    kernels = maker.kernels(setting[1])
    mismatch[known] = np.abs(maker.blurred(kernels) - maker.psfs).max(axis=(1, 2)) / maker.psfs.max(axis=(1, 2))
    ringing[known] = np.maximum(-kernels.min(axis=(1, 2)), 0) / kernels.max(axis=(1, 2))
    return PsfMatch(*setting, mismatch, ringing)


def matched_kernels(
    psfs: FloatArray, *, sigma: float | None = None, floor: float | None = None, size: int = 15
) -> Kernels:
    """Kernels (see `prepare_kernels`) for the model PSF and the floor that `match_psfs` chooses."""
    if sigma is None or floor is None:
        match = match_psfs(psfs, sigma=sigma, floor=floor, size=size)
        sigma, floor = match.sigma, match.floor
    return prepare_kernels(psfs, model_psf(sigma, size), floor=floor)


def is_undersampled(psfs: FloatArray) -> BoolArray:
    """Which PSFs (band, h, w) pass more than 3 % at the Nyquist frequency of an axis, where light is aliased."""
    stamps = np.where(usable_stamps(psfs)[:, None, None], psfs, 0).astype(np.float64)
    total = np.maximum(stamps.sum(axis=(1, 2)), np.finfo(np.float64).tiny)
    y, x = ((-1.0) ** np.arange(side) for side in stamps.shape[1:])
    alternating = np.abs(np.einsum("byx,y->b", stamps, y)), np.abs(np.einsum("byx,x->b", stamps, x))
    return np.asarray(np.maximum(*alternating) > NYQUIST_LIMIT * total)


def undersampling_warning(psfs: FloatArray) -> str:
    """Say what is wrong with under-sampled PSFs (band, h, w); "" if there are none."""
    bands = np.flatnonzero(is_undersampled(psfs)).tolist()
    if not bands:
        return ""
    return (
        f"PSFs of bands {bands} are under-sampled (narrower than about 2 px FWHM): their light is aliased, so that "
        "models reproduce it only where sources have the sub-pixel position of the PSF stamp"
    )
