"""The loop over parents that all deblending Tasks have: in several processes, kept as it goes, nobody lost."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.deblenders import parent_without_models
from meas_deblend.framework import Loop, Resumable, map_units
from meas_deblend.products import ModelStore, StoreMetadata, write_models

from .identifiers import first_counters, with_ids, with_unique_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from meas_deblend.exceptions import WorkerDiedError
    from meas_deblend.geometry import Footprint, Parent
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = ["Prediction", "contiguous", "deblend_parents", "predicted_cost"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the deblending of a parent is predicted to take.

    Parameters
    ----------
    seconds, memory : callable
        Time and memory of a parent, in any units.
    memory_budget : float
        What parents that are deblended at the same time may need together.
    """

    seconds: Callable[[Parent], float]
    memory: Callable[[Parent], float]
    memory_budget: float = math.inf


def deblend_parents(
    deblend: Callable[[MultibandExposure, Parent], ParentModel],
    coadds: MultibandExposure,
    parents: Sequence[Parent],
    deblender: str,
    predicted: Prediction | None = None,
    *,
    ahead: bool = True,
) -> tuple[ParentModel, ...]:
    """Deblend every parent, the costliest first, with identifiers that are unique over a survey.

    Parameters
    ----------
    deblend : callable
        Makes the model of one parent; ids within it count from 0.
    coadds : MultibandExposure
    parents : sequence of Parent
    deblender : str
        Name of the deblender, for parents whose process is ended from outside.
    predicted : Prediction, optional
        Default: time goes as peaks times pixels, and memory is no matter.
    ahead : bool
        Whether one parent is deblended before there are workers, which then have what it imports and compiles.

    Returns
    -------
    tuple of ParentModel
        In the order of the parents.
    """
    expected = predicted or Prediction(lambda parent: predicted_cost(parent.footprint), lambda _: 0.0)
    work = _Work(coadds, deblend, first_counters(parents))
    loop: Loop[Parent, ParentModel] = Loop(
        cost=expected.seconds,
        memory=expected.memory,
        memory_budget=expected.memory_budget,
        ahead=ahead,
        name=lambda parent: f"parent {parent.id}",
        lost=partial(_lost, work, deblender),
        resumable=Resumable(key=lambda parent: parent.id, codec=ModelFiles(StoreMetadata.from_exposure(coadds, {}))),
    )
    # Nothing changes, unless a plug-in gave a parent other peaks than it had.
    return with_unique_ids(map_units(_deblended, parents, work, description="parents", loop=loop))


def predicted_cost(footprint: Footprint) -> float:
    """Peaks times pixels of the bounding box: what fits and measurements of a parent take, in any unit."""
    return float(max(len(footprint.peaks), 1) * footprint.box.area)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What the deblending of all parents shares.

    Parameters
    ----------
    coadds : MultibandExposure
    deblend : callable
        Makes the model of one parent; ids within it count from 0.
    counters : mapping of int to int
        Where the counter of identifiers stands before each parent.
    """

    coadds: MultibandExposure
    deblend: Callable[[MultibandExposure, Parent], ParentModel]
    counters: Mapping[int, int]


def _deblended(work: _Work, parent: Parent) -> ParentModel:
    return with_ids(contiguous(work.deblend(work.coadds, parent)), work.counters[parent.id])


def _lost(work: _Work, deblender: str, parent: Parent, error: WorkerDiedError) -> ParentModel:
    model = parent_without_models(work.coadds, parent, deblender, str(error), "worker_died")
    return with_ids(contiguous(model), work.counters[parent.id])


def contiguous(model: ParentModel) -> ParentModel:
    """Return a model whose arrays, and those of the values in it, all lie in C order.

    The order in which an array lies decides the order in which its sums are rounded. Models come from this process,
    from another, or from a file, and what is made of them must be the same.
    """
    same: ParentModel = _contiguous(model)
    return same


def _contiguous(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value if value.flags.c_contiguous else np.ascontiguousarray(value)
    if isinstance(value, tuple):
        items = tuple(_contiguous(item) for item in value)
        return value if all(a is b for a, b in zip(value, items, strict=True)) else items
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {}
    for field in fields(value):
        before = getattr(value, field.name)
        after = _contiguous(before)
        if after is not before:
            changed[field.name] = after
    return replace(value, **changed) if changed else value


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Models of parents in files of the model store's format, every bit of them.

    Parameters
    ----------
    metadata : StoreMetadata
        Of the patch.
    """

    metadata: StoreMetadata

    @property
    def suffix(self) -> str:
        """End of the files' names."""
        return ".parquet"

    def write(self, path: Path, results: Sequence[ParentModel]) -> None:
        """Write models, whole or not at all."""
        # By identifier, or the writer has to go through them twice.
        write_models(path, sorted(results, key=lambda model: model.id), self.metadata)

    def read(self, path: Path) -> Mapping[int, ParentModel]:
        """Read models by the identifiers of their parents."""
        return {parent.id: parent for parent in ModelStore(path).parents()}
