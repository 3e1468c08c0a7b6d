"""The arguments of the single-band deblender: checked, filled in, and cut to what the steps read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import BoolArray, Box, FloatArray, Footprint
from ..image import psf_fwhm
from .parent import ParentPixels, ramp_reach
from .psf_model import PsfModel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..image import Psf
    from .config import TemplateConfig

__all__ = ["ParentInput", "read_parent"]


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
    edge: BoolArray | None = None


def read_parent(given: ParentInput, config: TemplateConfig) -> ParentPixels:
    """Check the arguments, fill in what was left out and cut the pixels that the steps read.

    Raises
    ------
    InputError
        If an array does not fit, there is no peak or no footprint pixel, or the PSF is missing or has no width
        although the options need one.
    """
    _check_shapes(given)
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
    bad = np.zeros(window.shape, dtype=bool) if given.mask is None else _flags("mask", given.mask)[cut]
    edge = _border(frame, window) if given.edge is None else _flags("edge", given.edge)[cut]
    image, variance = (np.asarray(a[cut], dtype=np.float64) for a in (given.image, given.variance))
    sigma1 = _sigma1(given) if given.sigma1 is None else _checked_sigma1(given.sigma1)
    return ParentPixels(frame, window, image, variance, bad, edge, footprint, positions, psf, fwhm, sigma1)


def _check_shapes(given: ParentInput) -> None:
    shape = given.image.shape
    if len(shape) != 2:
        raise InputError(f"image must be (y, x), got shape {shape}")
    arrays = {
        "variance": given.variance,
        "footprint": given.footprint,
        "mask": given.mask,
        "edge": given.edge,
    }
    for name, array in arrays.items():
        if array is not None and array.shape != shape:
            raise InputError(f"{name} must have the shape of image, {shape}, got {array.shape}")
    for name, array in (("image", given.image), ("variance", given.variance)):
        if array.dtype.kind not in "fiu":
            raise InputError(f"{name} must hold real numbers, got an array of {array.dtype}")


def _positions(given: ParentInput) -> FloatArray:
    positions = np.asarray(given.peaks, dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] != 2 or len(positions) == 0:
        raise InputError(f"peaks must be one (y, x) per row and at least one, got shape {positions.shape}")
    if not np.isfinite(positions).all():
        raise InputError(f"peaks must be finite, got {positions[~np.isfinite(positions).all(axis=1)][0]}")
    return positions


def _flags(name: str, array: BoolArray) -> BoolArray:
    """Return flags of the whole image; a plane of bits or labels would be true almost everywhere, and is refused."""
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise InputError(f"{name} must be bool, got {array.dtype} with values other than 0 and 1")
    return array.astype(bool, copy=False)


def _footprint(given: ParentInput, frame: Box) -> Footprint:
    if given.footprint is None:
        return Footprint.from_box(frame)
    member = _flags("footprint", given.footprint)
    if not member.any():
        raise InputError("footprint has no pixel")
    return Footprint.from_mask(member, frame.origin)


def _border(frame: Box, window: Box) -> BoolArray:
    """Outermost pixels of the image, on ``window``."""
    inner = frame.grow(-1) if min(frame.shape) > 2 else Box(frame.origin, (0, 0))
    return ~Footprint.from_box(inner).on(window)


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
        usable &= ~_flags("mask", given.mask)
    return float(np.sqrt(np.median(given.variance[usable]))) if usable.any() else float("inf")


def _checked_sigma1(value: float) -> float:
    if not value > 0:
        raise InputError(f"sigma1 must be above 0, got {value}")
    return float(value)
