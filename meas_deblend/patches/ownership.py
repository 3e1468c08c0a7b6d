"""Who owns the objects of all patches: the table that makes of overlapping catalogs one without duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..products import CatalogLayout, read_columns, to_table
from .overlaps import PatchFrame, Sky
from .seams import cut_at_seams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..products import Frame, PatchEntry

__all__ = ["ownership_of"]

_PLACE = ("deblend_peak_center_y", "deblend_peak_center_x")


def ownership_of(root: Path, patches: Sequence[tuple[PatchEntry, Frame]], bands: Sequence[str]) -> Any:
    """Make the ownership table of a run.

    It is the place of the peak, a pixel, that counts: where patches have one pixel grid, all of them have the same
    peaks, so none is owned twice or by nobody.

    Parameters
    ----------
    root : Path
        Folder of the run.
    patches : sequence of (PatchEntry, Frame)
        Those that were read, by tract and number.
    bands : sequence of str
        Bands of the run.

    Returns
    -------
    astropy.table.Table
    """
    sky = Sky([_placed(entry, frame) for entry, frame in patches])
    names = np.array([entry.patch for entry, _ in patches] or [""])
    tracts = np.array([entry.tract for entry, _ in patches] or [0])
    parts: list[dict[str, Any]] = []
    for index, (entry, frame) in enumerate(patches):
        file = root / entry.folder / "objects.parquet"
        if not file.is_file():
            continue
        objects = read_columns(file, ("objectId", "parentObjectId", *_PLACE, "merge_peak_sky"))
        y, x = (np.asarray(objects[name], dtype=np.float64) for name in _PLACE)
        owner = sky.owners(index, y, x)
        in_tract = owner if sky.in_one_tract(index) else sky.owners(index, y, x, entry.tract)
        rows = {
            "objectId": objects["objectId"],
            "tract": np.full(len(y), entry.tract),
            "patch": np.full(len(y), entry.patch, dtype=object),
            # Of an owner that is not there, only the tract is known.
            "ownerTract": np.where(owner >= 0, tracts[owner], entry.tract),
            "ownerPatch": np.where(owner >= 0, names[owner], "").astype(object),
            "detect_isPatchInner": in_tract == index,
            "detect_isTractInner": (owner < 0) | (tracts[owner] == entry.tract),
            "detect_isPrimary": (owner == index) & ~objects["merge_peak_sky"],
            "deblend_parentCutAtSeam": cut_at_seams(file.parent, objects, frame.shape, sky.seams(index)),
        }
        parts.append(rows)
    return to_table("ownership", _joined(parts), CatalogLayout(tuple(bands)))


def _joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = ("objectId", "tract", "patch", "ownerTract", "ownerPatch", "detect_isPatchInner", "detect_isTractInner",
             "detect_isPrimary", "deblend_parentCutAtSeam")  # fmt: skip
    return {name: np.concatenate([part[name] for part in parts]) if parts else [] for name in names}


def _placed(entry: PatchEntry, frame: Frame) -> PatchFrame:
    from astropy.io.fits import Header  # noqa: PLC0415 - slow to load, so only where it is used
    from astropy.wcs import WCS  # noqa: PLC0415

    wcs = WCS(Header.fromstring(frame.wcs)) if frame.wcs else None
    return PatchFrame(entry.tract, entry.number, frame.shape, wcs, entry.inner)
