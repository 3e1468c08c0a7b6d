"""Makes a repository for coadds from files, or adds them to one that is there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.daf.butler import Butler, Config, DatasetType
from lsst.daf.butler.registry import ConflictingDefinitionError
from sqlalchemy.exc import SQLAlchemyError

from meas_deblend.exceptions import InputError
from meas_deblend.image import pixel_to_sky

from .coadds import to_masked_image
from .records import to_records
from .task import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meas_deblend.image import MultibandExposure

__all__ = ["INSTRUMENT", "PatchPlace", "has_coadds", "ingest_coadds", "open_repository"]

INSTRUMENT = "meas_deblend"
"""Instrument of the filters that a repository lacks. Bands are known through filters, and filters are instruments'."""

_CLASS = "meas_deblend_tasks.lsst.instrument.CoaddInstrument"
_ENDLESS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PatchPlace:
    """Where coadds go.

    Parameters
    ----------
    skymap : str
        Name of the sky map.
    tract, patch : int
        Which patch of it.
    coadd : str
        Dataset type of the images; that of the PSFs is ``<coadd>_psf``.
    run : str
        Collection that they are put into.
    cell : tuple of int, optional
        Column and row of the patch in its tract, where they are known; default: the patch and 0.
    """

    skymap: str = "meas_deblend"
    tract: int = 0
    patch: int = 0
    coadd: str = "deep_coadd"
    run: str = "meas_deblend/coadds"
    cell: tuple[int, int] | None = None

    @property
    def data_id(self) -> dict[str, Any]:
        """The data ID of the patch."""
        return {"skymap": self.skymap, "tract": self.tract, "patch": self.patch}


def open_repository(root: str | Path, registry: str | None = None) -> Butler:
    """Open a repository for writing; one that is not there is made.

    Parameters
    ----------
    root : str or Path
        Its folder.
    registry : str, optional
        Database of a new repository as a URL, for example ``postgresql+psycopg2://host/database``; default: an SQLite
        file in the folder.

    Raises
    ------
    InputError
        If the folder holds something else, a database is given for a repository that has one, or it cannot be used.
    """
    folder = Path(root)
    if (folder / "butler.yaml").is_file():
        if registry is not None:
            raise InputError(f"{folder} is a repository already: its registry cannot be chosen any more")
        return Butler.from_config(str(folder), writeable=True)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is neither a repository (it has no butler.yaml) nor empty")
    config = Config()
    if registry is not None:
        config["registry", "db"] = registry
    try:
        Butler.makeRepo(str(folder), config=config)
    except (ImportError, SQLAlchemyError, RuntimeError, ValueError) as error:
        # Its configuration is written first: without a registry that would pass for a repository.
        (folder / "butler.yaml").unlink(missing_ok=True)
        raise InputError(f"the registry {registry or 'of the repository'} cannot be used: {error}") from error
    return Butler.from_config(str(folder), writeable=True)


def ingest_coadds(butler: Butler, coadds: MultibandExposure, place: PatchPlace) -> tuple[Any, ...]:
    """Register what a patch needs, and put its images and PSFs into a collection.

    Bands, sky map, tract and patch that are there already are left as they are.

    Returns
    -------
    tuple of lsst.daf.butler.DatasetRef
        Images, then PSFs.

    Raises
    ------
    InputError
        If a dataset is there already, a dataset type is there in another form, or a PSF cannot be kept.
    """
    psfs = {band: to_records(psf) for band, psf in zip(coadds.bands, coadds.psfs, strict=True)}
    types = _types(butler, place)
    for one in types:
        _register(butler, one)
    with butler.registry.transaction():
        _register_bands(butler, coadds.bands)
        _register_patch(butler, coadds, place)
    butler.collections.register(place.run)
    for one in types:
        for band in coadds.bands:
            if butler.find_dataset(one, place.data_id, band=band, collections=place.run) is not None:
                raise InputError(
                    f"{one.name} of band {band}, {place.data_id} is in {place.run} already; name another collection"
                )
    images, stamps = types
    # All of a patch or nothing: who is interrupted can do it again.
    with butler.transaction():
        made = [
            butler.put(to_masked_image(coadds, band), images, place.data_id, band=band, run=place.run)
            for band in coadds.bands
        ]
        made += [butler.put(psfs[band], stamps, place.data_id, band=band, run=place.run) for band in coadds.bands]
    return tuple(made)


