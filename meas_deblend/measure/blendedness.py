"""How much of what is seen at an object is its neighbours': by its pixels, and by its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..apportion import ModelOverlap, model_overlap
from ..geometry import Box, Image
from ..models import FactorizedComponent, TemplateComponent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models import ParentModel, SourceModel
    from .child import ShapeSet
    from .pixels import Window

    Float = NDArray[np.float64]

__all__ = ["gaussian_blendedness", "model_overlaps", "model_space"]

_SIGMAS = 5.0
# Models of blends with fewer values (sources times bands times pixels) are drawn once.
_KEPT = 1_000_000


def model_space(source: SourceModel, bands: int) -> Image | None:
    """Model (B, h, w) in the resolution of the model PSF; None without one, as for templates, which are as seen."""
    components = [c for c in source.components if isinstance(c, FactorizedComponent)]
    if not components or len(components) != len(source.components):
        return None
    box = components[0].box
    for component in components[1:]:
        box |= component.box
    cube = np.zeros((bands, *box.shape))
    for component in components:
        part = component.spectrum[:, None, None].astype(np.float64) * component.morph
        cube[(slice(None), *component.box.slices_in(box))] += part
    return Image(cube, box)


def model_overlaps(parent: ParentModel) -> tuple[ModelOverlap, ...]:
    """How much of each model lies under those that it was fitted with, in the order of ``parent.sources``.

    Models are those of `model_space`; templates take the place of missing ones. Those of a large blend are drawn
    whenever they are needed, and not kept: they would take more memory than its image.

    Parameters
    ----------
    parent : ParentModel
    """
    bands = len(parent.psfs)
    place = {source.id: k for k, source in enumerate(parent.sources)}
    out = [ModelOverlap.unknown(bands)] * len(place)
    for blend in parent.blends:
        box = Box(parent.footprint.box.origin, (0, 0))
        for source in blend.sources:
            for component in source.components:
                box |= component.box
        total = np.zeros((bands, *box.shape))
        drawn = {k: _model(s, bands) for k, s in enumerate(blend.sources) if total.size * len(blend.sources) < _KEPT}
        for k, source in enumerate(blend.sources):
            image = drawn[k] if drawn else _model(source, bands)
            if not image.box.is_empty:
                total[(slice(None), *image.box.slices_in(box))] += image.array
        for k, source in enumerate(blend.sources):
            image = drawn[k] if drawn else _model(source, bands)
            if not image.box.is_empty:
                part = total[(slice(None), *image.box.slices_in(box))]
                out[place[source.id]] = model_overlap(image.array, part)
    return tuple(out)


def _model(source: SourceModel, bands: int) -> Image:
    image = model_space(source, bands)
    return image if image is not None else _template(source, bands)


def _template(source: SourceModel, bands: int) -> Image:
    box = Box((source.peak.y, source.peak.x), (0, 0))
    for component in source.components:
        box |= component.box
    cube = np.zeros((bands, *box.shape))
    for component in source.components:
        where = (slice(None), *component.box.slices_in(box))
        if isinstance(component, FactorizedComponent):
            cube[where] += component.spectrum[:, None, None] * component.morph
        elif isinstance(component, TemplateComponent):
            cube[where] += component.cube
        else:
            raise TypeError(f"a {type(component).__name__} has no pixels: draw it first (apportion.drawn)")
    return Image(cube, box)


def gaussian_blendedness(
    own: Window, whole: Window, position: tuple[float, float], shape: ShapeSet, psf: ShapeSet
) -> Float:
    """1 − Σ w D(own pixels) / Σ w D(image) per band (B,), under the Gaussian of the object's adaptive moments.

    Bosch et al. (2018, PASJ 70, S5), section 4.9.11. Where the object has no trusted moments, the PSF's are taken;
    NaN where there are none either, or where the image has no positive flux there.
    """
    from ._gaussian_kernels import weighted_monomials  # noqa: PLC0415 - loads the compiler

    moments = np.where(shape.flag[:, None], psf.moments, shape.moments)
    index = np.flatnonzero(np.isfinite(moments).all(axis=1))
    out = np.full(len(moments), np.nan)
    if not index.size or not np.isfinite(position).all():
        return out
    reach = int(np.ceil(_SIGMAS * np.sqrt(np.abs(moments[index]).max())))
    inner = own.box & Box((round(position[0]), round(position[1])), (1, 1)).grow(reach)
    if inner.is_empty:
        return out
    cut, origin = (slice(None), *inner.slices_in(own.box)), np.array(inner.origin, dtype=np.float64)
    weights = np.empty((index.size, 5))
    weights[:, :2], weights[:, 2:] = position, moments[index]
    # Images of both kinds, one behind the other.
    images = np.concatenate([own.flux[cut], whole.flux[cut]])
    places = np.concatenate([index, index + len(own.flux)])
    sums = weighted_monomials(images, origin, np.concatenate([weights, weights]), places, 0)[:, 0, 0]
    mine, everything = sums[: index.size], sums[index.size :]
    seen = everything > 0
    out[index[seen]] = 1 - mine[seen] / everything[seen]
    return out
