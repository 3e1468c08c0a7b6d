"""Whether a row group can be read in bounded memory: what it declares is looked at before it is read.

A Parquet column is a chain of pages, each behind a header that says how large it becomes
when it is decompressed, and how many values it stands for. A reader allocates that much before it can see whether it is
true, and a few bytes of run lengths can stand for billions of values. So the headers are read here first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..exceptions import CorruptModelError
from ._thrift import CompactReader, signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from ._footer import ColumnPlace

__all__ = ["check_group"]

_LARGEST_GROUP = 1 << 30
_MOST_VALUES = 1 << 24
_USUAL_HEADER, _LONGEST_HEADER = 96, 1 << 14
_LARGEST_BLOCK = 1 << 19

_SIZE, _COMPRESSED_SIZE, _DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 2, 3, 5, 7, 8
"""Fields of a page header, as the Parquet format numbers them; in the headers of pages, field 1 counts values."""

_NUMBER = rb"([\x80-\xff]{0,4}[\x00-\x7f])"
_PLAIN_HEADER = re.compile(
    rb"\x15\x00\x15" + _NUMBER + rb"\x15" + _NUMBER + rb"\x15[\x80-\xff]{0,4}[\x00-\x7f]"
    rb"\x1c\x15" + _NUMBER + rb"\x15[\x00-\x7f]\x15[\x00-\x7f]\x15[\x00-\x7f]\x1c\x00\x00\x00",
    re.DOTALL,
)
"""The usual header: a data page with both sizes, a checksum, a number of values, three encodings, no statistics."""


def check_group(places: Sequence[ColumnPlace], group: int, stream: pa.NativeFile) -> None:
    """Refuse a row group that declares more than a gigabyte, or more than 2²⁴ values in a column.

    Parameters
    ----------
    places : sequence of ColumnPlace
        Its columns.
    group : int
        Its number, for the message.
    stream : NativeFile
        The file.

    Raises
    ------
    CorruptModelError
        If it does, or the headers of its pages make no sense.
    """
    stops = [place.start + place.size for place in places]
    block = _Block(stream, min((place.start for place in places), default=0), max(stops, default=0))
    total = 0
    for column, place in enumerate(places):
        for size, values in _pages(block, place.start, place.size):
            total += size
            if values > _MOST_VALUES or total > _LARGEST_GROUP:
                raise CorruptModelError(
                    f"row group {group} declares {values} values in {total} bytes up to column {column}"
                )


def _pages(stream: pa.NativeFile | _Block, start: int, length: int) -> Iterator[tuple[int, int]]:
    """Size when decompressed and number of values of each page of a column."""
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
        return signed(usual[1]), signed(usual[2]), signed(usual[3]), usual.end()
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
        header = CompactReader(start if most == _USUAL_HEADER else stream.read_at(min(most, room), place))
        try:
            return header.struct(), header.place
        except IndexError:
            continue  # it is longer
    raise CorruptModelError(f"the header of the page at {place} does not end")


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
