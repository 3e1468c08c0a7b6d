"""The Arrow schema of the model store, and what its header says."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["STORE_TYPE", "STORE_VERSION", "store_fields"]

STORE_TYPE = "meas_deblend.models"
STORE_VERSION = "1.2.0"


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


_INTS = pa.list_(pa.int32())
_STRINGS = pa.list_(pa.string())
_BOX = _struct(y=pa.int32(), x=pa.int32(), height=pa.int32(), width=pa.int32())
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
_FOOTPRINT = _struct(box=_BOX, spans=_struct(y=_INTS, x_first=_INTS, x_stop=_INTS), peaks=pa.list_(_PEAK))
_FIT = _struct(is_psf=pa.bool_(), flux=pa.float64(), center=_struct(y=pa.float64(), x=pa.float64()))
_PIXELS = _struct(dtype=pa.string(), shape=_INTS, support=pa.binary(), values=pa.binary())


def _sources(version: str) -> pa.DataType:
    if version in _PLAIN:
        components = _struct(kind=pa.string(), box=_BOX, spectrum=_ARRAY, pixels=_ARRAY)
    else:
        parameters = pa.list_(pa.float64())
        components = _struct(kind=pa.string(), box=_BOX, spectrum=_ARRAY, pixels=_PIXELS, parameters=parameters)
    fields = {"id": pa.int64(), "peak": _PEAK, "flags": _STRINGS, "components": pa.list_(components)}
    return _struct(**fields) if version == "1.0.0" else _struct(**fields, psf_fits=pa.list_(_FIT))


def _blends(version: str) -> pa.DataType:
    fields = {
        "id": pa.int64(),
        "box": _BOX,
        "iterations": pa.int64(),
        "log_likelihood": pa.float64(),
        "stop_reason": pa.string(),
    }
    if version not in _PLAIN:
        fields["flux_covariance"] = _ARRAY
    return _struct(**fields, sources=pa.list_(_sources(version)))


_PLAIN = ("1.0.0", "1.1.0")
"""Versions whose pixels are plain bytes."""

_VERSIONS = (*_PLAIN, STORE_VERSION)

_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("kind", pa.string(), "'psf' or 'parent'"),
    ("id", pa.int64(), "identifier of the parent; 0 for PSFs"),
    ("key", pa.string(), "PSFs: made from the content; parents refer to it"),
    ("array", _PIXELS, "PSFs: the stamp (y, x)"),
    ("object_ids", pa.list_(pa.int64()), "identifiers of the parent's sources, in the order of its peaks"),
    ("footprint", _FOOTPRINT, "detected pixels as half-open horizontal runs, and peaks"),
    ("psfs", _STRINGS, "keys of the observed PSFs, one per band"),
    ("model_psf", pa.string(), "key of the PSF of factorized components; null without"),
    ("deblender", pa.string(), "what made the models"),
    ("outcome", pa.string(), "ok, degraded or failed"),
    ("reason", pa.string(), "why the outcome is not ok"),
    ("message", pa.string(), "details of the reason"),
    ("warnings", _STRINGS, "what was found wrong on the way"),
    ("kernel_floor", pa.float64(), "Wiener floor of the kernels that take factorized components to the observed PSFs"),
)


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
    columns = [
        (name, _ARRAY if name == "array" and version in _PLAIN else kind, meaning)
        for name, kind, meaning in (*_COLUMNS, blends)
    ]
    return [pa.field(name, kind, metadata={"description": meaning}) for name, kind, meaning in columns]
