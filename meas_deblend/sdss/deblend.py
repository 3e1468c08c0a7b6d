"""The single-band deblender: one parent in, its children out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..apportion import ApportionConfig, apportion
from ..geometry import Box, Footprint, Image
from .config import SingleBandConfig
from .parent import ParentInput, PeakTemplate, read_parent
from .stray import stray_shares
from .templates import parent_templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..apportion import Apportioned
    from ..geometry import BoolArray, FloatArray
    from ..image import Psf
    from .parent import ParentPixels

__all__ = ["SingleBandChild", "SingleBandResult", "deblend_parent"]


@dataclass(frozen=True, slots=True, eq=False)
class _ChildPixels:
    """A child's arrays (y, x) on its box."""

    box: Box
    template: FloatArray
    flux: FloatArray
    stray: FloatArray
    footprint: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class SingleBandChild:
    """One child; its arrays are held on ``box`` and seen on the whole image.

    Parameters
    ----------
    frame : Box
        The whole image.
    peak : PeakTemplate
        How its template was made.
    pixels : arrays on the child's box
    """

    frame: Box
    peak: PeakTemplate
    pixels: _ChildPixels

    @property
    def box(self) -> Box:
        """Where the child has pixels; empty if it has none."""
        return self.pixels.box

    @property
    def status(self) -> str:
        """Say what became of the peak: "ok", "tiny", "out_of_bounds", "degenerate" or "failed"."""
        return self.peak.status

    @property
    def flags(self) -> frozenset[str]:
        """What happened on the way: those of `PeakTemplate`, and "has_stray_flux"."""
        stray = {"has_stray_flux"} if self.pixels.stray.any() else set()
        return self.peak.flags | stray

    @property
    def is_psf(self) -> bool:
        """Whether the template is a point source."""
        return self.peak.psf.is_psf

    @property
    def psf_flux(self) -> float:
        """Flux of the point-source fit that was kept, image units; NaN if none was made."""
        return self.peak.psf.flux

    @property
    def psf_center(self) -> tuple[float, float]:
        """Position ``(y, x)`` of that fit."""
        return self.peak.psf.center

    @property
    def psf_chisq(self) -> Mapping[str, float]:
        """Reduced χ² of the point-source fits that were made: "fit1", "fit2", "fit3"."""
        return self.peak.psf.chisq

    @property
    def template(self) -> FloatArray:
        """Template (y, x), image units."""
        return self._full(self.pixels.template)

    @property
    def flux(self) -> FloatArray:
        """The child's pixels (y, x), stray flux included, image units."""
        return self._full(self.pixels.flux)

    @property
    def stray(self) -> FloatArray:
        """Stray flux that the child got (y, x), image units."""
        return self._full(self.pixels.stray)

    @property
    def footprint(self) -> BoolArray:
        """Pixels of the template and of stray flux (y, x)."""
        return Footprint(self.box, self.pixels.footprint).on(self.frame)

    def _full(self, array: FloatArray) -> FloatArray:
        return Image(array, self.box).project(self.frame).array


@dataclass(frozen=True, slots=True, eq=False)
class SingleBandResult:
    """A deblended parent.

    Parameters
    ----------
    children : tuple of SingleBandChild
        One per peak, in the order of the peaks.
    footprint : bool array (y, x)
        Final parent: with the rule "trim" the union of the children's footprints, else the detected footprint and
        that union.  The detected footprint if no child survived.
    unassigned : float array (y, x)
        Usable pixels of the detected footprint that no child got, 0 elsewhere.
    masked : float array (y, x)
        Finite values of the pixels of the detected footprint that nobody may have, 0 elsewhere.
    """

    children: tuple[SingleBandChild, ...]
    footprint: BoolArray
    unassigned: FloatArray
    masked: FloatArray


