"""``meas-deblend models``: what is in files of models, whether it is sound, and the same in another layout."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError, ModelError
from ..products import ModelDataset, ModelStore, StoreMetadata, merge_models
from ..products.model_checks import model_problems
from ._model_files import layout_of, open_models, save_models, told
from ._settings import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from ..models import ParentModel
    from ._model_files import ModelFile

__all__ = ["models_convert", "models_extract", "models_info", "models_merge", "models_verify"]

_MOST_PROBLEMS = 20


def models_info(options: argparse.Namespace) -> int:
    """Say what a file of models holds.

    Returns
    -------
    int
        0.
    """
    file = open_models(options.path)
    about = _summary(file)
    if options.json:
        say(json.dumps(about, indent=1))
        return 0
    metadata = file.models.metadata
    height, width = metadata.shape
    grid = f"{height} × {width} pixels" if height else "a grid of unknown size"
    zeropoints = ", ".join("?" if value is None else f"{value:g}" for value in metadata.zeropoints)
    say(f"{file.path}: {about['layout']}, version {about['version']}, {about['bytes'] / 1e6:.2f} MB")
    say(
        f"  {about['n_sources']} objects ({about['n_isolated']} isolated) of {about['n_parents']} parents, "
        f"fitted in {about['n_blends']} blends"
    )
    say(f"  bands {', '.join(metadata.bands)}; {grid}; {'with' if metadata.wcs else 'without'} world coordinates")
    say(f"  units {metadata.units}; zero points {zeropoints}")
    say(f"  outcomes: {', '.join(f'{count} {name}' for name, count in about['outcomes'].items()) or 'none'}")
    for key, value in about["provenance"].items():
        say(f"  {key}: {value}")
    return 0


def _summary(file: ModelFile) -> dict[str, Any]:
    blends, isolated, outcomes = 0, 0, Counter[str]()
    for parent in _every(file, "reading"):
        blends += len(parent.blends)
        isolated += len(parent.sources) == 1 and parent.sources[0].id == parent.id
        outcomes[parent.outcome] += 1
    metadata = file.models.metadata
    models = file.models
    files = [store.path for store in models.stores] if isinstance(models, ModelDataset) else [file.path]
    return {
        "n_parents": len(file.models.parent_ids()),
        "n_blends": blends,
        "n_sources": len(file.models.object_ids()),
        "bands": list(metadata.bands),
        "version": file.version,
        "layout": file.layout,
        "bytes": sum(path.stat().st_size for path in files),
        "n_isolated": isolated,
        "outcomes": dict(sorted(outcomes.items())),
        "shape": list(metadata.shape),
        "units": metadata.units,
        "zeropoints": list(metadata.zeropoints),
        "provenance": dict(metadata.provenance),
    }


def models_verify(options: argparse.Namespace) -> int:
    """Read everything in a file of models, and list what is wrong.

    Returns
    -------
    int
        0 if nothing is wrong, else 1.
    """
    file = open_models(options.path)
    ids = file.models.parent_ids()
    count = 0
    for number, problems in told(model_problems(file.models), len(ids) + 1, "verifying"):
        for problem in problems:
            count += 1
            if count <= _MOST_PROBLEMS or options.all:
                say(f"parent {number}: {problem}" if number else problem)
    if count > _MOST_PROBLEMS and not options.all:
        say(f"… and {count - _MOST_PROBLEMS} more; --all lists them")
    objects = len(file.models.object_ids())
    found = f"{count} problem{'s' * (count != 1)}" if count else "nothing wrong"
    say(f"{file.path}: {found} in {objects} objects of {len(ids)} parents ({file.layout}, version {file.version})")
    return int(count > 0)


def models_convert(options: argparse.Namespace) -> int:
    """Write the same models in another layout.

    Returns
    -------
    int
        0.
    """
    layout = layout_of(options.out, options.to)
    _refuse_same(options.out, [options.path])
    file = open_models(options.path)
    metadata = _one_metadata(file, file.models.parent_ids())
    if options.units:
        metadata = replace(metadata, units=options.units)
    _save(options, _every(file, "converting"), metadata, layout)
    return 0


def models_extract(options: argparse.Namespace) -> int:
    """Write the parents of some objects to a file of their own.

    Returns
    -------
    int
        0.
    """
    layout = layout_of(options.out, options.to)
    _refuse_same(options.out, [options.path])
    file = open_models(options.path)
    known = set(file.models.parent_ids())
    wanted = {number if number in known else file.models.owner_of(number) for number in _identifiers(options.ids)}
    parents = (file.models.parent(number) for number in sorted(wanted))
    _save(options, told(parents, len(wanted), "extracting"), _one_metadata(file, wanted), layout)
    return 0


def _one_metadata(file: ModelFile, parents: Iterable[int]) -> StoreMetadata:
    """Metadata of some parents; those of several patches, each with coordinates of its own, do not make one file."""
    first: StoreMetadata | None = None
    for number in parents:
        metadata = file.models.metadata_of(number)
        if first is not None and metadata != first:
            raise InputError(
                f"{file.path} holds parents of several patches, with coordinates of their own: take one patch at a time"
            )
        first = metadata
    return file.models.metadata if first is None else first


def _identifiers(given: Sequence[str]) -> list[int]:
    numbers = []
    for text in ",".join(given).split(","):
        if not text.strip().isdecimal():
            raise InputError(f"--id takes identifiers of objects or parents, got {text!r}")
        numbers.append(int(text))
    return numbers


def models_merge(options: argparse.Namespace) -> int:
    """Write the models of several files of one pixel grid to one file.

    Returns
    -------
    int
        0.
    """
    layout = layout_of(options.out, options.to)
    _refuse_same(options.out, options.inputs)
    files = [open_models(path) for path in options.inputs]
    if layout == "parquet" and all(isinstance(file.models, ModelStore) for file in files):
        # Row by row: memory does not grow with the number of parents.
        merge_models([file.path for file in files], options.out)
        objects, parents = (sum(map(len, numbers)) for numbers in zip(*map(_identifiers_in, files), strict=True))
        _say_written(options.out, objects, parents)
        return 0
    metadata = _common_metadata(files)
    owners: dict[int, Path] = {}
    for file in files:
        for number in {*file.models.parent_ids(), *file.models.object_ids()}:
            if number in owners:
                raise InputError(f"identifier {number} is in {owners[number]} and in {file.path}")
            owners[number] = file.path
    every = (parent for file in files for parent in _every(file, f"merging {file.path.name}"))
    _save(options, every, metadata, layout)
    return 0


def _identifiers_in(file: ModelFile) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return file.models.object_ids(), file.models.parent_ids()


def _common_metadata(files: Sequence[ModelFile]) -> StoreMetadata:
    """Metadata of all; models on different grids or in different units do not make one store."""
    first = files[0].models.metadata
    for file in files[1:]:
        other = file.models.metadata
        for name in ("bands", "units", "zeropoints", "shape", "wcs", "apportion"):
            one, two = getattr(first, name), getattr(other, name)
            if one != two:
                shown = "" if name == "wcs" else f": {_plain(one)} and {_plain(two)}"
                raise InputError(f"{files[0].path} and {file.path} cannot be one file: their {name} differ{shown}")
    values: dict[str, dict[str, None]] = {}  # an ordered set per key
    for file in files:
        for key, value in file.models.metadata.provenance.items():
            values.setdefault(key, {})[str(value)] = None
    return replace(
        first,
        provenance={key: "; ".join(several) for key, several in values.items()},
        pixel_error=max(file.models.metadata.pixel_error for file in files),
    )


def _plain(value: Any) -> str:
    return str(dict(value) if hasattr(value, "items") else value)


def _every(file: ModelFile, what: str) -> Iterator[ParentModel]:
    return told(file.models.parents(), len(file.models.parent_ids()), what)


def _refuse_same(out: str, inputs: Sequence[str]) -> None:
    target = Path(out)
    if target.is_dir():
        raise InputError(f"{out} is a folder; give a file to write")
    if any(Path(path).resolve() == target.resolve() for path in inputs):
        raise InputError(f"{out} is read and written; give another file to write")


def _save(options: argparse.Namespace, parents: Iterator[ParentModel], metadata: StoreMetadata, layout: str) -> None:
    counted = _Counted(parents)
    try:
        losses = save_models(Path(options.out), counted, metadata, layout, leave_out=options.leave_out)
    except OSError as error:
        raise ModelError(f"{options.out} cannot be written: {error.strerror or error}") from error
    for loss in losses:
        sys.stderr.write(f"warning: {loss}\n")
    _say_written(options.out, counted.objects, counted.parents)


def _say_written(out: str, objects: int, parents: int) -> None:
    size = Path(out).stat().st_size
    say(f"{objects} objects of {parents} parents written to {out} ({size / 1e6:.2f} MB)")


class _Counted:
    """Parents that are counted while they pass."""

    def __init__(self, parents: Iterator[ParentModel]) -> None:
        self._items = parents
        self.parents = 0
        self.objects = 0

    def __iter__(self) -> Iterator[ParentModel]:
        for parent in self._items:
            self.parents += 1
            self.objects += len(parent.sources)
            yield parent
