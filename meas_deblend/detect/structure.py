"""Peaks that are the structure of one large source: spiral arms, clumps, noise on bright extended light."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from .._each import in_turn
from ..geometry import Box
from .psfs import exposure_psfs
from .significance import FWHM_PER_SIGMA, psf_sigma
from .smooth_model import SmoothModel, Stamp, smooth_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .._each import Each
    from ..geometry import FloatArray, Parent, Peak
    from ..image import MultibandExposure
    from .config import StructureConfig
    from .merge import Detections

__all__ = ["MergedPeak", "Structure", "find_structure", "merge_structure", "structure_of"]

FIRST_REACH, LARGEST_REACH = 6.0, 48.0
"""Half sides of the stamps, in FWHM of the PSF, on which a source is modelled: doubled until it is small on one."""
ROOM = 4.0
"""Half sides over half-light radii of a stamp that is large enough."""
CORE = 0.75
"""Radius in FWHM of the disc in which a peak's light is compared with the model."""


@dataclass(frozen=True, slots=True)
class Structure:
    """How a peak relates to the smooth light of a large source that it lies on.

    Parameters
    ----------
    contrast : float
        Light above the smooth model over the model, both weighted with the PSF at the peak, all bands together.
    chi2 : float
        Reduced χ² of that light's having the colour of the model; 0 with a single band.
    distance : float
        Of the peak from the source's, along the isophotes, in half-light radii.
    """

    contrast: float
    chi2: float
    distance: float


@dataclass(frozen=True, slots=True)
class MergedPeak:
    """A peak that became part of another.

    Parameters
    ----------
    parent : int
        Identifier of the parent of both.
    peak : Peak
        As it was detected.
    into : Peak
        That of the large source, as it was detected; None if its object was dropped by hand.
    structure : Structure
        Why.
    """

    parent: int
    peak: Peak
    into: Peak | None
    structure: Structure


def find_structure(
    exposure: MultibandExposure,
    parents: Sequence[Parent],
    config: StructureConfig,
    each: Each = in_turn,
) -> tuple[MergedPeak, ...]:
    """Find the peaks that are parts of large sources.

    The peaks of a parent are gone through from the highest. One that is significant and has a smooth model
    (`smooth_model`) with a half-light radius of ``config.min_radius`` takes in each lower peak that is near enough,
    stands out from the model by no more than galaxies are structured, and has the colour of the model. The light of
    large sources that were found before is taken off.

    Parameters
    ----------
    exposure : MultibandExposure
    parents : sequence of Parent
        With peaks in order, as detected.
    config : StructureConfig
    each : callable
        Does places in ``parents`` one after the other or several at a time; parents do not depend on each other.

    Returns
    -------
    tuple of MergedPeak
        By parent, in the order of its peaks.
    """
    psfs = exposure_psfs(exposure, [peak for parent in parents for peak in parent.footprint.peaks])
    known = [k for k in range(len(exposure.bands)) if psfs.stamp(k) is not None]
    if not config.enabled or not known:
        return ()
    kernels = tuple(np.asarray(psfs.stamps[k], dtype=np.float64) for k in known)
    fwhm = FWHM_PER_SIGMA * max(psf_sigma(psf) for psf in kernels)
    survey = _Survey(exposure, tuple(known), _cores(kernels, fwhm), fwhm, config)
    places = [n for n, parent in enumerate(parents) if _may_have_structure(parent, config)]
    return tuple(one for found in each(_pieces, places, (survey, parents)) for one in found)


def _may_have_structure(parent: Parent, config: StructureConfig) -> bool:
    """Whether a parent has a peak that may take in one behind it."""
    # Given positions have no value.
    return any(peak.value >= config.min_significance for peak in parent.footprint.peaks[:-1])


