"""Models as plain records: nested dictionaries of numbers, strings, lists and bytes, and back.

Parquet and JSON files hold the same records, so that what is stored is decided in one place.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import ModelError
from ..geometry import Box, Footprint, Peak
from ..models import (
    BlendModel,
    Component,
    FactorizedComponent,
    ParentModel,
    PointSourceFit,
    SourceModel,
    TemplateComponent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["PARENT", "PSF", "Record", "array_record", "parent_from_record", "parent_record", "psf_planes", "read_array"]

Record = dict[str, Any]

PARENT, PSF = "parent", "psf"
_DTYPES = ("<f4", "<f8")


def array_record(array: NDArray[Any]) -> Record:
    """Pixels as little-endian bytes in row-major order, with ``dtype`` ("<f4" or "<f8") and ``shape``.

    Raises
    ------
    ModelError
        If the array is of another type.
    """
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in _DTYPES:
        raise ModelError(f"models hold arrays of float32 or float64, got {array.dtype}")
    return {
        "dtype": dtype.str,
        "shape": list(array.shape),
        "data": array.astype(dtype, order="C", copy=False).tobytes(),
    }


def read_array(record: Mapping[str, Any]) -> NDArray[Any]:
    """Read what `array_record` gave, as an array that owns its memory.

    Raises
    ------
    ModelError
        If type, shape and number of bytes do not fit each other.
    """
    dtype, shape, data = record["dtype"], tuple(record["shape"]), record["data"]
    if dtype not in _DTYPES:
        raise ModelError(f"an array of type {dtype!r}; models hold {' or '.join(_DTYPES)}")
    if min(shape, default=0) < 0 or math.prod(shape) * np.dtype(dtype).itemsize != len(data):
        raise ModelError(f"{len(data)} bytes do not make an array of type {dtype} and shape {shape}")
    return np.frombuffer(data, dtype=dtype).reshape(shape).astype(np.dtype(dtype).newbyteorder("="), copy=True)


def psf_planes(parent: ParentModel) -> tuple[list[str], str | None, dict[str, Record]]:
    """Keys of a parent's PSFs per band, the key of its model PSF, and the arrays by key.

    A key is made from the content, so equal PSFs of different parents have one key and are stored once.
    """
    arrays = [array_record(plane) for plane in parent.psfs]
    keys = [_key(array) for array in arrays]
    planes = dict(zip(keys, arrays, strict=True))
    if parent.model_psf is None:
        return keys, None, planes
    model = array_record(parent.model_psf)
    return keys, _key(model), {**planes, _key(model): model}


def parent_record(parent: ParentModel) -> Record:
    """Everything about a parent but the pixels of its PSFs."""
    keys, model_key, _ = psf_planes(parent)
    return {
        "kind": PARENT,
        "id": int(parent.id),
        "object_ids": [int(source.id) for source in parent.sources],
        "footprint": _footprint_record(parent.footprint),
        "psfs": keys,
        "model_psf": model_key,
        "deblender": parent.deblender,
        "outcome": parent.outcome,
        "reason": parent.reason,
        "message": parent.message,
        "warnings": list(parent.warnings),
        "kernel_floor": float(parent.kernel_floor),
        "blends": [_blend_record(blend) for blend in parent.blends],
    }


def parent_from_record(record: Mapping[str, Any], psfs: Mapping[str, NDArray[Any]]) -> ParentModel:
    """Rebuild a parent.

    Parameters
    ----------
    record : mapping
        What `parent_record` gave.
    psfs : mapping of str to array (y, x)
        PSFs by key.

    Raises
    ------
    ModelError
        If the record does not make a parent.
    """
    try:
        model_key = record["model_psf"]
        return ParentModel(
            id=record["id"],
            footprint=_read_footprint(record["footprint"]),
            blends=tuple(_read_blend(blend) for blend in record["blends"]),
            psfs=np.stack([psfs[key] for key in record["psfs"]]),
            model_psf=None if model_key is None else psfs[model_key].copy(),
            deblender=record["deblender"],
            outcome=record["outcome"],
            reason=record["reason"],
            message=record["message"],
            warnings=tuple(record["warnings"]),
            kernel_floor=record["kernel_floor"],
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"the record of parent {record.get('id')} is damaged: {error!r}") from error


def _key(array: Record) -> str:
    digest = hashlib.sha256(f"{array['dtype']} {array['shape']} ".encode())
    digest.update(array["data"])
    return digest.hexdigest()[:32]


def _box_record(box: Box) -> Record:
    return {"y": box.origin[0], "x": box.origin[1], "height": box.shape[0], "width": box.shape[1]}


def _read_box(record: Mapping[str, Any]) -> Box:
    return Box((record["y"], record["x"]), (record["height"], record["width"]))


def _peak_record(peak: Peak) -> Record:
    position = None if peak.position is None else {"y": float(peak.position[0]), "x": float(peak.position[1])}
    return {
        "id": int(peak.id),
        "y": int(peak.y),
        "x": int(peak.x),
        "value": float(peak.value),
        "bands": list(peak.bands),
        "position": position,
        "name": peak.name,
    }


def _read_peak(record: Mapping[str, Any]) -> Peak:
    place = record["position"]
    position = None if place is None else (place["y"], place["x"])
    bands = tuple(record["bands"])
    return Peak(record["id"], record["y"], record["x"], record["value"], bands, position, record["name"])


def _footprint_record(footprint: Footprint) -> Record:
    # The box is kept beside the spans, because it need not be the tightest one.
    y, first, stop = footprint.spans().T.tolist()
    return {
        "box": _box_record(footprint.box),
        "spans": {"y": y, "x_first": first, "x_stop": stop},
        "peaks": [_peak_record(peak) for peak in footprint.peaks],
    }


def _read_footprint(record: Mapping[str, Any]) -> Footprint:
    box = _read_box(record["box"])
    peaks = tuple(_read_peak(peak) for peak in record["peaks"])
    return Footprint(box, _read_mask(record["spans"], box), peaks)


def _read_mask(spans: Mapping[str, Any], box: Box) -> NDArray[np.bool_]:
    y, first, stop = (np.array(spans[name], dtype=np.int64) for name in ("y", "x_first", "x_stop"))
    y, first, stop = y - box.origin[0], first - box.origin[1], stop - box.origin[1]
    inside = (y >= 0) & (y < box.shape[0]) & (first >= 0) & (first < stop) & (stop <= box.shape[1])
    if not inside.all():
        raise ModelError(f"{np.count_nonzero(~inside)} runs of the footprint are not inside {box}")
    # +1 where a run starts and −1 behind its end: the running sum is 1 on the run.
    steps = np.zeros((box.shape[0], box.shape[1] + 1), dtype=np.int8)
    steps[y, first] += 1
    steps[y, stop] -= 1
    return np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1] > 0


def _component_record(component: Component) -> Record:
    if isinstance(component, FactorizedComponent):
        kind, spectrum, pixels = "factorized", array_record(component.spectrum), component.morph
    else:
        kind, spectrum, pixels = "template", None, component.cube
    box = _box_record(component.box)
    return {"kind": kind, "box": box, "spectrum": spectrum, "pixels": array_record(pixels)}


def _read_component(record: Mapping[str, Any]) -> Component:
    box, pixels = _read_box(record["box"]), read_array(record["pixels"])
    if pixels.shape[-2:] != box.shape:
        raise ModelError(f"pixels of shape {pixels.shape} do not fit {box}")
    if record["kind"] == "factorized":
        return FactorizedComponent(box, read_array(record["spectrum"]), pixels)
    if record["kind"] == "template":
        return TemplateComponent(box, pixels)
    raise ModelError(f"a component of kind {record['kind']!r}; there are factorized and template")


def _fit_record(fit: PointSourceFit) -> Record:
    y, x = fit.center
    return {"is_psf": bool(fit.is_psf), "flux": float(fit.flux), "center": {"y": float(y), "x": float(x)}}


def _read_fit(record: Mapping[str, Any]) -> PointSourceFit:
    return PointSourceFit(record["is_psf"], record["flux"], (record["center"]["y"], record["center"]["x"]))


def _source_record(source: SourceModel) -> Record:
    return {
        "id": int(source.id),
        "peak": _peak_record(source.peak),
        "flags": sorted(source.flags),
        "components": [_component_record(component) for component in source.components],
        "psf_fits": [None if fit is None else _fit_record(fit) for fit in source.psf_fits],
    }


def _read_source(record: Mapping[str, Any]) -> SourceModel:
    components = tuple(_read_component(component) for component in record["components"])
    fits = tuple(None if fit is None else _read_fit(fit) for fit in record["psf_fits"])
    return SourceModel(record["id"], _read_peak(record["peak"]), components, frozenset(record["flags"]), fits)


def _blend_record(blend: BlendModel) -> Record:
    return {
        "id": int(blend.id),
        "box": _box_record(blend.box),
        "iterations": int(blend.iterations),
        "log_likelihood": float(blend.log_likelihood),
        "stop_reason": blend.stop_reason,
        "sources": [_source_record(source) for source in blend.sources],
    }


def _read_blend(record: Mapping[str, Any]) -> BlendModel:
    sources = tuple(_read_source(source) for source in record["sources"])
    numbers = record["iterations"], record["log_likelihood"], record["stop_reason"]
    return BlendModel(record["id"], _read_box(record["box"]), sources, *numbers)
