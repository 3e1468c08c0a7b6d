"""What apportioning returns: the children's pixels, what nobody got, and the account of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..geometry import BoolArray, Box, FloatArray, Footprint, HeavyFootprint, Image, Peak

__all__ = ["ApportionConfig", "Apportioned", "Child", "LedgerRow"]


class ApportionConfig(BaseModel):
    """How pixels are shared between the children of a parent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    single_takes_all: bool = Field(
        default=True,
        description="An only child gets every usable pixel of the footprint, whatever its template (an isolated "
        "object needs no deblending); False: only the pixels where its template is above 0.",
    )
    keep_outside: bool = Field(
        default=False,
        description="Children also get the pixels of the frame outside the detected footprint where their templates "
        "are above 0; the ledger lists that flux apart. False: children are cut to the footprint.",
    )
    half_turn: bool = Field(
        default=True,
        description="Where neighbours outshine a template that was fitted pixel by pixel, its share is formed from its "
        "light on the opposite side of its peak too; models stay as they are. False: from the template alone.",
    )

    @classmethod
    def recorded(cls, settings: Mapping[str, object]) -> ApportionConfig:
        """Return the settings that a store of models has kept.

        What it does not name was not there when it was written: its pixels were shared out without half turns.

        Raises
        ------
        ValidationError
            If a setting is unknown or out of range.
        """
        return cls.model_validate({"half_turn": False, **settings})


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """One child's part of the pixels.

    Parameters
    ----------
    box : Box
        Where the arrays lie; empty for a child whose template misses the pixels that were shared out.
    flux : float array (band, y, x) or (y, x)
        ``share`` × data, image units; dtype of the images.
    share : float array, shape of ``flux``
        Fraction of each pixel that the child got, 0 … 1; 0 on pixels that nobody may have.
    masked : bool array, shape of ``flux``
        Pixels that nobody may have, of which the child would else have got a share.
    """

    box: Box
    flux: FloatArray
    share: FloatArray
    masked: BoolArray

    @property
    def footprint(self) -> Footprint:
        """Pixels of which the child has a share in any band, without a peak, on the tightest box."""
        mine: BoolArray = np.any(np.atleast_3d(self.share.T) > 0, axis=2).T
        return Footprint.from_mask(mine, self.box.origin)

    def heavy(self, band: int | None = None, peak: Peak | None = None) -> HeavyFootprint:
        """Return the pixels that the child has a share of, in the band of that index (None for 2-D arrays).

        Without any, it is one pixel of value 0 at the ``peak``, if that is given: who measures needs a pixel.
        """
        flux, share = (self.flux, self.share) if band is None else (self.flux[band], self.share[band])
        if peak is not None and not (share > 0).any():
            return HeavyFootprint(Box((peak.y, peak.x), (1, 1)), np.ones((1, 1), dtype=bool), np.zeros(1, flux.dtype))
        return HeavyFootprint(self.box, share > 0, flux[share > 0])


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The account of one parent in one band.

    Over the detected footprint ``data = children + unassigned + masked`` holds to the rounding of float64 sums; all
    are sums of pixel values in image units, taken before the children are rounded to the dtype of the images.

    Parameters
    ----------
    parent_id : int
    band : str or int
        Name, or index on the first axis where no names were given.
    data : float
        All finite pixels of the footprint.
    children : float
        What the children got of them.
    unassigned : float
        Usable pixels where no template is above 0.
    masked : float
        Pixels that nobody may have; those that are not finite count as 0.
    outside : float
        What the children got outside the footprint, in addition.
    not_finite : int
        Number of pixels of the footprint without a finite value.
    """

    parent_id: int
    band: str | int
    data: float
    children: float
    unassigned: float
    masked: float
    outside: float
    not_finite: int

    @property
    def imbalance(self) -> float:
        """``data − children − unassigned − masked``: 0 but for rounding."""
        return self.data - self.children - self.unassigned - self.masked


@dataclass(frozen=True, slots=True, eq=False)
class Apportioned:
    """A parent's pixels, shared out.

    Parameters
    ----------
    children : sequence of Child
        In the order of the templates. Those of a large parent are made anew whenever they are asked for.
    unassigned : Image
        Over the footprint's box: usable pixels of the footprint that no child got, 0 elsewhere.
    masked : Image
        Over the footprint's box: finite values of the footprint's pixels that nobody may have, 0 elsewhere.
    ledger : tuple of LedgerRow
        One row per band.
    templates : tuple of Image, optional
        What the pixels were shared out by, where it was drawn from models: at least as far as their PSF carries light
        out of the footprint's box. Who goes on with it need not draw it again.
    """

    children: Sequence[Child]
    unassigned: Image
    masked: Image
    ledger: tuple[LedgerRow, ...]
    templates: tuple[Image, ...] | None = None

    def total(self) -> Image:
        """Sum of the children's flux over the union of their boxes (float64)."""
        box = Box((0, 0), (0, 0))
        for child in self.children:
            box |= child.box
        out = np.zeros((*self.unassigned.array.shape[:-2], *box.shape), dtype=np.float64)
        for child in self.children:
            out[(..., *child.box.slices_in(box))] += child.flux
        return Image(out, box)
