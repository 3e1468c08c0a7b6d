"""Closed vocabularies: outcomes, and the reasons why a parent was not deblended as it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["OUTCOMES", "REASONS", "REASON_FLAGS", "Reason"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a parent is not "ok".

    Parameters
    ----------
    name : str
        What stands in the column ``deblend_reason``.
    kind : {"none", "skipped", "failed"}
        Whether the deblender that was asked for was not tried, or tried in vain, on something of the parent: it
        decides the flags ``deblend_skipped`` and ``deblend_failed``, so that reason and flags cannot disagree.
    meaning : str
        One sentence for people.
    """

    name: str
    kind: Literal["none", "skipped", "failed"]
    meaning: str


_REASONS = (
    Reason("", "none", "Nothing went wrong."),
    Reason("too_many_peaks", "skipped", "The parent, or one of its blends, has more peaks than the limit."),
    Reason("parent_too_big", "skipped", "Its area, a side, its axis ratio or its area times peaks is beyond a limit."),
    Reason("masked", "skipped", "More of its pixels are masked than the limit allows, in at least one band."),
    Reason("no_data", "skipped", "It has no usable pixel in any band."),
    Reason("no_psf", "skipped", "No band has a usable PSF at its position."),
    Reason("not_selected", "skipped", "The settings restrict deblending to a few parents, to test a pipeline quickly."),
    Reason("fit_failed", "failed", "The joint fit of a blend raised an error or gave values that are not finite."),
    Reason("worker_died", "failed", "The process that deblended it was ended from outside, twice: memory ran out."),
    Reason("template_failed", "failed", "Templates of single bands could not be made, for all peaks or for some."),
)

REASONS: dict[str, Reason] = {reason.name: reason for reason in _REASONS}

REASON_FLAGS: dict[str, str] = {
    "deblend_tooManyPeaks": "too_many_peaks",
    "deblend_parentTooBig": "parent_too_big",
    "deblend_masked": "masked",
}
"""Flags of a parent that say what its reason says, under the names that Rubin's tables have for them."""

OUTCOMES: dict[str, str] = {
    "ok": "The deblender that was asked for gave every peak its template.",
    "degraded": "A simpler deblender, or none for some bands or peaks, made the templates; the reason says why.",
    "failed": "No deblender gave templates, for a limit or an error: the children are there, but share no flux.",
}
