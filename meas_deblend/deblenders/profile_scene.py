"""From the exposure's frame to the arrays of the joint profile fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .failed import parent_without_models
from .kernels import kernels_for
from .psfs import parent_psfs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..detect import BandPsfs
    from ..geometry import Box, Parent, Peak
    from ..image import MultibandExposure
    from ..models import ParentModel
    from ..profiles import Calibration, Positions, PsfTransforms
    from ..profiles.config import ProfileFitConfig
    from ..scarlet import Kernels
    from .profile_options import JointProfilesOptions

__all__ = ["Ready", "calibration_of", "positions_of", "prepare"]


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A parent that can be fitted.

    Parameters
    ----------
    parent : Parent
    psfs : BandPsfs
    kernels : Kernels
        Of the bands with a PSF: the model PSF and the floor are kept with the model.
    peaks : tuple of Peak
        Those with a pixel of the image.
    """

    parent: Parent
    psfs: BandPsfs
    kernels: Kernels
    peaks: tuple[Peak, ...]


def prepare(
    exposure: MultibandExposure, parent: Parent, options: JointProfilesOptions, usable: NDArray[np.bool_], box: Box
) -> Ready | ParentModel:
    """Find PSFs and kernels, or say why the parent cannot be fitted."""
    psfs = parent_psfs(exposure, parent, options.psf_tolerance)
    if not psfs.known.any():
        why = f"no band has a PSF: {'; '.join(psfs.warnings)}"
        return parent_without_models(exposure, parent, options.deblender, why, "no_psf")
    usable_here = np.logical_and(usable[psfs.known], parent.footprint.on(box))
    if not usable_here.any():
        why = "no pixel of the parent is usable in a band with a PSF"
        return parent_without_models(exposure, parent, options.deblender, why, "no_data")
    kernels = kernels_for(
        psfs.stamps[psfs.known], options.model_psf_sigma, options.kernel_floor, options.model_psf_size
    )
    peaks = tuple(peak for peak in parent.footprint.peaks if np.isfinite(peak.center).all())
    return Ready(parent, psfs, kernels, peaks)


def positions_of(ready: Sequence[Ready], box: Box, config: ProfileFitConfig) -> Positions:
    """Positions in the arrays (y, x) of a box, with PSFs, of all peaks that can be fitted, parent by parent."""
    from ..profiles import Positions, PsfTransforms  # noqa: PLC0415 - loads the compiler

    kept: dict[bytes, PsfTransforms] = {}
    centers, widths, psfs = [], [], []
    for one in ready:
        key = one.psfs.stamps.tobytes()
        if key not in kept:
            kept[key] = PsfTransforms.of(np.where(one.psfs.known[:, None, None], one.psfs.stamps, 0))
        for peak in one.peaks:
            centers.append(np.subtract(peak.center, box.origin))
            # A position between pixels was measured, or given by somebody who knew it.
            between = any(not float(c).is_integer() for c in peak.center)
            exact = between and peak.position is not None and not np.isfinite(peak.value)
            widths.append(config.given_center_width if exact else config.peak_center_width)
            psfs.append(kept[key])
    return Positions(np.array(centers, dtype=np.float64).reshape(-1, 2), np.array(widths), tuple(psfs))


def calibration_of(exposure: MultibandExposure, config: ProfileFitConfig, weights: NDArray[np.floating]) -> Calibration:
    """Units of the priors; the band of sizes is the deepest one if the one asked for is not there."""
    from ..profiles import Calibration  # noqa: PLC0415 - loads the compiler

    priors, present = config.priors, np.asarray(weights.any(axis=(1, 2)))
    band = exposure.bands.index(priors.size_band) if priors.size_band in exposure.bands else -1
    if band < 0 or not present[band]:
        band = int(np.argmax(weights.sum(axis=(1, 2))))
    zeropoint = exposure.zeropoints[band] if exposure.zeropoints[band] is not None else priors.zeropoint
    scale = exposure.pixel_scale if exposure.pixel_scale is not None else priors.pixel_scale
    return Calibration(band, zeropoint, scale)
