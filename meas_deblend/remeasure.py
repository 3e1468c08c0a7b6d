"""Measuring again, from a run's models and coadds: everything, some objects, or positions of another catalog."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .access import Run
from .access.coadds import reread_coadds
from .apportion import ApportionConfig, reapportion_parent
from .exceptions import InputError, InputWarning, ModelError
from .framework import OnDemand, atomic_write, dump_yaml, layer_from_file, load_pipeline, versions
from .image import MultibandExposure, read_coadds, read_sources
from .models import TemplateComponent
from .products import write_run_record, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .apportion import Apportioned
    from .framework import Layer, WiredTask
    from .geometry import FloatArray
    from .models import AnyComponent, BlendModel, ParentModel, SourceModel
    from .products import StoreMetadata

__all__ = ["Belonging", "Remeasured", "belonging", "remeasure", "write_remeasured"]

# Corners whose positions differ by less than this part of a pixel have the same world coordinates.
_SAME_PIXEL = 0.01


@dataclass(frozen=True, slots=True)
class Belonging:
    """In what coadds differ from those that models were made from.

    Parameters
    ----------
    bands : tuple of str
        Bands that both have, in the order of the models.
    differences : tuple of str
        What differs, each in words; empty where they belong together.
    """

    bands: tuple[str, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Remeasured:
    """What `remeasure` returns.

    Parameters
    ----------
    tables : dict of str to astropy.table.Table
        "objects", "flux_covariance" and "noise_correlation"; or "forced" and "noise_correlation" where positions were
        given.
    task : WiredTask
        The measuring task with its settings.
    whole : bool
        Whether all objects were measured in all bands of the run.
    """

    tables: dict[str, Any]
    task: WiredTask
    whole: bool


def belonging(coadds: MultibandExposure, metadata: StoreMetadata) -> Belonging:
    """Compare coadds with what a model store says of those that it was made from: bands, shape, world coordinates."""
    differences = []
    missing = [band for band in metadata.bands if band not in coadds.bands]
    if missing:
        differences.append(f"the models have bands {', '.join(metadata.bands)}, the coadds lack {', '.join(missing)}")
    if metadata.shape not in ((0, 0), coadds.box.shape):
        differences.append(
            f"the models were made from {metadata.shape} pixels (y, x), the coadds have {coadds.box.shape}"
        )
    wcs = metadata.world_coordinates()
    if (wcs is None) != (coadds.wcs is None):
        differences.append(
            f"the {'coadds have' if wcs is None else 'models were made with'} world coordinates, the other not"
        )
    elif wcs is not None:
        offset = _largest_offset(wcs, coadds)
        if not offset < _SAME_PIXEL:
            differences.append(f"world coordinates differ by up to {offset:.3g} pixels")
    return Belonging(tuple(band for band in metadata.bands if band in coadds.bands), tuple(differences))


def _largest_offset(wcs: Any, coadds: MultibandExposure) -> float:
    """Largest distance between pixels of the same sky positions, at the corners [px]."""
    height, width = coadds.box.shape
    x, y = np.array([0, width - 1, 0, width - 1.0]), np.array([0, 0, height - 1, height - 1.0])
    ra, dec = coadds.wcs.all_pix2world(x, y, 0)
    there_x, there_y = wcs.wcs_world2pix(ra, dec, 0)
    return float(np.hypot(there_x - x, there_y - y).max())


def remeasure(
    folder: str | Path | Run,
    coadds: MultibandExposure | Mapping[str, str | Path] | None = None,
    *,
    sources: Any = None,
    frame: str | None = None,
    ids: Sequence[int] = (),
    layers: Sequence[Layer] = (),
    allow_different: bool = False,
) -> Remeasured:
    """Measure a run's objects again, from its model store: heavy footprints are made anew, exactly as the run did.

    Parameters
    ----------
    folder : path or Run
        What the run wrote.
    coadds : MultibandExposure or mapping of str to path, optional
        The exposure, or where the image files of some bands are now. Default: the files that the run read.
    sources : table or path, optional
        Positions to measure at instead (`image.read_sources`): x, y or RA, Dec.
    frame : str, optional
        Frame of RA, Dec; default: ICRS.
    ids : sequence of int
        Only these objects; default: all.
    layers : sequence of Layer
        Settings above those of the run.
    allow_different : bool
        Measure although the coadds are not those that the models were made from: other pixels, other coordinates,
        another size as long as all footprints are on it, fewer bands.

    Returns
    -------
    Remeasured

    Raises
    ------
    ModelError
        If models and coadds do not belong together (the message names what differs), an object does not exist, or a
        band is not in the store.
    InputError
        If the positions cannot be used.
    """
    run = folder if isinstance(folder, Run) else Run(Path(folder))
    exposure = coadds if isinstance(coadds, MultibandExposure) else _coadds(run, coadds or {}, allow_different)
    metadata = run.models.metadata
    found = belonging(exposure, metadata)
    if found.differences and not allow_different:
        raise ModelError(
            f"the models of {run.folder} do not belong to these coadds: {'; '.join(found.differences)}; "
            "allow it explicitly (allow_different, --allow-different) to measure all the same"
        )
    if not found.bands:
        raise ModelError(f"the coadds have none of the models' bands {', '.join(metadata.bands)}")
    exposure = exposure if exposure.bands == found.bands else exposure.select(found.bands)
    wired = _task(run, layers)
    parents = [_in_bands(parent, metadata.bands, found.bands) for parent in run.models.store.parents()]
    footprints = [parent.footprint for parent in parents]
    wanted = {run.models.store.owner_of(int(object_id)) for object_id in ids}
    chosen = [parent for parent in parents if not wanted or parent.id in wanted]
    sharing = ApportionConfig.recorded(metadata.apportion)
    children = OnDemand(_children, chosen, (exposure, sharing))
    task: Any = wired.make_task()
    if sources is not None:
        positions = read_sources(sources, exposure.wcs, shape=exposure.box.shape, frame=frame)
        tables = task.measure_at(exposure, chosen, children, positions, footprints)
        return Remeasured(tables, wired, whole=False)
    made = task.measure(exposure, chosen, children, _footprint_bands(run, found.bands), footprints)
    tables = {name: getattr(made, name) for name in ("objects", "flux_covariance", "noise_correlation")}
    tables["objects"]["deblend_hasMergedPeaks"] = np.isin(tables["objects"]["objectId"], _with_merged_peaks(run))
    if ids:
        tables["objects"] = tables["objects"][np.isin(tables["objects"]["objectId"], list(ids))]
    return Remeasured(tables, wired, whole=not ids and found.bands == metadata.bands and not found.differences)


def _children(shared: tuple[MultibandExposure, ApportionConfig], parent: ParentModel) -> Apportioned:
    exposure, sharing = shared
    return reapportion_parent(exposure, parent, sharing)


def write_remeasured(result: Remeasured, run: Run, folder: Path) -> list[Path]:
    """Write tables and settings; in the run's own folder they take the place of what the run had measured.

    Parameters
    ----------
    result : Remeasured
    run : Run
        Where the models came from.
    folder : Path
        Where to write.

    Raises
    ------
    InputError
        If what was measured is only a part of the run, and would take the place of the whole.
    """
    inside = folder.resolve() == run.folder.resolve()
    if inside and "objects" in result.tables and not result.whole:
        raise InputError(f"this is not all that {run.folder} holds, so it cannot take its place: choose another folder")
    files = []
    for name, table in result.tables.items():
        if inside and "forced" in result.tables and name != "forced":
            continue
        files.append(folder / f"{name}.parquet")
        write_table(files[-1], name, table, table.meta["layout"], versions())
    settings = folder / ("config" if inside else ".") / ("forced.yaml" if "forced" in result.tables else "measure.yaml")
    with atomic_write(settings, "w") as stream:
        stream.write(dump_yaml(result.task.resolved))
    files.append(settings)
    if inside:
        names = {*run.record.files, *(str(file.relative_to(folder)) for file in files)}
        write_run_record(folder / "run.json", run.record.model_copy(update={"files": tuple(sorted(names))}))
    return files


def _coadds(run: Run, moved: Mapping[str, str | Path], allow_different: bool) -> MultibandExposure:
    """Coadds of the run; those that were changed only if that is allowed."""
    if not allow_different:
        return reread_coadds(run.record, moved)
    known = [entry.band for entry in run.record.inputs]
    unknown = [band for band in moved if band not in known]
    if unknown:
        raise ModelError(f"the run has no band {', '.join(unknown)}; it has {', '.join(known)}")
    specs: dict[str, Any] = {}
    for entry in run.record.inputs:
        place = str(moved.get(entry.band, entry.path))
        planes = {key: value for key, value in entry.planes.items() if key != "image" or entry.band not in moved}
        if Path(place).is_file():
            specs[entry.band] = entry.model_copy(update={"path": place, "planes": planes}).spec()
    if not specs:
        raise ModelError(f"none of the run's coadds is where it was: say where bands {', '.join(known)} are now")
    options: dict[str, Any] = dict(run.record.read_options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        return read_coadds(specs, **options)


def _task(run: Run, layers: Sequence[Layer]) -> WiredTask:
    """Measuring task with the run's settings, and those of ``layers`` above."""
    file = run.folder / run.record.config / "measure.yaml"
    if not file.is_file():
        raise ModelError(f"the settings of the run's measurements are not at {file} any more")
    return load_pipeline("multiband", layers=[layer_from_file(file), *layers]).task("measure")


