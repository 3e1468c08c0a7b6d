"""Where each row of a model store is: kept in the file's footer, so that a store opens without reading its rows."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..exceptions import CorruptModelError
from ._records import PARENT, PSF

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow.parquet as pq
    from numpy.typing import NDArray

__all__ = ["INDEX_KEY", "StoreIndex", "index_text", "read_index", "scanned_index"]

INDEX_KEY = "meas_deblend.index"


@dataclass(frozen=True, eq=False)
class StoreIndex:
    """Identifiers in the order of the rows.

    Parameters
    ----------
    group_rows : int64 array (group,)
        Rows in each row group.
    psf_rows : int64 array (psf,)
        Rows of PSFs, counted over the file.
    parent_rows : int64 array (parent,)
        Rows of parents.
    parents : int64 array (parent,)
        Their identifiers, increasing.
    counts : int64 array (parent,)
        Number of objects of each.
    objects : int64 array (object,)
        Identifiers of all objects, by parent.
    order : int64 array (object,)
        What sorts them.
    """

    group_rows: NDArray[np.int64]
    psf_rows: NDArray[np.int64]
    parent_rows: NDArray[np.int64]
    parents: NDArray[np.int64]
    counts: NDArray[np.int64]
    objects: NDArray[np.int64]
    order: NDArray[np.int64]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First row of each group, and the end (group + 1,)."""
        return np.concatenate([[0], np.cumsum(self.group_rows)])

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.counts)

    def place(self, row: int) -> tuple[int, int]:
        """Row group of a row, and its number in the group."""
        group = int(np.searchsorted(self.starts, row, side="right")) - 1
        return group, row - int(self.starts[group])

    def groups(self) -> Iterator[tuple[int, list[int], list[int]]]:
        """Each row group that holds parents, the parents' identifiers, and their rows counted in the group."""
        groups = np.searchsorted(self.starts, self.parent_rows, side="right") - 1
        held, firsts = np.unique(groups, return_index=True)
        bounds = [*firsts.tolist(), len(groups)]
        for group, first, stop in zip(held.tolist(), bounds, bounds[1:], strict=False):
            rows = self.parent_rows[first:stop] - self.starts[group]
            yield group, self.parents[first:stop].tolist(), rows.tolist()

    def row_of_parent(self, parent_id: int) -> int | None:
        """Row of a parent; None if there is none with that identifier."""
        number = _found(self.parents, parent_id)
        return None if number is None else int(self.parent_rows[number])

    def owner(self, object_id: int) -> int | None:
        """Parent of an object; None if there is no object with that identifier."""
        place = _found(self.objects, object_id, self.order)
        return None if place is None else int(self.parents[np.searchsorted(self._ends, place, side="right")])


def index_text(objects: Mapping[int, Sequence[int]], psfs: Sequence[tuple[int, int]]) -> str:
    """Index as text for the footer: JSON with compressed differences of the identifiers.

    Parameters
    ----------
    objects : mapping of int to sequence of int
        Objects of each parent, in the order of the rows.
    psfs : sequence of tuple of int
        First row and number of each run of rows of PSFs; all others are parents.
    """
    parents = np.array(list(objects), dtype=np.int64)
    counts = np.array([len(ids) for ids in objects.values()], dtype=np.int64)
    ids = np.array([one for several in objects.values() for one in several], dtype=np.int64)
    numbers = np.concatenate([np.diff(parents, prepend=0), counts, np.diff(ids, prepend=0)]).astype("<i8")
    # In byte planes, as the high bytes of differences are nearly all equal.
    planes = numbers.view(np.uint8).reshape(-1, 8).T.tobytes()
    data = b64encode(pa.compress(planes, codec="zstd", asbytes=True)).decode("ascii")
    return json.dumps({"psfs": psfs, "parents": len(parents), "objects": len(ids), "ids": data})


