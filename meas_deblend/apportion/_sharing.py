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
    from ._share_kernels import Pixels

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

    @property
    def pixels(self) -> Pixels:
        """What compiled loops look at."""
        from ._share_kernels import Pixels  # noqa: PLC0415 - loads the compiler

        claimable = np.ones_like(self.inside) if self.config.keep_outside else self.inside
        return Pixels(self.data, self.usable, claimable, self.inside)

    def corner(self, box: Box) -> tuple[int, int]:
        """Return row and column of the pixels at which a box begins."""
        return box.origin[0] - self.box.origin[0], box.origin[1] - self.box.origin[1]

    def ledger(
        self,
        labels: tuple[int, Sequence[str | int]],
        got: NDArray[np.float64],
        rest: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> tuple[LedgerRow, ...]:
        """Account of all bands; ``got`` (2, B) is the children's flux inside and outside the footprint."""
        data = self.raw[:, self.inside].sum(axis=1)
        unassigned, masked = (part.reshape(len(part), -1).sum(axis=1) for part in rest)
        lost = np.count_nonzero(~self.finite[:, self.inside], axis=1)
        sums = np.stack([data, got[0], unassigned, masked, got[1]], axis=1).tolist()
        parent_id, names = labels
        return tuple(
            LedgerRow(parent_id, name, whole, held, free, hidden, beyond, not_finite)
            for name, (whole, held, free, hidden, beyond), not_finite in zip(names, sums, lost.tolist(), strict=True)
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
        from ._share_kernels import add_relative, raise_largest  # noqa: PLC0415 - loads the compiler

        shares = cls(job, np.zeros_like(job.data), np.zeros_like(job.data))
        pixels = job.pixels
        for template in templates:
            raise_largest(template.array, job.corner(template.box), pixels.claimable, shares.largest)
        if len(templates) == 1 and job.config.single_takes_all:
            everything = (shares.largest > 0) | job.inside
            templates = [Image(everything.astype(np.float64), job.box)]
            shares.largest[:] = everything
        for template in templates:
            corner = job.corner(template.box)
            add_relative(template.array, corner, pixels.claimable, shares.largest, shares.total)
        return shares, templates

    def box_of(self, template: Image) -> Box:
        """Where a template's child lies."""
        box = template.box & self.job.box
        return Box(self.job.box.origin, (0, 0)) if box.is_empty else box

    def child(self, template: Image, dtype: np.dtype[np.floating]) -> tuple[Child, NDArray[np.float64]]:
        """Return a child, rounded to ``dtype``, and what it got inside and outside the footprint (2, B) before."""
        from ._share_kernels import share_out  # noqa: PLC0415 - loads the compiler

        job, box = self.job, self.box_of(template)
        shape, got = (len(job.data), *box.shape), np.zeros((2, len(job.data)))
        flux, share, masked = np.zeros(shape, dtype), np.zeros(shape, dtype), np.zeros(shape, dtype=bool)
        placed, first = (template.array, job.corner(template.box)), job.corner(box)
        share_out(placed, job.pixels, (self.largest, self.total), first, (flux, share, masked, got))
        return Child(box, flux, share, masked), got
