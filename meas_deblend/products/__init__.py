"""What a run leaves behind: the model store, catalogs, and the declaration of every column.

pyarrow and astropy are loaded when something that needs them is first used, not before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._measured_columns import FLAVOR_PREFIXES
from .checks import check_table, declaration
from .columns import CatalogLayout, Column, TableDeclaration, aperture_name, flux_factor, flux_unit
from .declarations import OBJECT_FLAGS, TABLES
from .ids import PatchId, pack_id, unpack_id
from .lookup import ModelSource
from .memory import MemoryStore
from .reference import columns_markdown, ladder_markdown
from .vocabulary import OUTCOMES, REASON_FLAGS, REASONS, RUNGS, Reason

if TYPE_CHECKING:
    from .dataset import ModelDataset, open_models
    from .json_store import models_from_json, models_to_json
    from .merge import merge_models
    from .metadata import StoreMetadata
    from .packed import PackedRows, pack_rows, unpack_rows
    from .patch_index import PATCH_INDEX, PatchEntry, PatchIndex, read_patch_index, write_patch_index
    from .quantum import QUANTUM_REASONS, Frame, QuantumManifest, read_manifest, read_manifests, write_manifest
    from .run_record import RunInput, RunRecord, file_sha256, read_run_record, write_run_record
    from .store import ModelStore, write_models
    from .store_page import store_markdown
    from .tables import arrow_schema, read_columns, read_table, to_table, write_table

__all__ = [
    "FLAVOR_PREFIXES",
    "OBJECT_FLAGS",
    "OUTCOMES",
    "PATCH_INDEX",
    "QUANTUM_REASONS",
    "REASONS",
    "REASON_FLAGS",
    "RUNGS",
    "TABLES",
    "CatalogLayout",
    "Column",
    "Frame",
    "MemoryStore",
    "ModelDataset",
    "ModelSource",
    "ModelStore",
    "PackedRows",
    "PatchEntry",
    "PatchId",
    "PatchIndex",
    "QuantumManifest",
    "Reason",
    "RunInput",
    "RunRecord",
    "StoreMetadata",
    "TableDeclaration",
    "aperture_name",
    "arrow_schema",
    "check_table",
    "columns_markdown",
    "declaration",
    "file_sha256",
    "flux_factor",
    "flux_unit",
    "ladder_markdown",
    "merge_models",
    "models_from_json",
    "models_to_json",
    "open_models",
    "pack_id",
    "pack_rows",
    "read_columns",
    "read_manifest",
    "read_manifests",
    "read_patch_index",
    "read_run_record",
    "read_table",
    "store_markdown",
    "to_table",
    "unpack_id",
    "unpack_rows",
    "write_manifest",
    "write_models",
    "write_patch_index",
    "write_run_record",
    "write_table",
]

_LAZY = {
    "Frame": "quantum",
    "ModelDataset": "dataset",
    "ModelStore": "store",
    "RunInput": "run_record",
    "RunRecord": "run_record",
    "StoreMetadata": "metadata",
    "arrow_schema": "tables",
    "file_sha256": "run_record",
    "merge_models": "merge",
    "PATCH_INDEX": "patch_index",
    "PackedRows": "packed",
    "PatchEntry": "patch_index",
    "PatchIndex": "patch_index",
    "QUANTUM_REASONS": "quantum",
    "QuantumManifest": "quantum",
    "pack_rows": "packed",
    "unpack_rows": "packed",
    "models_from_json": "json_store",
    "models_to_json": "json_store",
    "open_models": "dataset",
    "store_markdown": "store_page",
    "read_manifest": "quantum",
    "read_manifests": "quantum",
    "read_patch_index": "patch_index",
    "read_run_record": "run_record",
    "read_columns": "tables",
    "read_table": "tables",
    "to_table": "tables",
    "write_manifest": "quantum",
    "write_models": "store",
    "write_patch_index": "patch_index",
    "write_run_record": "run_record",
    "write_table": "tables",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
