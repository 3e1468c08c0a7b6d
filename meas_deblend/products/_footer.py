"""Where the columns of a Parquet file lie, read from its footer.

pyarrow tells that too, but ends the process when the footer of a damaged file contradicts itself: the error of the
library below is not caught on that path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from ..exceptions import CorruptModelError
from ._thrift import LIST, CompactReader, signed

__all__ = ["ColumnPlace", "Footer", "footer_metadata", "read_footer"]

_MAGIC = b"PAR1"
_TAIL = 8
_USUAL_FOOTER = 1 << 16

_ROW_GROUPS, _COLUMNS, _METADATA = 4, 1, 3
_SIZE, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11
"""Fields of the footer, of a row group, of a column, and of a column's metadata, as the format numbers them."""

_NUMBER = rb"[\x80-\xff]{0,9}[\x00-\x7f]"


def _few(header: int, one: bytes, most: int) -> bytes:
    """Pattern of a list of fewer than ``most`` values, each of the pattern ``one``."""
    lists = (b"[" + re.escape(bytes([n << 4 | header])) + b"]" + b"(?:" + one + b"){%d}" % n for n in range(most))
    return b"(?:" + b"|".join(lists) + b")"


_PATHS = re.escape(bytes(n << 4 | 8 for n in range(1, 15)))
_USUAL_START = re.compile(
    rb"\x26" + _NUMBER + rb"\x1c\x15" + _NUMBER + rb"\x19" + _few(5, rb"[\x00-\x7f]", 6) + rb"\x19([" + _PATHS + rb"])"
)
_USUAL_REST = re.compile(
    rb"\x15" + _NUMBER + (rb"\x16" + _NUMBER) * 2 + rb"\x16(" + _NUMBER + rb")\x26(" + _NUMBER + rb")"
    rb"(?:\x26(" + _NUMBER + rb")\x29|\x49)" + _few(12, (rb"\x15" + _NUMBER) * 3 + rb"\x00", 6)
    + rb"\x3c(?:\x16" + _NUMBER + rb"\x19|\x29)" + (_few(6, _NUMBER, 15) + rb"\x19") + _few(6, _NUMBER, 15)
    + rb"\x00\x00\x00"
)  # fmt: skip
"""The usual column, before and behind its path: sizes, first pages, encodings, sizes of lists, no statistics."""


@dataclass(frozen=True, slots=True)
class ColumnPlace:
    """Bytes of a column in a row group.

    Parameters
    ----------
    start, size : int
        First byte in the file, and number of bytes.
    """

    start: int
    size: int


def read_footer(stream: pa.NativeFile) -> bytes:
    """Read the footer of a Parquet file, without its length and the mark at the end.

    Raises
    ------
    CorruptModelError
        If the file does not end as such a file does.
    """
    length = stream.size()
    # One read for most footers.
    end = stream.read_at(min(_USUAL_FOOTER, length), max(length - _USUAL_FOOTER, 0))
    size = int.from_bytes(end[-_TAIL:-4], "little")
    if end[-4:] != _MAGIC or size > length - _TAIL - len(_MAGIC):
        raise CorruptModelError("it does not end as a Parquet file does")
    whole: bytes = end[:-_TAIL] if size + _TAIL <= len(end) else stream.read_at(size, length - _TAIL - size)
    return whole[len(whole) - size :]


def footer_metadata(footer: bytes) -> pq.FileMetaData:
    """Let pyarrow understand a footer that was read already."""
    return pq.read_metadata(pa.BufferReader(_MAGIC + footer + len(footer).to_bytes(4, "little") + _MAGIC))


_Encoded = tuple[bytes, bytes, bytes | None]
"""Size, first data page and dictionary of a column as they stand in the footer: decoded when they are wanted."""


