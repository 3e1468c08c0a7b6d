"""Sentences that objects and parents have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._phrases import by_count, counted, together
from ..products import FLAVOR_PREFIXES, OUTCOMES

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
    """Tell how the deblending went, on which rung, and why."""
    whose = "Its parent" if facts["kind"] == "object" else "It"
    outcome, by = facts["outcome"], f"by {facts['deblender']}"
    if facts["reason"] in {"not_selected", "pseudo"}:
        yield f"{whose} was not deblended."
    elif outcome == "ok":
        yield f"{whose} was deblended {by} as it was asked for."
    else:
        how = f"could not be deblended {by}" if outcome == "failed" else f"was deblended {by}, but {outcome}"
        yield f"{whose} {how}: {_small(OUTCOMES.get(outcome, 'not known to us.'))}"
    yield from _rungs(facts)
    if facts["reason"]:
        yield f"The reason is {facts['reason']}: {_small(facts['reason_meaning'] or 'not known to us.')}"
    if facts["message"]:
        yield f"In detail: {facts['message'].rstrip('.')}."


def _rungs(facts: Facts) -> Iterator[str]:
    rungs = facts.get("rungs", {})
    if len(rungs) > 1:
        yield f"Its children are on these rungs: {by_count(rungs)}."
    elif facts["rung"]:
        whose = "Its children are" if rungs else "It is"
        yield f"{whose} on the rung {facts['rung']}: {_small(facts['rung_meaning'])}"


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
    """Tell which flags are set, and what each says; those that say the same of several things are put together."""
    every = list(flags)
    if not every:
        yield "No flag is set."
        return
    yield f"{counted(len(every), 'flag is', 'flags are')} set:"
    has_model = all(one["name"] != "deblend_noModel" for one in every)
    told = [one for one in every if has_model or not _is_of_model(one["name"])]
    groups: dict[tuple[str, str], list[str]] = {}
    for one in told:
        bands = f" ({together(one['bands'])})" if one["bands"] else ""
        groups.setdefault((bands, _of_what_it_flags(one)), []).append(one["name"])
    for (bands, meaning), names in groups.items():
        yield f"- {', '.join(names)}{bands}: {meaning.replace('{it}', 'it' if len(names) == 1 else 'each of them')}"
    if len(told) < len(every):
        yield f"- {len(every) - len(told)} of what would be measured on its model, as it has none."


def _is_of_model(flag: str) -> bool:
    return flag == "modelFlux_flag" or flag.startswith(tuple(prefix for prefix in FLAVOR_PREFIXES if prefix))


def _of_what_it_flags(flag: Facts) -> str:
    """Meaning of a flag, the name of what it flags replaced, so that flags that say the same are seen to."""
    subject = flag["name"].removesuffix("_flag") + " "
    meaning: str = flag["meaning"]
    return f"what {{it}} flags {meaning.removeprefix(subject)}" if meaning.startswith(subject) else _small(meaning)


def _small(sentence: str) -> str:
    """Sentence as it stands after a colon."""
    first, _, _ = sentence.partition(" ")
    return sentence if not first[:1].isupper() or first[1:2].isupper() else first[0].lower() + sentence[1:]
