"""A coadd deconvolved to the resolution of one model PSF, in all bands."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from .._each import in_turn
from ..geometry import Box, Image
from .band_deconvolution import BandField, deconvolve_band
from .band_pixels import BandPixels
from .config import DeconvolveConfig
from .psfs import exposure_psfs
from .tile_psfs import tile_psfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .._each import Each
    from ..geometry import BoolArray, FloatArray, Parent
    from ..image import MultibandExposure
    from ..scarlet import PsfMatch
    from .psfs import BandPsfs

SPLINE = (6 / 16, 4 / 16, 1 / 16)
"""Half of the cubic B-spline of the starlet transform, from its middle on (Starck et al. 2007, IEEE TIP 16, 297)."""

__all__ = ["Deconvolved", "deconvolve_exposure", "detection_significance"]


@dataclass(frozen=True, slots=True, eq=False)
class Deconvolved:
    """A deconvolved exposure.

    Parameters
    ----------
    detect_image : Image
        Sum over bands (y, x), float32, image units, in the resolution of the model PSF; at least 0, and 0 outside the
        parents.
    significance : float32 array (y, x)
        Sum over bands of the same in units of ``noise_rms``.
    noise_rms : float array (band,)
        Standard deviation of a usable pixel of the image before deconvolution; NaN for a band that was left out.
    match : PsfMatch
        The model PSF, and how the kernels reproduce the PSFs.
    iterations : mapping of str to int
        Updates per band; 0 for a band that was left out.
    warnings : tuple of str
        Why a band was left out, or has the PSF of another place.
    """

    detect_image: Image
    significance: FloatArray
    noise_rms: FloatArray
    match: PsfMatch
    iterations: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def deconvolve_exposure(
    exposure: MultibandExposure,
    parents: Sequence[Parent],
    config: DeconvolveConfig = DeconvolveConfig(),  # noqa: B008 - frozen
    each: Each = in_turn,
) -> Deconvolved:
    """Deconvolve all bands to the resolution of one model PSF, within the parents' footprints.

    Each band in tiles (`deconvolve_band`), each with the PSF in its middle. One band after the other: in memory are
    a few planes of one band at a time, however many there are.

    Parameters
    ----------
    exposure : MultibandExposure
        A band without a PSF or without usable pixels is left out.
    parents : sequence of Parent
        Their peaks are where a PSF is looked for that does not exist in the middle of the image.
    config : DeconvolveConfig
    each : callable
        ``each(function, places, shared)`` gives ``function(shared, place)`` of every band's place, in their order;
        bands do not depend on each other.

    Returns
    -------
    Deconvolved
        Positivity keeps peaks of the noise, so it is biased high: for detection and first guesses only.
    """
    from ..scarlet import match_psfs  # noqa: PLC0415 - loads the compiler
    from ._deconvolution_kernels import add_members  # noqa: PLC0415 - loads the compiler

    psfs = exposure_psfs(exposure, [peak for parent in parents for peak in parent.footprint.peaks])
    match = match_psfs(psfs.stamps, sigma=config.model_psf_sigma, size=config.model_psf_size)
    wanted = _union(parents, exposure.box)
    if not config.use_footprints:
        wanted[:] = True
    total, significance = (np.zeros(exposure.box.shape, dtype=np.float32) for _ in range(2))
    noise = np.full(len(exposure.bands), np.nan)
    iterations = dict.fromkeys(exposure.bands, 0)
    bands = _Bands(exposure, psfs, match, wanted, config)
    for k, found in enumerate(each(_deconvolved, range(len(exposure.bands)), bands)):
        if found is not None:
            model, noise[k], iterations[exposure.bands[k]] = found
            add_members(wanted, model, np.float32(noise[k]), (total, significance))
    return Deconvolved(
        Image(total, exposure.box), significance, noise, match, MappingProxyType(iterations), psfs.warnings
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Bands:
    """What the deconvolutions of all bands share."""

    exposure: MultibandExposure
    psfs: BandPsfs
    match: PsfMatch
    wanted: BoolArray
    config: DeconvolveConfig


def _deconvolved(bands: _Bands, k: int) -> tuple[FloatArray, float, int] | None:
    """Model of band number ``k`` on the wanted pixels (n,), its noise, and the updates; None without PSF or data."""
    stamp = bands.psfs.stamp(k)
    if stamp is None:
        return None
    field = _field(bands.exposure, k, (stamp, bands.match), bands.wanted, bands.config)
    noise = _noise_rms(field)
    if not np.isfinite(noise):
        return None
    model, iterations = deconvolve_band(field, bands.config)
    return model[bands.wanted], noise, iterations


def _field(
    exposure: MultibandExposure,
    k: int,
    match: tuple[FloatArray, PsfMatch],
    wanted: BoolArray,
    config: DeconvolveConfig,
) -> BandField:
    """Band number ``k`` with the kernels of its tiles, made as those of the PSF in the middle, which goes with them."""
    from ..scarlet import matched_kernels  # noqa: PLC0415 - loads the compiler

    middle, made = match
    local = tile_psfs(exposure.psfs[k], middle, exposure.box.shape, config.tile_size, config.psf_tolerance)
    stamps = {
        id(psf): matched_kernels(
            psf[None].astype(np.float32), sigma=made.sigma, floor=made.floor, size=config.model_psf_size
        ).stamps[0]
        for psf in (local.middle, *local.others.values())
    }
    return BandField(BandPixels.of_exposure(exposure, k, local), stamps, wanted, config.tile_size)


def _union(parents: Iterable[Parent], box: Box) -> BoolArray:
    """Pixels (y, x) on ``box`` of all parents' footprints."""
    mask = np.zeros(box.shape, dtype=bool)
    for parent in parents:
        here, there = parent.footprint.box.overlap_slices(box)
        mask[there] |= parent.footprint.mask[here]
    return mask