def has_coadds(butler: Butler, bands: Iterable[str], place: PatchPlace) -> bool:
    """Whether images and PSFs of a patch are there in all these bands."""
    types = [one.name for one in _types(butler, place)]
    known = {one.name for one in butler.registry.queryDatasetTypes(types)}
    return known == set(types) and all(
        butler.find_dataset(name, place.data_id, band=band, collections=place.run) is not None
        for name in types
        for band in bands
    )


def _types(butler: Butler, place: PatchPlace) -> list[DatasetType]:
    """Dataset types of images and PSFs."""
    universe = butler.dimensions.conform((*DIMENSIONS, "band"))
    kinds = [(place.coadd, "MaskedImageV2"), (f"{place.coadd}_psf", "ArrowTable")]
    return [DatasetType(name, universe, storage) for name, storage in kinds]


def _register(butler: Butler, kind: DatasetType) -> None:
    try:
        butler.registry.registerDatasetType(kind)
    except ConflictingDefinitionError as error:
        there = butler.get_dataset_type(kind.name)
        raise InputError(
            f"the repository has the dataset type {kind.name} as {there.storageClass_name} over "
            f"{', '.join(there.dimensions.required)}: choose another name"
        ) from error


def _register_bands(butler: Butler, bands: Sequence[str]) -> None:
    known = {record.name for record in butler.query_dimension_records("band", explain=False)}
    missing = [band for band in bands if band not in known]
    if not missing:
        return
    butler.registry.syncDimensionData("instrument", {"name": INSTRUMENT, "class_name": _CLASS})
    for band in missing:
        record = {"instrument": INSTRUMENT, "name": band, "band": band}
        butler.registry.syncDimensionData("physical_filter", record)


def _register_patch(butler: Butler, coadds: MultibandExposure, place: PatchPlace) -> None:
    def there(element: str, **data_id: Any) -> bool:
        return bool(butler.query_dimension_records(element, data_id=data_id, explain=False))

    if not there("skymap", skymap=place.skymap):
        digest = hashlib.sha1(f"meas_deblend {place.skymap}".encode(), usedforsecurity=False).digest()
        limits = dict.fromkeys(("tract_max", "patch_nx_max", "patch_ny_max"), _ENDLESS)
        butler.registry.insertDimensionData("skymap", {"name": place.skymap, "hash": digest, **limits})
    if not there("tract", skymap=place.skymap, tract=place.tract):
        # Its patches come one by one: how far it will reach is not known.
        butler.registry.insertDimensionData("tract", {"skymap": place.skymap, "id": place.tract, "region": None})
    if not there("patch", **place.data_id):
        record = {"skymap": place.skymap, "tract": place.tract, "id": place.patch, "region": _region(coadds)}
        x, y = place.cell or (place.patch, 0)
        butler.registry.insertDimensionData("patch", {**record, "cell_x": x, "cell_y": y})


def _region(coadds: MultibandExposure) -> Any:
    """Return the corners of the images as a polygon on the sky, or None where there are no world coordinates."""
    if coadds.wcs is None:
        return None
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d  # noqa: PLC0415

    h, w = coadds.box.shape
    corners = np.array([(-0.5, -0.5), (-0.5, w - 0.5), (h - 0.5, w - 0.5), (h - 0.5, -0.5)])
    sky = pixel_to_sky(coadds.wcs, corners[:, 0], corners[:, 1]).icrs
    places = [LonLat.fromDegrees(one.ra.deg, one.dec.deg) for one in sky]
    return ConvexPolygon.convexHull([UnitVector3d(one) for one in places])
