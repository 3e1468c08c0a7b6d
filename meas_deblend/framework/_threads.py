"""How many threads the libraries of linear algebra may use."""

from contextlib import AbstractContextManager
from typing import Any

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[Any]:
    """Keep libraries of linear algebra and OpenMP to one thread inside the block.

    Sums that are split over threads are rounded in another order, so results would depend on the machine; and N
    processes with N threads each would wait for each other.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 -- looks for libraries when it is used

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits
