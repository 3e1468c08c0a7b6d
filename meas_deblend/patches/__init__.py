"""Many patches: which there are, who works on them, what became of each, and which patch owns an object.

A patch is deblended as a run on one patch is, into a folder of the same layout; this package adds what is around it.
"""

from .cutting import Cut, cut_tiles
from .executors import open_workers, work_through
from .inputs import PatchFiles, check_options, options_for, patch_cell, patch_number, read_patches
from .job import PatchJob, PatchResult, RunSettings
from .many import ManyResult, Running, run_patches
from .one_patch import deblend_patch
from .overlaps import PatchFrame, Sky
from .seams import SeamCount
from .status import PatchState, RunStatus, outcome_table, read_status
from .tiling import Tile, tile_grid
from .where import parse_where

__all__ = [
    "Cut",
    "ManyResult",
    "PatchFiles",
    "PatchFrame",
    "PatchJob",
    "PatchResult",
    "PatchState",
    "RunSettings",
    "RunStatus",
    "Running",
    "SeamCount",
    "Sky",
    "Tile",
    "check_options",
    "cut_tiles",
    "deblend_patch",
    "open_workers",
    "options_for",
    "outcome_table",
    "parse_where",
    "patch_cell",
    "patch_number",
    "read_patches",
    "read_status",
    "run_patches",
    "tile_grid",
    "work_through",
]
