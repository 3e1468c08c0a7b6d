"""What the steps know about a parent: its pixels, its noise, its PSF; and what they return for each peak."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import BoolArray, Box, FloatArray, Footprint, Image
from .psf_model import PsfModel, nearest_pixel

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ParentPixels", "PeakTemplate", "PointSource", "ramp_reach"]

NOTHING = Footprint(Box((0, 0), (0, 0)), np.zeros((0, 0), dtype=bool))


@dataclass(frozen=True, slots=True, eq=False)
class PointSource:
    """Outcome of the point-source fits at one peak.

    Parameters
    ----------
    status : str
        "ok", or why the peak is dropped: "tiny", "out_of_bounds", "failed".
    is_psf : bool
        Whether a point source with a flux above 0 describes the pixels.
    flux : float
        Total flux of the point source of the fit that was kept, image units; NaN if none was made.
    center : tuple of float
        Its position ``(y, x)``.
    chisq : mapping of str to float
        Reduced χ² of the fits that were made: "fit1" at the peak, "fit2" with a shift, "fit3" drawn at the shift.
    flags : frozenset of str
    """

    status: str = "ok"
    is_psf: bool = False
    flux: float = float("nan")
    center: tuple[float, float] = (float("nan"), float("nan"))
    chisq: Mapping[str, float] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class PeakTemplate:
    """The template of one peak.

    Parameters
    ----------
    status : str
        "ok"; "tiny" (fit box too narrow), "out_of_bounds" (peak outside the pixels), "degenerate" (looks like another
        template), "failed" (no usable template).
    image : Image
        float64 array (y, x), image units, at least 0 unless a negative weight turned it; 0 outside ``footprint``.
        Empty where there is no template.
    footprint : Footprint
        Pixels of the template, on the box of ``image``; may reach outside the parent's footprint.
    psf : PointSource
    flags : frozenset of str
        ``"psf_…"`` from the point-source fits, "ramped_template", "no_valid_pixels", "peak_outside_footprint",
        "empty_template".
    """

    status: str
    image: Image
    footprint: Footprint
    psf: PointSource
    flags: frozenset[str] = frozenset()

    @classmethod
    def dropped(cls, status: str, psf: PointSource, *flags: str) -> PeakTemplate:
        """Return a peak without a template."""
        return cls(status, Image(np.zeros((0, 0)), NOTHING.box), NOTHING, psf, psf.flags | frozenset(flags))


@dataclass(frozen=True, eq=False)
class ParentPixels:
    """A parent's pixels on the part of the image that any step may read.

    Parameters
    ----------
    frame : Box
        The whole image.
    window : Box
        Where the arrays lie: the footprint's box and the margin that ramps read, inside ``frame``.
    image, variance : float64 array (y, x)
    bad : bool array (y, x)
        Pixels that the caller marked.
    edge : bool array (y, x)
        Pixels at the edge of the exposure.
    footprint : Footprint
    positions : float64 array (peak, 2)
        Peaks as ``(y, x)``.
    psf : PsfModel or None
    fwhm, sigma1 : float
        Width of the PSF in pixels; noise of a pixel, image units.
    """

    frame: Box
    window: Box
    image: FloatArray
    variance: FloatArray
    bad: BoolArray
    edge: BoolArray
    footprint: Footprint
    positions: FloatArray
    psf: PsfModel | None
    fwhm: float
    sigma1: float

    @property
    def pixels(self) -> tuple[tuple[int, int], ...]:
        """Pixel of each peak, as ``(y, x)``."""
        return tuple(nearest_pixel(y, x) for y, x in self.positions)

    @property
    def growth(self) -> int:
        """How far a ramp reaches, in pixels: about 1.5 FWHM, odd."""
        return ramp_reach(self.fwhm)

    @cached_property
    def ramp_footprint(self) -> Footprint:
        """The parent's footprint grown by the reach of a ramp; may leave the image."""
        return self.footprint.dilate(self.growth)

    @cached_property
    def stamps(self) -> tuple[Image, ...]:
        """PSF at each peak."""
        if self.psf is None:
            return ()
        return tuple(self.psf.stamp(y, x) for y, x in self.positions)


def ramp_reach(fwhm: float) -> int:
    """Half-width of the margin in which a ramp continues a template, in pixels."""
    return 2 * int((1.5 * fwhm + 0.5) / 2) + 1
