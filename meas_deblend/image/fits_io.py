"""Opening FITS files: errors that name the file, warnings collected, arrays in the machine's own byte order."""

from __future__ import annotations

import gzip
import hashlib
import re
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["FitsFile", "checksum", "missing_file", "open_fits", "split_selector", "target_file"]

# Repairs that astropy reports for almost every header of a survey and that move no position: dates are completed
# (datfix) and units spelled as the standard asks (unitfix).
_HARMLESS = re.compile(r"datfix|unitfix")

# What astropy says of files that end too early.
_DAMAGED = re.compile(r"truncated|corrupt", re.IGNORECASE)

# Pixels that are read at a time: few enough to stay in a processor's cache, many enough to make up for the call.
_BLOCK = 1 << 18

# Advice of astropy about its own arguments, which whoever reads coadds cannot follow.
_ADVICE = re.compile(r"\s*If this is really a FITS file, try with .*")


@dataclass(frozen=True, slots=True, eq=False)
class FitsFile:
    """An open FITS file.

    Parameters
    ----------
    path : Path
        Absolute path.
    hdus : astropy.io.fits.HDUList
        Its HDUs.
    caught : list of warnings.WarningMessage
        What astropy warned of so far; grows while the file is open.
    """

    path: Path
    hdus: Any
    caught: list[warnings.WarningMessage] = field(default_factory=list)

    @property
    def messages(self) -> tuple[str, ...]:
        """What astropy warned of so far, each once, in one line."""
        lines = (" ".join(str(w.message).split()) for w in self.caught)
        return tuple(dict.fromkeys(line for line in lines if not _HARMLESS.search(line)))

    def images(self) -> list[Any]:
        """Image HDUs that hold pixels; a compressed image counts, a table does not."""
        return [hdu for hdu in self.hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]

    def need_images(self) -> list[Any]:
        """Image HDUs that hold pixels.

        Raises
        ------
        InputError
            If there is none.
        """
        found = self.images()
        if not found:
            raise InputError(f"{self.path} holds no image{self._cut_off()}")
        return found

    def named(self, names: Sequence[str]) -> Any | None:
        """First image HDU with one of ``names`` as its EXTNAME or EXTTYPE (any case), in the order of ``names``."""
        for name in names:
            for hdu in self.images():
                given = (hdu.name, hdu.header.get("EXTTYPE", ""))
                if name.upper() in (str(text).strip().upper() for text in given):
                    return hdu
        return None

    def select(self, selector: str) -> Any:
        """Image HDU with this number (0 is the primary) or EXTNAME.

        Raises
        ------
        InputError
            If there is none; the message lists the image HDUs.
        """
        found = self.named([selector])
        if found is None and selector.isdigit() and int(selector) < len(self.hdus):
            found = self.hdus[int(selector)]
        if found is None or not any(found is hdu for hdu in self.images()):
            raise InputError(f"{self.path} has no image HDU {selector!r}; there are {self.listing()}")
        return found

    def listing(self) -> str:
        """Image HDUs in words, for messages; says so where the file looks cut off, for HDUs may then be lacking."""
        numbers = {id(hdu): k for k, hdu in enumerate(self.hdus)}
        found = [f"{numbers[id(h)]} {h.name or '(no name)'} {h.shape}" for h in self.images()]
        return (", ".join(found) or "no image HDU") + self._cut_off()

    def _cut_off(self) -> str:
        damaged = any(_DAMAGED.search(message) for message in self.messages)
        return "; the file looks truncated: copy it again" if damaged else ""

    def pixels(
        self, hdu: Any, dtype: Any = None, empty: Callable[[tuple[int, ...], Any], NDArray[Any]] = np.empty
    ) -> NDArray[Any]:
        """Pixels of an HDU, scaled by BSCALE and BZERO, in native byte order; axes of length 1 in front are dropped.

        Parameters
        ----------
        hdu : astropy.io.fits image HDU
            One of this file's.
        dtype : numpy dtype, optional
            Type that is wanted; default the type in the file.
        empty : callable
            Makes the array, from its shape and type.

        Raises
        ------
        InputError
            If the pixels cannot be read, e.g. because the file is truncated.
        """
        try:
            return _by_rows(hdu, dtype, empty) if _has_rows(hdu) else _at_once(hdu, dtype, empty)
        except (OSError, TypeError, ValueError) as error:
            raise InputError(f"{self.path}: pixels of HDU {hdu.name!r} cannot be read: {error}") from error


