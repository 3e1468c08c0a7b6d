"""PSFs in files, recognised by what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..exceptions import InputError
from .fits_io import FitsFile, open_fits, split_selector
from .psf_checks import check_psf_width, psf_moments, validate_psf_stamp
from .psf_grid_file import holds_psf_grid, read_psf_grid
from .psf_models import ImagePsf
from .psfex_file import psfex_tables, read_psfex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .psf import Psf
    from .psfex import PsfexPsf

__all__ = ["FILE_KINDS", "BandContext", "PsfFile", "psf_from_file", "psf_from_pixels", "split_psf_spec"]

FILE_KINDS = ("psfex", "grid")
"""Words before ``=FILE`` that say what a file holds."""

_INTERPOLATION = re.compile(r"(.+),\s*interpolation\s*=\s*(\w+)")
# PSFEx scales positions to ±½; beyond this its polynomials are not tied to stars any more.
_FARTHEST = 0.75


@dataclass(frozen=True, slots=True)
class BandContext:
    """What has to be known of a band to make its PSF.

    Parameters
    ----------
    band : str
        Name.
    index, n_bands : int
        Place among the coadds that are read together: the plane of a cube (band, y, x).
    pixel_scale : float or None
        Arcseconds per pixel; None if it is not known.
    hdu_names : tuple of str
        Names of PSF HDUs in a file that holds more than a PSF.
    shape : tuple of int, optional
        Shape (y, x) of the image: models that vary are tried at its middle and its corners.
    """

    band: str
    index: int = 0
    n_bands: int = 1
    pixel_scale: float | None = None
    hdu_names: tuple[str, ...] = ("PSF",)
    shape: tuple[int, int] | None = None


class PsfFile(NamedTuple):
    """A specification ``[KIND=]FILE[HDU][,interpolation=WORD]`` in its parts."""

    kind: str | None
    file: str
    interpolation: str | None

    def __str__(self) -> str:
        prefix = "" if self.kind is None else f"{self.kind}="
        return f"{prefix}{self.file}" + (f",interpolation={self.interpolation}" if self.interpolation else "")


def split_psf_spec(spec: str | Path) -> PsfFile:
    """Take a specification that names a file apart."""
    text = str(spec)
    kind, equals, rest = text.partition("=")
    if not equals or kind.strip().lower() not in FILE_KINDS:
        return PsfFile(None, text, None)
    kind, match = kind.strip().lower(), _INTERPOLATION.fullmatch(rest)
    return PsfFile(kind, rest, None) if match is None or kind != "grid" else PsfFile(kind, match[1], match[2])


def psf_from_file(spec: str | Path, context: BandContext, label: str) -> tuple[Psf, tuple[str, ...]]:
    """Make a PSF of a file.

    Without a word before it, a file is a PSFEx model if it has a table with a column PSF_MASK; a grid of stamps if it
    is an npz file, or has no HDU of a PSF's name but a cube and a table with x and y; else a stamp or a cube.

    Raises
    ------
    InputError
        If no PSF can be made of it.
    """
    parts = split_psf_spec(spec)
    path, selector = split_selector(parts.file)
    if not parts.file.strip():
        raise InputError(f"{label}: no file in {str(spec)!r}")
    kind = parts.kind or _kind_of(path, selector, context)
    if kind == "grid":
        if selector is not None:
            raise InputError(f"{label}: a grid of PSFs is a whole file, not an HDU of one: give {kind}={path}")
        return read_psf_grid(path, context.band, parts.interpolation, label)
    with open_fits(path) as file:
        if kind == "psfex":
            psf = read_psfex(file, selector)
            return psf, _check_psfex(psf, context, f"{label} {path}")
        pixels = _pixels(file, selector, context)
    return psf_from_pixels(pixels, context, f"{label} {spec}")


def psf_from_pixels(pixels: NDArray[Any], context: BandContext, label: str) -> tuple[ImagePsf, tuple[str, ...]]:
    """Make a PSF of a stamp (y, x), which is every band's, or of a band's plane of a cube (band, y, x).

    Raises
    ------
    InputError
        If it is neither, or the stamp cannot be used.
    """
    if pixels.ndim == 3 and len(pixels) == context.n_bands:
        pixels = np.asarray(pixels[context.index])
    elif pixels.ndim != 2:
        raise InputError(
            f"{label}: expected a stamp (y, x) or a cube (band, y, x) with one plane for each of the "
            f"{context.n_bands} coadds, got shape {pixels.shape}"
        )
    stamp, notes = validate_psf_stamp(pixels, label)
    return ImagePsf(stamp), notes


def _kind_of(path: Path, selector: str | None, context: BandContext) -> str:
    if path.suffix.lower() == ".npz":
        return "grid"
    with open_fits(path) as file:
        if psfex_tables(file) and file.named(context.hdu_names if selector is None else (selector,)) is None:
            return "psfex"
        if selector is None and file.named(context.hdu_names) is None and holds_psf_grid(file):
            return "grid"
    return "image"


def _pixels(file: FitsFile, selector: str | None, context: BandContext) -> NDArray[np.float64]:
    if selector is not None:
        return file.pixels(file.select(selector), np.float64)
    hdu = file.named(context.hdu_names)
    images = file.images()
    if hdu is None and len(images) != 1:
        raise InputError(
            f"{file.path}: which HDU is the PSF? There are {file.listing()}; name it as FILE[HDU], e.g. "
            f"{file.path.name}[1]"
        )
    return file.pixels(images[0] if hdu is None else hdu, np.float64)


def _check_psfex(psf: PsfexPsf, context: BandContext, label: str) -> tuple[str, ...]:
    """Try a model at the middle and the corners of the image; return what looks wrong.

    Raises
    ------
    InputError
        If it is no PSF at the middle.
    """
    h, w = context.shape or (1, 1)
    try:
        stamp = psf.image(h // 2, w // 2).stamp
        center = psf_moments(stamp)
    except InputError as error:
        raise InputError(f"{label}: at the middle of the image: {error}") from error
    notes = list(check_psf_width(stamp, label))
    off = (center.y - stamp.shape[0] // 2, center.x - stamp.shape[1] // 2)
    if max(map(abs, off)) > 0.3:
        notes.append(
            f"{label}: the model's stars lie ({off[0]:+.2f}, {off[1]:+.2f}) px (y, x) off the middle of the stamp at "
            "the middle of the image; positions of point sources will be off by as much"
        )
    corners = [(y, x) for y in (0, h - 1) for x in (0, w - 1)]
    farthest = max((abs(t) for place in corners for t in psf.coordinates(*place)), default=0.0)
    if context.shape is not None and farthest > _FARTHEST:
        notes.append(
            f"{label}: the image of {h} × {w} px (y, x) reaches {farthest / 0.5:.1f} times as far from the middle of "
            "the model's positions as the stars that PSFEx used (POLZERO, POLSCAL): is the model that of another "
            "image, or is this a cut-out, whose pixels count anew?"
        )
    return tuple(notes)
