"""Whether a row group can be read in bounded memory: what it declares is looked at before it is read.

A Parquet column is a chain of pages, each behind a header (Thrift's compact protocol) that says how large it becomes
when it is decompressed, and how many values it stands for. A reader allocates that much before it can see whether it is
true, and a few bytes of run lengths can stand for billions of values. So the headers are read here first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..exceptions import CorruptModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["check_group"]

_LARGEST_GROUP = 1 << 30
_MOST_VALUES = 1 << 24
_USUAL_HEADER, _LONGEST_HEADER = 96, 1 << 14
_LARGEST_BLOCK = 1 << 19

_SIZE, _COMPRESSED_SIZE, _DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 2, 3, 5, 7, 8
"""Fields of a page header, as the Parquet format numbers them; in the headers of pages, field 1 counts values."""

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _STRUCT = 0, 1, 2, 3, 7, 8, 12
_INTEGERS = (4, 5, 6)
"""Types of the compact protocol."""

_NUMBER = rb"([\x80-\xff]{0,4}[\x00-\x7f])"
_PLAIN_HEADER = re.compile(
    rb"\x15\x00\x15" + _NUMBER + rb"\x15" + _NUMBER + rb"\x15[\x80-\xff]{0,4}[\x00-\x7f]"
    rb"\x1c\x15" + _NUMBER + rb"\x15[\x00-\x7f]\x15[\x00-\x7f]\x15[\x00-\x7f]\x1c\x00\x00\x00",
    re.DOTALL,
)
"""The usual header: a data page with both sizes, a checksum, a number of values, three encodings, no statistics."""


def check_group(file: pq.ParquetFile, group: int, stream: pa.NativeFile) -> None:
    """Refuse a row group that declares more than a gigabyte, or more than 2²⁴ values in a column.

    Parameters
    ----------
    file : ParquetFile
    group : int
    stream : NativeFile
        The same file.

    Raises
    ------
    CorruptModelError
        If it does, or the headers of its pages make no sense.
    """
    about = file.metadata.row_group(group)
    columns = [about.column(number) for number in range(about.num_columns)]
    starts = [_start(column) for column in columns]
    stops = [start + column.total_compressed_size for start, column in zip(starts, columns, strict=True)]
    block = _Block(stream, min(starts, default=0), max(stops, default=0))
    total = 0
    for column, start, stop in zip(columns, starts, stops, strict=True):
        for size, values in _pages(block, start, stop - start):
            total += size
            if values > _MOST_VALUES or total > _LARGEST_GROUP:
                raise CorruptModelError(
                    f"row group {group} declares {values} values in {total} bytes at {column.path_in_schema}"
                )


def _start(column: pq.ColumnChunkMetaData) -> int:
    first, dictionary = column.data_page_offset, column.dictionary_page_offset
    return int(first if dictionary is None else min(first, dictionary))


def _pages(stream: pa.NativeFile | _Block, start: int, length: int) -> Iterator[tuple[int, int]]:
    """Size when decompressed and number of values of each page of a column."""
    if start < 0 or length < 0:
        raise CorruptModelError(f"a column of {length} bytes at {start}")
    place = start
    while place < start + length:
        size, compressed, values, behind = _page(stream, place, start + length - place)
        if min(size, compressed, values) < 0 or place + behind + compressed > start + length:
            raise CorruptModelError(f"the header of the page at {place} has sizes that cannot be")
        yield size, values
        place += behind + compressed


def _page(stream: pa.NativeFile | _Block, place: int, room: int) -> tuple[int, int, int, int]:
    """Size when decompressed and size of a page, its number of values, and the length of its header."""
    start = stream.read_at(min(_USUAL_HEADER, room), place)
    usual = _PLAIN_HEADER.match(start)
    if usual is not None:
        return _signed(usual[1]), _signed(usual[2]), _signed(usual[3]), usual.end()
    fields, behind = _header(stream, place, room, start)
    size, compressed = fields.get(_SIZE), fields.get(_COMPRESSED_SIZE)
    kinds = [fields[kind] for kind in (_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2) if kind in fields]
    counts = [kind.get(1) for kind in kinds if isinstance(kind, dict)]
    if type(size) is not int or type(compressed) is not int:
        raise CorruptModelError(f"the header of the page at {place} has no sizes")
    if len(counts) != 1 or type(counts[0]) is not int:
        raise CorruptModelError(f"the header of the page at {place} has no number of values")
    return size, compressed, counts[0], behind


def _header(stream: pa.NativeFile | _Block, place: int, room: int, start: bytes) -> tuple[dict[int, object], int]:
    """Fields of the page header at a place of the file, and its length."""
    for most in (_USUAL_HEADER, _LONGEST_HEADER):
        header = _Compact(start if most == _USUAL_HEADER else stream.read_at(min(most, room), place))
        try:
            return header.struct(), header.place
        except IndexError:
            continue  # it is longer
    raise CorruptModelError(f"the header of the page at {place} does not end")


class _Compact:
    """Reader of Thrift's compact protocol: structs as dictionaries by the number of the field."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def struct(self, depth: int = 0) -> dict[int, object]:
        """Read fields up to the stop."""
        if depth > 4:
            raise CorruptModelError("a page header that is too deep")
        fields: dict[int, object] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            # The upper four bits are the step from the last field's number; 0: the number follows.
            number = number + (head >> 4) if head >> 4 else self.integer()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        if kind in _INTEGERS:
            return self.integer()
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in (_BYTE, _DOUBLE, _BINARY):
            length = {_BYTE: 1, _DOUBLE: 8}.get(kind) or self._unsigned()
            self.place += length
            return None
        raise CorruptModelError(f"a page header with a field of type {kind}")

    def _byte(self) -> int:
        value = self.data[self.place]
        self.place += 1
        return value

    def _unsigned(self) -> int:
        out = shift = 0
        # Most are short, and every look-up waits for this.
        data, place = self.data, self.place
        while shift < 70:
            byte = data[place]
            place += 1
            out |= (byte & 127) << shift
            if byte < 128:
                self.place = place
                return out
            shift += 7
        raise CorruptModelError("a page header with a number that does not end")

    def integer(self) -> int:
        """Read a signed number."""
        # Signed numbers are in zigzag order: 0, −1, 1, −2, …
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def _signed(number: bytes) -> int:
    """Read a number of the usual header, as `_Compact.integer` reads it."""
    value = 0
    for byte in reversed(number):
        value = value << 7 | byte & 127
    return (value >> 1) ^ -(value & 1)


class _Block:
    """Part of a file that was read at once, as fifty headers are read sooner from it than from the file."""

    def __init__(self, stream: pa.NativeFile, start: int, stop: int) -> None:
        self.stream, self.start = stream, start
        self.data = stream.read_at(stop - start, start) if 0 <= start < stop <= start + _LARGEST_BLOCK else b""

    def read_at(self, size: int, place: int) -> bytes:
        """Read bytes of the file, from the part where it has them."""
        start = place - self.start
        if start >= 0 and start + size <= len(self.data):
            return self.data[start : start + size]
        return self.stream.read_at(size, place)  # type: ignore[no-any-return]
