"""How one thing after the other is done, or several at a time: whoever calls says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

__all__ = ["Each", "in_turn"]

Each: TypeAlias = Callable[[Callable[[Any, int], Any], Sequence[int], Any], Iterable[Any]]
"""``each(function, places, shared)`` gives ``function(shared, place)`` of every place, in their order. What
the function changes may be lost: its result is all that counts."""


def in_turn(function: Callable[[Any, int], Any], places: Sequence[int], shared: Any) -> Iterator[Any]:
    """Do one place after the other."""
    return (function(shared, place) for place in places)
