"""How a task says how far it is, without keeping anything on self."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

__all__ = ["ProgressSink", "progress", "reporter", "reporting_to"]

T = TypeVar("T")

ProgressSink: TypeAlias = Callable[[float, float | None, str], None]
"""Called with what is done, the total (None when it is not known), and what is counted."""

_sink: ContextVar[ProgressSink | None] = ContextVar("meas_deblend_progress", default=None)


def progress(
    items: Iterable[T],
    total: int | None = None,
    description: str = "",
    *,
    cost: Callable[[T], float] | None = None,
) -> Iterator[T]:
    """Pass items through, and report after each one to whoever runs the task.

    Outside a run nothing is reported and nothing is spent.

    Parameters
    ----------
    items : iterable
        What is worked on.
    total : int, optional
        How many there are; taken from ``items`` where it has a length.
    description : str
        What is counted, for example ``"parents"``.
    cost : callable, optional
        Predicted cost of an item, in any unit: done and total are then sums of costs, so that a few slow items do
        not spoil the estimate. ``items`` must be a sequence.

    Yields
    ------
    T
        The items, in their order.
    """
    sink = _sink.get()
    if sink is None:
        yield from items
        return
    if cost is not None and not isinstance(items, Sequence):
        raise TypeError(f"progress by cost needs a sequence, not a {type(items).__name__}: the total is summed first")
    weight = cost or (lambda _: 1)
    expected: float | None = total
    if cost is not None:
        expected = sum(weight(item) for item in items)
    elif expected is None and isinstance(items, Sized):
        expected = len(items)
    done: float = 0
    sink(done, expected, description)
    for item in items:
        yield item
        done += weight(item)
        sink(done, expected, description)


def reporter(total: float, description: str) -> Callable[[float], None]:
    """Return what reports how much is done to whoever runs the task; outside a run it does nothing.

    Parameters
    ----------
    total : float
        How much there is.
    description : str
        What is counted.
    """
    sink = _sink.get()

    def report(done: float) -> None:
        if sink is not None:
            sink(done, total, description)

    return report


@contextmanager
def reporting_to(sink: ProgressSink) -> Iterator[None]:
    """Send what `progress` reports inside the block to a function."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)