def deblend_parent(
    image: FloatArray,
    variance: FloatArray,
    psf: FloatArray | Psf | None,
    peaks: ArrayLike,
    *,
    footprint: BoolArray | None = None,
    mask: BoolArray | None = None,
    psf_fwhm: float | None = None,
    sigma1: float | None = None,
    origin: tuple[int, int] = (0, 0),
    config: SingleBandConfig | None = None,
) -> SingleBandResult:
    """Deblend one parent in one band with point-source and symmetric templates.

    The method is that of the SDSS deblender (Lupton et al. 2001, ASP Conf. 238, 269) as Rubin's pipelines have
    developed it: a template per peak, each pixel shared in proportion to the templates, and rules for the flux that
    no template covers.

    Parameters
    ----------
    image, variance : float array (y, x)
        Pixels and their variances.
    psf : float array (y, x) with odd sides, or Psf, or None
        None only if no option needs one.
    peaks : array (n, 2)
        Positions ``(y, x)``; children come in this order.
    footprint : bool array (y, x), optional
        Detected pixels; everything if not given.
    mask : bool array (y, x), optional
        True for pixels that nobody may have; pixels that are not finite are added.
    psf_fwhm : float, optional
        In pixels; from the PSF's adaptive moments if not given.
    sigma1 : float, optional
        Noise of a pixel, image units; from the median variance if not given.
    origin : tuple of int
        Pixel ``(y, x)`` that the first element of the arrays stands for; peaks count from the same zero.
    config : SingleBandConfig, optional

    Returns
    -------
    SingleBandResult
        Over the detected footprint image = Σ children + unassigned + masked; arrays have the dtype of ``image``.

    Raises
    ------
    InputError
        If an argument does not fit, there is no peak or no footprint pixel, or a PSF is missing that is needed.
    """
    config = config if config is not None else SingleBandConfig()
    given = ParentInput(image, variance, psf, peaks, footprint, mask, psf_fwhm, sigma1, origin)
    parent = read_parent(given, config)
    templates = parent_templates(parent, config)
    box = parent.footprint.box
    cut = box.slices_in(parent.frame)
    shared = apportion(
        image[cut],
        parent.footprint,
        [t.image for t in templates],
        parent.bad[box.slices_in(parent.window)],
        box,
        # Ramped templates get pixels outside the footprint; a single template gets what it covers, like any other.
        config=ApportionConfig(single_takes_all=False, keep_outside=True),
    )
    stray, unassigned = _stray(parent, templates, shared, config)
    children = tuple(
        _child(parent.frame, templates[k], shared.children[k].flux, (shared.children[k].box, stray[k]))
        for k in range(len(templates))
    )
    return SingleBandResult(
        children,
        _final_footprint(parent, templates, config),
        Image(unassigned.astype(shared.unassigned.array.dtype), box).project(parent.frame).array,
        shared.masked.project(parent.frame).array,
    )


def _stray(
    parent: ParentPixels, templates: Sequence[PeakTemplate], shared: Apportioned, config: SingleBandConfig
) -> tuple[list[Image], FloatArray]:
    """Stray flux per child (float64, each on its own box), and what is unassigned after that (y, x)."""
    left = shared.unassigned.array.astype(np.float64)
    none = [Image(np.zeros((0, 0)), Box(parent.footprint.box.origin, (0, 0)))] * len(templates)
    kept = [k for k, t in enumerate(templates) if t.status == "ok"]
    if config.stray_flux_rule == "trim" or not config.assign_stray_flux or not kept:
        return none, left
    rows, columns = np.nonzero(left > 0)
    pixels = np.stack([rows, columns], axis=1) + np.array(parent.footprint.box.origin)
    shares = stray_shares(
        pixels,
        np.array(parent.pixels)[kept],
        [templates[k].footprint for k in kept],
        np.array([templates[k].psf.is_psf for k in kept]),
        config,
    )
    flux = left[rows, columns]
    result = list(none)
    for k, share in zip(kept, shares, strict=True):
        result[k] = _scatter(pixels[share > 0], (share * flux)[share > 0])
    left[rows, columns] -= np.where(shares.sum(axis=0) > 0, flux, 0.0)
    return result, left


def _scatter(pixels: NDArray[np.int64], values: FloatArray) -> Image:
    """Image of some pixels on the tightest box around them."""
    if len(pixels) == 0:
        return Image(np.zeros((0, 0)), Box((0, 0), (0, 0)))
    (y0, x0), (y1, x1) = pixels.min(axis=0), pixels.max(axis=0) + 1
    out = np.zeros((y1 - y0, x1 - x0))
    out[pixels[:, 0] - y0, pixels[:, 1] - x0] = values
    return Image(out, Box((y0, x0), out.shape))


def _child(frame: Box, peak: PeakTemplate, flux: FloatArray, where: tuple[Box, Image]) -> SingleBandChild:
    """Put a child's parts on one box; ``where`` is the box of its shared flux, and its stray flux."""
    shared_box, stray = where
    box = peak.image.box | stray.box
    dtype = flux.dtype
    extra = stray.project(box).array
    pixels = _ChildPixels(
        box,
        peak.image.project(box).array.astype(dtype),
        (Image(flux, shared_box).project(box).array + extra).astype(dtype),
        extra.astype(dtype),
        peak.footprint.on(box) | (extra != 0),
    )
    return SingleBandChild(frame, peak, pixels)


def _final_footprint(parent: ParentPixels, templates: Sequence[PeakTemplate], config: SingleBandConfig) -> BoolArray:
    """Return the parent's pixels after deblending, on the whole image."""
    union = np.zeros(parent.frame.shape, dtype=bool)
    for template in templates:
        union[template.footprint.box.slices_in(parent.frame)] |= template.footprint.mask
    if config.stray_flux_rule == "trim" and union.any():
        return union
    return union | parent.footprint.on(parent.frame)
