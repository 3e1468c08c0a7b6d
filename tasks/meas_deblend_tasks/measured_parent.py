"""One parent: its pixels shared out, its account checked, its objects measured, and only rows of tables kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from meas_deblend.apportion import drawn
from meas_deblend.exceptions import CorruptModelError
from meas_deblend.framework import Loop, MemoryKeeper, Resumable, atomic_write
from meas_deblend.measure import ParentMeasurer, flux_covariances
from meas_deblend.products import PackedRows, pack_rows, unpack_rows

from .catalog import CatalogInputs, ledger_columns, object_rows, parent_row, rows_of
from .loops import predicted_cost
from .measured import MeasuredColumns
from .measured_tables import SKY, covariance_columns, object_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from meas_deblend.apportion import Apportioned
    from meas_deblend.measure import MeasureConfig, PsfShapes, Scene
    from meas_deblend.models import ParentModel
    from meas_deblend.products import CatalogLayout

__all__ = ["PER_PARENT", "MeasureWork", "MeasuredParent", "measure_parent"]

PER_PARENT = ("objects", "parents", "ledger", "flux_covariance")
"""Tables whose rows belong to one parent each."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredParent:
    """What is kept of a parent.

    Parameters
    ----------
    id : int
    rows : mapping of str to PackedRows
        By table of `PER_PARENT`; of objects without what was measured of them.
    numbers : float64 array (n, ·)
        What was measured of its objects, as `MeasuredColumns` keeps it.
    """

    id: int
    rows: Mapping[str, PackedRows]
    numbers: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeasureWork:
    """What the measurements of all parents share.

    Parameters
    ----------
    scene : Scene
    psfs : PsfShapes
    config : MeasureConfig
    layout : CatalogLayout
    columns : MeasuredColumns
        Of the exposure and ``config``.
    models, children : sequence
        One of each per parent. Children may be made when they are asked for, and each is asked for once.
    footprint_bands : mapping of int to sequence of str
        Bands in which each parent was detected.
    """

    scene: Scene
    psfs: PsfShapes
    config: MeasureConfig
    layout: CatalogLayout
    columns: MeasuredColumns
    models: Sequence[ParentModel]
    children: Sequence[Apportioned]
    footprint_bands: Mapping[int, Sequence[str]]

    def __post_init__(self) -> None:
        if len(self.children) != len(self.models):
            raise ValueError(f"children of {len(self.children)} parents for models of {len(self.models)}")

    @cached_property
    def elsewhere(self) -> frozenset[str]:
        """Columns of objects that are not in their rows."""
        return self.columns.names | SKY

    def objects(self, measured: Sequence[MeasuredParent]) -> dict[str, Any]:
        """Columns of the objects of all parents, but for their positions on the sky."""
        rows = unpack_rows("objects", [one.rows["objects"] for one in measured], self.layout, self.elsewhere)
        numbers = [one.numbers for one in measured if len(one.numbers)]
        return rows | self.columns.columns(np.concatenate(numbers) if numbers else np.zeros((0, 0)))

    def loop(self) -> Loop[int, MeasuredParent]:
        """How the loop over the parents' places is run."""
        return Loop(
            cost=lambda place: predicted_cost(self.models[place].footprint),
            name=lambda place: f"parent {self.models[place].id}",
            resumable=Resumable(key=lambda place: self.models[place].id, codec=RowFiles()),
        )


def measure_parent(work: MeasureWork, place: int) -> MeasuredParent:
    """Measure all objects of a parent.

    Parameters
    ----------
    work : MeasureWork
    place : int
        Of the parent.
    """
    coadds, layout = work.scene.exposure, work.layout
    model, shared = work.models[place], work.children[place]
    measurer = ParentMeasurer(work.scene, drawn(model), shared, work.psfs, work.config)
    numbers, parts, tidy = [], [], MemoryKeeper()
    for k in range(len(model.sources)):
        # Hundreds of children take seconds.
        tidy()
        one, fluxes = measurer.measure(k)
        numbers.append(work.columns.row(one))
        parts.append(fluxes)
    covariances = covariance_columns(model, flux_covariances(measurer, parts), coadds)
    # Of a crowded cluster, templates, weights and rows each take about 100 MB: none waits for the next.
    del parts
    given = CatalogInputs.of(model, measurer, work.footprint_bands.get(model.id, ()))
    columns: dict[str, Mapping[str, Any]] = {
        "objects": object_columns(object_rows(given, coadds), layout, work.elsewhere),
        "parents": rows_of("parents", [parent_row(given, coadds)], layout),
        "ledger": ledger_columns(shared.ledger),
        "flux_covariance": covariances,
    }
    del given, measurer, shared
    rows = {
        name: pack_rows(name, values, layout, work.elsewhere if name == "objects" else frozenset())
        for name, values in columns.items()
    }
    return MeasuredParent(model.id, rows, np.stack(numbers) if numbers else np.zeros((0, 0)))


class RowFiles:
    """Rows of parents in npz files: bytes of numbers, and strings as JSON."""

    suffix = ".npz"

    def write(self, path: Path, results: Sequence[MeasuredParent]) -> None:
        """Write a file, whole or not at all."""
        arrays: dict[str, Any] = {"id": np.array([one.id for one in results], dtype=np.int64)}
        numbers = [one.numbers for one in results if len(one.numbers)]
        arrays["numbers"] = np.concatenate(numbers) if numbers else np.zeros((0, 0))
        for name in PER_PARENT:
            packs = [one.rows[name] for one in results]
            arrays[f"{name}.count"] = np.array([len(pack) for pack in packs], dtype=np.int64)
            arrays[f"{name}.numbers"] = np.concatenate([pack.numbers for pack in packs])
            texts = json.dumps([pack.texts for pack in packs]).encode()
            arrays[f"{name}.texts"] = np.frombuffer(texts, dtype=np.uint8)
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    def read(self, path: Path) -> Mapping[int, MeasuredParent]:
        """Read a file.

        Raises
        ------
        CorruptModelError
            If it is damaged.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                tables = {name: _packs(arrays, name) for name in PER_PARENT}
                ids = arrays["id"].tolist()
                ends = np.cumsum([len(pack) for pack in tables["objects"]])[:-1]
                numbers = np.split(arrays["numbers"], ends.astype(np.intp))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise CorruptModelError(f"{path} is damaged: {error}") from error
        return {
            identifier: MeasuredParent(identifier, {name: packs[k] for name, packs in tables.items()}, numbers[k])
            for k, identifier in enumerate(ids)
        }


def _packs(arrays: Mapping[str, Any], name: str) -> list[PackedRows]:
    ends = np.cumsum(arrays[f"{name}.count"])[:-1]
    texts = json.loads(arrays[f"{name}.texts"].tobytes())
    parts = np.split(arrays[f"{name}.numbers"], ends)
    return [PackedRows(part, tuple(map(tuple, text))) for part, text in zip(parts, texts, strict=True)]
