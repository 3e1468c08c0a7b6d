"""Templates of a parent's peaks from each band on its own: a deblender, and what the joint fit falls back on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._interrupt import raise_interrupt
from ..geometry import Box, Footprint, Image
from ..models import PointSourceFit
from .cutout import cut_out
from .peak_models import BandTemplates, DrawnPsf, join_bands

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..detect import BandPsfs
    from ..geometry import BoolArray, Parent
    from ..image import MultibandExposure, Psf
    from ..sdss import TemplateConfig
    from .cutout import Cutout
    from .peak_models import PeakModel

__all__ = ["ParentTemplates", "parent_templates"]


@dataclass(frozen=True, slots=True, eq=False)
class ParentTemplates:
    """Templates of all peaks of a parent.

    Parameters
    ----------
    peaks : tuple of PeakModel
        In the order of the parent's peaks.
    problems : tuple of str
        Bands in which no templates could be made, and why.
    has_data : bool
        Whether any pixel of the footprint is usable in any band.
    warnings : tuple of str
        Bands whose PSF is not defined at every peak, and was taken at one place instead.
    """

    peaks: tuple[PeakModel, ...]
    problems: tuple[str, ...]
    has_data: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A parent with the pixels around it."""

    exposure: MultibandExposure
    parent: Parent
    psfs: BandPsfs
    cutout: Cutout
    band_psfs: tuple[Psf | NDArray[np.float32] | None, ...]


def parent_templates(
    exposure: MultibandExposure,
    parent: Parent,
    psfs: BandPsfs,
    config: TemplateConfig,
    *,
    catch: bool = True,
    psf_for_lost_peaks: bool = True,
    without: frozenset[str] = frozenset(),
) -> ParentTemplates:
    """Build the templates of every peak in every band.

    Parameters
    ----------
    exposure : MultibandExposure
    parent : Parent
    psfs : BandPsfs
        At the parent.  A band without a PSF gets symmetric templates without point-source fits and ramps.
    config : TemplateConfig
    catch : bool
        Go on without a band in which an error was raised, and tell about it in ``problems``.
    psf_for_lost_peaks : bool
        Give the PSF, scaled to its pixel, to a peak that no template fits.
    without : frozenset of str
        Bands to leave out.

    Returns
    -------
    ParentTemplates

    Raises
    ------
    Exception
        Whatever the templates of a band raise, unless ``catch`` is true.
    """
    # Ramps read, and templates may reach, some 1.5 FWHM beyond the footprint; a stamp is wider than that.
    margin = max(psfs.stamps.shape[1:])
    band_psfs, warnings = _psfs_of_bands(exposure, parent, psfs)
    job = _Job(exposure, parent, psfs, cut_out(exposure, parent.footprint.box.grow(margin)), band_psfs)
    planes: list[BandTemplates | None] = []
    problems: list[str] = []
    usable = np.asarray((parent.footprint.on(job.cutout.box) & ~job.cutout.bad).any(axis=(1, 2)))
    for band, name in enumerate(exposure.bands):
        plane = None
        if usable[band] and parent.footprint.peaks and name not in without:
            try:
                plane = _band_templates(job, band, config)
            except Exception as error:
                raise_interrupt(error)
                if not catch:
                    raise
                problems.append(f"{name}: {type(error).__name__}: {error}")
        planes.append(plane)
    models = tuple(
        join_bands(k, planes, partial(_point_source, job, k) if psf_for_lost_peaks else None)
        for k in range(len(parent.footprint.peaks))
    )
    return ParentTemplates(models, tuple(problems), bool(usable.any()), warnings)


