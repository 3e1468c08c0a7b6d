"""Models → pixels: in the resolution of the model PSF, or as they are seen in each band."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from ..apportion import ApportionConfig, pixels_of, reapportion_parent, render_templates
from ..exceptions import ModelError
from ..geometry import Box, Image
from ..models import FactorizedComponent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import FloatArray, HeavyFootprint
    from ..image import MultibandExposure
    from ..models import ParentModel, SourceModel
    from ..products import StoreMetadata

__all__ = [
    "aligned_exposure",
    "apportion_config",
    "band_indices",
    "heavy_footprint",
    "model_cube",
    "model_image",
    "source_box",
]


def band_indices(bands: Sequence[str], band: str | Sequence[str] | None) -> int | list[int]:
    """Index of one band, or indices of several in the order that is asked for (None: all).

    Raises
    ------
    ModelError
        If there is no such band; the message lists those that there are.
    """
    wanted = list(bands) if band is None else [band] if isinstance(band, str) else list(band)
    for name in wanted:
        if name not in bands:
            raise ModelError(f"no band {name!r} in these models; there are {', '.join(bands)}")
    indices = [bands.index(name) for name in wanted]
    return indices[0] if isinstance(band, str) else indices


def source_box(source: SourceModel) -> Box:
    """Box of a source's components; empty, at its peak, if it has none."""
    box = Box((source.peak.y, source.peak.x), (0, 0))
    for component in source.components:
        box |= component.box
    return box


def model_image(parent: ParentModel, source: SourceModel, convolved: bool) -> Image:
    """Model of one source.

    Parameters
    ----------
    parent : ParentModel
        Its parent.
    source : SourceModel
    convolved : bool
        True: as seen in each band. False: in the resolution of the model PSF.

    Returns
    -------
    Image
        Cube (band, y, x), image units, on the box that it fills.

    Raises
    ------
    ModelError
        If ``convolved`` is false and the model is a template, which exists only as seen.
    """
    if not convolved:
        return _model_space(parent, source)
    (blend,) = (blend for blend in parent.blends if any(one is source for one in blend.sources))
    alone = replace(parent, blends=(replace(blend, sources=(source,)),))
    stamp = parent.psfs.shape[1:]
    # As far as the difference kernel can carry flux, and to spare.
    (image,) = render_templates(alone, source_box(source).grow((stamp[0], stamp[1])))
    return image


def model_cube(parent: ParentModel, convolved: bool) -> FloatArray:
    """Sum of all sources of a parent (band, y, x) over its footprint's box; see `model_image`."""
    box = parent.footprint.box
    if convolved:
        images: Sequence[Image] = render_templates(parent, box)
    else:
        images = [_model_space(parent, source) for source in parent.sources]
    out = np.zeros((len(parent.psfs), *box.shape), dtype=np.float32)
    for image in images:
        here, there = image.box.overlap_slices(box)
        out[(slice(None), *there)] += image.array[(slice(None), *here)]
    return out


def heavy_footprint(
    exposure: MultibandExposure, parent: ParentModel, number: int, metadata: StoreMetadata, band: str
) -> HeavyFootprint:
    """Re-apportioned pixels of the ``number``-th source of a parent in one band, exactly as a run makes them.

    An object that received nothing has one pixel of value 0 at its peak.

    Raises
    ------
    ModelError
        If the band is not in the models, or the exposure is not the one that they were made from: a band is missing,
        or its shape is another.
    """
    band_indices(metadata.bands, band)
    shared = reapportion_parent(aligned_exposure(exposure, metadata), parent, apportion_config(metadata))
    return shared.children[number].heavy(metadata.bands.index(band), parent.sources[number].peak)


def aligned_exposure(exposure: MultibandExposure, metadata: StoreMetadata) -> MultibandExposure:
    """Coadds in the bands of the models, in their order.

    Raises
    ------
    ModelError
        If the exposure is not the one that the models were made from: a band is missing, or its shape is another.
    """
    missing = [name for name in metadata.bands if name not in exposure.bands]
    if missing:
        raise ModelError(f"the models have bands {', '.join(metadata.bands)}; the coadds lack {', '.join(missing)}")
    if metadata.shape not in ((0, 0), exposure.box.shape):
        raise ModelError(
            f"the models were made from coadds of shape {metadata.shape} (y, x); these have {exposure.box.shape}"
        )
    # Selecting copies all pixels, so it is left out where nothing would change.
    return exposure if exposure.bands == metadata.bands else exposure.select(metadata.bands)


def apportion_config(metadata: StoreMetadata) -> ApportionConfig:
    """Options by which the catalog's pixels were shared out.

    Raises
    ------
    ModelError
        If this release does not know one of them.
    """
    try:
        return ApportionConfig.recorded(metadata.apportion)
    except ValidationError as error:
        raise ModelError(f"this release cannot share out pixels as the models ask for: {error}") from error


def _model_space(parent: ParentModel, source: SourceModel) -> Image:
    box = source_box(source)
    cube = np.zeros((len(parent.psfs), *box.shape), dtype=np.float32)
    for component in (pixels_of(c, parent.model_psf) for c in source.components):
        if not isinstance(component, FactorizedComponent):
            raise ModelError(
                f"object {source.id} was modelled by templates as seen in each band (deblender {parent.deblender!r}): "
                "there is no model without seeing; ask for convolved=True"
            )
        part = component.spectrum[:, None, None] * component.morph
        cube[(slice(None), *component.box.slices_in(box))] += part
    return Image(cube, box)