def _footprint_bands(run: Run, bands: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Bands in which each parent was detected: only the run's catalog knows, the models do not."""
    if not (run.folder / "objects.parquet").is_file():
        return {}
    table = run.objects
    owners = np.where(table["parentObjectId"] == 0, table["objectId"], table["parentObjectId"])
    seen = {band: np.asarray(table[f"merge_footprint_{band}"]) for band in bands}
    return {int(owner): tuple(b for b in bands if seen[b][row]) for row, owner in enumerate(owners)}


def _with_merged_peaks(run: Run) -> list[int]:
    """Objects that took in other peaks: the models do not know them; none for runs of earlier versions."""
    if not (run.folder / "merged_peaks.parquet").is_file():
        return []
    return [int(number) for number in run.merged_peaks["objectId"]]


def _in_bands(parent: ParentModel, bands: tuple[str, ...], wanted: tuple[str, ...]) -> ParentModel:
    """Models of a parent in some of its bands."""
    if bands == wanted:
        return parent
    index = [bands.index(band) for band in wanted]

    def component(c: AnyComponent) -> AnyComponent:
        if isinstance(c, TemplateComponent):
            return replace(c, cube=c.cube[index])
        return replace(c, spectrum=c.spectrum[index])

    def source(s: SourceModel) -> SourceModel:
        fits = tuple(s.psf_fits[k] for k in index) if s.psf_fits else ()
        return replace(s, components=tuple(component(c) for c in s.components), psf_fits=fits)

    def blend(b: BlendModel) -> BlendModel:
        sources = tuple(source(s) for s in b.sources)
        return replace(b, sources=sources, flux_covariance=of_bands(b.flux_covariance), psfs=of_bands(b.psfs))

    def of_bands(array: FloatArray | None) -> FloatArray | None:
        return None if array is None else array[index]

    return replace(parent, blends=tuple(blend(b) for b in parent.blends), psfs=parent.psfs[index])
