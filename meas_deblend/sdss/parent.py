"""What the steps know about a parent: its pixels, its noise, its PSF; and what they return for each peak."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import BoolArray, Box, FloatArray, Footprint, Image
from ..image import psf_fwhm
from .psf_model import PsfModel, nearest_pixel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from ..image import Psf
    from .config import SingleBandConfig

__all__ = ["ParentInput", "ParentPixels", "PeakTemplate", "PointSource", "read_parent"]

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


@dataclass(frozen=True, slots=True, eq=False)
class ParentInput:
    """One parent in one band, as a caller knows it: the arguments of `deblend_parent`, where each is described."""

    image: FloatArray
    variance: FloatArray
    psf: FloatArray | Psf | None
    peaks: ArrayLike
    footprint: BoolArray | None = None
    mask: BoolArray | None = None
    psf_fwhm: float | None = None
    sigma1: float | None = None
    origin: tuple[int, int] = (0, 0)


def read_parent(given: ParentInput, config: SingleBandConfig) -> ParentPixels:
    """Check the arguments, fill in what was left out and cut the pixels that the steps read.

    Raises
    ------
    InputError
        If an array does not fit, there is no peak or no footprint pixel, or the PSF is missing or has no width
        although the options need one.
    """
    positions = _positions(given)
    frame = Box(given.origin, (given.image.shape[0], given.image.shape[1]))
    footprint = _footprint(given, frame)
    psf = None if given.psf is None else PsfModel.of(given.psf)
    needs_psf = config.fit_psfs or config.edge_handling == "ramp"
    if psf is None and needs_psf:
        raise InputError("psf is None: give one, or set fit_psfs=False and edge_handling='clip'")
    fwhm = _fwhm(given.psf_fwhm, psf, footprint) if needs_psf else 0.0
    window = footprint.box.grow(ramp_reach(fwhm) if needs_psf else 0) & frame
    cut = window.slices_in(frame)
    bad = np.zeros(window.shape, dtype=bool) if given.mask is None else given.mask[cut].astype(bool)
    sigma1 = _sigma1(given) if given.sigma1 is None else float(given.sigma1)
    image, variance = (a[cut].astype(np.float64) for a in (given.image, given.variance))
    return ParentPixels(frame, window, image, variance, bad, footprint, positions, psf, fwhm, sigma1)


def _positions(given: ParentInput) -> FloatArray:
    shape = given.image.shape
    if len(shape) != 2:
        raise InputError(f"image must be (y, x), got shape {shape}")
    for name, array in (("variance", given.variance), ("footprint", given.footprint), ("mask", given.mask)):
        if array is not None and array.shape != shape:
            raise InputError(f"{name} must have the shape of image, {shape}, got {array.shape}")
    positions = np.asarray(given.peaks, dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] != 2 or len(positions) == 0:
        raise InputError(f"peaks must be one (y, x) per row and at least one, got shape {positions.shape}")
    if not np.isfinite(positions).all():
        raise InputError(f"peaks must be finite, got {positions[~np.isfinite(positions).all(axis=1)][0]}")
    return positions


def _footprint(given: ParentInput, frame: Box) -> Footprint:
    if given.footprint is None:
        return Footprint.from_box(frame)
    if not given.footprint.any():
        raise InputError("footprint has no pixel")
    return Footprint.from_mask(given.footprint.astype(bool), frame.origin)


def _fwhm(value: float | None, psf: PsfModel | None, footprint: Footprint) -> float:
    """FWHM that was given, or the PSF's at the footprint's centroid."""
    if value is None and psf is not None:
        rows, columns = np.nonzero(footprint.mask)
        y0, x0 = footprint.box.origin
        value = psf_fwhm(psf.stamp(y0 + rows.mean(), x0 + columns.mean()).array)
    if value is None or not (np.isfinite(value) and value > 0):
        raise InputError(f"the PSF's FWHM must be finite and above 0 pixels, got {value}")
    return float(value)


def _sigma1(given: ParentInput) -> float:
    """Median noise of a usable pixel of the image; infinite without any, so that no edge counts as bright."""
    usable = np.isfinite(given.variance) & (given.variance > 0)
    if given.mask is not None:
        usable &= ~given.mask.astype(bool)
    return float(np.sqrt(np.median(given.variance[usable]))) if usable.any() else float("inf")
