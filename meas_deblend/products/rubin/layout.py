"""Parents → the entries of the archive, as JSON knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...geometry import Box
from ...models import FactorizedComponent, TemplateComponent
from .extras import EXTRAS, blend_extras, parent_extras, source_extras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ...models import AnyComponent, BlendModel, ParentModel, SourceModel

__all__ = ["array_entries", "parent_entry"]

_PART = "1.0.0"
"""Version of blends, sources and components; the model as a whole has its own."""


def parent_entry(parent: ParentModel, psf: dict[str, Any], blend_psfs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write a parent as a hierarchical blend, or an isolated source as one.

    Parameters
    ----------
    parent : ParentModel
    psf : dict
        What its metadata say about its PSF; empty if it has that of the file.
    blend_psfs : sequence of dict
        The same of each of its blends; empty for those that have the parent's.
    """
    sources = parent.sources
    if len(sources) == 1 and sources[0].id == parent.id and len(parent.blends) == 1:
        return _isolated(parent, psf, blend_psfs[0])
    numbers = [blend.id for blend in parent.blends]
    # Within their parent, sub-parents need different keys.
    keys = numbers if len(set(numbers)) == len(numbers) and min(numbers, default=0) >= 0 else range(len(numbers))
    metadata = array_entries(spans=parent.footprint.mask) | psf
    metadata["array_keys"] = ["spans", *psf.get("array_keys", [])]
    metadata |= {"origin": list(parent.footprint.box.origin), EXTRAS: parent_extras(parent)}
    return {
        "blend_type": "hierarchical",
        "version": _PART,
        "children": {
            str(key): _blend(blend, len(parent.psfs), own)
            for key, blend, own in zip(keys, parent.blends, blend_psfs, strict=True)
        },
        "metadata": metadata,
    }


def array_entries(**arrays: NDArray[Any]) -> dict[str, Any]:
    """Arrays as metadata keep them: flat lists, with shape and type beside them."""
    entries: dict[str, Any] = {}
    for name, array in arrays.items():
        entries[name] = _flat(array)
        entries[f"{name}_shape"] = list(array.shape)
        entries[f"{name}_dtype"] = str(array.dtype)
    return entries | {"array_keys": list(arrays)}


def _isolated(parent: ParentModel, psf: dict[str, Any], blend_psf: dict[str, Any]) -> dict[str, Any]:
    # The layout keeps no model of isolated sources: ours stands in the metadata.
    extras = parent_extras(parent) | {"blend": _blend(parent.blends[0], len(parent.psfs), blend_psf)}
    return {
        "source_type": "isolated",
        "version": _PART,
        **_box(parent.footprint.box),
        "peak": [float(value) for value in parent.sources[0].peak.center],
        "span_array": _flat(parent.footprint.mask.astype(np.float32)),
        "metadata": psf | {"id": parent.id, EXTRAS: extras},
    }


def _blend(blend: BlendModel, n_bands: int, psf: dict[str, Any]) -> dict[str, Any]:
    return {
        "blend_type": "blend",
        "version": _PART,
        **_box(blend.box),
        "sources": {str(source.id): _source(source, n_bands) for source in blend.sources},
        "metadata": psf | {EXTRAS: blend_extras(blend)},
    }


def _source(source: SourceModel, n_bands: int) -> dict[str, Any]:
    extras = source_extras(source)
    peak = [int(source.peak.y), int(source.peak.x)]
    components = [entry for component in source.components for entry in _component(component, peak)]
    if not components:
        # Readers take the position of a source from its first component, so there must be one.
        nothing = FactorizedComponent(_pixel(source), np.zeros(n_bands, np.float32), np.zeros((1, 1), np.float32))
        components, extras = [_factorized(nothing, peak)], extras | {"empty": True}
    metadata: dict[str, Any] = {"peak_id": int(source.peak.id), "id": int(source.id)}
    return {
        "source_type": "source",
        "version": _PART,
        "components": components,
        "metadata": metadata | ({EXTRAS: extras} if extras else {}),
    }


def _component(component: AnyComponent, peak: list[int]) -> list[dict[str, Any]]:
    """One component as it is, or a template as one component per band in which it is not 0, which add up to it."""
    if isinstance(component, FactorizedComponent):
        return [_factorized(component, peak)]
    if not isinstance(component, TemplateComponent):
        raise TypeError(f"{type(component).__name__} is not drawn")
    one_band = np.eye(len(component.cube), dtype=np.float32)
    planes = [k for k, plane in enumerate(component.cube) if plane.any()] or [0]
    return [_factorized(FactorizedComponent(component.box, one_band[k], component.cube[k]), peak) for k in planes]


def _factorized(component: FactorizedComponent, peak: list[int]) -> dict[str, Any]:
    return {
        "component_type": "factorized",
        "version": _PART,
        **_box(component.box),
        "peak": peak,
        "spectrum": _flat(component.spectrum),
        "morph": _flat(component.morph),
    }


def _pixel(source: SourceModel) -> Box:
    return Box((source.peak.y, source.peak.x), (1, 1))


def _box(box: Box) -> dict[str, Any]:
    return {"origin": list(box.origin), "shape": list(box.shape)}


def _flat(array: NDArray[Any]) -> list[Any]:
    values: list[Any] = array.ravel().tolist()
    return values
