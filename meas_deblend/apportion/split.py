"""Templates → children: the one place where a parent's pixels are shared out, for every deblender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Image
from ._sharing import SharedPixels, Shares
from .children import ChildrenOnDemand
from .values import Apportioned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import BoolArray, Box, FloatArray, Footprint
    from .values import ApportionConfig

__all__ = ["apportion"]

# Children of parents with fewer values (bands times pixels) are kept: to make them again takes more than their memory.
_KEPT = 4_000_000


def apportion(
    images: FloatArray,
    footprint: Footprint,
    templates: Sequence[Image],
    bad: BoolArray,
    frame: Box,
    *,
    parent_id: int = 0,
    bands: Sequence[str] | None = None,
    config: ApportionConfig | None = None,
) -> Apportioned:
    """Share every usable pixel between the children in proportion to their templates.

    Child k gets ``I · t_k / Σ t`` where ``Σ t > 0``, with ``t = max(T, 0)`` (0 where T is not finite): the rule of
    the SDSS deblender (Lupton et al. 2001, ASP Conf. 238, 269), applied band by band.  Negative pixels are split in
    the same proportions, so noise is shared like signal and the children add up to the data.

    Parameters
    ----------
    images : float array (band, y, x) or (y, x)
        Pixels that cover ``frame``.
    footprint : Footprint
        Detected pixels; inside ``frame``.
    templates : sequence of Image
        One per child, same number of axes and bands as ``images``, each on its own box (cut to ``frame``).
    bad : bool array, shape of ``images``
        Pixels that nobody may have. Those that are not finite are added.
    frame : Box
        Where ``images`` and ``bad`` lie.
    parent_id : int
        Copied to the ledger.
    bands : sequence of str, optional
        Names for the ledger; the index on the first axis if not given.
    config : ApportionConfig, optional

    Returns
    -------
    Apportioned
        Arrays have the dtype of ``images``; shares and sums are formed in float64.

    Raises
    ------
    InputError
        If shapes do not fit each other, or the footprint leaves the frame.
    """
    _check(images, footprint, templates, bad, frame)
    flat = images.ndim == 2
    cubes = [Image(t.array[None], t.box) if flat else t for t in templates]
    job = SharedPixels.prepare(images[None] if flat else images, bad[None] if flat else bad, (footprint, frame), config)
    names: Sequence[str | int] = tuple(bands) if bands is not None else range(job.data.shape[0])
    if len(names) != job.data.shape[0]:
        raise InputError(f"{len(names)} band names for images with {job.data.shape[0]} bands")
    dtype = images.dtype if np.issubdtype(images.dtype, np.floating) else np.dtype(np.float64)
    shares, used = Shares.of(job, cubes)
    children = ChildrenOnDemand(shares, used, dtype, flat)
    kept, account = [], np.zeros((2, job.data.shape[0]))
    for k in range(len(children)):
        child, got = children.account(k)
        account += got
        if children.size <= _KEPT:
            kept.append(child)
    rest = job.leftovers(shares.total)
    ledger = job.ledger((parent_id, names), account, rest)
    unassigned, unusable = (Image((r[0] if flat else r).astype(dtype), footprint.box) for r in rest)
    return Apportioned(tuple(kept) if children.size <= _KEPT else children, unassigned, unusable, ledger)


def _check(images: FloatArray, footprint: Footprint, templates: Sequence[Image], bad: BoolArray, frame: Box) -> None:
    if images.ndim not in (2, 3) or images.shape[-2:] != frame.shape:
        raise InputError(f"images must be (y, x) or (band, y, x) over {frame}, got shape {images.shape}")
    if bad.shape != images.shape:
        raise InputError(f"bad must have the shape of images, {images.shape}, got {bad.shape}")
    if not frame.encloses(footprint.box):
        raise InputError(f"the footprint on {footprint.box} leaves the frame {frame}")
    for k, template in enumerate(templates):
        if template.array.shape[:-2] != images.shape[:-2]:
            raise InputError(
                f"template {k} has shape {template.array.shape}; images of shape {images.shape} need "
                f"{(*images.shape[:-2], 'h', 'w')}"
            )
