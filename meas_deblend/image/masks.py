"""Named mask planes: which bit means what, and which planes make a pixel unusable."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from ..geometry import BoolArray, IntArray

__all__ = ["MaskPlanes"]


@dataclass(frozen=True, slots=True)
class MaskPlanes:
    """Names of the bits of an integer mask.

    Parameters
    ----------
    bits : mapping of str to int
        Plane name to bit number (0 … 62).
    bad : tuple of str
        Planes whose pixels carry no usable flux; those that ``bits`` lacks are ignored.
    """

    bits: Mapping[str, int] = field(default_factory=dict)
    bad: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", MappingProxyType(dict(self.bits)))

    def value(self, names: Iterable[str]) -> int:
        """Integer with the bits of ``names`` set.

        Raises
        ------
        InputError
            If a name is not a plane of this mask.
        """
        total = 0
        for name in names:
            if name not in self.bits:
                near = get_close_matches(name, list(self.bits), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InputError(f"no mask plane {name!r} (there are: {', '.join(self.bits) or 'none'}){hint}")
            total |= 1 << self.bits[name]
        return total

    @property
    def bad_value(self) -> int:
        """Integer with the bits of the bad planes set."""
        return self.value(n for n in self.bad if n in self.bits)

    def any_set(self, mask: IntArray, names: Iterable[str] | None = None) -> BoolArray:
        """Where any of ``names`` (default: the bad planes) is set in ``mask`` (any shape)."""
        return np.asarray((mask & (self.bad_value if names is None else self.value(names))) != 0)

    def with_plane(self, name: str) -> MaskPlanes:
        """Return planes that have ``name`` too, on the lowest free bit."""
        if name in self.bits:
            return self
        free = min(set(range(63)) - set(self.bits.values()))
        return MaskPlanes({**self.bits, name: free}, self.bad)

    def naming_all(self, mask: IntArray) -> MaskPlanes:
        """Return planes that also name each bit that is set in ``mask`` but has no name: ``BIT_<number>``.

        Without a name such a bit would be taken for a free one, and pixels that carry it would later seem to
        belong to the plane that was put there.
        """
        used = int(np.bitwise_or.reduce(mask, axis=None)) if mask.size else 0
        named = set(self.bits.values())
        extra = {f"BIT_{b}": b for b in range(63) if used >> b & 1 and b not in named}
        return MaskPlanes({**self.bits, **extra}, self.bad) if extra else self

    def union(self, other: MaskPlanes) -> MaskPlanes:
        """Return planes with the names of both: those of ``self`` keep their bits, the others keep theirs if free."""
        bits = dict(self.bits)
        for name, bit in other.bits.items():
            if name not in bits:
                taken = set(bits.values())
                bits[name] = bit if bit not in taken else min(set(range(63)) - taken)
        return MaskPlanes(bits, (*self.bad, *(n for n in other.bad if n not in self.bad)))

    def translate(self, mask: IntArray, source: MaskPlanes) -> NDArray[np.int64]:
        """Express ``mask`` (any shape), whose bits mean what ``source`` says, in these planes.

        Raises
        ------
        InputError
            If ``source`` has a plane that these planes lack.
        """
        out = np.zeros(mask.shape, dtype=np.int64)
        for name, bit in source.bits.items():
            out |= ((mask.astype(np.int64) >> bit) & 1) << self.value([name]).bit_length() - 1
        return out

    def __reduce__(self) -> tuple[type[MaskPlanes], tuple[dict[str, int], tuple[str, ...]]]:
        # A mapping proxy cannot be pickled, and exposures travel to worker processes.
        return (MaskPlanes, (dict(self.bits), self.bad))
