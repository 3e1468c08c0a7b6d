"""Parents split on their deconvolved image: what overlaps only through the seeing need not be fitted together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..exceptions import InputError
from ..geometry import Box, Footprint, Image
from .config import DeconvolveConfig
from .dilation import dilate_disc
from .mend import mend
from .psfs import exposure_psfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, Parent
    from ..image import MultibandExposure
    from ..scarlet import PsfMatch
    from .config import HierarchyConfig

__all__ = ["Deconvolved", "deconvolve_exposure", "detection_significance", "split_parents"]


@dataclass(frozen=True, slots=True, eq=False)
class Deconvolved:
    """A deconvolved exposure.

    Parameters
    ----------
    detect_image : Image
        Sum over bands (y, x), float32, image units, in the resolution of the model PSF; at least 0, and 0 outside the
        parents.
    cube : float32 array (band, y, x)
        Its terms; zeros for a band that could not be deconvolved.
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
    cube: FloatArray
    noise_rms: FloatArray
    match: PsfMatch
    iterations: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def deconvolve_exposure(
    exposure: MultibandExposure,
    parents: Sequence[Parent],
    config: DeconvolveConfig = DeconvolveConfig(),  # noqa: B008 - frozen
) -> Deconvolved:
    """Deconvolve all bands to the resolution of one model PSF, within the parents' footprints.

    Parameters
    ----------
    exposure : MultibandExposure
        Each band's PSF is taken at the middle of the image.  A band without a PSF or without usable pixels is left out.
        Unusable pixels are replaced by the mean of their neighbourhood (`mend`): the iteration knows no weights.
    parents : sequence of Parent
    config : DeconvolveConfig

    Returns
    -------
    Deconvolved
        Positivity keeps peaks of the noise, so it is biased high: for detection and first guesses only.
    """
    from ..scarlet import deconvolve, match_psfs, matched_kernels  # noqa: PLC0415 - loads the compiler

    psfs, noise, bad = exposure_psfs(exposure), exposure.noise_rms, exposure.bad
    size = config.model_psf_size
    match = match_psfs(psfs.stamps, sigma=config.model_psf_sigma, size=size)
    mask = _union(parents, exposure.box)
    cube = np.zeros(exposure.images.shape, dtype=np.float32)
    iterations = dict.fromkeys(exposure.bands, 0)
    for k, band in enumerate(exposure.bands):
        stamp = psfs.stamp(k)
        if stamp is None or not np.isfinite(noise[k]):
            noise[k] = np.nan
            continue
        image = mend(exposure.images[k], bad[k], stamp)
        kernels = matched_kernels(stamp[None], sigma=match.sigma, floor=match.floor, size=size)
        result = deconvolve(image[None], noise[k : k + 1], kernels, mask=mask, config=config)
        cube[k] = result.images[0]
        iterations[band] = result.iterations[0]
    # Not even the first update may leave flux outside the parents: with max_iter = 0 there is none.
    cube *= mask
    detect_image = Image(cube.sum(axis=0), exposure.box)
    return Deconvolved(detect_image, cube, noise, match, MappingProxyType(iterations), psfs.warnings)


def _union(parents: Iterable[Parent], box: Box) -> BoolArray:
    """Pixels (y, x) on ``box`` of all parents' footprints."""
    mask = np.zeros(box.shape, dtype=bool)
    for parent in parents:
        here, there = parent.footprint.box.overlap_slices(box)
        mask[there] |= parent.footprint.mask[here]
    return mask


def detection_significance(deconvolved: Deconvolved) -> NDArray[np.float64]:
    """Sum over bands of deconvolved image / noise, smoothed and freed of what is not significant.

    Of its one-scale starlet transform the fine plane is dropped; the smooth plane is kept where it exceeds three times
    its own noise, which is found by clipping (Starck & Murtagh 1998, PASP 110, 193), and transformed back.

    Parameters
    ----------
    deconvolved : Deconvolved

    Returns
    -------
    float64 array (y, x)
        In units of the noise of one band.
    """
    from ..scarlet import starlet_inverse, starlet_transform  # noqa: PLC0415 - keeps the engine out of plain detection

    total = np.zeros(deconvolved.cube.shape[1:])
    for plane, noise in zip(deconvolved.cube, deconvolved.noise_rms, strict=True):
        if np.isfinite(noise) and noise > 0:
            total += plane / float(noise)
    planes = starlet_transform(total, 1)
    smooth = np.where(_significant(planes[-1]), planes[-1], 0)
    return np.asarray(starlet_inverse(np.stack([*np.zeros_like(planes[:-1]), smooth])), dtype=np.float64)


def _significant(plane: FloatArray, sigma: float = 1.0) -> BoolArray:
    """Pixels (y, x) beyond 3σ, with σ that of the other pixels: refined from ``sigma`` until it changes by < 10 %."""
    for _ in range(20):
        significant = np.abs(plane) > 3 * sigma
        refined = float(np.where(significant, 0, plane).std())
        if refined == 0 or abs(refined - sigma) < 0.1 * sigma:
            break
        sigma = refined
    return np.asarray(significant)


def split_parents(parents: Sequence[Parent], deconvolved: Deconvolved, config: HierarchyConfig) -> tuple[Parent, ...]:
    """Split parents into blends: pieces of the deconvolved image that do not touch.

    Islands above the threshold, and every peak's pixel, grow by a disc and are cut at the parent's footprint; what is
    connected then (4-connectivity) and holds a peak is a blend.

    Parameters
    ----------
    parents : sequence of Parent
    deconvolved : Deconvolved
        Of the exposure in which the parents were found.
    config : HierarchyConfig

    Returns
    -------
    tuple of Parent
        The same parents with ``detect_image``, and with ``blends`` where there is more than one peak; each peak is in
        exactly one blend, and blends are in the order of their first peaks.

    Raises
    ------
    InputError
        If a peak lies outside its parent's bounding box.
    """
    frame = deconvolved.detect_image.box
    labels, count = ndimage.label(detection_significance(deconvolved) > config.threshold)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= config.min_area
    large[0] = False
    islands = large[labels]
    for parent in parents:
        for peak in parent.footprint.peaks:
            if not parent.footprint.box.contains(peak.y, peak.x):
                raise InputError(f"peak {peak.id} at (y, x) = {peak.y, peak.x} is outside parent {parent.id}")
            if frame.contains(peak.y, peak.x):
                islands[peak.y - frame.origin[0], peak.x - frame.origin[1]] = True
    grown = Footprint(frame, dilate_disc(islands, config.grow))
    return tuple(
        replace(
            parent,
            blends=_blends(parent, grown) if len(parent.footprint.peaks) > 1 else (),
            detect_image=deconvolved.detect_image.project(parent.footprint.box),
            detect_sigma=deconvolved.match.sigma,
        )
        for parent in parents
    )


def _blends(parent: Parent, grown: Footprint) -> tuple[Footprint, ...]:
    """Return the connected pieces of ``grown`` within the parent that hold a peak."""
    footprint = parent.footprint
    y0, x0 = footprint.box.origin
    # `grown` may cover a whole patch: only the parent's part of it is looked at.
    member = footprint.mask & grown.on(footprint.box)
    for peak in footprint.peaks:
        member[peak.y - y0, peak.x - x0] = True
    labels = ndimage.label(member)[0]
    order: dict[int, list[int]] = {}
    for k, peak in enumerate(footprint.peaks):
        order.setdefault(int(labels[peak.y - y0, peak.x - x0]), []).append(k)
    return tuple(
        Footprint.from_mask(labels == label, (y0, x0), tuple(footprint.peaks[k] for k in index))
        for label, index in order.items()
    )
