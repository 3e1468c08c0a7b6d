"""How each dataset of ours lies in a repository: which storage class, and how it goes there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meas_deblend.exceptions import ModelError
from meas_deblend.framework import OnDemand, atomic_write
from meas_deblend.framework.fields import validate_strictly
from meas_deblend.products import CatalogLayout, ModelStore, StoreMetadata, to_table, write_models

from .coadds import to_mask
from .records import Recipe, is_records, read_records, to_records

if TYPE_CHECKING:
    from astropy.table import Table

    from meas_deblend.framework import Config, PipelineTask
    from meas_deblend.image import MultibandExposure

__all__ = ["CODECS", "Codec", "Made", "read_catalog", "read_models", "write_model_file"]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a dataset was made with, for codecs that need to know.

    Parameters
    ----------
    task : type of PipelineTask
    config : Config
        Its settings.
    output : str
        Which of its outputs this is.
    inputs : mapping of str to object
        What it was made from, by the name of the connection.
    """

    task: type[PipelineTask[Any]]
    config: Config
    output: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Codec:
    """How a kind of dataset is kept.

    Parameters
    ----------
    storage_class : str
        One of those that every repository has.
    write : callable
        Makes of a value what the Butler is given.
    read : callable
        Makes a value of what the Butler gives, with the other inputs of the task that reads it.
    """

    storage_class: str
    write: Callable[[Any, Made], Any]
    read: Callable[[Any, Mapping[str, Any]], Any]


def read_catalog(table: Table) -> Table:
    """Return a catalog as a run in memory has it, with units, descriptions and the layout of its columns.

    Parameters
    ----------
    table : astropy.table.Table
        As the Butler gives it with the parameter ``strip_astropy_meta_yaml=False``: without that parameter its
        metadata are lost, and with them its layout.

    Raises
    ------
    ModelError
        If the metadata are not there.
    """
    if "meas_deblend_layout" not in table.meta:
        raise ModelError(
            "the catalog has lost its metadata: read it with "
            'butler.get(..., parameters={"strip_astropy_meta_yaml": False})'
        )
    about = table.meta["meas_deblend_layout"].items()
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in about}
    columns = {name: table[name].data for name in table.colnames}
    return to_table(table.meta["meas_deblend_table"], columns, CatalogLayout(**given))


def _write_catalog(table: Table, _made: Made) -> Table:
    kept = table.copy(copy_data=False)
    layout = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(table.meta["layout"]).items()}
    kept.meta = {"meas_deblend_table": table.meta["table"], "meas_deblend_layout": layout}
    return kept


def write_model_file(table: pa.Table, path: str | Path) -> Path:
    """Write the models of the Butler as a model store, ``models.parquet``, which `meas_deblend.load_models` opens.

    Parameters
    ----------
    table : pyarrow.Table
        The dataset ``models`` or ``parent_models``.
    path : str or Path
        File to write; what is there is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If the table holds no models.
    """
    if table.column_names != _PIECES.names:
        raise ModelError(
            f"a table of models has the columns {_PIECES.names}; those of this one are {table.column_names}"
        )
    with atomic_write(Path(path)) as stream:
        for piece in table["bytes"]:
            stream.write(piece.as_buffer())
    return Path(path)


def read_models(table: pa.Table) -> ModelStore:
    """Return the model store that a table of the Butler holds; see `write_model_file`."""
    # The store keeps its file open: on every system that is supported such a file may be removed.
    with TemporaryDirectory(prefix="meas_deblend.") as folder:
        return ModelStore(write_model_file(table, Path(folder) / "models.parquet"))


_PIECES = pa.schema([("piece", pa.int32()), ("bytes", pa.binary())])
_PIECE = 1 << 24
"""Bytes of a row: a table of models is the file of a model store in pieces. Its own columns are lists of structures,
which the Butler's Parquet files do not take."""


def _write_models(value: Any, made: Made) -> pa.Table:
    if isinstance(value, OnDemand):
        return _write_recipe(value, made)
    about = value.metadata if hasattr(value, "metadata") else StoreMetadata.from_exposure(made.inputs["coadds"])
    parents = value.parents() if hasattr(value, "parents") else value
    with TemporaryDirectory(prefix="meas_deblend.") as folder:
        path = Path(folder) / "models.parquet"
        write_models(path, parents, about)
        content = path.read_bytes()
    pieces = [content[first : first + _PIECE] for first in range(0, len(content), _PIECE)]
    return pa.table({"piece": range(len(pieces)), "bytes": pieces}, schema=_PIECES)


def _read_parents(table: pa.Table, inputs: Mapping[str, Any]) -> Any:
    return _read_recipe(table, inputs) if is_records(table) else tuple(read_models(table).parents())


def _write_recipe(_value: Any, made: Made) -> pa.Table:
    # Whoever reads it has the images, and the models where they are needed.
    kept = {name: one for name, one in made.inputs.items() if name not in ("coadds", "parent_models")}
    settings = made.config.model_dump(mode="json")
    return to_records(Recipe(made.task.__name__, settings, made.output, kept))


def _read_recipe(table: pa.Table, inputs: Mapping[str, Any]) -> Any:
    from meas_deblend_tasks.apportion import ApportionTask  # noqa: PLC0415 - the numerics, when they are needed
    from meas_deblend_tasks.seeds import SingleBandSeedsTask  # noqa: PLC0415

    recipe = read_records(table)
    known: dict[str, type[PipelineTask[Any]]] = {cls.__name__: cls for cls in (ApportionTask, SingleBandSeedsTask)}
    if not isinstance(recipe, Recipe) or recipe.task not in known:
        raise ModelError(f"this is no dataset that is made on demand by one of {', '.join(known)}")
    task = known[recipe.task]
    wanted = {one.name for one in task.connections.inputs}
    given = {name: value for name, value in {**inputs, **recipe.kept}.items() if name in wanted}
    outputs = task(validate_strictly(task.ConfigClass, recipe.config)).run(**given)
    return getattr(outputs, recipe.output)


def _write_marks(value: MultibandExposure, made: Made) -> Any:
    names = (getattr(made.config, field, None) for field in ("degraded_mask", "not_deblended_mask"))
    return to_mask(value, [name for name in names if name is not None and name in value.mask_planes.bits])


def _no_reader(_value: Any, _inputs: Mapping[str, Any]) -> Any:
    raise ModelError("marks are for people, and for other pipelines: no task reads them")


_RECORDS = Codec("ArrowTable", lambda value, _: to_records(value), lambda table, _: read_records(table))

CODECS: Mapping[str, Codec] = {
    "Detections": _RECORDS,
    "tuple[Parent, ...]": _RECORDS,
    "ApportionConfig": _RECORDS,
    "tuple[ParentModel, ...]": Codec("ArrowTable", _write_models, _read_parents),
    "tuple[Apportioned, ...]": Codec("ArrowTable", _write_recipe, _read_recipe),
    "MemoryStore": Codec("ArrowTable", _write_models, lambda table, _: read_models(table)),
    "Table": Codec("ArrowAstropy", _write_catalog, lambda table, _: read_catalog(table)),
    "MultibandExposure": Codec("MaskV2", _write_marks, _no_reader),
}
"""By what a connection says that it is."""
