"""The model store as JSON text: the same records as in Parquet, for tools that know nothing else."""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import CorruptModelError
from ._arrays import pixel_record, read_pixels
from ._migrations import READABLE_STORES, migrated, migrated_psf
from ._records import parent_from_record, parent_record, psf_planes
from ._store_schema import STORE_TYPE, STORE_VERSION
from .consistency import sorted_parents
from .memory import MemoryStore
from .metadata import StoreMetadata
from .versions import check_version, release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from ..models import ParentModel

__all__ = ["models_from_json", "models_to_json"]


def models_to_json(parents: Iterable[ParentModel], metadata: StoreMetadata) -> str:
    """Write models as one JSON object: ``type``, ``version``, the metadata, ``psfs`` by key, and ``parents``.

    Bytes are ``{"base64": …}``; numbers that JSON lacks are ``{"float": "nan"}`` and the like.

    Raises
    ------
    InputError
        If the models do not fit each other or the bands (`sorted_parents`).
    """
    ordered = sorted_parents(parents, metadata)
    planes = [psf_planes(parent) for parent in ordered]
    psfs = {key: pixel_record(array) for _, _, arrays in planes for key, array in arrays.items()}
    document = {
        "type": STORE_TYPE,
        "version": STORE_VERSION,
        "written_by": release(),
        **metadata.to_dict(),
        "psfs": psfs,
        "parents": [parent_record(parent, of_parent) for parent, of_parent in zip(ordered, planes, strict=True)],
    }
    return json.dumps(_encode(document), allow_nan=False)


def models_from_json(text: str) -> MemoryStore:
    """Read what `models_to_json` wrote.

    Raises
    ------
    CorruptModelError
        If the text is not JSON, or damaged.
    ModelError
        If it is no model store, or of a newer version.
    """
    try:
        document = json.loads(text, object_hook=_decode)
    except (ValueError, TypeError, RecursionError) as error:
        raise CorruptModelError(f"the models are not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CorruptModelError(f"models are one JSON object, got {type(document).__name__}")
    check_version(document, STORE_TYPE, READABLE_STORES, "the JSON text")
    metadata = StoreMetadata.from_dict(document, "the JSON text")
    version = document["version"]
    try:
        arrays = document["psfs"].items()
        psfs = {key: read_pixels(migrated_psf(array, version)) for key, array in arrays}
        records = [migrated(record, version) for record in document["parents"]]
        parents = [parent_from_record(record, partial(_stacked, psfs)) for record in records]
        return MemoryStore(parents, metadata)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
        raise CorruptModelError(f"the JSON text is damaged: {error!r}") from error


def _stacked(psfs: Mapping[str, NDArray[Any]], keys: tuple[str, ...]) -> NDArray[Any]:
    planes = [psfs[key] for key in keys]
    if len({(plane.dtype, plane.shape) for plane in planes}) > 1:
        raise CorruptModelError(f"the PSFs {', '.join(keys)} are no stack")
    return np.stack(planes)


def _encode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _decode(value: dict[str, Any]) -> Any:
    if value.keys() == {"base64"}:
        return b64decode(value["base64"], validate=True)
    if value.keys() == {"float"}:
        return float(value["float"])
    return value
