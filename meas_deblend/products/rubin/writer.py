"""Parents → the archive that Rubin's pipelines read."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._atomic import atomic_write
from ...exceptions import ModelError
from ...geometry import Box, Image
from ...models import FactorizedComponent, PointComponent, ProfileComponent, TemplateComponent
from ..consistency import sorted_parents
from .extras import EXTRAS
from .layout import array_entries, parent_entry
from .shared import MODEL_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ...models import AnyComponent, ParentModel
    from ..metadata import StoreMetadata

__all__ = ["write_rubin_models"]


def write_rubin_models(
    path: Path, parents: Iterable[ParentModel], metadata: StoreMetadata, *, leave_out: bool = False
) -> tuple[str, ...]:
    """Write the archive of version 1.0.1, whole or not at all.

    The layout holds spectrum × morphology in the resolution of one model PSF. Points and profiles must be drawn before
    (`apportion.pixels_of`). Templates as seen in a band are such
    models, exactly, only where the band's PSF is that model PSF: for a file of templates alone, if all PSFs are equal.
    What the layout has no place for (fits, outcomes, PSFs of single parents and blends, world coordinates) stands in
    metadata that its readers pass over; `read_rubin_models` gives it back.

    Parameters
    ----------
    path : Path
        File to write; usually it ends in ``.scarlet`` or ``.zip``.
    parents : iterable of ParentModel
        In any order.
    metadata : StoreMetadata
        Bands; those in which no parent has a PSF are left out, as the pipelines do.
    leave_out : bool
        Leave out the parents that the layout cannot hold, instead of raising.

    Returns
    -------
    tuple of str
        What a reader of Rubin's pipelines will not see, or see otherwise; empty if nothing.

    Raises
    ------
    InputError
        If the models do not fit each other or the bands.
    ModelError
        If the layout cannot hold a parent, and ``leave_out`` is false, or a model is not finite.
    """
    ordered = sorted_parents(parents, metadata)
    common = _Common.of(ordered, metadata)
    reasons = {parent.id: common.obstacle(parent) for parent in ordered}
    held = [parent for parent in ordered if not reasons[parent.id]]
    refused = [parent for parent in ordered if reasons[parent.id]]
    if refused and not leave_out:
        raise ModelError(
            f"{len(refused)} of {len(ordered)} parents cannot be held by Rubin's layout, first of all "
            f"{refused[0].id}: {reasons[refused[0].id]}; leave_out=True leaves these out"
        )
    with atomic_write(Path(path), "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        _put(archive, "metadata", common.entry(metadata))
        _put(archive, "version", MODEL_VERSIONS[-1])
        for parent in held:
            own = common.in_bands(parent)
            _put(archive, str(parent.id), parent_entry(own, *common.psf_entries(own)))
    return tuple(_losses(common, held, refused, metadata))


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """PSFs and model PSF of the file, and the indices of the bands that have any PSF."""

    bands: tuple[str, ...]
    index: tuple[int, ...]
    psfs: NDArray[Any]
    model_psf: NDArray[Any]

    @classmethod
    def of(cls, parents: Sequence[ParentModel], metadata: StoreMetadata) -> _Common:
        """Find what most parents have.

        Raises
        ------
        ModelError
            If no band has a PSF.
        """
        planes = [_commonest([parent.psfs[k] for parent in parents]) for k in range(len(metadata.bands))]
        index = tuple(k for k, plane in enumerate(planes) if plane is not None)
        found = [plane for plane in planes if plane is not None]
        if not found:
            raise ModelError("Rubin's layout needs a PSF in at least one band, and there is none")
        psfs = _stacked(found)
        model_psfs = [p.model_psf for p in parents if p.model_psf is not None and _has_factorized(p)]
        model_psf = _commonest(model_psfs)
        # Without a model in that space, the only PSF there is makes templates what the layout holds.
        chosen = psfs[0] if model_psf is None else model_psf
        return cls(tuple(metadata.bands[k] for k in index), index, psfs, chosen)

    def obstacle(self, parent: ParentModel) -> str:
        """Why the layout cannot hold a parent; "" if it can."""
        if _has_factorized(parent) and not _same_stamp(parent.model_psf, self.model_psf):
            return "it was modelled in the resolution of another model PSF than others"
        for component in _components(parent):
            if isinstance(component, PointComponent | ProfileComponent):
                return "it has points or profiles, which must be drawn first (apportion.pixels_of)"
            if isinstance(component, TemplateComponent):
                filled = [k for k, plane in enumerate(component.cube) if plane.any()]
                if not all(k in self.index and _same_stamp(parent.psfs[k], self.model_psf) for k in filled):
                    return (
                        f"its templates are as seen in each band (deblender {parent.deblender!r}), not in model space"
                    )
        return ""

    def in_bands(self, parent: ParentModel) -> ParentModel:
        """Return the parent in the bands of the file."""
        if len(self.index) == len(parent.psfs):
            return parent
        index = list(self.index)
        blends = tuple(
            replace(
                blend,
                psfs=None if blend.psfs is None else blend.psfs[index],
                flux_covariance=None if blend.flux_covariance is None else blend.flux_covariance[index],
                sources=tuple(
                    replace(
                        source,
                        components=tuple(_in_bands(component, index) for component in source.components),
                        psf_fits=tuple(source.psf_fits[k] for k in index) if source.psf_fits else (),
                    )
                    for source in blend.sources
                ),
            )
            for blend in parent.blends
        )
        return replace(parent, blends=blends, psfs=parent.psfs[index])

    def entry(self, metadata: StoreMetadata) -> dict[str, Any]:
        """Metadata of the file."""
        zeropoints = tuple(metadata.zeropoints[k] for k in self.index)
        own = replace(metadata, bands=self.bands, zeropoints=zeropoints)
        arrays = array_entries(model_psf=self.model_psf, psf=self.psfs)
        return arrays | {"bands": list(self.bands), "footprint": None, EXTRAS: own.to_dict()}

    def psf_entries(self, parent: ParentModel) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Metadata of a parent whose PSF is not that of the file, and of its blends that have others; empty if not.

        A parent with such a blend tells its own PSF too, lest the blend's be taken for it.
        """
        blends = [{} if blend.psfs is None else self._psf_entry(blend.psfs) for blend in parent.blends]
        if not any(blends) and np.array_equal(parent.psfs, self.psfs) and parent.psfs.dtype == self.psfs.dtype:
            return {}, blends
        return self._psf_entry(parent.psfs), blends

    def _psf_entry(self, psfs: NDArray[Any]) -> dict[str, Any]:
        missing = [not np.isfinite(plane).all() for plane in psfs]
        # JSON has no word for NaN: a band without a PSF is named beside zeros.
        filled = psfs.copy()
        filled[missing] = 0
        names = [band for band, lacks in zip(self.bands, missing, strict=True) if lacks]
        return array_entries(psf=filled) | {"bands": list(self.bands)} | ({"psf_missing": names} if names else {})


