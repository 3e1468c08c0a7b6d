"""Closed vocabularies: outcomes, rungs of the ladder, and the reasons why something was done that was not asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["OUTCOMES", "REASONS", "REASON_FLAGS", "RUNGS", "Reason"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a parent, or an object, is not as it was asked for.

    Parameters
    ----------
    name : str
        What stands in the column ``deblend_reason``.
    kind : {"none", "skipped", "failed"}
        Whether what was asked for was not tried, or tried in vain, on something of the parent: it decides the flags
        ``deblend_skipped`` and ``deblend_failed``, so that reason and flags cannot disagree.
    meaning : str
        One sentence for people.
    """

    name: str
    kind: Literal["none", "skipped", "failed"]
    meaning: str


_REASONS = (
    Reason("", "none", "Nothing went wrong."),
    Reason("split", "none", "A blend was over a budget: parts were fitted in turn, without their neighbours' light."),
    Reason("over_memory_budget", "skipped", "A blend was predicted to need more memory than the budget."),
    Reason("over_cost_budget", "skipped", "A blend was predicted to need more processor time than the budget."),
    Reason("too_many_peaks", "skipped", "The parent, or one of its blends, has more peaks than the limit."),
    Reason("parent_too_big", "skipped", "Its area, a side, its axis ratio or its area times peaks is beyond a limit."),
    Reason("masked", "skipped", "More of its pixels are masked than the limit allows, in at least one band."),
    Reason("no_data", "skipped", "It has no usable pixel in any band."),
    Reason("no_psf", "skipped", "No band has a usable PSF at its position."),
    Reason("not_selected", "skipped", "Only other parents were to be deblended, by --only, --bbox or a setting."),
    Reason("timeout", "failed", "A fit hung: the clock ended it, long after the time that was predicted."),
    Reason("pseudo", "skipped", "It is a sky object: nothing was detected there, so there is nothing to deblend."),
    Reason(
        "fit_failed",
        "failed",
        "The joint fit of a blend raised an error, or gave values that are not finite or not credible.",
    ),
    Reason("worker_died", "failed", "The process that deblended it was ended from outside, twice: memory ran out."),
    Reason("template_failed", "failed", "Templates could not be made, for all peaks or for some."),
)

REASONS: dict[str, Reason] = {reason.name: reason for reason in _REASONS}

RUNGS: dict[str, str] = {
    "": "Its deblender has no ladder.",
    "full_multi_band": "All sources of the blend were fitted jointly in all bands, bulges and disks apart.",
    "joint_profiles": "Profiles of all sources of the blend were fitted jointly in all bands.",
    "one_component": "All sources of the blend were fitted jointly in all bands, with one component each.",
    "symmetric_templates": "A symmetric template of one shape, or a point source, was scaled to every band.",
    "psf_templates": "The PSF at the peak was scaled to every band.",
    "parent_only": "It has no model: only its parent can be measured, or it is the parent, kept whole.",
}
"""Rungs of the ladder, top to bottom, and what was done on them."""

REASON_FLAGS: dict[str, str] = {
    "deblend_tooManyPeaks": "too_many_peaks",
    "deblend_parentTooBig": "parent_too_big",
    "deblend_masked": "masked",
    "deblend_isPseudo": "pseudo",
}
"""Flags of a parent that say what its reason says, under the names that Rubin's tables have for them."""

OUTCOMES: dict[str, str] = {
    "ok": "The deblender that was asked for gave every peak its template.",
    "degraded": "A lower rung, or nothing for some bands or peaks, made the templates; the reason says why.",
    "failed": "No deblender gave templates, for a limit or an error: the children are there, but share no flux.",
}
