"""Which parents the single-band deblender does not touch: too big, too long, too damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..geometry import Footprint
    from ..image import MultibandExposure
    from ..sdss.config import SingleBandConfig

__all__ = ["axis_ratio", "masked_bands", "size_exceeded"]


def size_exceeded(footprint: Footprint, config: SingleBandConfig) -> str:
    """Tell which limit on its size or shape a parent exceeds.

    Parameters
    ----------
    footprint : Footprint
    config : SingleBandConfig

    Returns
    -------
    str
        The number and its limit; "" if it is within all of them.
    """
    sizes = (
        (footprint.area, config.max_footprint_area, "an area of {} pixels"),
        (max(footprint.box.shape), config.max_footprint_size, "a side of {} pixels"),
    )
    for value, limit, what in sizes:
        if 0 < limit < value:
            return f"{what.format(value)} exceeds the limit of {limit}"
    ratio = axis_ratio(footprint) if config.min_footprint_axis_ratio > 0 else 1.0
    if ratio < config.min_footprint_axis_ratio:
        return f"an axis ratio of {ratio:.3f} is below the limit of {config.min_footprint_axis_ratio:g}"
    return ""


def axis_ratio(footprint: Footprint) -> float:
    """Minor over major axis of the ellipse with the second moments of the footprint's pixels.

    Each pixel counts as a square, so that a row of n pixels has 1/n.
    """
    rows, columns = np.nonzero(footprint.mask)
    covariance = np.cov(np.stack([rows, columns]), bias=True) + np.eye(2) / 12
    small, large = np.linalg.eigvalsh(covariance)
    return float(np.sqrt(small / large))


def masked_bands(exposure: MultibandExposure, footprint: Footprint, config: SingleBandConfig) -> dict[int, str]:
    """Bands in which too large a fraction of a parent has a mask plane set.

    Parameters
    ----------
    exposure : MultibandExposure
        Planes that it lacks are set nowhere.
    footprint : Footprint
    config : SingleBandConfig

    Returns
    -------
    dict of int to str
        By index of the band: the plane, its fraction and the limit.
    """
    cut = footprint.box.slices_in(exposure.box)
    found: dict[int, str] = {}
    for plane, most in config.mask_limits.items():
        if plane not in exposure.mask_planes.bits:
            continue
        for k, mask in enumerate(exposure.mask):
            fraction = float(np.mean(exposure.mask_planes.any_set(mask[cut], (plane,))[footprint.mask]))
            if fraction > most:
                found.setdefault(k, f"{plane} is set on {fraction:.3f} of the pixels, more than the limit of {most:g}")
    return found
