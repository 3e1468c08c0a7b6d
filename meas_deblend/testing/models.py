"""What a deblender's answer has to be, in sentences about what it is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..apportion import pixels_of, reapportion_parent, render_templates
from ..models import FactorizedComponent, ParentModel, ProfileComponent, TemplateComponent
from ..products import OBJECT_FLAGS, OUTCOMES, REASONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models import AnyComponent, SourceModel
    from .scenes import Case

__all__ = ["difference", "fluxes", "ledger_faults", "model_faults", "unshared_light"]

_NO_MODEL = "deblend_noModel"
_LEDGER = 1e-6
"""Largest imbalance of a band, as a fraction of its Σ|data|."""

_SHARED = 0.5
"""Least part of a band's light that children have who are what was asked for."""


def model_faults(model: object, case: Case, name: str) -> Iterator[str]:
    """Yield what is wrong with a model, one sentence each.

    Parameters
    ----------
    model : object
        What the deblender returned.
    case : Case
        What it was called with.
    name : str
        The deblender's.
    """
    if not isinstance(model, ParentModel):
        yield f"a ParentModel is expected, got {type(model).__name__}"
        return
    parent, bands = case.parent, len(case.exposure.bands)
    if model.id != parent.id:
        yield f"the model has the id {model.id}, its parent {parent.id}"
    if model.deblender != name:
        yield f"the model says that its deblender is {model.deblender!r}, not {name!r}"
    if model.footprint is not parent.footprint:
        yield "the model's footprint is not that of the parent: hand it on as it is"
    psfs = np.asarray(model.psfs)  # a plug-in is not type-checked: None becomes an array of no axis
    if psfs.ndim != 3 or len(psfs) != bands:
        yield f"psfs must be an array (band, y, x) of {bands} bands, got the shape {psfs.shape}"
        return
    yield from _outcome_faults(model)
    yield from _source_faults(model, case)


