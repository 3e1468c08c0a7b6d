"""The reference page of the model store, made from its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from ._arrays import COMPACT_BITS, COMPACT_ERROR
from ._migrations import READABLE_STORES
from ._store_schema import FIELD_MEANINGS, STORE_TYPE, STORE_VERSION, store_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["store_markdown"]

_HEAD = """# The model store's format

`models.parquet` is a Parquet file of type `{type}`, version `{version}`; releases that write it read versions
{readable}. [](../../how-to/read-without-us.md) has a reader in NumPy and pyarrow alone.

## Layout

- Rows of `kind = "psf"` come first, one per different PSF; then rows of `kind = "parent"`, one per parent, by
  increasing `id`. No row group holds both kinds.
- Identifiers of parents and objects come from one space of 63 bits; an isolated object has the identifier of its
  parent.
- Positions are `(y, x)` in pixels of the coadd, 0-based, with pixel centres on integers. Boxes are
  four numbers: first row, first column, height and width.
- The file's metadata have two keys. `meas_deblend` is a JSON text: `type`, `version`, `written_by` (release), `bands`,
  `shape` of the coadds `[y, x]`, `wcs` (FITS header cards), `zeropoints` (AB magnitude of one image unit per band, or
  null), `units` of pixels and fluxes, `provenance`, `apportion` (how pixels were shared out), and `pixel_error`.
  `meas_deblend.index` says which identifiers are in which row; it only saves time: the columns `id` and `object_ids`
  say the same.

## Arrays

A *plain* array has `dtype` ("<f4" or "<f8"), `shape`, and `data`: its bytes in row-major order.

*Pixels*, most of which are 0, have `dtype`, `shape`, `support` and `values`. `support` holds one bit per pixel in
row-major order, first pixel in the highest bit: 1 where a pixel has a bit that is not 0. `values` holds the bytes of
those pixels in planes: the lowest byte of each, then the next, up to the highest. In the compact mode, component pixels
were rounded to {bits} bits of the mantissa first, half to even: the relative error is at most {error} (2⁻¹¹), and
`pixel_error` says so; it is 0 where every bit was kept. Spectra, PSFs, parameters and covariances are always exact.

## Kinds of components

| kind | `spectrum` | `pixels` | `parameters` | model |
| --- | --- | --- | --- | --- |
| factorized | (band,) | (y, x) | null | spectrum × pixels in the resolution of the model PSF |
| template | null | (band, y, x) | null | pixels as seen in each band, never convolved again |
| point | (band,) | null | y, x | spectrum × model PSF at that position |
| profile | (band,) | null | y, x, radius, g1, g2, index | spectrum × Sérsic profile of unit flux, ditto |

## Columns

"""


def store_markdown() -> str:
    """Write the Markdown reference page of the store's format."""
    head = _HEAD.format(
        type=STORE_TYPE,
        version=STORE_VERSION,
        readable=", ".join(READABLE_STORES),
        bits=COMPACT_BITS,
        error=COMPACT_ERROR,
    )
    lines = ["| column | type | meaning |", "| --- | --- | --- |"]
    for field in store_fields():
        lines.append(f"| `{field.name}` | {_type(field.type)} | {field.metadata[b'description'].decode()} |")
        lines += [f"| `{path}` | {_type(kind)} | {FIELD_MEANINGS.get(path, '')} |" for path, kind in _inner(field)]
    return head + "\n".join(lines) + "\n"


def _inner(field: pa.Field, above: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """Fields within a column, down to arrays, boxes and peaks, with their paths."""
    path, kind = above + field.name, field.type
    path += "[]" if pa.types.is_list(kind) else ""
    kind = kind.value_type if pa.types.is_list(kind) else kind
    if pa.types.is_struct(kind) and _named(kind) is None:
        for number in range(kind.num_fields):
            inner = kind.field(number)
            yield f"{path}.{inner.name}", inner.type
            yield from _inner(inner, f"{path}.")


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_type(kind.value_type)}"
    if pa.types.is_struct(kind):
        return _named(kind) or "struct"
    return str(kind)


def _named(kind: pa.DataType) -> str | None:
    """Name of a struct that is explained once for all columns."""
    names = tuple(kind.field(number).name for number in range(kind.num_fields))
    return _STRUCTS.get(names)


_STRUCTS = {
    ("dtype", "shape", "data"): "plain array",
    ("dtype", "shape", "support", "values"): "pixels",
    ("y", "x"): "position (y, x)",
}
