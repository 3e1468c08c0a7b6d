"""Children of a parent that are made from its templates when somebody asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from .values import Child

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..geometry import Box, Image
    from ._sharing import Shares

__all__ = ["ChildrenOnDemand", "child_boxes"]


class ChildrenOnDemand(Sequence[Child]):
    """The children of one parent, each made anew whenever it is asked for: their pixels are not kept.

    Flux, share and mask of all children of a large parent take several times the memory of its image.

    Parameters
    ----------
    shares : Shares
        The pixels, and what is known of all templates together.
    templates : sequence of Image
        One cube (B, y, x) per child; not to be changed as long as children are asked for.
    dtype : dtype
        Of the children's arrays.
    flat : bool
        They are (y, x), without the axis of the one band.
    """

    def __init__(self, shares: Shares, templates: Sequence[Image], dtype: np.dtype[np.floating], flat: bool) -> None:
        self._shares, self._templates, self._dtype, self._flat = shares, templates, dtype, flat

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Where the children lie; none of them is made for it."""
        return tuple(self._shares.box_of(template) for template in self._templates)

    @property
    def size(self) -> int:
        """Number of (band, pixel) of all children."""
        return sum(box.area for box in self.boxes) * len(self._shares.total)

    def account(self, index: int) -> tuple[Child, NDArray[np.float64]]:
        """Make a child, and its flux inside and outside the footprint (2, B) before it is rounded."""
        made, got = self._shares.child(self._templates[index], self._dtype)
        return Child(made.box, made.flux[0], made.share[0], made.masked[0]) if self._flat else made, got

    def __len__(self) -> int:
        return len(self._templates)

    @overload
    def __getitem__(self, index: int) -> Child: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Child, ...]: ...
    def __getitem__(self, index: int | slice) -> Child | tuple[Child, ...]:
        """Make one child, or all of a slice."""
        if isinstance(index, slice):
            return tuple(self[k] for k in range(*index.indices(len(self))))
        return self.account(index)[0]

    def __repr__(self) -> str:
        return f"<{len(self)} children, on demand>"


def child_boxes(children: Sequence[Child]) -> tuple[Box, ...]:
    """Where children lie; those that are made on demand are not made for it."""
    return children.boxes if isinstance(children, ChildrenOnDemand) else tuple(child.box for child in children)