def _band_templates(job: _Job, band: int, config: TemplateConfig) -> BandTemplates:
    """Templates of all peaks in one band, and stray flux as the options say."""
    # Keeps the algorithm out of the import of the registry.
    from ..sdss import ParentInput, build_templates, deblend_parent  # noqa: PLC0415

    cutout, psf = job.cutout, job.band_psfs[band]
    if psf is None:
        config = config.model_copy(update={"fit_psfs": False, "edge_handling": "clip"})
    given = ParentInput(
        cutout.images[band],
        cutout.variance[band],
        psf,
        np.array([p.center for p in job.parent.footprint.peaks]),
        footprint=job.parent.footprint.on(cutout.box),
        mask=cutout.bad[band],
        sigma1=_sigma1(job, band, config),
        origin=cutout.box.origin,
        edge=_edge(job, band),
    )
    if not config.shares_stray_flux:
        return BandTemplates(build_templates(given, config))
    children = deblend_parent(**{name: getattr(given, name) for name in given.__slots__}, config=config).children
    return BandTemplates([c.peak for c in children], [Image(c.pixels.stray, c.box) for c in children])


def _sigma1(job: _Job, band: int, config: TemplateConfig) -> float | None:
    """Median noise of the usable pixels near the parent that carry none of the masks; None without any such pixel."""
    planes = [name for name in config.mask_planes if name in job.exposure.mask_planes.bits]
    marked = job.exposure.mask_planes.any_set(_cut(job, job.exposure.mask[band]), planes)
    variance = job.cutout.variance[band][~marked & ~job.cutout.bad[band]]
    return float(np.sqrt(np.median(variance))) if variance.size else None


def _edge(job: _Job, band: int) -> BoolArray:
    """Where the exposure ends: its outermost pixels, and those of the plane EDGE."""
    planes = [name for name in ("EDGE",) if name in job.exposure.mask_planes.bits]
    marked = job.exposure.mask_planes.any_set(_cut(job, job.exposure.mask[band]), planes)
    return marked | ~Footprint.from_box(job.exposure.box.grow(-1)).on(job.cutout.box)


def _cut(job: _Job, plane: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    return plane[job.cutout.box.slices_in(job.exposure.box)]


def _psfs_of_bands(
    exposure: MultibandExposure, parent: Parent, psfs: BandPsfs
) -> tuple[tuple[Psf | NDArray[np.float32] | None, ...], tuple[str, ...]]:
    """PSF of each band that varies over the parent, or its stamp where it is not defined at every peak."""
    found: list[Psf | NDArray[np.float32] | None] = []
    warnings: list[str] = []
    for band, (name, psf) in enumerate(zip(exposure.bands, exposure.psfs, strict=True)):
        stamp = psfs.stamp(band)
        trouble = "" if stamp is None or psf is None else _trouble_at_peaks(psf, parent)
        if trouble:
            warnings.append(f"{name}: the PSF is taken as constant over the parent: {trouble}")
        found.append(stamp if stamp is None or trouble else psf)
    return tuple(found), tuple(warnings)


def _trouble_at_peaks(psf: Psf, parent: Parent) -> str:
    """Why the PSF cannot be used at one of the peaks; "" if it can."""
    for peak in parent.footprint.peaks:
        try:
            stamp = psf.image(*peak.center).stamp
        except Exception as error:  # noqa: BLE001 - PSFs are plug-ins, and each has errors of its own; it is reported
            raise_interrupt(error)
            return f"{type(error).__name__} at (y, x) = {peak.center}: {error}"
        if not (np.isfinite(stamp).all() and stamp.sum() > 0):
            return f"it is not finite or has no flux at (y, x) = {peak.center}"
    return ""


def _point_source(job: _Job, k: int) -> dict[int, DrawnPsf]:
    """PSF of each band, scaled to a positive pixel at the peak."""
    peak, box = job.parent.footprint.peaks[k], job.cutout.box
    if not box.contains(peak.y, peak.x):
        return {}
    h, w = job.psfs.stamps.shape[1:]
    stamp_box = Box((peak.y - h // 2, peak.x - w // 2), (h, w))
    drawn = {}
    for band in np.flatnonzero(job.psfs.known):
        height = float(job.cutout.images[band, peak.y - box.origin[0], peak.x - box.origin[1]])
        middle = float(job.psfs.stamps[band, h // 2, w // 2])
        if height > 0 and middle > 0:
            image = Image(height / middle * job.psfs.stamps[band], stamp_box)
            fit = PointSourceFit(True, float(image.array.sum()), (float(peak.y), float(peak.x)))
            drawn[int(band)] = DrawnPsf(image.project(stamp_box & job.parent.footprint.box & box), fit)
    return drawn
