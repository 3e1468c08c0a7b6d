"""Whether stored models are what they claim to be: everything is read, and what is wrong is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError, ModelError
from ..geometry import Box
from ..models import FactorizedComponent, PointComponent, ProfileComponent
from .consistency import sorted_parents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..models import AnyComponent, ParentModel, SourceModel
    from .lookup import ModelSource
    from .metadata import StoreMetadata

__all__ = ["model_problems", "parent_problems"]


def model_problems(source: ModelSource) -> Iterator[tuple[int, list[str]]]:
    """Read all models, one parent after the other, and look for what is wrong with them.

    Parameters
    ----------
    source : ModelSource
        A store, or models in memory.

    Yields
    ------
    int
        Identifier of a parent; 0 for what is said of all models.
    list of str
        What is wrong with it; empty if nothing.
    """
    yield 0, _metadata_problems(source.metadata)
    owners: dict[int, int] = {}
    for number in source.parent_ids():
        try:
            parent = source.parent(number)
        except ModelError as error:
            yield number, [str(error)]
            continue
        problems = parent_problems(parent, source.metadata)
        for identifier in {parent.id, *(s.id for s in parent.sources)}:
            if owners.setdefault(identifier, number) != number:
                problems.append(f"identifier {identifier} belongs to parent {owners[identifier]} too")
        yield number, problems


def parent_problems(parent: ParentModel, metadata: StoreMetadata) -> list[str]:
    """Return what is wrong with one parent: identifiers, boxes, PSFs, values that are not finite."""
    try:
        sorted_parents([parent], metadata)
    except InputError as error:
        # Its parts do not fit each other, so nothing more can be said about them.
        return [str(error)]
    problems = _psf_problems(parent, metadata.bands)
    box, frame = parent.footprint.box, Box((0, 0), metadata.shape) if min(metadata.shape) > 0 else Box((0, 0), (0, 0))
    if not frame.is_empty and not frame.encloses(box):
        problems.append(f"its footprint on {box} leaves the coadds of shape {metadata.shape} (y, x)")
    for source in parent.sources:
        if not box.contains(source.peak.y, source.peak.x):
            problems.append(f"object {source.id}: its peak ({source.peak.y}, {source.peak.x}) is outside {box}")
        problems += [f"object {source.id}: {problem}" for problem in _component_problems(source, box)]
    return problems


def _metadata_problems(metadata: StoreMetadata) -> list[str]:
    problems = [] if min(metadata.shape) >= 0 else [f"the coadds have the shape {metadata.shape}"]
    try:
        metadata.world_coordinates()
    except Exception as error:  # noqa: BLE001 - wcslib raises errors of its own kinds
        problems.append(f"the world coordinates cannot be read: {error}")
    return problems


def _psf_problems(parent: ParentModel, bands: tuple[str, ...]) -> list[str]:
    problems = []
    for band, plane in zip(bands, parent.psfs, strict=True):
        # A plane of NaN says that the band has no PSF.
        problem = "" if np.isnan(plane).all() else _stamp_problem(plane)
        if problem:
            problems.append(f"its PSF in {band} {problem}")
    problem = "" if parent.model_psf is None else _stamp_problem(parent.model_psf)
    return [*problems, f"its model PSF {problem}"] if problem else problems


def _stamp_problem(stamp: NDArray[np.floating]) -> str:
    if min(stamp.shape, default=0) < 1 or any(side % 2 == 0 for side in stamp.shape):
        return f"has shape {stamp.shape}; sides must be odd"
    if not np.isfinite(stamp).all():
        return f"has {np.count_nonzero(~np.isfinite(stamp))} values that are not finite"
    total = float(stamp.sum(dtype=np.float64))
    return "" if total > 0 else f"has the sum {total:g}; it must be above 0"


def _component_problems(source: SourceModel, box: Box) -> list[str]:
    problems = []
    for k, component in enumerate(source.components):
        for name, values in _arrays(component).items():
            bad = np.count_nonzero(~np.isfinite(values))
            if bad:
                problems.append(f"the {name} of component {k} has {bad} values that are not finite")
        if (component.box & box).is_empty and not component.box.is_empty:
            problems.append(f"component {k} on {component.box} lies outside the footprint's {box}")
    return problems


def _arrays(component: AnyComponent) -> dict[str, NDArray[np.floating]]:
    match component:
        case FactorizedComponent():
            return {"spectrum": component.spectrum, "morphology": component.morph}
        case PointComponent():
            return {"spectrum": component.spectrum, "position": np.array(component.center)}
        case ProfileComponent():
            shape = (component.radius, *component.ellipticity, component.index)
            return {"spectrum": component.spectrum, "position": np.array(component.center), "shape": np.array(shape)}
        case _:
            return {"template": component.cube}
