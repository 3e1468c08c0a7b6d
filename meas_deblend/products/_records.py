"""Models as plain records: nested dictionaries of numbers, strings, lists and bytes, and back.

Parquet and JSON files hold the same records, so that what is stored is decided in one place.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

from ..exceptions import CorruptModelError
from ..geometry import Box, Peak
from ..models import (
    AnyComponent,
    BlendModel,
    FactorizedComponent,
    ParentModel,
    PointComponent,
    PointSourceFit,
    ProfileComponent,
    SourceModel,
    TemplateComponent,
)
from ._arrays import array_record, pixel_record, read_array, read_pixels
from ._footprints import LARGEST_AREA, box_record, finite, footprint_record, read_box, read_footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

__all__ = [
    "PARENT",
    "PSF",
    "PsfPlanes",
    "Record",
    "check_extent",
    "parent_from_record",
    "parent_record",
    "psf_planes",
    "psf_record",
]

Record = dict[str, Any]

PsfPlanes: TypeAlias = "tuple[list[str], str | None, dict[str, NDArray[Any]]]"
"""Keys of PSFs per band, the key of the model PSF, and arrays (y, x) by key."""

PARENT, PSF = "parent", "psf"


def psf_planes(parent: ParentModel) -> PsfPlanes:
    """Keys of a parent's PSFs per band, the key of its model PSF, and the arrays (y, x) by key, with those of blends.

    A key is made from the content, so equal PSFs of different parents have one key and are stored once.
    """
    keys = [_key(plane) for plane in parent.psfs]
    planes = dict(zip(keys, parent.psfs, strict=True))
    for blend in parent.blends:
        planes |= {_key(plane): plane for plane in (() if blend.psfs is None else blend.psfs)}
    if parent.model_psf is None:
        return keys, None, planes
    model = _key(parent.model_psf)
    return keys, model, {**planes, model: parent.model_psf}


def psf_record(key: str, array: NDArray[Any]) -> Record:
    """Row of a PSF; PSFs are exact in the compact mode, too."""
    return {"kind": PSF, "id": 0, "key": key, "array": pixel_record(array)}


def parent_record(parent: ParentModel, planes: PsfPlanes, compact: bool = False) -> Record:
    """Everything about a parent but the pixels of its PSFs.

    Parameters
    ----------
    parent : ParentModel
    planes : PsfPlanes
        What `psf_planes` gives: whoever writes a record writes these too.
    compact : bool
        Round the pixels of components, see `_arrays.rounded`.
    """
    keys, model_key, _ = planes
    return {
        "kind": PARENT,
        "id": int(parent.id),
        "object_ids": [int(source.id) for source in parent.sources],
        "footprint": footprint_record(parent.footprint),
        "psfs": keys,
        "model_psf": model_key,
        "deblender": parent.deblender,
        "outcome": parent.outcome,
        "reason": parent.reason,
        "message": parent.message,
        "warnings": list(parent.warnings),
        "kernel_floor": float(parent.kernel_floor),
        "blends": [_blend_record(blend, compact) for blend in parent.blends],
    }


def parent_from_record(record: Mapping[str, Any], psfs: Callable[[tuple[str, ...]], NDArray[Any]]) -> ParentModel:
    """Rebuild a parent.

    Parameters
    ----------
    record : mapping
        What `parent_record` gave.
    psfs : callable
        Takes keys to the stack (key, y, x) of their PSFs.

    Raises
    ------
    CorruptModelError
        If the record does not make a parent.
    """
    try:
        model_key = record["model_psf"]
        footprint = read_footprint(record["footprint"])
        peaks = {peak.id: peak for peak in footprint.peaks}
        parent = ParentModel(
            id=record["id"],
            footprint=footprint,
            blends=tuple(_read_blend(blend, peaks, psfs) for blend in record["blends"]),
            psfs=psfs(tuple(record["psfs"])),
            model_psf=None if model_key is None else psfs((model_key,))[0],
            deblender=record["deblender"],
            outcome=record["outcome"],
            reason=record["reason"],
            message=record["message"],
            warnings=tuple(record["warnings"]),
            kernel_floor=finite(record["kernel_floor"], "the kernels' floor"),
        )
        check_extent(source for blend in parent.blends for source in blend.sources)
    except CorruptModelError as error:
        raise CorruptModelError(f"the record of parent {record.get('id')!r} is damaged: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise CorruptModelError(f"the record of parent {record.get('id')!r} is damaged: {error!r}") from error
    return parent


def _key(array: NDArray[Any]) -> str:
    plain = array_record(array)
    digest = hashlib.sha256(f"{plain['dtype']} {plain['shape']} ".encode())
    digest.update(plain["data"])
    return digest.hexdigest()[:32]


def check_extent(sources: Iterable[SourceModel]) -> None:
    """Refuse sources whose components lie so far apart that no array holds them.

    Raises
    ------
    CorruptModelError
        If there is one.
    """
    # Whoever draws a source allocates the box around its components; those of most have one.
    for source in (one for one in sources if len(one.components) > 1):
        box = Box((source.peak.y, source.peak.x), (0, 0))
        for component in source.components:
            box |= component.box
        if box.area > LARGEST_AREA:
            raise CorruptModelError(f"the components of object {source.id} span {box}: more than {LARGEST_AREA} px")


def _component_record(component: AnyComponent, compact: bool) -> Record:
    pixels, parameters = None, None
    if isinstance(component, FactorizedComponent):
        kind, pixels = "factorized", component.morph
    elif isinstance(component, TemplateComponent):
        kind, pixels = "template", component.cube
    elif isinstance(component, PointComponent):
        kind, parameters = "point", [*component.center]
    else:
        kind = "profile"
        parameters = [*component.center, component.radius, *component.ellipticity, component.index]
    spectrum = None if isinstance(component, TemplateComponent) else array_record(component.spectrum)
    return {
        "kind": kind,
        "box": box_record(component.box),
        "spectrum": spectrum,
        "pixels": None if pixels is None else pixel_record(pixels, compact),
        "parameters": None if parameters is None else [float(value) for value in parameters],
    }


def _read_component(record: Mapping[str, Any]) -> AnyComponent:
    box, kind = read_box(record["box"]), record["kind"]
    if kind in ("factorized", "template"):
        pixels = read_pixels(record["pixels"])
        if pixels.shape[-2:] != box.shape:
            raise CorruptModelError(f"pixels of shape {pixels.shape} do not fit {box}")
        if kind == "template":
            return TemplateComponent(box, pixels)
        return FactorizedComponent(box, read_array(record["spectrum"]), pixels)
    if kind in ("point", "profile"):
        y, x, *shape = (finite(float(value), "parameters") for value in record["parameters"])
        spectrum = read_array(record["spectrum"])
        if kind == "point" and not shape:
            return PointComponent(box, spectrum, (y, x))
        radius, g1, g2, index = shape
        return ProfileComponent(box, spectrum, (y, x), radius, (g1, g2), index)
    raise CorruptModelError(f"a component of kind {kind!r}; there are factorized, template, point and profile")


def _fit_record(fit: PointSourceFit) -> Record:
    y, x = fit.center
    return {"is_psf": bool(fit.is_psf), "flux": float(fit.flux), "center": {"y": float(y), "x": float(x)}}


def _read_fit(record: Mapping[str, Any]) -> PointSourceFit:
    return PointSourceFit(record["is_psf"], record["flux"], (record["center"]["y"], record["center"]["x"]))


def _source_record(source: SourceModel, compact: bool) -> Record:
    return {
        "id": int(source.id),
        "peak": int(source.peak.id),
        "flags": sorted(source.flags),
        "components": [_component_record(component, compact) for component in source.components],
        "psf_fits": [None if fit is None else _fit_record(fit) for fit in source.psf_fits],
        "rung": source.rung,
        "reason": source.reason,
    }


def _read_source(record: Mapping[str, Any], peaks: Mapping[int, Peak]) -> SourceModel:
    components = tuple(_read_component(component) for component in record["components"])
    fits = tuple(None if fit is None else _read_fit(fit) for fit in record["psf_fits"])
    texts = record["rung"], record["reason"]
    return SourceModel(record["id"], peaks[record["peak"]], components, frozenset(record["flags"]), fits, *texts)


def _blend_record(blend: BlendModel, compact: bool) -> Record:
    covariance = blend.flux_covariance
    return {
        "id": int(blend.id),
        "box": box_record(blend.box),
        "iterations": int(blend.iterations),
        "log_likelihood": float(blend.log_likelihood),
        "stop_reason": blend.stop_reason,
        "flux_covariance": None if covariance is None else array_record(covariance),
        "psfs": [] if blend.psfs is None else [_key(plane) for plane in blend.psfs],
        "sources": [_source_record(source, compact) for source in blend.sources],
    }


def _read_blend(
    record: Mapping[str, Any], peaks: Mapping[int, Peak], psfs: Callable[[tuple[str, ...]], NDArray[Any]]
) -> BlendModel:
    sources = tuple(_read_source(source, peaks) for source in record["sources"])
    numbers = record["iterations"], record["log_likelihood"], record["stop_reason"]
    covariance = None if record["flux_covariance"] is None else read_array(record["flux_covariance"])
    own = psfs(tuple(record["psfs"])) if record["psfs"] else None
    return BlendModel(record["id"], read_box(record["box"]), sources, *numbers, covariance, own)