def _noise_rms(field: BandField) -> float:
    """Median standard deviation of a usable pixel; NaN if there is none."""
    values = field.pixels.variance[~field.unusable]
    return float(np.sqrt(np.median(values, overwrite_input=True))) if values.size else float("nan")


def detection_significance(deconvolved: Deconvolved) -> NDArray[np.float32]:
    """Sum over bands of deconvolved image / noise, smoothed and freed of what is not significant.

    Of its one-scale starlet transform the fine plane is dropped; the smooth plane is kept where it exceeds three times
    its own noise, which is found by clipping (Starck & Murtagh 1998, PASP 110, 193), and transformed back.

    Parameters
    ----------
    deconvolved : Deconvolved

    Returns
    -------
    float32 array (y, x)
        In units of the noise of one band.
    """
    from ._smoothing_kernels import clear_within  # noqa: PLC0415 - loads the compiler

    smooth = _smoothed(deconvolved.significance)
    clear_within(smooth, np.float32(3 * _clipped_noise(smooth)))
    return _smoothed(smooth)


def _smoothed(image: FloatArray) -> NDArray[np.float32]:
    """Smooth plane of a one-scale starlet transform (y, x): the image convolved with a cubic spline, 0 outside."""
    from ._smoothing_kernels import smoothed  # noqa: PLC0415 - loads the compiler

    plane = np.asarray(image, dtype=np.float32)
    out = np.empty_like(plane)
    smoothed(plane, SPLINE, out)
    return out


def _clipped_noise(plane: NDArray[np.float32], sigma: float = 1.0) -> float:
    """Return the standard deviation of the pixels within 3σ: refined from ``sigma`` until it changes by < 10 %."""
    from ._smoothing_kernels import nonzero_values, sums_within  # noqa: PLC0415 - loads the compiler

    size, values = max(plane.size, 1), nonzero_values(plane)
    for _ in range(20):
        first, second = sums_within(values, 3 * sigma)
        # What is 0, as between parents, or lies beyond, adds nothing to the sums.
        refined = float(np.sqrt(max(second / size - (first / size) ** 2, 0.0)))
        if refined == 0 or abs(refined - sigma) < 0.1 * sigma:
            break
        sigma = refined
    return sigma
