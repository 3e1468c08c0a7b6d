"""Symmetric templates, what is done about their edges, and the trimming of their footprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Footprint, Image

if TYPE_CHECKING:
    from ..geometry import BoolArray, FloatArray
    from .parent import ParentPixels

__all__ = ["clip_to_nonzero", "patch_template", "ramp_template", "symmetric_template"]

BRIGHT_EDGE = 3.0
"""A template whose edge reaches this many σ was cut while it was still bright."""


def symmetric_template(
    pixels: Image, footprint: Footprint, center: tuple[int, int], bias: float = 0.0
) -> tuple[Image, Footprint]:
    """Smaller of each pair of pixels opposite each other about ``center`` (Lupton et al. 2001, ASP Conf. 238, 269).

    Without ``bias`` the template of pure noise of rms σ has mean 0.117 σ: the smaller of two noisy pixels is
    0.564 σ too low in the mean, and negative values become 0.

    Parameters
    ----------
    pixels : Image
        Data (y, x) that cover ``footprint``; values that are not finite give 0 at their pixel and its partner.
    footprint : Footprint
    center : tuple of int
        Pixel ``(y, x)``, a member of ``footprint``.
    bias : float
        What is added to the smaller pixel of each pair; the peak itself, which is its own partner, gets none.

    Returns
    -------
    image : Image
        Template on the footprint's box: ``max(0, min(I(p), I(2c − p)) + bias)``, 0 outside the footprint.
    footprint : Footprint
        Pixels whose partner is a member too; need not be connected.
    """
    (cy, cx), whole = center, footprint.box
    half_y = min(cy - whole.origin[0], whole.stop[0] - 1 - cy)
    half_x = min(cx - whole.origin[1], whole.stop[1] - 1 - cx)
    box = Box((cy - half_y, cx - half_x), (2 * half_y + 1, 2 * half_x + 1))
    member = footprint.on(box)
    pairs = Footprint.from_mask(member & member[::-1, ::-1], box.origin)
    values = pixels.project(pairs.box).array
    smaller = np.minimum(values, values[::-1, ::-1]) + bias
    smaller[cy - pairs.box.origin[0], cx - pairs.box.origin[1]] -= bias
    return Image(np.where(pairs.mask & np.isfinite(smaller), np.clip(smaller, 0, None), 0.0), pairs.box), pairs


def ramp_template(
    parent: ParentPixels, template: tuple[Image, Footprint], center: tuple[int, int], bias: float = 0.0
) -> tuple[Image, Footprint] | None:
    """Continue a template that is bright at its edge outwards with the profile of the PSF.

    Every edge pixel sheds the PSF's profile, scaled to its own value, on the pixels around it; where there is no data
    (off the image, or far from the parent) the brightest of these stands in for it, and the symmetric template is made
    again.  The result may be lopsided and reach outside the parent.

    Parameters
    ----------
    parent : ParentPixels
        With a PSF.
    template : tuple of Image and Footprint
        From `symmetric_template`.
    center : tuple of int
        Pixel of the peak.
    bias : float
        As for `symmetric_template`.

    Returns
    -------
    tuple of Image and Footprint, or None
        New template inside the image; None if no edge pixel reaches 3σ.
    """
    image, footprint = template
    edge = footprint.edge()
    if parent.psf is None or not np.any(image.array[edge] >= BRIGHT_EDGE * parent.sigma1):
        return None
    box = footprint.box.grow(parent.growth)
    near = parent.ramp_footprint & Footprint.from_box(box)
    data = Image(parent.image, parent.window).project(box).array
    data[~near.on(box)] = 0.0
    ramp = _shed(image.array, edge, _profile(parent))
    padded = Image(np.where(data == 0, ramp, data), box)
    full, member = symmetric_template(padded, near, center, bias)
    member = member & Footprint.from_box(parent.frame)
    return full.project(member.box), member


def patch_template(
    parent: ParentPixels, template: tuple[Image, Footprint], center: tuple[int, int]
) -> tuple[Image, Footprint] | None:
    """Let a template at the edge of the exposure take over the data where there can be no mirror pixel.

    Parameters
    ----------
    parent : ParentPixels
    template : tuple of Image and Footprint
        From `symmetric_template` or `ramp_template`.
    center : tuple of int
        Pixel of the peak.

    Returns
    -------
    tuple of Image and Footprint, or None
        Template with the data themselves, negative ones too, at all pixels of the parent whose mirror lies beyond the
        parent's box; None if the template has no pixel at the edge of the exposure.
    """
    image, footprint = template
    if not np.any(footprint.on(parent.window) & parent.edge):
        return None
    whole = parent.footprint.box
    y = 2 * center[0] - np.arange(whole.origin[0], whole.stop[0])
    x = 2 * center[1] - np.arange(whole.origin[1], whole.stop[1])
    mirrored_y = (y >= whole.origin[0]) & (y < whole.stop[0])
    mirrored_x = (x >= whole.origin[1]) & (x < whole.stop[1])
    lonely = parent.footprint.mask & ~(mirrored_y[:, None] & mirrored_x[None, :])
    patch = Footprint(whole, lonely)
    box = footprint.box | whole
    member = Footprint.from_mask(footprint.on(box) | patch.on(box), box.origin)
    data = np.nan_to_num(Image(parent.image, parent.window).project(member.box).array, posinf=0.0, neginf=0.0)
    return Image(np.where(patch.on(member.box), data, image.project(member.box).array), member.box), member


def _profile(parent: ParentPixels) -> FloatArray:
    """PSF at the middle of the parent, relative to its maximum, out to the reach of a ramp (odd, centred)."""
    if parent.psf is None:
        raise ValueError("a ramp needs a PSF")
    reach, box = parent.growth, parent.footprint.box
    middle = ((box.origin[0] + box.stop[0] - 1) // 2, (box.origin[1] + box.stop[1] - 1) // 2)
    stamp = parent.psf.stamp(*middle)
    around = Box((middle[0] - reach, middle[1] - reach), (2 * reach + 1, 2 * reach + 1))
    return np.asarray(stamp.project(around).array / stamp.array.max(), dtype=np.float64)


def _shed(values: FloatArray, edge: BoolArray, profile: FloatArray) -> FloatArray:
    """Brightest of the profiles around the edge pixels, at least 0, on an array grown by the profile's half-width."""
    size = profile.shape[0]
    out = np.zeros((values.shape[0] + size - 1, values.shape[1] + size - 1))
    for y, x in zip(*np.nonzero(edge & (values > 0)), strict=True):
        part = out[y : y + size, x : x + size]
        np.maximum(part, values[y, x] * profile, out=part)
    return out


def clip_to_nonzero(image: Image, footprint: Footprint) -> tuple[Image, Footprint]:
    """Trim zeros from both ends of every horizontal run of a footprint, and crop.

    Parameters
    ----------
    image : Image
        Template (y, x) on the footprint's box.
    footprint : Footprint

    Returns
    -------
    image : Image
        The template on the new footprint's box.
    footprint : Footprint
        Runs start and stop at values other than 0; zeros between them stay, and runs of zeros alone are dropped.
    """
    filled = footprint.mask & (image.array != 0)
    kept = _run_has_before(filled, footprint.mask)
    kept &= _run_has_before(filled[:, ::-1], footprint.mask[:, ::-1])[:, ::-1]
    clipped = Footprint.from_mask(kept, footprint.box.origin, footprint.peaks)
    return image.project(clipped.box), clipped


def _run_has_before(filled: BoolArray, member: BoolArray) -> BoolArray:
    """Members with a filled pixel at or before them in their row's run of members."""
    column = np.arange(member.shape[1])
    last_gap = np.maximum.accumulate(np.where(member, -1, column), axis=1)
    last_filled = np.maximum.accumulate(np.where(filled, column, -1), axis=1)
    return np.asarray(member & (last_filled > last_gap))
