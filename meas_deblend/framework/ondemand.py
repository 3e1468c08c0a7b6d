"""Values that are computed when somebody asks for them."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, overload

__all__ = ["OnDemand"]

SharedT = TypeVar("SharedT")
U = TypeVar("U")
R_co = TypeVar("R_co", covariant=True)


class OnDemand(Sequence[R_co], Generic[SharedT, U, R_co]):
    """One value per unit, computed anew each time that it is asked for, and never kept.

    A dataset that is much larger than what it is made from need not lie in memory, and one that nobody asks for costs
    nothing.

    Parameters
    ----------
    function : callable
        ``function(shared, unit)`` gives the value of a unit.
    units : sequence
    shared : object
        What all need.
    """

    def __init__(self, function: Callable[[SharedT, U], R_co], units: Sequence[U], shared: SharedT) -> None:
        self._function, self._units, self._shared = function, units, shared

    @property
    def units(self) -> Sequence[U]:
        """What the values are made from, in their order."""
        return self._units

    def __len__(self) -> int:
        return len(self._units)

    @overload
    def __getitem__(self, index: int) -> R_co: ...
    @overload
    def __getitem__(self, index: slice) -> "OnDemand[SharedT, U, R_co]": ...
    def __getitem__(self, index: Any) -> Any:
        """Compute one value; of a slice, none."""
        if isinstance(index, slice):
            return OnDemand(self._function, self._units[index], self._shared)
        return self._function(self._shared, self._units[index])

    def __repr__(self) -> str:
        return f"<{len(self)} values, on demand>"