def _losses(
    common: _Common, held: Sequence[ParentModel], refused: Sequence[ParentModel], metadata: StoreMetadata
) -> list[str]:
    losses = []
    dropped = [band for band in metadata.bands if band not in common.bands]
    if dropped:
        losses.append(f"band {', '.join(dropped)} is left out: no parent has a PSF there")
    if refused:
        objects = sum(len(parent.sources) for parent in refused)
        losses.append(f"{len(refused)} parents with {objects} objects are left out: {common.obstacle(refused[0])}")
    entries = [common.psf_entries(common.in_bands(parent)) for parent in held]
    other, blends = sum(1 for own, _ in entries if own), sum(1 for _, own in entries for entry in own if entry)
    if other:
        also = f", and {blends} of their blends another" if blends else ""
        losses.append(f"{other} of {len(held)} parents have a PSF of their own{also}; Rubin's hand-off uses the file's")
    regular = sum(1 for parent in held if parent.kernel_floor > 0 and _has_factorized(parent))
    if regular:
        losses.append(f"{regular} of {len(held)} parents were fitted with regularised kernels; Rubin's are not")
    return losses


def _put(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise ModelError(f"entry {name} holds a number that is not finite, which JSON cannot") from error
    # An entry without a date: the same models make the same file.
    archive.writestr(zipfile.ZipInfo(name), text)


def _commonest(stamps: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    """Find the stamp that most parents have, of those that are finite; the first one of several."""
    finite = [stamp for stamp in stamps if stamp.size and np.isfinite(stamp).all()]
    counts = Counter((stamp.shape, stamp.dtype.str, stamp.tobytes()) for stamp in finite)
    if not counts:
        return None
    (shape, dtype, content), _ = counts.most_common(1)[0]
    return np.frombuffer(content, dtype=dtype).reshape(shape)


def _stacked(stamps: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Bring stamps with odd sides to one size, around their middles."""
    h, w = (max(stamp.shape[axis] for stamp in stamps) for axis in (0, 1))
    return np.stack(
        [Image(stamp, _centered(stamp)).project(Box((-(h // 2), -(w // 2)), (h, w))).array for stamp in stamps]
    )


def _centered(stamp: NDArray[Any]) -> Box:
    h, w = stamp.shape
    return Box((-(h // 2), -(w // 2)), (h, w))


def _same_stamp(first: NDArray[Any] | None, second: NDArray[Any]) -> bool:
    """Whether two PSFs are equal but for zeros around them."""
    if first is None:
        return False
    box = _centered(first) | _centered(second)
    one, other = (Image(stamp, _centered(stamp)).project(box).array for stamp in (first, second))
    return bool(np.array_equal(one, other))


def _components(parent: ParentModel) -> list[AnyComponent]:
    return [component for source in parent.sources for component in source.components]


def _has_factorized(parent: ParentModel) -> bool:
    return any(isinstance(component, FactorizedComponent) for component in _components(parent))


def _in_bands(component: AnyComponent, index: list[int]) -> AnyComponent:
    if isinstance(component, TemplateComponent):
        return replace(component, cube=component.cube[index])
    return replace(component, spectrum=component.spectrum[index])
