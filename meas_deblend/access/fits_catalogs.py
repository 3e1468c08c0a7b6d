"""Catalogs as FITS files, whose tables hold at most 999 columns."""

from __future__ import annotations

from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._atomic import atomic_write
from ..exceptions import InputError
from ..image.fits_io import target_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import Table

__all__ = ["write_fits_catalog"]

_MOST = 999
"""Columns of a FITS table (standard 4.0, section 7.3.1: TFIELDS)."""
_PATCH = ("tract", "patch")


def write_fits_catalog(path: str | Path, table: Table, columns: Sequence[str] = (), *, overwrite: bool = False) -> Path:
    """Write a catalog as a FITS file, whole or not at all.

    Up to 999 columns are one table, an HDU that has the catalog's name. More, as five bands make, are one HDU with the
    columns of all bands together and one per band, ``OBJECTS_g``, whose names have kept their ``g_``. Each begins with
    the identifier, and rows are in the same order in all of them.

    Parameters
    ----------
    path : path-like
        File to write.
    table : Table
        Catalog of `Run` or `PatchRun`.
    columns : sequence of str
        Names or patterns like ``*_psfFlux*`` of the columns to write; the identifier is always written. Default: all.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        If the file exists already, a pattern fits no column, or a band alone has too many columns for FITS.
    """
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    target = target_file(path, overwrite=overwrite)
    title = str(table.meta["table"]).upper()
    groups = _groups(_chosen(table, columns), title, _bands(table))
    hdus: list[Any] = [fits.PrimaryHDU()]
    for name, names in groups.items():
        part = table[names]
        # The layout is no value of a header.
        part.meta.clear()
        hdu = fits.table_to_hdu(part)
        hdu.name = name
        hdus.append(hdu)
    stream = BytesIO()
    fits.HDUList(hdus).writeto(stream)
    with atomic_write(target) as out:
        out.write(stream.getvalue())
    return target


def _bands(table: Table) -> Sequence[str]:
    """Bands of a run's catalog, or of one of many patches, which may differ."""
    bands: Sequence[str] = table.meta["bands"] if "bands" in table.meta else table.meta["layout"].bands
    return bands


def _keys(names: Sequence[str]) -> int:
    """How many columns come first in each HDU: the identifier, after the patch where there are many."""
    return 1 + next((k for k, name in enumerate(names) if name not in _PATCH), 0)


def _chosen(table: Table, patterns: Sequence[str]) -> list[str]:
    """Names of the columns that fit a pattern, in their order, the identifier first."""
    names: list[str] = list(table.colnames)
    if isinstance(patterns, str):
        raise InputError(f"columns must be a sequence of names or patterns, got the string {patterns!r}")
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"no column of {table.meta['table']} fits {pattern!r}")
    if not patterns:
        return names
    keys = _keys(names)
    return [name for k, name in enumerate(names) if k < keys or any(fnmatchcase(name, p) for p in patterns)]


def _groups(names: list[str], title: str, bands: Sequence[str]) -> dict[str, list[str]]:
    """Names of the columns of each HDU."""
    if len(names) <= _MOST:
        return {title: names}
    # The longest band that fits: one may be the beginning of another.
    ordered = sorted(bands, key=len, reverse=True)
    owner = {name: next((band for band in ordered if name.startswith(f"{band}_")), "") for name in names}
    groups = {title: [name for name in names if not owner[name]]}
    for band in bands:
        own = [name for name in names if owner[name] == band]
        if own:
            groups[f"{title}_{band}"] = [*names[: _keys(names)], *own]
    for name, group in groups.items():
        if len(group) > _MOST:
            raise InputError(
                f"{name} would have {len(group)} columns, and a FITS table holds {_MOST}: say which by "
                "columns=[...] or --columns, e.g. '*_psfFlux*'; Parquet has no such limit"
            )
    return groups
