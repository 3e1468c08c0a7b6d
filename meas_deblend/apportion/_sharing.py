"""The pixels that are shared out, and what each template gets of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Image
from .values import ApportionConfig, Child, LedgerRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, Footprint

__all__ = ["SharedPixels", "Shares"]


@dataclass(frozen=True, slots=True, eq=False)
class SharedPixels:
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
    ) -> SharedPixels:
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

    def leftovers(self, total: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unassigned and masked pixels over the footprint's box (float64)."""
        cut = (slice(None), *self.footprint.box.slices_in(self.box))
        inside = self.inside[cut[1:]]
        unassigned = np.where(inside & (total[cut] == 0), self.data[cut], 0.0)
        masked = np.where(inside & ~self.usable[cut], self.raw[cut], 0.0)
        return unassigned, masked

    def clipped(self, template: Image) -> Image:
        """Copy of a template on the pixels that it may have, in float64: 0 where it is not finite or below 0."""
        box = template.box & self.box
        if box.is_empty:
            return Image(np.zeros((self.data.shape[0], 0, 0)), Box(self.box.origin, (0, 0)))
        values = template.array[(slice(None), *box.slices_in(template.box))].astype(np.float64)
        positive = np.where(np.isfinite(values) & (values > 0), values, 0.0)
        if not self.config.keep_outside:
            positive *= self.inside[box.slices_in(self.box)]
        return Image(positive, box)

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


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What each template gets of each pixel.

    Templates are clipped at 0, and taken relative to the largest one of each pixel: that keeps their sum between 1 and
    their number, so that shares neither underflow nor overflow however faint or bright the templates are.

    Parameters
    ----------
    job : SharedPixels
        The pixels that are shared out.
    largest : float64 array (B, h, w)
        Largest template of each pixel.
    total : float64 array (B, h, w)
        Sum of the relative templates.
    """

    job: SharedPixels
    largest: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def of(cls, job: SharedPixels, templates: Sequence[Image]) -> tuple[Shares, Sequence[Image]]:
        """Go through the templates; returns those that are to be used, too: an only child's may be everything."""
        if len(templates) == 1 and job.config.single_takes_all:
            everything = (job.clipped(templates[0]).project(job.box).array > 0) | job.inside
            templates = [Image(everything.astype(np.float64), job.box)]
        shares = cls(job, np.zeros_like(job.data), np.zeros_like(job.data))
        for template in templates:
            clipped = job.clipped(template)
            cut = (slice(None), *clipped.box.slices_in(job.box))
            np.maximum(shares.largest[cut], clipped.array, out=shares.largest[cut])
        for template in templates:
            weight = shares.weight(template)
            shares.total[(slice(None), *weight.box.slices_in(job.box))] += weight.array
        return shares, templates

    def box_of(self, template: Image) -> Box:
        """Where a template's child lies."""
        box = template.box & self.job.box
        return Box(self.job.box.origin, (0, 0)) if box.is_empty else box

    def weight(self, template: Image) -> Image:
        """Template relative to the largest one."""
        clipped = self.job.clipped(template)
        largest = self.largest[(slice(None), *clipped.box.slices_in(self.job.box))]
        np.divide(clipped.array, largest, out=clipped.array, where=largest > 0)
        return clipped

    def child(self, template: Image) -> tuple[Child, NDArray[np.float64], NDArray[np.float64]]:
        """Return a child in float64, and what it got inside and outside the footprint per band."""
        job, weight = self.job, self.weight(template)
        cut = (slice(None), *weight.box.slices_in(job.box))
        claimed = weight.array > 0
        held = job.usable[cut] & claimed
        share = np.divide(weight.array, self.total[cut], out=np.zeros_like(weight.array), where=held)
        flux = share * job.data[cut]
        inside = (flux * job.inside[cut[1:]]).sum(axis=(1, 2))
        outside = (flux * ~job.inside[cut[1:]]).sum(axis=(1, 2))
        return Child(weight.box, flux, share, claimed & ~job.usable[cut]), inside, outside
