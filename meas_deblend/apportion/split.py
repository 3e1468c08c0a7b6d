"""Templates → children: the one place where a parent's pixels are shared out, for every deblender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Box, Image
from .values import ApportionConfig, Apportioned, Child, LedgerRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, Footprint

__all__ = ["apportion"]


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
    job = _Job.prepare(images[None] if flat else images, bad[None] if flat else bad, (footprint, frame), config)
    names: Sequence[str | int] = tuple(bands) if bands is not None else range(job.data.shape[0])
    if len(names) != job.data.shape[0]:
        raise InputError(f"{len(names)} band names for images with {job.data.shape[0]} bands")
    weights, total = job.weights(cubes)
    dtype = images.dtype if np.issubdtype(images.dtype, np.floating) else np.dtype(np.float64)
    account = np.zeros((2, job.data.shape[0]))
    children = []
    for weight in weights:
        child, inside, outside = job.child(weight, total)
        account += inside, outside
        arrays = (child.flux, child.share, child.masked)
        flux, share, masked = (array[0] for array in arrays) if flat else arrays
        children.append(Child(child.box, flux.astype(dtype), share.astype(dtype), masked))
    rest = job.leftovers(total)
    ledger = tuple(job.row(k, (parent_id, name), account[:, k], rest) for k, name in enumerate(names))
    unassigned, unusable = (Image((r[0] if flat else r).astype(dtype), footprint.box) for r in rest)
    return Apportioned(tuple(children), unassigned, unusable, ledger)


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


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """The pixels to be shared out, on the box where children may get any.

    ``data`` is float64 with 0 where ``usable`` is false; ``raw`` keeps the finite values of unusable pixels.
    """

    box: Box
    footprint: Footprint
    data: NDArray[np.float64]
    raw: NDArray[np.float64]
    usable: BoolArray
    finite: BoolArray
    inside: BoolArray
    config: ApportionConfig

    @classmethod
    def prepare(
        cls, images: FloatArray, bad: BoolArray, where: tuple[Footprint, Box], config: ApportionConfig | None
    ) -> _Job:
        """Cut the pixels to be shared out; ``where`` is the footprint and the box of ``images``."""
        config = config if config is not None else ApportionConfig()
        footprint, frame = where
        box = frame if config.keep_outside else footprint.box
        cut = (slice(None), *box.slices_in(frame))
        values = images[cut].astype(np.float64)
        finite = np.isfinite(values)
        usable = finite & ~bad[cut]
        raw = np.where(finite, values, 0.0)
        return cls(box, footprint, np.where(usable, raw, 0.0), raw, usable, finite, footprint.on(box), config)

    def weights(self, templates: Sequence[Image]) -> tuple[list[Image], NDArray[np.float64]]:
        """Templates clipped at 0, relative to the largest one of each pixel, and their sum.

        Dividing by the largest first keeps the sum between 1 and the number of templates, so that shares neither
        underflow nor overflow however faint or bright the templates are.
        """
        clipped = [self._clip(t) for t in templates]
        if len(clipped) == 1 and self.config.single_takes_all:
            everything = (clipped[0].project(self.box).array > 0) | self.inside
            clipped = [Image(everything.astype(np.float64), self.box)]
        largest = np.zeros_like(self.data)
        for t in clipped:
            cut = (slice(None), *t.box.slices_in(self.box))
            np.maximum(largest[cut], t.array, out=largest[cut])
        total = np.zeros_like(self.data)
        relative = []
        for t in clipped:
            cut = (slice(None), *t.box.slices_in(self.box))
            weight = np.divide(t.array, largest[cut], out=np.zeros_like(t.array), where=largest[cut] > 0)
            total[cut] += weight
            relative.append(Image(weight, t.box))
        return relative, total

    def _clip(self, template: Image) -> Image:
        box = template.box & self.box
        if box.is_empty:
            return Image(np.zeros((self.data.shape[0], 0, 0)), Box(self.box.origin, (0, 0)))
        values = template.array[(slice(None), *box.slices_in(template.box))].astype(np.float64)
        positive = np.where(np.isfinite(values) & (values > 0), values, 0.0)
        if not self.config.keep_outside:
            positive *= self.inside[box.slices_in(self.box)]
        return Image(positive, box)

    def child(self, weight: Image, total: NDArray[np.float64]) -> tuple[Child, FloatArray, FloatArray]:
        """Return a child in float64, and what it got inside and outside the footprint per band."""
        cut = (slice(None), *weight.box.slices_in(self.box))
        claimed = weight.array > 0
        held = self.usable[cut] & claimed
        share = np.divide(weight.array, total[cut], out=np.zeros_like(weight.array), where=held)
        flux = share * self.data[cut]
        inside = (flux * self.inside[cut[1:]]).sum(axis=(1, 2))
        outside = (flux * ~self.inside[cut[1:]]).sum(axis=(1, 2))
        return Child(weight.box, flux, share, claimed & ~self.usable[cut]), inside, outside

    def leftovers(self, total: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unassigned and masked pixels over the footprint's box (float64)."""
        cut = (slice(None), *self.footprint.box.slices_in(self.box))
        inside = self.inside[cut[1:]]
        unassigned = np.where(inside & (total[cut] == 0), self.data[cut], 0.0)
        masked = np.where(inside & ~self.usable[cut], self.raw[cut], 0.0)
        return unassigned, masked

    def row(
        self,
        band: int,
        labels: tuple[int, str | int],
        got: NDArray[np.float64],
        rest: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> LedgerRow:
        """Account of one band; ``got`` is the children's flux inside and outside the footprint."""
        return LedgerRow(
            parent_id=labels[0],
            band=labels[1],
            data=float(self.raw[band][self.inside].sum()),
            children=float(got[0]),
            unassigned=float(rest[0][band].sum()),
            masked=float(rest[1][band].sum()),
            outside=float(got[1]),
            not_finite=int(np.count_nonzero(self.inside & ~self.finite[band])),
        )