def merge_structure(detections: Detections, merged: Sequence[MergedPeak]) -> Detections:
    """Take merged peaks out of the parents, and list them.

    Parameters
    ----------
    detections : Detections
    merged : sequence of MergedPeak

    Returns
    -------
    Detections
        The same parents; peaks are numbered anew, in their order. A peak that takes in others has the bands of all.
    """
    of_parent: dict[int, list[MergedPeak]] = {}
    for one in merged:
        of_parent.setdefault(one.parent, []).append(one)
    parents = tuple(
        replace(p, footprint=p.footprint.with_peaks(_kept(p.footprint.peaks, of_parent[p.id])))
        if p.id in of_parent
        else p
        for p in detections.parents
    )
    return replace(detections, parents=parents, merged=(*detections.merged, *merged))


def _kept(peaks: tuple[Peak, ...], merged: Sequence[MergedPeak]) -> tuple[Peak, ...]:
    gone = {one.peak.id for one in merged}
    order = dict.fromkeys(band for peak in sorted(peaks, key=lambda p: -len(p.bands)) for band in peak.bands)
    seen = {peak.id: set(peak.bands) for peak in peaks}
    for one in merged:
        if one.into is not None:
            seen[one.into.id] |= set(one.peak.bands)
    kept = (
        replace(peak, bands=tuple(band for band in order if band in seen[peak.id]))
        for peak in peaks
        if peak.id not in gone
    )
    return tuple(replace(peak, id=n) for n, peak in enumerate(kept))


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """What the search in all parents shares: bands with a PSF, its cores (n, n), and the FWHM of the broadest [px]."""

    exposure: MultibandExposure
    bands: tuple[int, ...]
    cores: tuple[NDArray[np.float64], ...]
    fwhm: float
    config: StructureConfig

    def pieces(self, parent: Parent) -> list[MergedPeak]:
        """Peaks of one parent that are parts of others."""
        peaks, config, fwhm = parent.footprint.peaks, self.config, self.fwhm
        tree = cKDTree([peak.center for peak in peaks])
        larger: list[tuple[Box, FloatArray]] = []
        found: dict[int, MergedPeak] = {}
        for k, host in enumerate(peaks):
            if k in found or not host.value >= config.min_significance:
                continue
            near = [n for n in tree.query_ball_point(host.center, LARGEST_REACH * fwhm) if n > k and n not in found]
            if not near:
                continue
            model = self._model(host, larger)
            if model is None or model.half_light < config.min_radius * fwhm:
                continue
            for n in near:
                how = structure_of(model.stamp, model, self.cores, peaks[n], config.color_scatter)
                if how is not None and self._is_part(how):
                    found[n] = MergedPeak(parent.id, peaks[n], host, how)
            larger.append((model.stamp.box, model.images))
        return [found[n] for n in sorted(found)]

    def _is_part(self, how: Structure) -> bool:
        limits = self.config
        near = how.distance <= limits.max_distance
        return near and how.contrast <= limits.max_contrast and how.chi2 <= limits.max_color_chi2

    def _model(self, host: Peak, larger: Sequence[tuple[Box, FloatArray]]) -> SmoothModel | None:
        """Model a source on the smallest stamp that is large enough."""
        reach = FIRST_REACH
        while reach <= LARGEST_REACH:
            half = int(reach * self.fwhm)
            model = smooth_model(self._stamp(host, half, larger))
            if model is not None and ROOM * model.half_light <= half:
                return model
            reach *= 2
        return None

    def _stamp(self, host: Peak, half: int, larger: Sequence[tuple[Box, FloatArray]]) -> Stamp:
        exposure = self.exposure
        box = Box((host.y - half, host.x - half), (2 * half + 1, 2 * half + 1)) & exposure.box
        rows, columns = box.slices_in(exposure.box)
        part = (list(self.bands), rows, columns)
        image, variance = exposure.images[part], exposure.variance[part]
        usable = np.isfinite(image) & np.isfinite(variance) & (variance > 0)
        usable &= ~exposure.mask_planes.any_set(exposure.mask[part])
        images: NDArray[np.float64] = np.where(usable, image, 0).astype(np.float64)
        for where, light in larger:
            here, there = where.overlap_slices(box)
            images[(slice(None), *there)] -= np.asarray(light[(slice(None), *here)], dtype=np.float64)
        return Stamp(box, images, np.where(usable, variance, 1).astype(np.float64), usable, (host.y, host.x))


