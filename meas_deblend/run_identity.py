"""Everything that the results of a run depend on, by what people call it: what a checkpoint is bound to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from ._each import in_turn
from .exceptions import MeasDeblendError
from .framework import versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ._each import Each
    from .detect import Edits, Selection
    from .framework import Pipeline
    from .geometry import Box
    from .image import MultibandExposure, Psf, SourceList

__all__ = ["run_identity", "settings_identity"]

_PSF_PLACES = 5
"""PSFs are compared at so many places along each side."""


def run_identity(
    coadds: MultibandExposure,
    pipeline: Pipeline,
    source_list: SourceList | None = None,
    selection: Selection | None = None,
    edits: Edits | None = None,
    *,
    each: Each = in_turn,
) -> dict[str, str]:
    """Describe inputs, settings and versions.

    Parameters
    ----------
    coadds : MultibandExposure
        Its pixels themselves are looked at, whatever file and options they came from.
    pipeline : Pipeline
        Its tasks and resolved settings.
    source_list : SourceList, optional
        Positions that were given.
    selection : Selection, optional
        Parents that are deblended.
    edits : Edits, optional
        What is changed by hand.
    each : callable
        Does bands one after the other or several at a time.

    Returns
    -------
    dict of str to str
        Values by names such as ``"setting multi_band:fit.max_iter"`` or ``"images of band g"``.
    """
    found = settings_identity(pipeline) | _of_coadds(coadds, each)
    if source_list is not None:
        found["list of sources"] = _digest(source_list.y, source_list.x, np.array(source_list.names, dtype=str))
    if selection is not None:
        found["selection of parents"] = f"{sorted(selection.only)} in {selection.bbox}"
    if edits is not None:
        changes = [[one.ids for one in edits.merge], [one.id for one in edits.drop], [one.center for one in edits.add],
                   [(one.id, one.radius) for one in edits.protect]]  # fmt: skip
        found["edits"] = json.dumps(changes)
    return found | {f"version of {name}": version for name, version in versions().items()}


def settings_identity(pipeline: Pipeline) -> dict[str, str]:
    """Describe the tasks of a pipeline and their settings: values by names such as ``"setting detect:tract"``."""
    found = {"pipeline": pipeline.name}
    for task in pipeline.tasks:
        found[f"class of {task.label}"] = f"{task.task_class.__module__}.{task.task_class.__qualname__}"
        for name, value in _leaves(task.resolved.config.model_dump(mode="json")):
            found[f"setting {task.label}:{name}"] = value
        for name, value in sorted(task.resolved.connections.items()):
            found[f"setting {task.label}:connections.{name}"] = str(value)
    return found


def _of_coadds(coadds: MultibandExposure, each: Each) -> dict[str, str]:
    found = {
        "bands": ", ".join(coadds.bands),
        "shape of the images": f"{coadds.box.shape}",
        "unit of the pixels": coadds.units,
        "pixel scale": f"{coadds.pixel_scale}",
        "mask planes": json.dumps([dict(coadds.mask_planes.bits), coadds.mask_planes.bad]),
        "world coordinates": "none" if coadds.wcs is None else _digest_of_text(coadds.wcs.to_header_string(relax=True)),
    }
    for of_band in each(_of_band, range(len(coadds.bands)), coadds):
        found |= of_band
    return found


def _of_band(coadds: MultibandExposure, k: int) -> dict[str, str]:
    band = coadds.bands[k]
    cubes = {"images": coadds.images, "variances": coadds.variance, "masks": coadds.mask}
    return {
        **{f"{name} of band {band}": _digest(cube[k]) for name, cube in cubes.items()},
        f"zero point of band {band}": f"{coadds.zeropoints[k]}",
        f"PSF of band {band}": _psf_digest(coadds.psfs[k], coadds.box),
    }


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by their dotted names."""
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from _leaves(below, f"{prefix}.{name}" if prefix else str(name))
    else:
        yield prefix, json.dumps(value)


def _digest(*arrays: NDArray[Any]) -> str:
    digest = blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        # By rows, so that no plane is copied as a whole.
        for row in np.atleast_2d(array):
            digest.update(row.tobytes())
    return digest.hexdigest()


def _digest_of_text(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _psf_digest(psf: Psf | None, box: Box) -> str:
    if psf is None:
        return "none"
    height, width = box.shape
    stamps = []
    for y in np.linspace(0, height - 1, _PSF_PLACES):
        for x in np.linspace(0, width - 1, _PSF_PLACES):
            try:
                stamps.append(np.asarray(psf.image(round(y), round(x)).stamp))
            except MeasDeblendError:
                # It is not known everywhere; that it is not known here is part of what it is.
                stamps.append(np.array([y, x]))
    return _digest(*stamps)
