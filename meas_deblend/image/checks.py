"""What is looked at before an exposure is used: each finding says by how much, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._each import in_turn
from ..exceptions import InputError
from .background import SkyStatistics, measure_sky
from .exposure import unusable
from .survey import SanityLimits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._each import Each
    from ..geometry import BoolArray, FloatArray
    from .exposure import MultibandExposure

__all__ = ["check_exposure", "check_image", "check_noise_scale", "check_sky_level", "usable_variance"]

# Below this many sky pixels, or this share of the image, what looks like sky is too much the wings of sources.
_FEWEST = 400
_SMALLEST_SHARE = 0.5

# So many pixels tell level and scatter to a few thousandths of σ, even where a third of them is sky and neighbours are
# correlated.
_ENOUGH = 1_000_000
# Rows of a strip, and of those at each of its ends that only show which sources are near: half a smoothing box, and
# what is grown around it.
_STRIP = 64
_MARGIN = 6


def check_image(image: FloatArray, label: str) -> None:
    """Refuse an image (y, x) without a single finite pixel.

    Raises
    ------
    InputError
        If every pixel is NaN or infinite.
    """
    if not np.isfinite(image).any():
        raise InputError(f"{label}: every pixel of the image is NaN or infinite; leave this band out")


def usable_variance(variance: FloatArray, label: str) -> tuple[FloatArray, tuple[str, ...]]:
    """Variance plane in which pixels that are zero or negative are NaN: no data.

    Parameters
    ----------
    variance : array (y, x)
        In squared image units; not changed.
    label : str
        How messages name the plane.

    Returns
    -------
    array (y, x)
        The same, or a repaired copy.
    tuple of str
        How many pixels were repaired, if any.

    Raises
    ------
    InputError
        If no pixel has a finite, positive variance.
    """
    if 0 < variance.min(initial=np.inf) < np.inf:
        # The usual plane: no NaN either, which would be the smallest.
        return variance, ()
    finite = np.isfinite(variance)
    if not finite.any():
        raise InputError(f"{label}: every pixel of the variance is NaN or infinite")
    wrong = variance <= 0
    n = int(np.count_nonzero(wrong))
    if not (finite & ~wrong).any():
        raise InputError(f"{label}: no pixel has a positive variance; its largest is {np.nanmax(variance):.4g}")
    if n == 0:
        return variance, ()
    note = f"{label}: {n} of {variance.size} pixels have a variance of zero or less; they count as pixels without data"
    return np.where(wrong, np.array(np.nan, dtype=variance.dtype), variance), (note,)


def check_noise_scale(
    claimed: float, sky: SkyStatistics, label: str, limits: SanityLimits | None = None
) -> tuple[str, ...]:
    """Compare the scatter of the sky with the variance plane.

    Parameters
    ----------
    claimed : float
        Median of the variance plane over the sky pixels, squared image units.
    sky : SkyStatistics
        Sky of the image.
    label : str
        How the message names the band.
    limits : SanityLimits, optional
        Allowed range of the ratio.

    Returns
    -------
    tuple of str
        A sentence with the factor if it is out of range; it names the likely mix-up (standard deviation or weight
        given as a variance).  Nothing if fewer than 400 pixels show the sky.
    """
    low, high = (limits or SanityLimits()).sky_chi2
    if sky.n < _FEWEST:
        return ()
    measured = sky.sigma**2
    ratio = measured / claimed
    if low <= ratio <= high:
        return ()
    hint = "check its units and its scaling"
    if low <= measured / claimed**2 <= high:
        hint = "it looks like a standard deviation: give it as sigma=FILE"
    elif low <= measured * claimed <= high:
        hint = "it looks like an inverse variance: give it as weight=FILE"
    return (
        f"{label}: the variance of the sky is {ratio:.3g} times what the variance plane says (expected {low:g} … "
        f"{high:g}; sky {measured:.4g}, plane {claimed:.4g}): {hint}",
    )


def check_sky_level(
    claimed: float, sky: SkyStatistics, label: str, limits: SanityLimits | None = None
) -> tuple[str, ...]:
    """Look for a background that was left in, or subtracted too much.

    Where less than half of the image shows sky, wings of sources raise what is left of it, and only a level above 3 σ
    is reported.

    Parameters
    ----------
    claimed : float
        Median of the variance plane over the sky pixels, squared image units.
    sky : SkyStatistics
        Sky of the image.
    label : str
        How the message names the band.
    limits : SanityLimits, optional
        Largest level that is not reported.
    """
    if sky.n == 0:
        return ()
    offset = sky.level / np.sqrt(claimed)
    crowded = sky.n < _FEWEST or sky.fraction < _SMALLEST_SHARE
    # The median of n pixels is uncertain by 1.25 σ/√n; correlated noise doubles that easily.
    limit = 3.0 if crowded else max((limits or SanityLimits()).sky_offset, 6.0 / np.sqrt(sky.n))
    if abs(offset) <= limit:
        return ()
    return (
        f"{label}: the sky lies at {sky.level:.4g}, {offset:+.2f} σ of a pixel from 0 (up to {limit:.2g} σ is usual): "
        "subtract the background, or read with background='subtract' (command line: --background subtract)",
    )


def check_exposure(
    exposure: MultibandExposure, limits: SanityLimits | None = None, each: Each = in_turn
) -> tuple[str, ...]:
    """Look at noise and sky level of every band; for exposures made of arrays as well as for those read from files.

    Of bands of more than a million pixels about as many are looked at, in evenly spaced strips of rows.

    Parameters
    ----------
    exposure : MultibandExposure
        Looked at, not changed.
    limits : SanityLimits, optional
        When a finding is reported.
    each : callable
        Does bands one after the other or several at a time.

    Returns
    -------
    tuple of str
        Findings, bands in order; none if all is well.

    Raises
    ------
    InputError
        If a band has no finite pixel.
    """
    found = each(_check_band, range(len(exposure.bands)), (exposure, limits))
    return tuple(note for notes in found for note in notes)


def _check_band(shared: tuple[MultibandExposure, SanityLimits | None], k: int) -> tuple[str, ...]:
    """Return the findings about band number ``k``."""
    exposure, limits = shared
    label = f"band {exposure.bands[k]}"
    check_image(exposure.images[k], label)
    sky, claimed = _sky_of_band(exposure, k)
    if sky is None:
        return (f"{label}: no pixel is usable: all are masked, or without data or variance",)
    return (*check_noise_scale(claimed, sky, label, limits), *check_sky_level(claimed, sky, label, limits))


def _sky_of_band(exposure: MultibandExposure, k: int) -> tuple[SkyStatistics | None, float]:
    """Sky of band number ``k``, None without a usable pixel, and the median variance of its pixels.

    Of a large image, strips of its rows are looked at, unless they show too little.
    """
    rows = _strips(exposure.images.shape[1:])
    if rows is not None:
        piece = _piece(exposure, k, rows)
        sky = measure_sky(piece.image, piece.bad, _MARGIN)
        if sky.n >= _FEWEST:
            return sky, float(np.median(piece.variance[sky.pixels]))
    piece = _piece(exposure, k, slice(None))
    if piece.bad.all():
        return None, np.nan
    sky = measure_sky(piece.image, piece.bad)
    return sky, float(np.median(piece.variance[sky.pixels])) if sky.n else np.nan


def _strips(shape: tuple[int, ...]) -> NDArray[np.intp] | None:
    """Rows (strip, row) of evenly spaced strips of an image that hold enough pixels; None if that is almost all."""
    height, width = shape
    n = max(_ENOUGH // (_STRIP * width), 1)
    if height * width <= _ENOUGH or n * _STRIP >= height:
        return None
    first = ((np.arange(n) + 0.5) * height / n - _STRIP / 2).astype(np.intp)
    return first[:, None] + np.arange(_STRIP)


class _Piece(NamedTuple):
    """Pixels of a band, (y, x) or (strip, y, x)."""

    image: FloatArray
    variance: FloatArray
    bad: BoolArray


def _piece(exposure: MultibandExposure, k: int, rows: slice | NDArray[np.intp]) -> _Piece:
    image, variance, mask = exposure.images[k][rows], exposure.variance[k][rows], exposure.mask[k][rows]
    return _Piece(image, variance, unusable(image, variance, exposure.mask_planes.any_set(mask)))
