"""Size and centre of a PSF stamp, and what is repaired or refused in one that a user gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from ..exceptions import InputError
from .psf_models import FWHM_PER_SIGMA, shift_stamp

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MODEL_PSF_SIGMA", "PsfMoments", "check_psf_width", "psf_fwhm", "psf_moments", "validate_psf_stamp"]

MODEL_PSF_SIGMA = 0.8
"""Standard deviation in pixels of the Gaussian in which multi-band models live by default, before pixel integration."""

SUM_TOLERANCE = 0.02
CENTER_TOLERANCE = 0.1
EDGE_TOLERANCE = 1e-3
_NAN_LIMIT = 0.01
_SAMPLED_SIGMA = 0.9


class PsfMoments(NamedTuple):
    """Adaptive centre and second moments of a stamp, in pixels; ``(y, x)`` counts from its first pixel."""

    y: float
    x: float
    yy: float
    xx: float
    xy: float


def psf_moments(stamp: ArrayLike) -> PsfMoments:
    """Moments weighted with the elliptical Gaussian that has the same moments (Bernstein & Jarvis 2002, section 3).

    A Gaussian weight that matches the object halves its moments, so they are doubled; the iteration stops when
    centre and moments move by less than 1e-7.  Unlike plain moments they are not led by the noise of the wings.
    A weight narrower than about 2 px FWHM is itself not sampled well enough; then the stamp is first convolved with a
    Gaussian of sigma 1 px, whose variance is taken off again.

    Parameters
    ----------
    stamp : array (y, x)
        PSF; its sum need not be 1.

    Raises
    ------
    InputError
        If the iteration does not settle inside the stamp: it shows no single, compact star.
    """
    image = np.asarray(stamp, dtype=np.float64)
    center, cov = _adaptive_moments(image)
    if math.sqrt(np.linalg.det(cov)) < _SAMPLED_SIGMA**2:
        smooth = gaussian_filter(np.pad(image, 5), 1.0, mode="constant", truncate=5.0)
        center, cov = _adaptive_moments(smooth)
        center, cov = center - 5.0, cov - np.eye(2)
    return PsfMoments(float(center[0]), float(center[1]), float(cov[0, 0]), float(cov[1, 1]), float(cov[0, 1]))


def _adaptive_moments(image: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (2,) and covariance (2, 2) in ``(y, x)`` order."""
    y, x = np.indices(image.shape)
    row, column = np.unravel_index(np.argmax(image), image.shape)
    center, cov = np.array([float(row), float(column)]), 2.0 * np.eye(2)
    limit = 0.25 * max(image.shape) ** 2
    for _ in range(300):
        d = np.stack([y - center[0], x - center[1]])
        w = image * np.exp(-0.5 * np.einsum("iyx,ij,jyx->yx", d, np.linalg.inv(cov), d))
        total = w.sum()
        if total <= 0:
            break
        step = np.einsum("iyx,yx->i", d, w) / total
        new = 2.0 * (np.einsum("iyx,jyx,yx->ij", d, d, w) / total - np.outer(step, step))
        # A star inside one pixel has no width of its own; the floor keeps its weight invertible.
        new += max(0.0, 1e-2 - float(np.linalg.eigvalsh(new)[0])) * np.eye(2)
        center, change = center + step, max(np.abs(step).max(), np.abs(new - cov).max())
        cov = new
        if not np.isfinite(cov).all() or cov.trace() > limit:
            break
        if change < 1e-7:
            return center, cov
    raise InputError(f"a PSF stamp of shape {image.shape} shows no single compact star: its moments do not converge")


def psf_fwhm(stamp: ArrayLike) -> float:
    """FWHM in pixels of the Gaussian with the stamp's adaptive moments: ``2.35 (Ixx Iyy - Ixy²)^¼``.

    The width includes the pixel.

    Parameters
    ----------
    stamp : array (y, x)
        PSF; its sum need not be 1.
    """
    m = psf_moments(stamp)
    return FWHM_PER_SIGMA * math.sqrt(math.sqrt(max(m.xx * m.yy - m.xy**2, 0.0)))


