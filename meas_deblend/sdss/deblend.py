"""The single-band deblender: one parent in, its children out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..apportion import ApportionConfig, apportion
from ..geometry import Box, Footprint, Image
from .arguments import ParentInput, read_parent
from .config import SingleBandConfig
from .result import ChildPixels, SingleBandChild, SingleBandResult
from .stray import stray_shares
from .templates import parent_templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..apportion import Apportioned, Child
    from ..geometry import BoolArray, FloatArray
    from ..image import Psf
    from .config import TemplateConfig
    from .parent import ParentPixels, PeakTemplate

__all__ = ["deblend_parent"]


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
    edge: BoolArray | None = None,
    config: TemplateConfig | None = None,
) -> SingleBandResult:
    """Deblend one parent in one band with point-source and symmetric templates.

    The method is that of the SDSS deblender (Lupton et al. 2001, ASP Conf. 238, 269) as Rubin's pipelines have
    developed it: a template per peak, each pixel shared in proportion to the templates, and rules for the flux that
    no template covers.

    Parameters
    ----------
    image, variance : array (y, x)
        Pixels and their variances, image units; float, or integers, which give results in float64.
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
    edge : bool array (y, x), optional
        Where the exposure ends, which starts patches; the outermost pixels of the image if not given.
    config : SingleBandConfig or TemplateConfig, optional
        Limits and bookkeeping of a whole exposure are not read here.

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
    image, variance = np.asarray(image), np.asarray(variance)
    given = ParentInput(image, variance, psf, peaks, footprint, mask, psf_fwhm, sigma1, origin, edge)
    parent = read_parent(given, config)
    templates = parent_templates(parent, config)
    shared = apportion(
        image[parent.window.slices_in(parent.frame)],
        parent.footprint,
        [t.image for t in templates],
        parent.bad,
        parent.window,
        # Ramped templates get pixels outside the footprint; a single template gets what it covers, like any other.
        config=ApportionConfig(single_takes_all=False, keep_outside=True),
    )
    stray, unassigned = _stray(parent, templates, shared, config)
    children = tuple(_child(parent, templates[k], shared.children[k], stray[k]) for k in range(len(templates)))
    left = Image(unassigned.astype(shared.unassigned.array.dtype), shared.unassigned.box)
    return SingleBandResult(parent.frame, children, _final_footprint(parent, children, config), (left, shared.masked))


def _stray(
    parent: ParentPixels, templates: Sequence[PeakTemplate], shared: Apportioned, config: TemplateConfig
) -> tuple[list[Image], FloatArray]:
    """Stray flux per child (float64, each on its own box), and what is unassigned after that (y, x)."""
    left = shared.unassigned.array.astype(np.float64)
    none = [Image(np.zeros((0, 0)), Box(parent.footprint.box.origin, (0, 0)))] * len(templates)
    kept = [k for k, t in enumerate(templates) if t.status == "ok"]
    if not config.shares_stray_flux or not kept:
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


def _child(parent: ParentPixels, peak: PeakTemplate, shared: Child, stray: Image) -> SingleBandChild:
    """Put a child's parts on one box."""
    box = peak.image.box | stray.box
    dtype = shared.flux.dtype
    extra = stray.project(box).array
    # Beyond the detected pixels a child is where it got something; what a ramp left at 0 there is nobody's.
    member = peak.footprint.on(box) & (
        parent.footprint.on(box) | (Image(shared.share, shared.box).project(box).array > 0)
    )
    pixels = ChildPixels(
        box,
        peak.image.project(box).array.astype(dtype),
        (Image(shared.flux, shared.box).project(box).array + extra).astype(dtype),
        extra.astype(dtype),
        member | (extra != 0),
    )
    return SingleBandChild(parent.frame, peak, pixels)


def _final_footprint(parent: ParentPixels, children: Sequence[SingleBandChild], config: TemplateConfig) -> Footprint:
    """Return the parent's pixels after deblending."""
    box = parent.footprint.box
    for child in children:
        box = box | child.box
    union = np.zeros(box.shape, dtype=bool)
    for child in children:
        union[child.box.slices_in(box)] |= child.pixels.footprint
    if not (config.stray_flux_rule == "trim" and union.any()):
        union |= parent.footprint.on(box)
    return Footprint(box, union)
