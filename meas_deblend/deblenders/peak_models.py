"""The template of one peak in all bands, put together from what each band found on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Image
from ..models import PointSourceFit, TemplateComponent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..sdss import PeakTemplate

__all__ = ["CAUSES", "NO_MODEL", "BandTemplates", "DrawnPsf", "PeakModel", "join_bands"]


@dataclass(frozen=True, slots=True, eq=False)
class PeakModel:
    """The template of one peak in all bands.

    Parameters
    ----------
    components : tuple of TemplateComponent
        Its template, and after it the flux that no template covers and that it was given, where there is any.
    flags : frozenset of str
        Object flags.
    status : str
        "ok": the single-band algorithm found a template in at least one band; "degenerate": it looks like another
        peak, or is too close to one, and has no model; "failed": it is a point source scaled to the pixel of the
        peak, or nothing.
    psf_fits : tuple of PointSourceFit or None
        Per band; empty if none was made.
    """

    components: tuple[TemplateComponent, ...]
    flags: frozenset[str]
    status: str
    psf_fits: tuple[PointSourceFit | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPsf:
    """A point source that stands for a template in one band, and its flux and place."""

    image: Image
    fit: PointSourceFit


NO_MODEL = PeakModel((), frozenset({"deblend_noModel"}), "left_out")
"""A peak that was not deblended."""


@dataclass(frozen=True, slots=True, eq=False)
class BandTemplates:
    """Templates of all peaks in one band, and the stray flux that each was given."""

    templates: Sequence[PeakTemplate]
    stray: Sequence[Image] = ()


CAUSES = {"deblend_rampedTemplate": "ramped_template", "deblend_patchedTemplate": "patched_template"}
"""Object flags, and the template's flag that sets them."""


def join_bands(
    k: int, planes: Sequence[BandTemplates | None], point_source: Callable[[], Mapping[int, DrawnPsf]] | None
) -> PeakModel:
    """Join the templates of a peak in all bands.

    Parameters
    ----------
    k : int
        Index of the peak.
    planes : sequence of BandTemplates or None
        One per band; bands that have none are 0 in the templates.
    point_source : callable, optional
        Gives what stands for a template where no band has one, by index of the band.

    Returns
    -------
    PeakModel
    """
    made = {b: p.templates[k] for b, p in enumerate(planes) if p is not None}
    images = {b: t.image for b, t in made.items() if t.status == "ok" and np.any(t.image.array > 0)}
    stray = {b: p.stray[k] for b, p in enumerate(planes) if p is not None and p.stray and np.any(p.stray[k].array)}
    fits = {
        b: PointSourceFit(t.psf.is_psf and b in images, t.psf.flux, t.psf.center)
        for b, t in made.items()
        if np.isfinite(t.psf.flux)
    }
    if images or stray:
        components = _component(images, len(planes)) + _component(stray, len(planes))
        return PeakModel(components, _flags([made[b] for b in images], bool(stray)), "ok", _by_band(fits, len(planes)))
    if any(t.status == "degenerate" for t in made.values()):
        return PeakModel((), frozenset({"deblend_noModel"}), "degenerate", _by_band(fits, len(planes)))
    drawn = point_source() if point_source is not None else {}
    flags = {"deblend_deblendedAsPsf"} if drawn else {"deblend_noModel"}
    fits |= {b: d.fit for b, d in drawn.items()}
    component = _component({b: d.image for b, d in drawn.items()}, len(planes))
    return PeakModel(component, frozenset(flags), "failed", _by_band(fits, len(planes)))


def _flags(templates: Sequence[PeakTemplate], has_stray_flux: bool) -> frozenset[str]:
    """Object flags of a peak with templates in some bands."""
    flags = {flag for flag, cause in CAUSES.items() if any(cause in t.flags for t in templates)}
    if any(t.psf.is_psf for t in templates):
        flags.add("deblend_deblendedAsPsf")
    if has_stray_flux:
        flags.add("deblend_hasStrayFlux")
    return frozenset(flags)


def _by_band(fits: Mapping[int, PointSourceFit], bands: int) -> tuple[PointSourceFit | None, ...]:
    """Point-source fit of each band; empty if none was made."""
    return tuple(fits.get(b) for b in range(bands)) if fits else ()


def _component(images: Mapping[int, Image], bands: int) -> tuple[TemplateComponent, ...]:
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
