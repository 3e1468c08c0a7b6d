"""The story of one object: facts from a run's folder, and sentences about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._phrases import counted, number, percent, position, together
from ._neighbours import neighbour_overlaps
from ._row_facts import fit_facts, flag_facts, outcome_facts, plain
from ._sentences import fit_sentences, flag_sentences, outcome_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models import ParentModel
    from ..products import CatalogLayout
    from ._row_facts import Facts
    from .run import Run

__all__ = ["object_facts", "object_sentences"]

_NEIGHBOURS = 5
_TELLING = 0.001
"""Part of the light from which on a neighbour is named."""


def object_facts(run: Run, object_id: int) -> Facts:
    """Facts about one object of a run."""
    table = run.objects
    row, layout = table[run.row_number(object_id)], table.meta["layout"]
    parent = run.models.source(object_id).parent
    isolated = not plain(row, "parentObjectId")
    return {
        "kind": "object",
        "id": object_id,
        "name": plain(row, "sourceName") or "",
        "position": _place(row),
        "bands": {
            "all": list(layout.bands),
            "peak": [band for band in layout.bands if plain(row, f"merge_peak_{band}")],
            "parent": [band for band in layout.bands if plain(row, f"merge_footprint_{band}")],
        },
        "magnitudes": _magnitudes(row, layout),
        "parent": {"id": parent.id, "isolated": isolated, "peaks": len(parent.footprint.peaks),
                   "area": parent.footprint.area},
        "blend": {"id": plain(row, "deblend_blendId"), "objects": plain(row, "deblend_blendNChild")},
        **outcome_facts(row),
        "fit": fit_facts(row),
        "flux": _flux(run, row, parent),
        "contamination": {band: _contamination(row, band) for band in layout.bands},
        "neighbours": _neighbours(parent, object_id),
        "flags": flag_facts("objects", row, layout),
    }  # fmt: skip


def object_sentences(facts: Facts) -> Iterator[str]:
    """Tell the facts about one object."""
    who = f"Object {facts['id']}" + (f" ({facts['name']})" if facts["name"] else "")
    place = facts["position"]
    sky = None if place["ra"] is None else (place["ra"], place["dec"])
    yield f"{who} lies at {position(place['x'], place['y'], sky)}."
    if facts["reason"] == "pseudo":
        yield "It is a sky object: it was put where nothing is detected."
    else:
        yield _seen(facts["bands"])
    if facts["magnitudes"]:
        listed = (f"{band} = {mag:.2f} ± {error:.2f}" for band, (mag, error) in facts["magnitudes"].items())
        yield f"Kron magnitudes (AB) of its own pixels: {', '.join(listed)}."
    if facts["reason"] != "pseudo":
        yield _family(facts)
    yield from outcome_sentences(facts)
    yield from fit_sentences(facts["fit"])
    yield from _shares(facts)
    yield from _company(facts)
    yield from flag_sentences(facts["flags"])


def _place(row: Any) -> Facts:
    names = {"x": "x", "y": "y", "ra": "coord_ra", "dec": "coord_dec"}
    found = {key: plain(row, name) for key, name in names.items()}
    for axis in "xy":
        # An object that could not be measured stays at its peak.
        if found[axis] is None:
            found[axis] = float(row[f"deblend_peak_center_{axis}"])
    return found


def _magnitudes(row: Any, layout: CatalogLayout) -> dict[str, tuple[float, float]]:
    pairs = {band: (plain(row, f"{band}_kronMag"), plain(row, f"{band}_kronMagErr")) for band in layout.bands}
    return {band: pair for band, pair in pairs.items() if None not in pair}


def _flux(run: Run, row: Any, parent: ParentModel) -> Facts:
    """Per band what the object got of its parent; by models where an older version of the run has no such column."""
    ledger, layout = run.ledger, run.objects.meta["layout"]
    mine = ledger[np.asarray(ledger["parentObjectId"]) == parent.id]
    whole = {str(line["band"]): plain(line, "data") for line in mine}
    got = {band: plain(row, f"{band}_deblend_instFlux") for band in layout.bands}
    by = "pixels"
    if all(value is None for value in got.values()):
        by = "models"
        family = run.objects[np.isin(np.asarray(run.objects["objectId"]), [source.id for source in parent.sources])]
        whole = {band: float(np.nansum(np.asarray(family[f"{band}_modelFlux"]))) for band in layout.bands}
        got = {band: plain(row, f"{band}_modelFlux") for band in layout.bands}
    units = dict(zip(layout.bands, layout.flux_units, strict=True)) if by == "models" else {}
    bands = {
        band: {"object": value, "parent": whole[band], "fraction": value / whole[band] if whole[band] else None,
               "unit": units.get(band, layout.image_unit)}
        for band, value in got.items() if value is not None and band in whole
    }  # fmt: skip
    return {"by": by, "bands": bands}


def _contamination(row: Any, band: str) -> Facts:
    """Tell what the catalog says of its neighbours' light and of what the models leave, in one band."""
    names = ("maxOverlap", "fluxOverlap", "fluxOverlapFraction", "blendedness", "chi2", "residualScore")
    return {name: plain(row, f"{band}_deblend_{name}") for name in names}


