"""Reads PSFEx models: its own ``.psf`` files, and tables in which each row is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from .psfex import PsfexPsf

if TYPE_CHECKING:
    from .fits_io import FitsFile

__all__ = ["psfex_tables", "read_psfex"]

_POSITION = re.compile(r"([XY])(?:WIN|PEAK|PSF|MODEL)?_IMAGE(?:_DBL)?", re.IGNORECASE)
# Where a detector's name stands in tables of many models.
_DETECTORS = ("ccdname", "extname")


def psfex_tables(file: FitsFile) -> list[Any]:
    """Table HDUs that hold a PSFEx model."""
    return [hdu for hdu in file.hdus if "psf_mask" in _columns(hdu)]


def read_psfex(file: FitsFile, selector: str | None = None) -> PsfexPsf:
    """Read a model.

    Parameters
    ----------
    file : FitsFile
        A file of PSFEx, with one HDU per detector of the image; or a table with a column for each of PSFEx's keywords
        and a row for each model.
    selector : str, optional
        Number or EXTNAME of the HDU, or the detector's name (column ``ccdname``); needed where there are several
        models.

    Raises
    ------
    InputError
        If there is no model, it is not clear which is meant, keywords are missing (they are listed), the PSF depends
        on something else than the position, or the values do not fit each other.
    """
    model = _Model.find(file, selector)
    missing = [name for name in ("polnaxis", "psf_samp") if model.get(name) is None]
    n_axes = 0 if missing else int(model.number("polnaxis"))
    if n_axes not in (0, 1, 2):
        raise InputError(f"{model.label}: POLNAXIS = {n_axes}; a PSF may depend on 0, 1 or 2 coordinates")
    per_axis = [f"{name}{k + 1}" for k in range(n_axes) for name in ("polname", "polzero", "polscal", "polgrp")]
    missing += [name for name in (*per_axis, *(["poldeg1"] if n_axes else [])) if model.get(name) is None]
    if missing:
        raise InputError(
            f"{model.label}: not a complete PSFEx model: {', '.join(map(str.upper, missing))} missing in the header "
            "and the columns"
        )
    groups = {int(model.number(f"polgrp{k + 1}")) for k in range(n_axes)}
    if len(groups) > 1:
        raise InputError(
            f"{model.label}: x and y are in different groups of PSFEx's polynomial (POLGRP), which is not supported: "
            "run PSFEx with PSFVAR_GROUPS 1,1"
        )
    try:
        return PsfexPsf(
            model.mask(),
            model.number("psf_samp"),
            "".join(_axis(str(model.get(f"polname{k + 1}")), model.label) for k in range(n_axes)),  # type: ignore[arg-type] # checked below
            tuple(model.number(f"polzero{k + 1}") for k in range(n_axes)),
            tuple(model.number(f"polscal{k + 1}") for k in range(n_axes)),
            int(model.number("poldeg1")) if n_axes else 0,
        )
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(model.label) else f"{model.label}: {message}") from error


def _axis(name: str, label: str) -> str:
    match = _POSITION.fullmatch(name.strip())
    if match is None:
        raise InputError(
            f"{label}: the PSF depends on {name.strip()!r} (POLNAME), but only on positions on the image can it be "
            "evaluated here (X_IMAGE, Y_IMAGE, XWIN_IMAGE, …): run PSFEx with PSFVAR_KEYS X_IMAGE,Y_IMAGE"
        )
    return match[1].lower()


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """One row of a table, whose keywords stand in the header or in columns.

    Parameters
    ----------
    label : str
        File and HDU, for messages.
    hdu : astropy.io.fits table HDU
    row : int
    """

    label: str
    hdu: Any
    row: int

    @classmethod
    def find(cls, file: FitsFile, selector: str | None) -> _Model:
        """Find the one that is meant."""
        tables = psfex_tables(file)
        if not tables:
            tables_too = ", ".join(str(h.columns.names) for h in file.hdus if getattr(h, "columns", None))
            raise InputError(
                f"{file.path} is not a PSFEx model: no table has a column PSF_MASK (image HDUs: {file.listing()}; "
                f"columns of tables: {tables_too or 'no table'})"
            )
        found = [
            cls(f"{file.path}[{file.hdus.index_of(hdu)}]", hdu, row)
            for hdu in tables
            for row in range(len(hdu.data))
            if selector is None or selector.strip().upper() in _names(file, hdu, row)
        ]
        if len(found) == 1:
            return found[0]
        every = [_names(file, hdu, row)[-1] for hdu in tables for row in range(len(hdu.data))]
        listing = f"{', '.join(every[:12])}{' …' if len(every) > 12 else ''}" if every else "none, the table is empty"
        what = "which of its PSFEx models is meant?" if selector is None else f"{len(found)} models named {selector!r}:"
        raise InputError(f"{file.path}: {what} There are {listing}; name one as FILE[NAME]")

    def get(self, name: str) -> Any:
        """Value of a keyword, in the header or else in a column; None if it is in neither."""
        value = self.hdu.header.get(name.upper())
        column = _columns(self.hdu).get(name)
        return value if value is not None or column is None else self.hdu.data[column][self.row]

    def number(self, name: str) -> float:
        """Value of a keyword that must be a number."""
        value = self.get(name)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.label}: {name.upper()} = {value!r} is not a number") from error

    def mask(self) -> Any:
        """PSF_MASK as (term, y, x)."""
        mask = np.asarray(self.hdu.data[_columns(self.hdu)["psf_mask"]][self.row], dtype=np.float64)
        return mask[None] if mask.ndim == 2 else mask


def _columns(hdu: Any) -> dict[str, str]:
    """Names of a table's columns, by their lower-case form."""
    columns = getattr(hdu, "columns", None)
    return {} if columns is None else {str(name).lower(): str(name) for name in columns.names}


def _names(file: FitsFile, hdu: Any, row: int) -> list[str]:
    """How a model may be called, in capitals; the last tells it from others best."""
    index, name = str(file.hdus.index_of(hdu)), hdu.name.strip().upper()
    columns = _columns(hdu)
    detectors = [str(hdu.data[columns[key]][row]).strip().upper() for key in _DETECTORS if key in columns]
    # PSFEx calls the tables of all detectors PSF_DATA.
    several = len({h.name for h in psfex_tables(file)}) > 1
    return [index, name, *detectors] if detectors or several else [name, index]
