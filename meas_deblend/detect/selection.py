"""Which parents of a patch are to be deblended, where not all are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..exceptions import InputError
from ..geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..geometry import Parent

__all__ = ["Selection", "parse_bbox"]

_BBOX = re.compile(r"\s*(-?\d+)\s*:\s*(-?\d+)\s*,\s*(-?\d+)\s*:\s*(-?\d+)\s*")
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """Some parents of a patch: those that are named, those in a box, or those for which both hold.

    Parameters
    ----------
    only : tuple of int
        Identifiers of parents; empty: all.
    bbox : Box, optional
        A parent is selected if one of its pixels lies in it.

    Raises
    ------
    InputError
        If the box is empty.
    """

    only: tuple[int, ...] = ()
    bbox: Box | None = None

    def __post_init__(self) -> None:
        if self.bbox is not None and self.bbox.is_empty:
            raise InputError(f"bbox {_bounds(self.bbox)} is empty: it holds no pixel")

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.only and self.bbox is None

    def mark(self, parents: Iterable[Parent], frame: Box) -> tuple[Parent, ...]:
        """Return all parents, of which the others are no longer ``selected``.

        Parameters
        ----------
        parents : iterable of Parent
        frame : Box
            That of the image.

        Raises
        ------
        InputError
            If an identifier is not that of a parent (the message says which there are), the box lies off the image,
            or nothing is selected.
        """
        every = tuple(parents)
        self._check_ids([parent.id for parent in every])
        self.check_box(frame)
        marked = tuple(replace(parent, selected=self._holds(parent)) for parent in every)
        if every and not any(parent.selected for parent in marked):
            named = f"the parents {_listed(self.only)}" if self.only else f"the {len(every)} parents"
            raise InputError(f"none of {named} touches the bbox {_bounds(self.bbox or frame)}")
        return marked

    def _holds(self, parent: Parent) -> bool:
        if self.only and parent.id not in self.only:
            return False
        return self.bbox is None or bool(parent.footprint.on(self.bbox & parent.footprint.box).any())

    def _check_ids(self, known: list[int]) -> None:
        unknown = [number for number in self.only if number not in set(known)]
        if unknown:
            what = "is no parent" if len(unknown) == 1 else "are no parents"
            there = f"{len(known)} from {min(known)} to {max(known)}" if len(known) > _SHOWN else _listed(known)
            near = sorted(known, key=lambda number: (abs(number - unknown[0]), number))[:3]
            nearest = f"; nearest to {unknown[0]}: {_listed(sorted(near))}" if len(known) > _SHOWN else ""
            raise InputError(
                f"only: {_listed(unknown)} {what} of these coadds with these settings of detection; "
                f"parents are {there}{nearest}"
            )

    def check_box(self, frame: Box) -> None:
        """Refuse a box without a pixel on the image.

        Raises
        ------
        InputError
            If it lies off ``frame``.
        """
        if self.bbox is not None and (self.bbox & frame).is_empty:
            raise InputError(f"bbox {_bounds(self.bbox)} lies off the image, which is {_bounds(frame)}")


def parse_bbox(text: str) -> Box:
    """Read a box of pixels, x first.

    Parameters
    ----------
    text : str
        ``X0:X1,Y0:Y1``: columns X0 … X1 - 1 of rows Y0 … Y1 - 1, 0-based, as slices are.

    Raises
    ------
    InputError
        If it is not of that form, or empty.

    Examples
    --------
    >>> parse_bbox("100:180,20:60")
    Box(origin=(20, 100), shape=(40, 80))
    """
    match = _BBOX.fullmatch(text)
    if match is None:
        raise InputError(f"bbox must be X0:X1,Y0:Y1 in pixels, 0-based, X1 and Y1 not included; got {text!r}")
    x0, x1, y0, y1 = map(int, match.groups())
    if x0 >= x1 or y0 >= y1:
        raise InputError(f"bbox {text} is empty: it needs X0 < X1 and Y0 < Y1")
    return Box.from_bounds(y0, y1, x0, x1)


def _bounds(box: Box) -> str:
    (y0, x0), (height, width) = box.origin, box.shape
    return f"x {x0}:{x0 + width}, y {y0}:{y0 + height}"


def _listed(numbers: Iterable[int]) -> str:
    given = list(numbers)
    more = f" and {len(given) - _SHOWN} more" if len(given) > _SHOWN else ""
    return ", ".join(map(str, given[:_SHOWN])) + more