def read_index(text: bytes, file: pq.ParquetFile, size: int) -> StoreIndex:
    """Read what `index_text` wrote.

    Parameters
    ----------
    text : bytes
    file : ParquetFile
        Its footer must agree.
    size : int
        Bytes of the file: no index is longer, as every object takes more room in its row.

    Raises
    ------
    CorruptModelError
        If it does not fit the file.
    ValueError, KeyError, TypeError, ArrowException
        If the text is damaged.
    """
    stored = json.loads(text)
    n_rows, (n_parents, n_objects) = file.metadata.num_rows, (int(stored[name]) for name in ("parents", "objects"))
    length = 8 * (2 * n_parents + n_objects)
    if min(n_parents, n_objects) < 0 or max(length, n_rows) > size:
        raise CorruptModelError(f"an index of {n_parents} parents and {n_objects} objects in {n_rows} rows")
    of_psfs = np.zeros(n_rows, bool)
    for first, number in stored["psfs"]:
        if not 0 <= first <= first + number <= n_rows:
            raise CorruptModelError(f"an index of {number} PSFs from row {first} on, of {n_rows}")
        of_psfs[first : first + number] = True
    psf_rows, parent_rows = np.flatnonzero(of_psfs), np.flatnonzero(~of_psfs)
    if len(parent_rows) != n_parents:
        raise CorruptModelError(f"an index of {len(psf_rows)} PSFs and {n_parents} parents in {n_rows} rows")
    packed = b64decode(stored["ids"], validate=True)
    planes = np.frombuffer(pa.decompress(packed, decompressed_size=length, codec="zstd"), np.uint8)
    numbers = planes.reshape(8, -1).T.copy().view("<i8")[:, 0].astype(np.int64)
    parents, counts, objects = np.split(numbers, [n_parents, 2 * n_parents])
    if counts.sum() != n_objects or (counts < 0).any():
        raise CorruptModelError("the index's numbers of objects do not fit each other")
    return _checked(_group_rows(file), psf_rows, parent_rows, (np.cumsum(parents), counts, np.cumsum(objects)))


def scanned_index(file: pq.ParquetFile) -> StoreIndex:
    """Index of a file without one, from its columns of identifiers."""
    kinds: list[str] = []
    ids: list[int] = []
    objects: list[list[int] | None] = []
    for group in range(file.num_row_groups):
        columns: dict[str, list[Any]] = file.read_row_group(group, columns=["kind", "id", "object_ids"]).to_pydict()
        kinds += columns["kind"]
        ids += columns["id"]
        objects += columns["object_ids"]
    rows = np.arange(len(kinds))
    of_parents = np.array([kind == PARENT for kind in kinds], dtype=bool)
    of_psfs = np.array([kind == PSF for kind in kinds], dtype=bool)
    held = [objects[row] or [] for row in rows[of_parents]]
    numbers = (
        np.array([ids[row] for row in rows[of_parents]], dtype=np.int64),
        np.array([len(several) for several in held], dtype=np.int64),
        np.array([one for several in held for one in several], dtype=np.int64),
    )
    return _checked(_group_rows(file), rows[of_psfs], rows[of_parents], numbers)


def _checked(
    group_rows: NDArray[np.int64],
    psf_rows: NDArray[np.int64],
    parent_rows: NDArray[np.int64],
    numbers: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> StoreIndex:
    parents, _, objects = numbers
    # Each is looked up by bisection, and what is there twice would hide one of the two.
    order = np.argsort(objects, kind="stable")
    if (np.diff(parents) <= 0).any() or (np.diff(objects[order]) == 0).any():
        raise CorruptModelError("its identifiers are not increasing and unique")
    return StoreIndex(group_rows, psf_rows, parent_rows, *numbers, order)


def _group_rows(file: pq.ParquetFile) -> NDArray[np.int64]:
    return np.array([file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)], dtype=np.int64)


def _found(values: NDArray[np.int64], wanted: int, order: NDArray[np.int64] | None = None) -> int | None:
    """Where ``wanted`` is in ``values``, which are increasing, or are when taken in that order."""
    if not -(2**63) <= wanted < 2**63:
        return None
    place = int(np.searchsorted(values, wanted, sorter=order))
    if place == len(values):
        return None
    place = place if order is None else int(order[place])
    return place if values[place] == wanted else None