def validate_psf_stamp(stamp: ArrayLike, label: str = "PSF") -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Bring a PSF stamp into the form that :class:`ImagePsf` asks for, and say what was done.

    * Not finite: up to 1 % of the pixels, none of them within 3 px of the peak, become 0; more are refused.
    * Sum: within 2 % of 1 it is a unit PSF that was cut to a stamp, and is left alone; else it is divided by its sum.
    * Even sides, or a centre (adaptive moments) more than 0.1 px from the middle pixel: the stamp is cut anew around
      the pixel nearest to its centre and moved by the rest.
    * Edge above 1e-3 of the peak, or narrower than the model PSF: reported only.

    Parameters
    ----------
    stamp : array (y, x)
        At least 5 × 5 pixels; not changed.
    label : str
        How messages name the stamp, e.g. "band g: PSF".

    Returns
    -------
    array (y, x)
        Float64, odd sides.
    tuple of str
        One sentence for each thing that was repaired or looks wrong.

    Raises
    ------
    InputError
        If it is not 2-D, too small, has too many or too central non-finite pixels, a sum that is not positive, or
        no measurable centre.
    """
    pixels = np.array(stamp, dtype=np.float64)
    if pixels.ndim != 2 or min(pixels.shape) < 5:
        raise InputError(f"{label}: a stamp must be (y, x) with sides of at least 5 px, got shape {pixels.shape}")
    notes: list[str] = []
    _mend_nan(pixels, label, notes)
    total = float(pixels.sum())
    if total <= 0:
        raise InputError(f"{label}: the stamp sums to {total:.4g}; a PSF has a positive sum (1 for unit flux)")
    if abs(total - 1.0) > SUM_TOLERANCE:
        notes.append(f"{label}: the stamp sums to {total:.6g}, not 1; it was normalised to 1")
        pixels /= total
    pixels = _recenter(pixels, label, notes)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    edge = float(np.abs(border).max() / pixels.max())
    if edge > EDGE_TOLERANCE:
        notes.append(
            f"{label}: the stamp is cut off where the PSF is still {edge:.1e} of its peak (below {EDGE_TOLERANCE:.0e} "
            "is safe); rings may show around bright stars, a larger stamp avoids them"
        )
    return pixels, (*notes, *check_psf_width(pixels, label))


def check_psf_width(stamp: ArrayLike, label: str) -> tuple[str, ...]:
    """Return a warning if a stamp is under-sampled: with a FWHM below that of a Gaussian of 0.8 px sigma, 2 px.

    Parameters
    ----------
    stamp : array (y, x)
        PSF, pixel included.
    label : str
        How the message names it.
    """
    fwhm = psf_fwhm(stamp)
    limit = FWHM_PER_SIGMA * math.sqrt(MODEL_PSF_SIGMA**2 + 1.0 / 12.0)
    # 1 % narrower is the same Gaussian, measured on another sub-pixel position.
    if fwhm >= 0.99 * limit:
        return ()
    return (
        f"{label}: with a FWHM of {fwhm:.2f} px, below {limit:.2f} px, the image is under-sampled: models are made in "
        "a narrower resolution, and leave residuals where a source's centre is not that of the stamp",
    )


def _mend_nan(pixels: NDArray[np.float64], label: str, notes: list[str]) -> None:
    """Set a few non-finite wing pixels of ``pixels`` to 0, in place."""
    wrong = ~np.isfinite(pixels)
    n = int(wrong.sum())
    if n == 0:
        return
    if n == pixels.size:
        raise InputError(f"{label}: every pixel of the stamp is NaN or infinite")
    row, column = np.unravel_index(np.argmax(np.where(wrong, -np.inf, pixels)), pixels.shape)
    y, x = np.nonzero(wrong)
    if n > _NAN_LIMIT * pixels.size or (np.hypot(y - row, x - column) <= 3.0).any():
        raise InputError(
            f"{label}: {n} of {pixels.size} pixels of the stamp are NaN or infinite; at most 1 % can be set to 0, and "
            "none within 3 px of the peak"
        )
    pixels[wrong] = 0.0
    notes.append(f"{label}: {n} NaN or infinite pixels of the stamp were set to 0")


def _recenter(pixels: NDArray[np.float64], label: str, notes: list[str]) -> NDArray[np.float64]:
    """Stamp with odd sides whose middle pixel holds the centre, if it does not already."""
    try:
        moments = psf_moments(pixels)
    except InputError as error:
        raise InputError(f"{label}: {error}") from error
    sides = pixels.shape
    off = (moments.y - (sides[0] - 1) / 2, moments.x - (sides[1] - 1) / 2)
    even = sides[0] % 2 == 0 or sides[1] % 2 == 0
    if not even and math.hypot(*off) <= CENTER_TOLERANCE:
        return pixels
    middle = (math.floor(moments.y + 0.5), math.floor(moments.x + 0.5))
    odd = tuple(n - 1 + n % 2 for n in sides)
    cut = np.zeros(odd)
    rows, columns = (np.arange(n) - n // 2 + m for n, m in zip(odd, middle, strict=True))
    inside_y, inside_x = (rows >= 0) & (rows < sides[0]), (columns >= 0) & (columns < sides[1])
    cut[np.ix_(inside_y, inside_x)] = pixels[np.ix_(rows[inside_y], columns[inside_x])]
    reason = f"even sides {sides}, and " if even else ""
    notes.append(
        f"{label}: {reason}the centre lies ({off[0]:+.2f}, {off[1]:+.2f}) px (y, x) from the middle of the stamp; it "
        f"was moved there, in a stamp of {odd[0]} × {odd[1]} px"
    )
    return shift_stamp(cut, middle[0] - moments.y, middle[1] - moments.x)
