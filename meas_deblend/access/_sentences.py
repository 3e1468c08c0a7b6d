"""Sentences that objects and parents have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._phrases import counted, together
from ..products import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._row_facts import Facts

__all__ = ["fit_sentences", "flag_sentences", "outcome_sentences"]

_ENDS = {
    "max_iter": "the most that the settings allow",
    "diverged": "as its log-likelihood was not finite any more",
    "no_sources": "as there was nothing left to fit",
    "no_data": "as no pixel has weight",
}


def outcome_sentences(facts: Facts) -> Iterator[str]:
    """Tell how the deblending went, and why."""
    whose = "parent" if facts["kind"] == "object" else "it"
    outcome = facts["outcome"]
    subject = f"The deblending of its {whose}" if whose == "parent" else "Its deblending"
    if outcome == "ok" and not facts["reason"]:
        yield f"{subject} by {facts['deblender']} went as it was asked for."
    else:
        yield f"{subject} by {facts['deblender']} is {outcome}: {_small(OUTCOMES.get(outcome, 'not known to us.'))}"
    if facts["reason"]:
        yield f"The reason is {facts['reason']}: {_small(facts['reason_meaning'] or 'not known to us.')}"
    if facts["message"]:
        yield f"In detail: {facts['message'].rstrip('.')}."


def fit_sentences(fit: Facts) -> Iterator[str]:
    """Tell how the fit went."""
    chi2 = "" if fit["chi2"] is None else f"reduced χ² is {fit['chi2']:.2f} (a perfect model has 1)"
    if fit["converged"] is None:
        yield "Nothing was fitted iteratively" + (f"; {chi2}." if chi2 else ".")
        return
    took = counted(fit["iterations"], "iteration")
    if fit["converged"]:
        end = f"took {took} and converged"
    else:
        why = _ENDS.get(fit["stop_reason"])
        end = f"did not converge: it ended after {took}" + (f", {why}" if why else "")
    yield f"The fit {end}" + (f"; its {chi2}." if chi2 else ".")


def flag_sentences(flags: Iterable[Facts]) -> Iterator[str]:
    """Tell which flags are set, and what each says."""
    every = list(flags)
    if not every:
        yield "No flag is set."
        return
    yield f"{counted(len(every), 'flag is', 'flags are')} set:"
    for one in every:
        bands = f" ({together(one['bands'])})" if one["bands"] else ""
        yield f"- {one['name']}{bands}: {_small(one['meaning'])}"


def _small(sentence: str) -> str:
    """Sentence as it stands after a colon."""
    first, _, _ = sentence.partition(" ")
    return sentence if not first[:1].isupper() or first[1:2].isupper() else first[0].lower() + sentence[1:]
