"""What a person knows better than detection: peaks that are one source, are none, or are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Peak

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..geometry import Box, Parent
    from .merge import Detections
    from .structure import MergedPeak

__all__ = ["AddedPeak", "DroppedPeak", "Edits", "MergedPeaks", "ProtectedPeak", "apply_edits"]

Place = tuple[int, int]
"""Index of a parent, and of one of its peaks."""


@dataclass(frozen=True, slots=True)
class MergedPeaks:
    """Objects that are one; ``where`` says which file and line ask for it."""

    ids: tuple[int, ...]
    where: str


@dataclass(frozen=True, slots=True)
class DroppedPeak:
    """An object that is none."""

    id: int
    where: str


@dataclass(frozen=True, slots=True)
class AddedPeak:
    """A position ``(y, x)`` at which there is an object."""

    center: tuple[float, float]
    where: str


@dataclass(frozen=True, slots=True)
class ProtectedPeak:
    """A large object: what detection finds within ``radius`` pixels of it, on its parent, is part of it."""

    id: int
    radius: float
    where: str


@dataclass(frozen=True, slots=True)
class Edits:
    """What is changed between detection and deblending.

    Objects are called by their objectId in a run with the same detection and without edits.

    Parameters
    ----------
    merge : tuple of MergedPeaks
    drop : tuple of DroppedPeak
    add : tuple of AddedPeak
    protect : tuple of ProtectedPeak
    """

    merge: tuple[MergedPeaks, ...] = ()
    drop: tuple[DroppedPeak, ...] = ()
    add: tuple[AddedPeak, ...] = ()
    protect: tuple[ProtectedPeak, ...] = ()

    def check_positions(self, frame: Box) -> None:
        """Refuse positions off the image.

        Raises
        ------
        InputError
            With file, line and position.
        """
        for one in self.add:
            y, x = one.center
            if not frame.contains(*_pixel(one.center)):
                (y0, x0), (h, w) = frame.origin, frame.shape
                raise InputError(
                    f"{one.where}: add_peak at x = {x:g}, y = {y:g} is off the image, which is x {x0}:{x0 + w}, "
                    f"y {y0}:{y0 + h}"
                )


def apply_edits(detections: Detections, edits: Edits, places: Mapping[int, Place], frame: Box) -> Detections:
    """Merge, drop and add peaks.

    Of peaks that are merged the first of their parent, the highest, stays with the bands of all. A parent whose last
    peak is dropped is left out; its pixels count as sky. A protected object keeps nothing that was merged into it as
    its structure but what lies within the radius given: the others are objects again.

    Parameters
    ----------
    detections : Detections
    edits : Edits
    places : mapping of int to (int, int)
        By objectId the index of the parent, and of the peak in it.
    frame : Box
        That of the image.

    Returns
    -------
    Detections
        The same parents, numbered as before; peaks are numbered anew, in their order, added ones behind the others.

    Raises
    ------
    InputError
        If there is no object of an identifier, objects of several parents are to be merged, one is dropped and kept at
        once, or an added peak lies on no footprint; the message names file and line.
    """
    edits.check_positions(frame)
    detections, places = _without_structure(detections, edits.protect, places)
    work = _Work(detections.parents, places)
    for merged in edits.merge:
        work.join([work.place(number, merged.where) for number in merged.ids], merged.where)
    for one in edits.protect:
        work.join(work.around(work.place(one.id, one.where), one.radius), one.where)
    dropped = {work.place(one.id, one.where): one.where for one in edits.drop}
    for place, where in dropped.items():
        if place in work.joined:
            raise InputError(f"{where}: drop_peak drops an object that merge or protect keeps as part of another")
    added: dict[int, list[Peak]] = {}
    for new in edits.add:
        added.setdefault(work.owner(new), []).append(Peak(0, *_pixel(new.center), position=new.center))
    parents = [
        replace(parent, footprint=parent.footprint.with_peaks(work.peaks(k, set(dropped), added.get(k, []))))
        for k, parent in enumerate(detections.parents)
    ]
    kept = tuple(parent for parent in parents if parent.footprint.peaks)
    bands = {parent.id: detections.footprint_bands[parent.id] for parent in kept}
    listed = tuple(work.following(one, set(dropped)) for one in detections.merged)
    return replace(detections, parents=kept, footprint_bands=MappingProxyType(bands), merged=listed)


def _without_structure(
    detections: Detections, protect: tuple[ProtectedPeak, ...], places: Mapping[int, Place]
) -> tuple[Detections, Mapping[int, Place]]:
    """Make peaks again of what was merged into protected objects, in the order of detection; and where objects are."""
    parents = list(detections.parents)
    kept = [places[one.id] for one in protect if one.id in places]
    exempt = {(parents[k].id, p.y, p.x) for k, p in ((k, parents[k].footprint.peaks[n]) for k, n in kept)}
    back: dict[int, list[Peak]] = {}
    for one in detections.merged:
        if one.into is not None and (one.parent, one.into.y, one.into.x) in exempt:
            back.setdefault(one.parent, []).append(one.peak)
    moved: dict[Place, Place] = {}
    for k, parent in enumerate(parents):
        if parent.id in back:
            before = parent.footprint.peaks
            peaks = sorted([*before, *back[parent.id]], key=lambda peak: (-peak.value, peak.x, peak.y))
            at = {(peak.y, peak.x): n for n, peak in enumerate(peaks)}
            moved |= {(k, n): (k, at[peak.y, peak.x]) for n, peak in enumerate(before)}
            numbered = tuple(replace(peak, id=n) for n, peak in enumerate(peaks))
            parents[k] = replace(parent, footprint=parent.footprint.with_peaks(numbered))
    merged = tuple(one for one in detections.merged if one.peak not in back.get(one.parent, ()))
    restored = replace(detections, parents=tuple(parents), merged=merged)
    return restored, {number: moved.get(place, place) for number, place in places.items()}


def _pixel(center: tuple[float, float]) -> tuple[int, int]:
    """Pixel (y, x) of a position: n covers [n - ½, n + ½)."""
    return int(np.floor(center[0] + 0.5)), int(np.floor(center[1] + 0.5))


class _Work:
    """Peaks of all parents, and which are one."""

    def __init__(self, parents: tuple[Parent, ...], places: Mapping[int, Place]) -> None:
        self._parents = parents
        self._places = places
        self.joined: dict[Place, Place] = {}

    def place(self, number: int, where: str) -> Place:
        """Find an object."""
        if number not in self._places:
            known = np.array(sorted(self._places))
            near = np.sort(known[np.argsort(np.abs(known - number), kind="stable")[:3]])
            raise InputError(
                f"{where}: there is no object {number}; there are {len(known)} from {known[0]} to {known[-1]}, "
                f"of which {', '.join(map(str, near))} are nearest"
            )
        return self._places[number]

    def join(self, members: list[Place], where: str) -> None:
        """Make peaks one."""
        if len({parent for parent, _ in members}) > 1:
            ids = sorted({self._parents[parent].id for parent, _ in members})
            raise InputError(
                f"{where}: objects of the parents {', '.join(map(str, ids))} cannot be one: they do not touch"
            )
        heads = sorted({self._head(member) for member in members})
        for other in heads[1:]:
            self.joined[other] = heads[0]

    def around(self, place: Place, radius: float) -> list[Place]:
        """Return a peak, and those of its parent within a radius."""
        k, n = place
        peaks = self._parents[k].footprint.peaks
        middle = peaks[n].center
        return [(k, m) for m, p in enumerate(peaks) if np.hypot(*np.subtract(p.center, middle)) <= radius]

    def owner(self, new: AddedPeak) -> int:
        """Index of the parent on whose footprint an added peak lies."""
        pixel = _pixel(new.center)
        for k, parent in enumerate(self._parents):
            if parent.footprint.contains(*pixel):
                return k
        y, x = new.center
        raise InputError(
            f"{new.where}: add_peak at x = {x:g}, y = {y:g} is on no detected footprint; lower the threshold of "
            "detect, or give all positions with --sources"
        )

    def peaks(self, k: int, dropped: set[Place], added: list[Peak]) -> tuple[Peak, ...]:
        """Return the peaks of a parent after all edits."""
        bands: dict[Place, set[str]] = {}
        before = self._parents[k].footprint.peaks
        for n, peak in enumerate(before):
            bands.setdefault(self._head((k, n)), set()).update(peak.bands)
        kept = [
            replace(peak, bands=_ordered(bands[k, n], before))
            for n, peak in enumerate(before)
            if (k, n) not in self.joined and (k, n) not in dropped
        ]
        return tuple(replace(peak, id=n) for n, peak in enumerate([*kept, *added]))

    def following(self, one: MergedPeak, dropped: set[Place]) -> MergedPeak:
        """Say into what a merged peak is merged now."""
        for k, parent in enumerate(self._parents):
            if parent.id == one.parent and one.into is not None:
                at = next((n for n, p in enumerate(parent.footprint.peaks) if (p.y, p.x) == (one.into.y, one.into.x)))
                head = self._head((k, at))
                return replace(one, into=None if head in dropped else parent.footprint.peaks[head[1]])
        return one

    def _head(self, place: Place) -> Place:
        while place in self.joined:
            place = self.joined[place]
        return place


def _ordered(bands: set[str], peaks: tuple[Peak, ...]) -> tuple[str, ...]:
    """Bands in the order in which the peaks, longest list first, name them."""
    order = dict.fromkeys(band for peak in sorted(peaks, key=lambda p: -len(p.bands)) for band in peak.bands)
    return tuple(band for band in order if band in bands)
