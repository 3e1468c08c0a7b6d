"""What was read last, as long as it fits into a number of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SizedCache"]


class Sized(Protocol):
    """Something that takes memory."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        ...


T = TypeVar("T", bound=Sized)


class SizedCache(Generic[T]):
    """Values by number, read when they are asked for; the oldest go when all take too many bytes, never the latest.

    Parameters
    ----------
    read : callable
        Takes a number to a value.
    most : int
        Bytes.
    """

    def __init__(self, read: Callable[[int], T], most: int) -> None:
        self._read, self._most = read, most
        self._held: dict[int, tuple[T, int]] = {}

    def __call__(self, number: int) -> T:
        """Return a value, from memory if it is there."""
        held = self._held.pop(number, None)
        if held is None:
            value = self._read(number)
            held = value, value.nbytes
            total = held[1] + sum(size for _, size in self._held.values())
            while self._held and total > self._most:
                total -= self._held.pop(next(iter(self._held)))[1]
        self._held[number] = held
        return held[0]
