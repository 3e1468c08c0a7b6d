"""Templates of a parent's peaks from each band on its own: a deblender, and what the joint fit falls back on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._interrupt import raise_interrupt
from ..geometry import Box, Image
from ..models import TemplateComponent
from .cutout import cut_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..detect import BandPsfs
    from ..geometry import Parent
    from ..image import MultibandExposure, Psf
    from ..sdss import PeakTemplate, SingleBandConfig
    from .cutout import Cutout

__all__ = ["ParentTemplates", "PeakModel", "parent_templates"]


@dataclass(frozen=True, slots=True, eq=False)
class PeakModel:
    """The template of one peak in all bands.

    Parameters
    ----------
    components : tuple of TemplateComponent
        One, or none if no band shows any flux at the peak.
    flags : frozenset of str
        Object flags.
    own : bool
        Whether the single-band algorithm found a template in at least one band.  If not, it is a point source scaled
        to the pixel of the peak, or nothing.
    """

    components: tuple[TemplateComponent, ...]
    flags: frozenset[str]
    own: bool


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
    exposure: MultibandExposure, parent: Parent, psfs: BandPsfs, config: SingleBandConfig, *, catch: bool = True
) -> ParentTemplates:
    """Build the templates of every peak in every band.

    Parameters
    ----------
    exposure : MultibandExposure
    parent : Parent
    psfs : BandPsfs
        At the parent.  A band without a PSF gets symmetric templates without point-source fits and ramps.
    config : SingleBandConfig
    catch : bool
        Go on without a band in which an error was raised, and tell about it in ``problems``.

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
    planes: list[Sequence[PeakTemplate] | None] = []
    problems: list[str] = []
    usable = np.asarray((parent.footprint.on(job.cutout.box) & ~job.cutout.bad).any(axis=(1, 2)))
    for band, name in enumerate(exposure.bands):
        templates = None
        if usable[band] and parent.footprint.peaks:
            try:
                templates = _band_templates(job, band, config)
            except Exception as error:
                raise_interrupt(error)
                if not catch:
                    raise
                problems.append(f"{name}: {type(error).__name__}: {error}")
        planes.append(templates)
    models = tuple(_peak_model(job, k, planes) for k in range(len(parent.footprint.peaks)))
    return ParentTemplates(models, tuple(problems), bool(usable.any()), warnings)


def _band_templates(job: _Job, band: int, config: SingleBandConfig) -> Sequence[PeakTemplate]:
    """Templates of all peaks in one band."""
    from ..sdss import ParentInput, build_templates  # noqa: PLC0415 - keeps the algorithm out of the import of the registry

    cutout = job.cutout
    psf = job.band_psfs[band]
    if psf is None:
        config = config.model_copy(update={"fit_psfs": False, "edge_handling": "clip"})
    given = ParentInput(
        cutout.images[band],
        cutout.variance[band],
        psf,
        np.array([p.center for p in job.parent.footprint.peaks]),
        footprint=job.parent.footprint.on(cutout.box),
        mask=cutout.bad[band],
        origin=cutout.box.origin,
    )
    return build_templates(given, config)


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


def _peak_model(job: _Job, k: int, planes: Sequence[Sequence[PeakTemplate] | None]) -> PeakModel:
    """Join the templates of peak ``k`` in all bands; bands that have none are 0."""
    found = {b: p[k] for b, p in enumerate(planes) if p is not None and p[k].status == "ok"}
    images = {b: t.image for b, t in found.items() if np.any(t.image.array > 0)}
    flags = {"deblend_deblendedAsPsf"} if any(t.psf.is_psf for t in found.values()) else set()
    if any("ramped_template" in t.flags for t in found.values()):
        flags.add("deblend_rampedTemplate")
    own = bool(images)
    if not own:
        images = _point_source(job, k)
        flags = {"deblend_deblendedAsPsf"} if images else {"deblend_noModel"}
    return PeakModel(_component(images, len(planes)), frozenset(flags), own)


def _point_source(job: _Job, k: int) -> dict[int, Image]:
    """PSF of each band, scaled to a positive pixel at the peak."""
    peak, box = job.parent.footprint.peaks[k], job.cutout.box
    if not box.contains(peak.y, peak.x):
        return {}
    h, w = job.psfs.stamps.shape[1:]
    stamp_box = Box((peak.y - h // 2, peak.x - w // 2), (h, w))
    images = {}
    for band in np.flatnonzero(job.psfs.known):
        height = float(job.cutout.images[band, peak.y - box.origin[0], peak.x - box.origin[1]])
        middle = float(job.psfs.stamps[band, h // 2, w // 2])
        if height > 0 and middle > 0:
            image = Image(height / middle * job.psfs.stamps[band], stamp_box)
            images[int(band)] = image.project(stamp_box & job.parent.footprint.box & box)
    return images


def _component(images: dict[int, Image], bands: int) -> tuple[TemplateComponent, ...]:
    """Cube of the images (y, x), by index of their band, on the box around them all; nothing without any."""
    box = Box((0, 0), (0, 0))
    for image in images.values():
        box = box | image.box
    if box.is_empty:
        return ()
    cube = np.zeros((bands, *box.shape), dtype=np.float32)
    for band, image in images.items():
        cube[band] = np.maximum(np.nan_to_num(image.project(box).array, posinf=0.0), 0)
    return (TemplateComponent(box, cube),)
