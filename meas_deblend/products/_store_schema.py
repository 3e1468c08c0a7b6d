"""The Arrow schema of the model store, and what its header says."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["FIELD_MEANINGS", "STORE_TYPE", "STORE_VERSION", "store_fields"]

STORE_TYPE = "meas_deblend.models"
STORE_VERSION = "1.3.0"


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


_INTS = pa.list_(pa.int32())
_STRINGS = pa.list_(pa.string())
_BOX = _INTS
_OLD_BOX = _struct(y=pa.int32(), x=pa.int32(), height=pa.int32(), width=pa.int32())
_ARRAY = _struct(dtype=pa.string(), shape=_INTS, data=pa.binary())
_PEAK = _struct(
    id=pa.int64(),
    y=pa.int32(),
    x=pa.int32(),
    value=pa.float64(),
    bands=_STRINGS,
    position=_struct(y=pa.float64(), x=pa.float64()),
    name=pa.string(),
)
_SPANS = _struct(y=_INTS, x_first=_INTS, x_stop=_INTS)
_FIT = _struct(is_psf=pa.bool_(), flux=pa.float64(), center=_struct(y=pa.float64(), x=pa.float64()))
_PIXELS = _struct(dtype=pa.string(), shape=_INTS, support=pa.binary(), values=pa.binary())


def _sources(version: str) -> pa.DataType:
    if version in _PLAIN:
        peak = _PEAK
        components = _struct(kind=pa.string(), box=_OLD_BOX, spectrum=_ARRAY, pixels=_ARRAY)
    else:
        peak, parameters = pa.int64(), pa.list_(pa.float64())
        components = _struct(kind=pa.string(), box=_BOX, spectrum=_ARRAY, pixels=_PIXELS, parameters=parameters)
    fields = {"id": pa.int64(), "peak": peak, "flags": _STRINGS, "components": pa.list_(components)}
    if version != "1.0.0":
        fields["psf_fits"] = pa.list_(_FIT)
    if version not in _WITHOUT_RUNGS:
        fields |= {"rung": pa.string(), "reason": pa.string()}
    return _struct(**fields)


def _blends(version: str) -> pa.DataType:
    fields = {
        "id": pa.int64(),
        "box": _OLD_BOX if version in _PLAIN else _BOX,
        "iterations": pa.int64(),
        "log_likelihood": pa.float64(),
        "stop_reason": pa.string(),
    }
    if version not in _PLAIN:
        fields["flux_covariance"] = _ARRAY
        fields["psfs"] = _STRINGS
    return _struct(**fields, sources=pa.list_(_sources(version)))


_PLAIN = ("1.0.0", "1.1.0")
"""Versions whose pixels are plain bytes."""

_WITHOUT_RUNGS = (*_PLAIN, "1.2.0")
"""Versions whose sources do not say on which rung of the ladder they were made."""

_VERSIONS = (*_WITHOUT_RUNGS, STORE_VERSION)

_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("kind", pa.string(), "'psf' or 'parent'"),
    ("id", pa.int64(), "identifier of the parent; 0 for PSFs"),
    ("key", pa.string(), "PSFs: made from the content; parents refer to it"),
    ("array", _PIXELS, "PSFs: the stamp (y, x)"),
    ("object_ids", pa.list_(pa.int64()), "identifiers of the parent's sources, in the order of its peaks"),
    ("footprint", _struct(box=_BOX, spans=_SPANS, peaks=pa.list_(_PEAK)), "detected pixels, and peaks"),
    ("psfs", _STRINGS, "keys of the observed PSFs, one per band"),
    ("model_psf", pa.string(), "key of the PSF of factorized components; null without"),
    ("deblender", pa.string(), "what made the models"),
    ("outcome", pa.string(), "ok, degraded or failed"),
    ("reason", pa.string(), "why the outcome is not ok"),
    ("message", pa.string(), "details of the reason"),
    ("warnings", _STRINGS, "what was found wrong on the way"),
    ("kernel_floor", pa.float64(), "floor of the kernels that take factorized components to the observed PSFs"),
)


_SOURCE = "blends[].sources[]"
_PEAKS = {
    "id": "counts the peaks of the parent from 0",
    "y": "row of the peak's pixel",
    "x": "column of the peak's pixel",
    "value": "height in units of the detection image; NaN for a position that was given",
    "bands": "bands that detect it",
    "position": "sub-pixel position; null where it is the pixel itself",
    "name": "what the user's source list calls it, else empty",
}

FIELD_MEANINGS = {
    "footprint.box": "(y, x, height, width) of where the runs lie",
    "footprint.spans": "half-open horizontal runs of member pixels",
    "footprint.spans.y": "row of each run",
    "footprint.spans.x_first": "first column of each run",
    "footprint.spans.x_stop": "column behind each run",
    "footprint.peaks": "all peaks, brightest first when they were detected",
    **{f"footprint.peaks[].{name}": meaning for name, meaning in _PEAKS.items()},
    "blends[].id": "unique over a survey",
    "blends[].box": "(y, x, height, width) of the pixels that were fitted",
    "blends[].iterations": "iterations of the fit",
    "blends[].log_likelihood": "−½ Σ w (model − data)²; NaN where nothing was fitted",
    "blends[].stop_reason": "why the fit ended; empty where nothing was fitted",
    "blends[].flux_covariance": "(band, source, source) of total model fluxes, image units²; null where not known",
    "blends[].psfs": "keys of the observed PSFs at the blend, one per band; empty: those of the parent",
    "blends[].sources": "in the order in which they were fitted",
    f"{_SOURCE}.id": "objectId",
    f"{_SOURCE}.peak": "`id` of the peak of the footprint that it belongs to",
    f"{_SOURCE}.flags": "names of the object flags that are true",
    f"{_SOURCE}.components": "their sum is the model; empty for a source without one",
    f"{_SOURCE}.components[].kind": "factorized, template, point or profile",
    f"{_SOURCE}.components[].box": "(y, x, height, width) of where the component lies",
    f"{_SOURCE}.components[].spectrum": "per band, image units; null for templates",
    f"{_SOURCE}.components[].pixels": "see the kinds of components; null for points and profiles",
    f"{_SOURCE}.components[].parameters": "see the kinds of components; null for those that are pixels",
    f"{_SOURCE}.psf_fits": "point sources fitted at the peak, one per band, null where none was; may be empty",
    f"{_SOURCE}.psf_fits[].is_psf": "whether it is the template in that band",
    f"{_SOURCE}.psf_fits[].flux": "image units",
    f"{_SOURCE}.psf_fits[].center": "where it was fitted",
    f"{_SOURCE}.rung": "rung of the ladder on which it was made; empty if its deblender has none",
    f"{_SOURCE}.reason": "why it is not the first rung, or what was done to its blend; else empty",
}
"""Meanings of the fields within columns, by path; ``[]`` stands for each element of a list."""


def store_fields(version: str = STORE_VERSION) -> list[pa.Field]:
    """Columns of a store of that version, with their meanings.

    Raises
    ------
    KeyError
        If there is no such version.
    """
    if version not in _VERSIONS:
        raise KeyError(version)
    blends = ("blends", pa.list_(_blends(version)), "what was fitted together; each source is in one")
    old = {
        "array": _ARRAY,
        "footprint": _struct(box=_OLD_BOX, spans=_SPANS, peaks=pa.list_(_PEAK)),
    }
    columns = [
        (name, old.get(name, kind) if version in _PLAIN else kind, meaning)
        for name, kind, meaning in (*_COLUMNS, blends)
    ]
    return [pa.field(name, kind, metadata={"description": meaning}) for name, kind, meaning in columns]