def _neighbours(parent: ParentModel, object_id: int) -> list[Facts]:
    """Objects of the same parent whose light lies under the object, largest part first."""
    place = {source.id: np.array(source.peak.center) for source in parent.sources}
    return [
        {
            "id": other,
            "contamination": part,
            "distance": float(np.hypot(*(place[other] - place[object_id]))),
        }
        for other, part in neighbour_overlaps(parent, object_id).items()
    ]


def _seen(bands: Facts) -> str:
    def in_bands(names: list[str]) -> str:
        """List bands after "seen"."""
        if len(names) == len(bands["all"]) > 1:
            return f"in all bands ({', '.join(names)})"
        return f"in {together(names)}" if names else "in no band on its own"

    if bands["peak"] == bands["parent"]:
        return f"Its peak was seen {in_bands(bands['peak'])}, and so was its parent."
    return f"Its peak was seen {in_bands(bands['peak'])}, its parent {in_bands(bands['parent'])}."


def _family(facts: Facts) -> str:
    parent, blend = facts["parent"], facts["blend"]
    pixels = counted(parent["area"], "pixel")
    if parent["isolated"]:
        return f"It is isolated: the only peak of its parent, which has {pixels} and the same identifier."
    others = (blend["objects"] or 1) - 1
    with_whom = f"together with {counted(others, 'other')}" if others else "alone"
    return (
        f"It is one of {counted(parent['peaks'], 'child', 'children')} of parent {parent['id']}, which has {pixels}; "
        f"it is in blend {blend['id']} {with_whom}."
    )


def _shares(facts: Facts) -> Iterator[str]:
    flux = facts["flux"]
    if not flux["bands"]:
        return
    parts = [
        f"{'an unknown part' if one['fraction'] is None else percent(one['fraction'])} in {band} "
        f"({number(one['object'])} of {number(one['parent'])} {one['unit']})"
        for band, one in flux["bands"].items()
    ]
    whose = "parent's flux it received" if flux["by"] == "pixels" else "parent's models its own holds"
    yield f"Of its {whose} {together(parts)}."


def _company(facts: Facts) -> Iterator[str]:
    if facts["parent"]["isolated"]:
        return
    near = facts["neighbours"]
    if not facts["fit"]["components"]:
        yield "It has no model, so nothing is known of its neighbours' light on it."
        return
    if not near:
        yield "No other object's model overlaps with its own."
        return
    total = sum(one["contamination"] for one in near)
    near = [one for one in near if one["contamination"] >= _TELLING]
    if not near:
        yield f"Under its own model, less than {percent(_TELLING)} of the light is of each of its neighbours."
        return
    named = [f"object {n['id']} ({n['distance']:.1f} px away)" for n in near[:_NEIGHBOURS]]
    if len(near) == 1:
        yield f"Under its own model, {percent(total)} of the light is from {named[0]}."
        return
    listed = [f"{percent(n['contamination'])} from {name}" for n, name in zip(near, named)]
    if len(near) > _NEIGHBOURS:
        listed.append(f"less from {counted(len(near) - _NEIGHBOURS, 'other')}")
    yield f"Under its own model, {percent(total)} of the light is its neighbours': {together(listed)}."