def _pieces(shared: tuple[_Survey, Sequence[Parent]], n: int) -> list[MergedPeak]:
    """Peaks of the n-th parent that are parts of others."""
    survey, parents = shared
    return survey.pieces(parents[n])


def _cores(psfs: Sequence[NDArray[np.float64]], fwhm: float) -> tuple[NDArray[np.float64], ...]:
    """Cores (n, n) of PSFs (h, w)."""
    n = max(int(CORE * fwhm), 1)
    offset = np.arange(-n, n + 1)
    disc = offset[:, None] ** 2 + offset**2 <= n**2
    cores = []
    for psf in psfs:
        core = np.zeros(disc.shape)
        y, x = psf.shape[0] // 2, psf.shape[1] // 2
        m = min(n, y, x)
        core[n - m : n + m + 1, n - m : n + m + 1] = psf[y - m : y + m + 1, x - m : x + m + 1]
        cores.append(core * disc)
    return tuple(cores)


def structure_of(
    stamp: Stamp, model: SmoothModel, cores: Sequence[FloatArray], peak: Peak, color_scatter: float
) -> Structure | None:
    """Compare the light at a peak with the smooth model of another source.

    With ``D`` and ``S`` the PSF-weighted data above the model, and the model, in each band, the contrast is the α that
    fits ``D = α S``, by weighted least squares; in the χ² of the fit the variance of a band is that of the noise plus
    ``(color_scatter α S)²``, as parts of a galaxy have not all the same colour.

    Parameters
    ----------
    stamp : Stamp
    model : SmoothModel
        On that stamp.
    cores : sequence of array (n, n)
        Cores of the bands' PSFs on odd sides.
    peak : Peak
    color_scatter : float

    Returns
    -------
    Structure or None
        None if the peak lies off the stamp, on unusable pixels, or where the model is 0.
    """
    n = cores[0].shape[0] // 2
    y, x = peak.y - stamp.box.origin[0], peak.x - stamp.box.origin[1]
    height, width = stamp.box.shape
    if not (n <= y < height - n and n <= x < width - n):
        return None
    here = slice(y - n, y + n + 1), slice(x - n, x + n + 1)
    rows = [
        _weighted(core * stamp.usable[k][here], stamp.images[k][here], model.images[k][here], stamp.variance[k][here])
        for k, core in enumerate(cores)
        if (core * stamp.usable[k][here]).any()
    ]
    if not rows:
        return None
    above, smooth, noise2 = np.array(rows).T
    contrast = _scale(above, smooth, noise2)
    if contrast is None:
        return None
    scatter2 = noise2 + (color_scatter * contrast * smooth) ** 2
    scale = _scale(above, smooth, scatter2)
    chi2 = float(((above - (scale or 0.0) * smooth) ** 2 / scatter2).sum() / max(len(rows) - 1, 1))
    return Structure(contrast, chi2 if len(rows) > 1 else 0.0, float(model.radius[y, x] / model.half_light))


def _weighted(core: FloatArray, image: FloatArray, model: FloatArray, variance: FloatArray) -> tuple[float, ...]:
    """Weighted means of image − model and of the model, and the variance of the former."""
    total = float(core.sum())
    above, smooth = float((core * (image - model)).sum()) / total, float((core * model).sum()) / total
    return above, smooth, float((core**2 * variance).sum()) / total**2


def _scale(above: FloatArray, smooth: FloatArray, variance: FloatArray) -> float | None:
    norm = float((smooth**2 / variance).sum())
    return float((above * smooth / variance).sum()) / norm if norm > 0 else None
