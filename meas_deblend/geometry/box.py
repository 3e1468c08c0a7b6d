"""The integer box: where an array lies on the pixel grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._types import BoolArray

__all__ = ["Box"]

Slices = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box of pixels: rows ``y0 … y0 + h - 1`` and columns ``x0 … x0 + w - 1``.

    Parameters
    ----------
    origin : tuple of int
        First pixel ``(y0, x0)``; may be negative.
    shape : tuple of int
        Height and width ``(h, w)``, both at least 0.

    Raises
    ------
    ValueError
        If a side is negative.

    Examples
    --------
    >>> Box((2, 3), (4, 5)) & Box((0, 0), (4, 6))
    Box(origin=(2, 3), shape=(2, 3))
    """

    origin: tuple[int, int]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        (y0, x0), (h, w) = self.origin, self.shape
        # numpy integers are turned into Python's, so that boxes can be written as JSON.
        plain = type(y0) is type(x0) is type(h) is type(w) is int and type(self.origin) is type(self.shape) is tuple
        if not plain:
            object.__setattr__(self, "origin", (int(y0), int(x0)))
            object.__setattr__(self, "shape", (int(h), int(w)))
        if h < 0 or w < 0:
            raise ValueError(f"box sides must be at least 0, got shape {self.shape}")

    @classmethod
    def from_bounds(cls, y0: int, y1: int, x0: int, x1: int) -> Box:
        """Box of rows ``y0 … y1 - 1`` and columns ``x0 … x1 - 1``; empty where a stop is not above its start."""
        return cls((y0, x0), (max(y1 - y0, 0), max(x1 - x0, 0)))

    @classmethod
    def from_mask(cls, mask: BoolArray, origin: tuple[int, int] = (0, 0)) -> Box:
        """Tightest box around the true pixels of ``mask`` (y, x) whose first pixel is ``origin``; empty if none."""
        rows = np.logical_or.reduce(mask, axis=1)
        first = int(rows.argmax()) if rows.size else 0
        if not rows.size or not rows[first]:
            return cls(origin, (0, 0))
        columns = np.logical_or.reduce(mask, axis=0)
        y0, x0 = origin
        bottom, right = len(rows) - int(rows[::-1].argmax()), len(columns) - int(columns[::-1].argmax())
        return cls.from_bounds(y0 + first, y0 + bottom, x0 + int(columns.argmax()), x0 + right)

    @property
    def stop(self) -> tuple[int, int]:
        """First row and column behind the box, ``(y1, x1)``."""
        return (self.origin[0] + self.shape[0], self.origin[1] + self.shape[1])

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def is_empty(self) -> bool:
        """True if the box holds no pixel."""
        return self.area == 0

    @property
    def center(self) -> tuple[float, float]:
        """Middle of the box ``(y, x)``, in pixel coordinates (a pixel's centre is on its integer)."""
        return (self.origin[0] + (self.shape[0] - 1) / 2, self.origin[1] + (self.shape[1] - 1) / 2)

    def contains(self, y: float, x: float) -> bool:
        """Whether the pixel index ``(y, x)`` lies inside."""
        return self.origin[0] <= y < self.stop[0] and self.origin[1] <= x < self.stop[1]

    def encloses(self, other: Box) -> bool:
        """Whether every pixel of ``other`` lies inside; an empty box is enclosed by any."""
        (y0, x0), (y1, x1) = self.origin, self.stop
        (other_y0, other_x0), (other_y1, other_x1) = other.origin, other.stop
        inside = y0 <= other_y0 and other_y1 <= y1 and x0 <= other_x0 and other_x1 <= x1
        return inside or other.is_empty

    def grow(self, radius: int | tuple[int, int]) -> Box:
        """Box with ``radius`` pixels more on every side (one number, or one for y and one for x)."""
        ry, rx = (radius, radius) if isinstance(radius, int) else radius
        return Box.from_bounds(self.origin[0] - ry, self.stop[0] + ry, self.origin[1] - rx, self.stop[1] + rx)

    def shift(self, dy: int, dx: int) -> Box:
        """Return the same shape with the origin moved by ``(dy, dx)``."""
        return Box((self.origin[0] + dy, self.origin[1] + dx), self.shape)

    def __and__(self, other: Box) -> Box:
        return Box.from_bounds(
            max(self.origin[0], other.origin[0]),
            min(self.stop[0], other.stop[0]),
            max(self.origin[1], other.origin[1]),
            min(self.stop[1], other.stop[1]),
        )

    def __or__(self, other: Box) -> Box:
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        return Box.from_bounds(
            min(self.origin[0], other.origin[0]),
            max(self.stop[0], other.stop[0]),
            min(self.origin[1], other.origin[1]),
            max(self.stop[1], other.stop[1]),
        )

    def slices_in(self, frame: Box) -> Slices:
        """Slices that cut this box out of an array that covers ``frame``.

        Raises
        ------
        ValueError
            If this box is not inside ``frame``: a negative start would silently wrap around.
        """
        if not frame.encloses(self):
            raise ValueError(f"{self} is not inside {frame}")
        y, x = self.origin[0] - frame.origin[0], self.origin[1] - frame.origin[1]
        return (slice(y, y + self.shape[0]), slice(x, x + self.shape[1]))

    def overlap_slices(self, other: Box) -> tuple[Slices, Slices]:
        """Slices of the common pixels, in an array on this box and in one on ``other`` (both empty if none)."""
        (y0, x0), (other_y0, other_x0) = self.origin, other.origin
        first_y, stop_y = max(y0, other_y0), min(self.stop[0], other.stop[0])
        first_x, stop_x = max(x0, other_x0), min(self.stop[1], other.stop[1])
        if first_y >= stop_y or first_x >= stop_x:
            nothing = (slice(0, 0), slice(0, 0))
            return nothing, nothing
        here = (slice(first_y - y0, stop_y - y0), slice(first_x - x0, stop_x - x0))
        there = (slice(first_y - other_y0, stop_y - other_y0), slice(first_x - other_x0, stop_x - other_x0))
        return here, there