def ledger_faults(model: ParentModel, case: Case) -> Iterator[str]:
    """Yield the bands in which data ≠ Σ children + unassigned + masked.

    Shares are formed from the templates: light where none of them is above 0 stays unassigned.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        shared = reapportion_parent(case.exposure, model)
    box = case.parent.footprint.box
    pixels = case.exposure.images[(slice(None), *box.slices_in(case.exposure.box))]
    for band, row, image in zip(case.exposure.bands, shared.ledger, pixels, strict=True):
        scale = float(np.abs(image[np.isfinite(image)], dtype=np.float64).sum())
        if not abs(row.imbalance) <= _LEDGER * scale:
            yield (
                f"the ledger of band {band} does not close: data {row.data:.6g} is not the sum of children "
                f"{row.children:.6g}, unassigned {row.unassigned:.6g} and masked {row.masked:.6g}"
            )


def unshared_light(model: ParentModel, case: Case) -> Iterator[str]:
    """Yield the bands in which hardly any light found its child, although the model is what was asked for."""
    for band, row in zip(case.exposure.bands, reapportion_parent(case.exposure, model).ledger, strict=True):
        if model.outcome == "ok" and not row.children >= _SHARED * row.data:
            share = 100 * row.children / row.data
            yield f"the outcome is 'ok', but the children share only {share:.0f} % of the light of band {band}"


def fluxes(model: ParentModel, case: Case) -> dict[int, NDArray[np.float64]]:
    """Return each source's template, summed over the parent's box, per band (band,), by the id of its peak."""
    drawn = render_templates(model, case.parent.footprint.box)
    return {s.peak.id: t.array.sum(axis=(1, 2), dtype=np.float64) for s, t in zip(model.sources, drawn, strict=True)}


def difference(one: Any, other: Any, path: str = "") -> str:
    """Return the path of the first value in which two models differ, or "" if they are the same bit by bit."""
    if type(one) is not type(other):
        return path or "type"
    if isinstance(one, np.ndarray):
        same = one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
        return "" if same else path
    if is_dataclass(one) and not isinstance(one, type):
        parts = [(f"{path}.{f.name}" if path else f.name, f.name) for f in fields(one)]
        return next(filter(None, (difference(getattr(one, n), getattr(other, n), p) for p, n in parts)), "")
    if isinstance(one, tuple | list):
        if len(one) != len(other):
            return path
        pairs = enumerate(zip(one, other, strict=True))
        return next(filter(None, (difference(a, b, f"{path}[{k}]") for k, (a, b) in pairs)), "")
    return "" if one == other or (one != one and other != other) else path  # noqa: PLR0124 - NaN is not itself


def _outcome_faults(model: ParentModel) -> Iterator[str]:
    if model.outcome not in OUTCOMES:
        yield f"the outcome {model.outcome!r} is none of {', '.join(OUTCOMES)}"
    if model.reason not in REASONS:
        yield f"the reason {model.reason!r} is none of {', '.join(filter(None, REASONS))}"
    elif model.outcome != "ok" and not model.reason:
        yield f"the outcome is {model.outcome!r}, but no reason says why"


def _source_faults(model: ParentModel, case: Case) -> Iterator[str]:
    wanted = [peak.id for peak in case.parent.footprint.peaks]
    found = [source.peak.id for blend in model.blends for source in blend.sources]
    if sorted(found) != sorted(wanted):
        yield (
            f"one source per peak is expected: peaks {wanted}, sources for {sorted(found)}; a peak without a model "
            f"has a source without components and with the flag {_NO_MODEL}"
        )
        return
    if all(len(blend.sources) == len(wanted) for blend in model.blends) and found != wanted:
        yield f"the sources must be in the order of the peaks, {wanted}, not {found}"
    for source, peak in zip(model.sources, case.parent.footprint.peaks, strict=True):
        what = f"the source of peak {peak.id}"
        if source.peak != peak:
            yield f"{what} has another peak: {source.peak}"
        if source.id != source.peak.id:
            yield f"{what} has the id {source.id}: within a parent it is that of its peak"
        yield from (f"{what} {fault}" for fault in _flag_faults(source))
        for component in source.components:
            yield from (f"{what} has a component {fault}" for fault in _component_faults(component, model, case))
    if model.outcome == "ok" and wanted and not any(source.components for source in model.sources):
        yield "the outcome is 'ok', but no source has a model"


def _flag_faults(source: SourceModel) -> Iterator[str]:
    unknown = sorted(source.flags - set(OBJECT_FLAGS))
    if unknown:
        yield f"has flags that no table has: {', '.join(unknown)}"
    if bool(source.components) == (_NO_MODEL in source.flags):
        has = "components" if source.components else "no components"
        yield f"has {has} and {'' if _NO_MODEL in source.flags else 'not '}the flag {_NO_MODEL}"


def _component_faults(component: AnyComponent, model: ParentModel, case: Case) -> Iterator[str]:
    if not case.exposure.box.encloses(component.box):
        yield f"on {component.box}, which is not inside the image, {case.exposure.box}"
    if isinstance(component, ProfileComponent) and not component.radius > 0:
        yield f"of radius {component.radius}"
        return
    if not isinstance(component, TemplateComponent) and model.model_psf is None:
        yield "in the resolution of a model PSF, but the model has no model_psf"
        return
    bands = len(case.exposure.bands)
    drawn = pixels_of(component, model.model_psf)
    if isinstance(drawn, FactorizedComponent):
        arrays: Sequence[tuple[str, Any, tuple[int, ...]]] = (
            ("spectrum", drawn.spectrum, (bands,)),
            ("morph", drawn.morph, drawn.box.shape),
        )
    else:
        arrays = (("cube", drawn.cube, (bands, *drawn.box.shape)),)
    for name, array, shape in arrays:
        if array.shape != shape:
            yield f"whose {name} has the shape {array.shape}, not {shape}"
        elif array.dtype != np.float32:
            yield f"whose {name} is {array.dtype}, not float32"
        elif not np.isfinite(array).all():
            yield f"whose {name} is not finite"
        elif (array < 0).any():
            yield f"whose {name} is below 0"
