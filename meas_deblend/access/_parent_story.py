"""The story of one parent: facts from a run's folder, and sentences about them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from .._phrases import counted, number, percent, together
from ..products import RUNGS
from ._row_facts import fit_facts, flag_facts, outcome_facts, plain
from ._sentences import fit_sentences, flag_sentences, outcome_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._row_facts import Facts
    from .run import Run

__all__ = ["parent_facts", "parent_sentences"]

_SHOWN = 8


def parent_facts(run: Run, parent_id: int) -> Facts:
    """Facts about one parent of a run."""
    parents, objects = run.parents, run.objects
    row = parents[int(np.flatnonzero(np.asarray(parents["parentObjectId"]) == parent_id)[0])]
    children = objects[np.asarray(objects["parentObjectId"]) == parent_id]
    layout = objects.meta["layout"]
    (x0, y0), (width, height) = (tuple(int(row[f"bbox_{name}"]) for name in names)
                                 for names in (("min_x", "min_y"), ("width", "height")))  # fmt: skip
    return {
        "kind": "parent",
        "id": parent_id,
        "bbox": {"x": [x0, x0 + width], "y": [y0, y0 + height]},
        "area": plain(row, "footprintArea"),
        "peaks": plain(row, "deblend_nPeaks"),
        "blends": plain(row, "deblend_nBlends"),
        "bands": {
            "all": list(layout.bands),
            "parent": [b for b in layout.bands if any(children[f"merge_footprint_{b}"])],
        },
        "children": [int(number) for number in children["objectId"]],
        **outcome_facts(row),
        "rungs": _rungs(children),
        "fit": {**fit_facts(row), "not_converged": _not_converged(children)},
        "flux": _accounts(run, parent_id, layout.image_unit),
        "flags": flag_facts("parents", row, layout),
    }


def parent_sentences(facts: Facts) -> Iterator[str]:
    """Tell the facts about one parent."""
    (x0, x1), (y0, y1) = facts["bbox"]["x"], facts["bbox"]["y"]
    yield (
        f"Parent {facts['id']} has {counted(facts['area'], 'pixel')} in columns {x0} to {x1 - 1} of rows {y0} to "
        f"{y1 - 1}, and was detected in {together(facts['bands']['parent'])}."
    )
    children = facts["children"]
    listed = ", ".join(map(str, children[:_SHOWN])) + (" …" if len(children) > _SHOWN else "")
    yield (
        f"It holds {counted(facts['peaks'], 'peak')} in {counted(facts['blends'], 'blend')}; its "
        f"{counted(len(children), 'child is', 'children are')} {listed}."
    )
    yield from outcome_sentences(facts)
    yield from _fits(facts["fit"])
    yield from _account(facts["flux"])
    yield from flag_sentences(facts["flags"])


def _rungs(children: Any) -> dict[str, int]:
    """Children by rung, top to bottom; empty for deblenders without a ladder."""
    found = Counter(str(rung) for rung in children["deblend_rung"]) if "deblend_rung" in children.colnames else {}
    return {rung: found[rung] for rung in RUNGS if rung and rung in found}


def _not_converged(children: Any) -> dict[str, int]:
    """How many of the blends that did not converge ended for which reason."""
    failed = children[np.asarray(children["deblend_blendConvergenceFailedFlag"], dtype=bool)]
    ends = {int(row["deblend_blendId"]): str(row["deblend_stopReason"]) for row in failed}
    return dict(Counter(ends.values()))


def _accounts(run: Run, parent_id: int, unit: str) -> dict[str, Facts]:
    mine = run.ledger[np.asarray(run.ledger["parentObjectId"]) == parent_id]
    names = ("data", "children", "unassigned", "masked")
    return {str(line["band"]): {**{name: plain(line, name) for name in names}, "unit": unit} for line in mine}


def _fits(fit: Facts) -> Iterator[str]:
    if len(fit["not_converged"]) == 0 or fit["converged"] is None:
        yield from fit_sentences(fit)
        return
    ends = together(f"{count} ({why})" for why, count in fit["not_converged"].items())
    blends = counted(sum(fit["not_converged"].values()), "blend")
    chi2 = "" if fit["chi2"] is None else f"; its reduced χ² is {fit['chi2']:.2f} (a perfect model has 1)"
    took = counted(fit["iterations"], "iteration")
    yield f"Of its fits, with {took} in all, {blends} did not converge: {ends}{chi2}."


def _account(flux: dict[str, Facts]) -> Iterator[str]:
    parts = []
    for band, one in flux.items():
        whole = one["data"]
        rest = [f"{percent(one[name] / whole)} {name}" for name in ("unassigned", "masked") if whole and one[name]]
        got = f"{percent(one['children'] / whole)} of {number(whole)}" if whole else number(one["children"])
        parts.append(f"{got} {one['unit']} in {band}" + (f" ({together(rest)})" if rest else ""))
    if parts:
        yield f"Its children received {together(parts)}."
