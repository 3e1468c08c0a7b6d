"""Files of models in any layout, as the commands are given them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow.parquet as pq

from .._atomic import atomic_write
from ..apportion import pixels_of
from ..exceptions import InputError, ModelError
from ..products import MemoryStore, ModelDataset, ModelStore, models_from_json, models_to_json, write_models
from ..products.rubin import is_rubin_file, read_rubin_models, rubin_version, write_rubin_models
from ..products.versions import HEADER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..models import ParentModel
    from ..products import ModelSource, StoreMetadata

__all__ = ["LAYOUTS", "ModelFile", "layout_of", "open_models", "save_models", "told"]

LAYOUTS = ("parquet", "json", "rubin")
_SUFFIXES = {".parquet": "parquet", ".json": "json", ".zip": "rubin", ".scarlet": "rubin"}

T = TypeVar("T")


@dataclass(frozen=True)
class ModelFile:
    """An open file of models.

    Parameters
    ----------
    path : Path
    layout : str
        What it is, for people.
    version : str
        Version of the layout.
    models : ModelSource
    """

    path: Path
    layout: str
    version: str
    models: ModelSource


def open_models(path: str | Path) -> ModelFile:
    """Open a store, a run's folder, JSON text, or a file of Rubin's pipelines; told apart by what is in it.

    Raises
    ------
    ModelError
        If it is none of these, or is damaged.
    """
    place = Path(path)
    if place.is_dir():
        return _open_folder(place)
    if not place.is_file():
        raise ModelError(f"there is no file of models at {place}")
    with place.open("rb") as stream:
        start = stream.read(64)
    if start[:4] == b"PAR1":
        return _open_store(place)
    if start[:2] != b"PK" and start.lstrip()[:1] not in (b"{", b"["):
        raise ModelError(f"{place} holds no models: it is neither Parquet, nor JSON, nor a zip archive")
    if is_rubin_file(place):
        summary = rubin_version(place)
        layout = f"Rubin's scarlet models ({'archive' if summary.archive else 'JSON'})"
        return ModelFile(place, layout, summary.version or "unversioned", MemoryStore(*read_rubin_models(place)))
    try:
        text = place.read_text(encoding="utf-8")
        models = models_from_json(text)
    except (ModelError, UnicodeDecodeError) as error:
        raise ModelError(f"{place}: {error}") from error
    return ModelFile(place, "model store as JSON", str(json.loads(text)["version"]), models)


def _open_folder(path: Path) -> ModelFile:
    dataset = ModelDataset(path)
    if len(dataset.stores) == 1:
        return _open_store(dataset.stores[0].path)
    versions = sorted({_store_version(store.path) for store in dataset.stores})
    return ModelFile(path, f"{len(dataset.stores)} model stores", ", ".join(versions), dataset)


def _open_store(path: Path) -> ModelFile:
    return ModelFile(path, "model store", _store_version(path), ModelStore(path))


def _store_version(path: Path) -> str:
    store = ModelStore(path)  # tells what is wrong with the file
    about = pq.read_schema(store.path).metadata[HEADER_KEY.encode()]
    return str(json.loads(about)["version"])


def layout_of(path: str | Path, told: str | None = None) -> str:
    """Layout of a file that is to be written: as told, else by its suffix.

    Raises
    ------
    InputError
        If there is no such suffix.
    """
    suffix = Path(path).suffix.lower()
    if told is None and suffix not in _SUFFIXES:
        raise InputError(
            f"{path}: the suffix says what is written: {', '.join(_SUFFIXES)}; or give --to with {', '.join(LAYOUTS)}"
        )
    return _SUFFIXES[suffix] if told is None else told


def save_models(
    path: Path, parents: Iterable[ParentModel], metadata: StoreMetadata, layout: str, *, leave_out: bool = False
) -> tuple[str, ...]:
    """Write models, whole or not at all; return what the layout loses."""
    if layout == "rubin":
        drawn: list[int] = []
        try:
            losses = write_rubin_models(path, _drawn(parents, drawn), metadata, leave_out=leave_out)
        except ModelError as error:
            raise ModelError(str(error).replace("leave_out=True", "--leave-out")) from error
        return (*losses, f"points and profiles of {len(drawn)} objects are written as pixels") if drawn else losses
    if layout == "json":
        text = models_to_json(parents, metadata)
        with atomic_write(path, "w") as stream:
            stream.write(text)
    else:
        write_models(path, parents, metadata)
    return ()


def _drawn(parents: Iterable[ParentModel], changed: list[int]) -> Iterator[ParentModel]:
    """Pass parents through with their points and profiles as pixels; ``changed`` gets the objects that had any."""
    for parent in parents:
        blends = []
        for blend in parent.blends:
            sources = []
            for source in blend.sources:
                components = tuple(pixels_of(component, parent.model_psf) for component in source.components)
                if any(new is not old for new, old in zip(components, source.components, strict=True)):
                    changed.append(source.id)
                sources.append(replace(source, components=components))
            blends.append(replace(blend, sources=tuple(sources)))
        yield replace(parent, blends=tuple(blends))


def told(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass items through and show on a terminal how far it is."""
    shown = sys.stderr.isatty()
    step = max(total // 200, 1)
    for done, item in enumerate(items, start=1):
        yield item
        if shown and (done % step == 0 or done == total):
            sys.stderr.write(f"\r{what}: {done} of {total}" + ("\n" if done == total else ""))
            sys.stderr.flush()
