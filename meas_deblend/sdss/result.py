"""What the single-band deblender returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..geometry import Box, Footprint, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..geometry import BoolArray, FloatArray
    from .parent import PeakTemplate

__all__ = ["ChildPixels", "SingleBandChild", "SingleBandResult"]


@dataclass(frozen=True, slots=True, eq=False)
class ChildPixels:
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
    pixels: ChildPixels

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
    """A deblended parent; its arrays are held on boxes and seen on the whole image.

    Parameters
    ----------
    frame : Box
        The whole image.
    children : tuple of SingleBandChild
        One per peak, in the order of the peaks.
    final : Footprint
        See ``footprint``.
    rest : tuple of Image
        See ``unassigned`` and ``masked``; on the box of the detected footprint.
    """

    frame: Box
    children: tuple[SingleBandChild, ...]
    final: Footprint
    rest: tuple[Image, Image]

    @property
    def footprint(self) -> BoolArray:
        """Final parent (y, x).

        With the rule "trim" the union of the children's footprints, else the detected footprint and that union.  The
        detected footprint if no child survived.
        """
        return self.final.on(self.frame)

    @property
    def unassigned(self) -> FloatArray:
        """Usable pixels of the detected footprint that no child got, 0 elsewhere (y, x), image units."""
        return self.rest[0].project(self.frame).array

    @property
    def masked(self) -> FloatArray:
        """Finite values of the pixels of the detected footprint that nobody may have, 0 elsewhere (y, x)."""
        return self.rest[1].project(self.frame).array
