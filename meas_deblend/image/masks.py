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

    def any_set(self, mask: IntArray, names: Iterable[str] | None = None) -> BoolArray:
        """Where any of ``names`` (default: the bad planes) is set in ``mask`` (any shape)."""
        chosen = [n for n in self.bad if n in self.bits] if names is None else names
        return np.asarray((mask & self.value(chosen)) != 0)

    def with_plane(self, name: str) -> MaskPlanes:
        """Return planes that have ``name`` too, on the lowest free bit."""
        if name in self.bits:
            return self
        free = min(set(range(63)) - set(self.bits.values()))
        return MaskPlanes({**self.bits, name: free}, self.bad)
