"""Several model stores made one, without holding more than a few row groups in memory."""

from __future__ import annotations

import heapq
from dataclasses import fields, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError
from ._writer import write_parents
from .store import ModelStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .metadata import StoreMetadata

__all__ = ["joined_metadata", "merge_models"]

_MAY_DIFFER = ("provenance", "pixel_error")


def merge_models(inputs: Sequence[Path | str], output: Path | str) -> None:
    """Write the parents of several stores of one pixel grid into one, by increasing id.

    Stores of several grids, such as patches, are kept as they are: a folder of them is read as one
    (`ModelDataset`).

    Parameters
    ----------
    inputs : sequence of path
        Stores of any version that can be read; at least one. ``output`` may be among them.
    output : path
        File to write, whole or not at all.

    Raises
    ------
    InputError
        If there is no input, an identifier occurs in two of them, or they differ in bands, shape, coordinates, zero
        points, units or the options by which pixels are shared; the message names the file and the difference.
    CorruptModelError
        If a store is damaged.
    ModelError
        If a store cannot be read.
    """
    if not inputs:
        raise InputError("there is nothing to merge: name at least one model store")
    stores = [ModelStore(Path(path)) for path in inputs]
    metadata = joined_metadata(stores)
    _check_identifiers(stores)
    write_parents(Path(output), metadata, heapq.merge(*(store.parents() for store in stores), key=attrgetter("id")))


def joined_metadata(stores: Sequence[ModelStore]) -> StoreMetadata:
    """Metadata that hold for all parents of several stores of one pixel grid.

    Provenance is joined: a value that differs becomes all values, separated by "; ".

    Raises
    ------
    InputError
        If they differ in anything else; the message names what.
    """
    first = stores[0]
    for store in stores[1:]:
        for name in (field.name for field in fields(first.metadata) if field.name not in _MAY_DIFFER):
            mine, other = getattr(first.metadata, name), getattr(store.metadata, name)
            if mine != other:
                raise InputError(
                    f"{store.path} does not fit {first.path}: {name} is {_short(other)}, not {_short(mine)}; stores "
                    "of different patches are read as one when they lie in one folder, without merging"
                )
    values: dict[str, dict[str, None]] = {}  # an ordered set per key
    for store in stores:
        for key, value in store.metadata.provenance.items():
            values.setdefault(key, {})[str(value)] = None
    return replace(
        first.metadata,
        provenance={key: "; ".join(several) for key, several in values.items()},
        pixel_error=max(store.metadata.pixel_error for store in stores),
    )


def _check_identifiers(stores: Sequence[ModelStore]) -> None:
    """Refuse identifiers that are in two stores."""
    owner: dict[int, Path] = {}
    for store in stores:
        # An isolated object has its parent's identifier.
        for identifier in {*store.parent_ids(), *store.object_ids()}:
            if identifier in owner:
                raise InputError(
                    f"the identifier {identifier} is in {owner[identifier]} and in {store.path}: identifiers must be "
                    "unique; give each patch its own tract and patch numbers when it is deblended"
                )
            owner[identifier] = store.path


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