@dataclass(frozen=True, slots=True)
class Footer:
    """Where the columns of a file lie.

    Parameters
    ----------
    groups : tuple of tuples
        By row group and column.
    """

    groups: tuple[tuple[ColumnPlace | _Encoded, ...], ...]

    @classmethod
    def parse(cls, footer: bytes) -> Footer:
        """Walk through a footer from `read_footer`.

        Raises
        ------
        CorruptModelError
            If it makes no sense.
        """
        try:
            return cls(_Walk(CompactReader(footer)).row_groups())
        except IndexError:
            raise CorruptModelError("its footer does not end") from None

    def places(self, group: int) -> tuple[ColumnPlace, ...]:
        """Return where the columns of a row group lie.

        Raises
        ------
        CorruptModelError
            If one lies before the file, or has a negative size.
        """
        return tuple(c if isinstance(c, ColumnPlace) else _decoded(c) for c in self.groups[group])


def _decoded(column: _Encoded) -> ColumnPlace:
    size, page, dictionary = column
    return _place(signed(size), signed(page), None if dictionary is None else signed(dictionary))


def _place(size: int, page: int, dictionary: int | None) -> ColumnPlace:
    # The dictionary, where there is one, lies before the data.
    start = page if dictionary is None else min(page, dictionary)
    if start < 0 or size < 0:
        raise CorruptModelError(f"a column of {size} bytes at {start}")
    return ColumnPlace(start, size)


class _Walk:
    """A way through the footer: each column begins as the same of the row group before, so its first bytes are kept."""

    def __init__(self, reader: CompactReader) -> None:
        self.reader = reader
        self.heads: dict[int, bytes] = {}

    def row_groups(self) -> tuple[tuple[ColumnPlace | _Encoded, ...], ...]:
        """Read the footer to its end."""
        groups: tuple[tuple[ColumnPlace | _Encoded, ...], ...] = ()
        for kind in self._fields(_ROW_GROUPS, LIST):
            if kind is None:
                groups = tuple(self._row_group() for _ in range(self.reader.list_of_structs()))
            else:
                self.reader.value(kind)
        return groups

    def _row_group(self) -> tuple[ColumnPlace | _Encoded, ...]:
        columns: tuple[ColumnPlace | _Encoded, ...] = ()
        for kind in self._fields(_COLUMNS, LIST):
            if kind is None:
                columns = tuple(self._column(k) for k in range(self.reader.list_of_structs()))
            else:
                self.reader.value(kind)
        return columns

    def _fields(self, wanted: int, of_kind: int) -> Iterator[int | None]:
        """Types of the fields of a struct, one by one; None for the one that is wanted."""
        number = 0
        while (found := self.reader.field(number)) is not None:
            number, kind = found
            yield None if (number, kind) == (wanted, of_kind) else kind

    def _column(self, k: int) -> ColumnPlace | _Encoded:
        usual = self._usual_column(k)
        if usual is not None:
            return usual
        found = self.reader.struct().get(_METADATA)
        about = found if isinstance(found, dict) else {}
        size, page, dictionary = about.get(_SIZE), about.get(_DATA_PAGE), about.get(_DICTIONARY_PAGE)
        if type(size) is not int or type(page) is not int:
            raise CorruptModelError("its footer has a column without its place")
        return _place(size, page, dictionary if type(dictionary) is int else None)

    def _usual_column(self, k: int) -> _Encoded | None:
        """Read a column as this package's files have them, ten times faster than any; None if it is another."""
        reader = self.reader
        head = self.heads.get(k)
        if head is None or not reader.data.startswith(head, reader.place):
            head = self._head()
            if head is None:
                return None
            self.heads[k] = head
        rest = _USUAL_REST.match(reader.data, reader.place + len(head))
        if rest is None:
            return None
        reader.place = rest.end()
        return rest[1], rest[2], rest[3]

    def _head(self) -> bytes | None:
        """Bytes up to the end of the path."""
        data, first = self.reader.data, self.reader.place
        start = _USUAL_START.match(data, first)
        if start is None:
            return None
        place = start.end()
        for _ in range(start[1][0] >> 4):
            place += 1 + data[place]
        return data[first:place]
