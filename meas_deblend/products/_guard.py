"""Whether a row group can be read in bounded memory: what its footer and page headers declare is looked at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import CorruptModelError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["check_group"]

_LARGEST_GROUP = 1 << 30
_MOST_VALUES = 1 << 24


def check_group(file: pq.ParquetFile, group: int) -> None:
    """Refuse a row group whose columns declare more than a gigabyte, or lists of more than 2²⁴ values.

    Raises
    ------
    CorruptModelError
        If they do.
    """
    about = file.metadata.row_group(group)
    total = 0
    for number in range(about.num_columns):
        column = about.column(number)
        size, values = column.total_uncompressed_size, column.num_values
        if not 0 <= values <= _MOST_VALUES or size < 0:
            raise CorruptModelError(f"column {column.path_in_schema} declares {values} values in {size} bytes")
        total += size
    if total > _LARGEST_GROUP:
        raise CorruptModelError(f"row group {group} declares {total} bytes")