def _has_rows(hdu: Any) -> bool:
    """Whether an image can be read in parts, and is large enough for that to matter."""
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    plain = isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU))
    return plain and len(hdu.shape) == 2 and hdu.size > _BLOCK


def _by_rows(hdu: Any, dtype: Any, empty: Callable[[tuple[int, ...], Any], NDArray[Any]]) -> NDArray[Any]:
    """Return an image that is read a few rows at a time, which takes no memory beside its own."""
    height, width = hdu.shape
    rows = max(_BLOCK // width, 1)
    copy = empty(hdu.shape, _type_here(hdu.section[:1], dtype))
    for first in range(0, height, rows):
        _convert(hdu.section[first : first + rows], copy[first : first + rows])
    return copy


def _at_once(hdu: Any, dtype: Any, empty: Callable[[tuple[int, ...], Any], NDArray[Any]]) -> NDArray[Any]:
    data = hdu.data
    while data.ndim > 2 and data.shape[0] == 1:
        data = data[0]
    copy = empty(data.shape, _type_here(data, dtype))
    _convert(data, copy)
    # HDUs refer to each other in circles: what they hold would stay until the garbage is collected.
    del hdu.data
    return copy


def _type_here(data: NDArray[Any], dtype: Any) -> np.dtype[Any]:
    return data.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)


def _convert(data: NDArray[Any], copy: NDArray[Any]) -> None:
    # float64 above float32's range becomes infinite, that is, not usable; no warning is needed on top.
    with np.errstate(over="ignore", invalid="ignore"):
        copy[...] = data


def split_selector(text: str | Path) -> tuple[Path, str | None]:
    """Split ``file.fits[SCI]`` or ``file.fits[2]`` into the path and the HDU's name or number (None without one)."""
    match = re.fullmatch(r"(.+)\[([^\[\]]+)\]", str(text))
    if match is None:
        return Path(text), None
    return Path(match[1]), match[2].strip()


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def open_fits(path: str | Path) -> Iterator[FitsFile]:
    """Open a FITS file, gzip-compressed or not, for reading.

    Warnings raised while it is open (non-standard cards, truncation, repaired WCS keywords) do not go to the
    caller: they are in ``messages``.

    Raises
    ------
    InputError
        If the file is missing (files of similar names are listed) or is not FITS.
    """
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    absolute = Path(path).expanduser().absolute()
    if not absolute.is_file():
        raise InputError(missing_file(absolute))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            hdus = fits.open(_source(absolute), memmap=False, lazy_load_hdus=False)
        except (OSError, EOFError, zlib.error, TypeError, ValueError) as error:
            reason = _ADVICE.sub("", str(error))
            raise InputError(f"{absolute} is not a FITS file that can be read: {reason}") from error
        with hdus:
            yield FitsFile(absolute, hdus, caught)


def _source(path: Path) -> Path | BytesIO:
    """Return what astropy opens: a compressed file is unpacked here, for it would take a truncated one for shorter."""
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    return BytesIO(gzip.decompress(path.read_bytes())) if compressed else path


def missing_file(path: Path) -> str:
    """Say that there is no such file, and which are called alike."""
    if path.is_dir():
        return f"{path} is a folder, not a file"
    if not path.parent.is_dir():
        return f"no file {path}: there is no folder {path.parent}"
    near = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], 3)
    return f"no file {path}" + (f"; in the same folder: {', '.join(near)}" if near else "")


def target_file(path: str | Path, *, overwrite: bool) -> Path:
    """Return a file that may be written.

    Raises
    ------
    InputError
        If it exists already, and may not be replaced.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise InputError(f"{target} exists already; say overwrite=True to replace it")
    return target
