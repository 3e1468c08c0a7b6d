"""Reads PSFs that are given as stamps at positions: FITS and npz files."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from .fits_io import missing_file, open_fits
from .psf_checks import validate_psf_stamp
from .psf_grid import GridPsf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .fits_io import FitsFile

__all__ = ["holds_psf_grid", "make_psf_grid", "read_psf_grid"]

_LAYOUT = (
    "a grid of PSFs has stamps (n, y, x), or (band, n, y, x) with the names of the bands, and positions y and x (n,), "
    "pixels from 0"
)


def holds_psf_grid(file: FitsFile) -> bool:
    """Whether a FITS file has stamps and, in a table, their positions."""
    return _position_table(file) is not None and any(hdu.header["NAXIS"] >= 3 for hdu in file.images())


def read_psf_grid(
    path: Path, band: str, interpolation: str | None = None, label: str = "PSF"
) -> tuple[GridPsf, tuple[str, ...]]:
    """Read a grid of PSFs.

    * FITS: an image HDU ``STAMPS``, or the only one, with stamps (n, y, x), that is NAXIS3 = n; and a table HDU with
      columns ``x`` and ``y``, pixels from 0.  Keyword ``INTERPOL`` may say "bilinear" or "nearest".  With a fourth axis
      the keywords ``BAND1``, ``BAND2``, … name the bands.
    * npz: arrays ``stamps``, ``x``, ``y``, and optionally ``interpolation`` and ``bands``.

    Parameters
    ----------
    path : Path
        The file; ``.npz`` or FITS.
    band : str
        Whose stamps are wanted, where the file has several.
    interpolation : str, optional
        Goes before what the file says; see `GridPsf`.
    label : str
        How messages name the PSF.

    Returns
    -------
    GridPsf
    tuple of str
        What was repaired or looks wrong, see `validate_psf_stamp`.

    Raises
    ------
    InputError
        If the file is missing or not one of these, lacks the band, or its values do not fit each other.
    """
    contents = _from_npz(path) if path.suffix.lower() == ".npz" else _from_fits(path)
    label = f"{label} {path}"
    lacking = [name for name in ("stamps", "y", "x") if contents.get(name) is None]
    if lacking:
        raise InputError(f"{label}: no {' and no '.join(lacking)}: {_LAYOUT}")
    kind = interpolation or contents.get("interpolation")
    try:
        stamps, y, x = (np.asarray(contents[name], dtype=np.float64) for name in ("stamps", "y", "x"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{label}: stamps, y and x must be numbers: {error}") from error
    return make_psf_grid(_of_band(stamps, contents.get("bands"), band, label), y, x, str(kind) if kind else None, label)


def make_psf_grid(
    stamps: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    interpolation: str | None = None,
    label: str = "PSF",
) -> tuple[GridPsf, tuple[str, ...]]:
    """Bring stamps (n, y, x) at positions into the form that `GridPsf` asks for, and say what was done.

    Stamps of nothing but NaN stay: they stand for places without a PSF.  The others are repaired one by one, see
    `validate_psf_stamp`.

    Raises
    ------
    InputError
        If a stamp cannot be repaired, or the values do not fit each other.
    """
    if stamps.ndim != 3:
        raise InputError(f"{label}: stamps of shape {stamps.shape}: {_LAYOUT}")
    mended, notes = [], []
    for k, stamp in enumerate(stamps):
        if np.isfinite(stamp).any():
            stamp, found = validate_psf_stamp(stamp, f"{label}: stamp {k}")  # noqa: PLW2901 - the repaired one
            notes.append(found)
        else:
            # Repaired stamps have odd sides.
            stamp = np.full([n - 1 + n % 2 for n in stamp.shape], np.nan)  # noqa: PLW2901 - a hole of their size
        mended.append(stamp)
    try:
        grid = GridPsf(np.stack(mended), y, x, interpolation)  # type: ignore[arg-type] # it looks at the word
    except InputError as error:
        raise InputError(f"{label}: {error}") from error
    return grid, _digest(notes)


def _digest(notes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the findings of the first stamp that has any, and how many others have some."""
    found = [several for several in notes if several]
    if not found:
        return ()
    more = f" (and {len(found) - 1} more stamps with findings)" if len(found) > 1 else ""
    return (*found[0][:-1], f"{found[0][-1]}{more}")


def _of_band(stamps: NDArray[np.float64], bands: Any, band: str, label: str) -> NDArray[np.float64]:
    """Stamps of a band (n, y, x): those of all bands where the file does not tell them apart."""
    if stamps.ndim != 4:
        return stamps
    names = [] if bands is None else [str(name).strip() for name in np.atleast_1d(bands)]
    if len(names) != len(stamps):
        raise InputError(
            f"{label}: stamps of shape {stamps.shape} (band, n, y, x), but {len(names)} names of bands "
            "(npz: bands; FITS: keywords BAND1, BAND2, …)"
        )
    if band not in names:
        raise InputError(f"{label}: no band {band!r}; there are {', '.join(names)}")
    return np.asarray(stamps[names.index(band)])


def _from_npz(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(missing_file(path))
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ("stamps", "y", "x", "interpolation", "bands") if name in file}
            if "stamps" not in found:
                raise InputError(f"{path} holds {', '.join(file.files) or 'nothing'}: {_LAYOUT}")
            return found
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{path} is not an npz file that can be read: {error}") from error


def _from_fits(path: Path) -> dict[str, Any]:
    with open_fits(path) as file:
        hdu = file.named(("STAMPS",))
        if hdu is None:
            cubes = [one for one in file.images() if one.header["NAXIS"] >= 3]
            if len(cubes) != 1:
                raise InputError(f"{file.path}: no image HDU STAMPS (there are {file.listing()}): {_LAYOUT}")
            hdu = cubes[0]
        table = _position_table(file)
        if table is None:
            raise InputError(f"{file.path}: no table with columns x and y: {_LAYOUT}")
        columns = {name.lower(): name for name in table.columns.names}
        bands = [hdu.header[f"BAND{k + 1}"] for k in range(hdu.header.get("NAXIS4", 0)) if f"BAND{k + 1}" in hdu.header]
        # Not through `pixels`, which drops axes of length 1: here each axis has a meaning.
        return {
            "stamps": np.array(hdu.data, dtype=np.float64),
            "y": np.array(table.data[columns["y"]]),
            "x": np.array(table.data[columns["x"]]),
            "interpolation": hdu.header.get("INTERPOL"),
            "bands": bands or None,
        }


def _position_table(file: FitsFile) -> Any | None:
    for hdu in file.hdus:
        columns = getattr(hdu, "columns", None)
        if columns is not None and {"x", "y"} <= {str(name).lower() for name in columns.names}:
            return hdu
    return None
