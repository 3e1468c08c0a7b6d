"""Reader of Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages.

It is read here before pyarrow acts on it, as a hostile file can make the latter end the process.
"""

from __future__ import annotations

from ..exceptions import CorruptModelError

__all__ = ["CompactReader", "signed"]

STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12
INTEGERS = (4, 5, 6)
"""Types of the compact protocol."""

_DEEPEST = 8
_LONG_LIST = 15


class CompactReader:
    """Structs as dictionaries by the number of the field; text is passed over.

    Parameters
    ----------
    data : bytes
    place : int
        Where reading starts; goes on with it.
    """

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data = data
        self.place = place

    def struct(self, depth: int = 0) -> dict[int, object]:
        """Read fields up to the stop.

        Raises
        ------
        CorruptModelError
            If it is too deep, a type is unknown, or fields are not in order: a field that comes twice would be
            understood by each reader in its own way.
        IndexError
            If the data end before.
        """
        fields: dict[int, object] = {}
        number = 0
        while (found := self.field(number)) is not None:
            number, kind = found
            fields[number] = self.value(kind, depth)
        return fields

    def field(self, last: int) -> tuple[int, int] | None:
        """Read number and type of the field behind the one of number ``last``; None at the stop."""
        head = self.data[self.place]
        self.place += 1
        if head == STOP:
            return None
        # The upper four bits are the step from the last field's number; 0: the number follows.
        number = last + (head >> 4) if head >> 4 else self.integer()
        if number <= last:
            raise CorruptModelError(f"a header with field {number} behind field {last}")
        return number, head & 15

    def value(self, kind: int, depth: int = 0) -> object:
        """Read a value of a type; lists as their number of values."""
        if kind in INTEGERS:
            return self.integer()
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in (BYTE, DOUBLE, BINARY):
            length = {BYTE: 1, DOUBLE: 8}.get(kind) or self._unsigned()
            self.place += length
            return None
        if depth > _DEEPEST:
            raise CorruptModelError("a header that is too deep")
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, SET):
            number, inner = self._list_head()
            for _ in range(number):
                # True and false stand alone in a list, in a byte each.
                self.value(BYTE if inner in (TRUE, FALSE) else inner, depth + 1)
            return number
        raise CorruptModelError(f"a header with a field of type {kind}")

    def list_of_structs(self) -> int:
        """Read the head of a list of structs, and return their number.

        Raises
        ------
        CorruptModelError
            If it holds something else.
        """
        number, kind = self._list_head()
        if kind != STRUCT:
            raise CorruptModelError(f"a list of values of type {kind} instead of structs")
        return number

    def _list_head(self) -> tuple[int, int]:
        head = self.data[self.place]
        self.place += 1
        number = head >> 4
        if number == _LONG_LIST:
            number = self._unsigned()
        if number > len(self.data) - self.place:
            # No value is shorter than a byte; numbers are passed over, and nobody would notice for billions of them.
            raise IndexError(f"a list of {number} values in {len(self.data) - self.place} bytes")
        return number, head & 15

    def integer(self) -> int:
        """Read a signed number."""
        # Signed numbers are in zigzag order: 0, −1, 1, −2, …
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

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
        raise CorruptModelError("a header with a number that does not end")


def signed(number: bytes) -> int:
    """Read the bytes of one number, as `CompactReader.integer` reads it."""
    value = 0
    for byte in reversed(number):
        value = value << 7 | byte & 127
    return (value >> 1) ^ -(value & 1)
