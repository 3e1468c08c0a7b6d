"""Models → templates in the observed seeing, and straight on to children."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError, ModelError
from ..geometry import Box, Image
from ..models import FactorizedComponent, TemplateComponent
from ..scarlet import prepare_kernels, render_source
from ._precision import kept
from .components import pixels_of
from .half_turn import seen_from_both_sides
from .split import apportion
from .values import ApportionConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import BoolArray, FloatArray
    from ..image import MultibandExposure
    from ..models import Component, ParentModel
    from ..scarlet import Kernels
    from .values import Apportioned

# Parents of one patch often have the same PSFs; their kernels are made once.
_KEPT = 16
_KERNELS: dict[tuple[object, ...], Kernels] = {}

__all__ = ["parent_pixels", "reapportion_parent", "render_templates", "template_frame"]


def render_templates(parent: ParentModel, frame: Box) -> tuple[Image, ...]:
    """Draw every source of a parent as it is seen in each band.

    Points and profiles are drawn first (`pixels_of`).  Factorized components are convolved with the difference kernels
    that take the model PSF to each band's PSF (Melchior et al. 2018, Astronomy and Computing 24, 129, section 2.2), and
    are exactly 0 where the kernel cannot reach; in a band without a PSF they stay in the resolution of the model.
    Template components are as they are.

    Parameters
    ----------
    parent : ParentModel
    frame : Box
        Templates are cut to it.

    Returns
    -------
    tuple of Image
        One cube (band, y, x) per source, in the order of ``parent.sources``, image units, each on its own box; the box
        is empty for a source without components.  Values may be below 0 where a kernel rings.  Where there are very
        many values they are kept in single precision.

    Raises
    ------
    ModelError
        If there are components other than templates, but no model PSF.
    """
    components = {s.peak.id: [pixels_of(c, parent.model_psf) for c in s.components] for s in parent.sources}
    kernels: dict[int, Kernels] = {}
    for blend in parent.blends:
        drawn = [s.peak.id for s in blend.sources if any(map(_is_factorized, components[s.peak.id]))]
        if drawn:
            kernels |= dict.fromkeys(drawn, _kernels(parent, parent.psfs if blend.psfs is None else blend.psfs))
    bands = len(parent.psfs)
    return kept(_render(several, kernels.get(peak), bands, frame) for peak, several in components.items())


def _is_factorized(component: Component) -> bool:
    return isinstance(component, FactorizedComponent)


def _kernels(parent: ParentModel, psfs: FloatArray) -> Kernels:
    """Difference kernels of the bands for PSFs of the parent, or of one of its blends."""
    if parent.model_psf is None:
        raise ModelError(f"parent {parent.id} has factorized components but no model PSF to draw them with")
    key = (_content(psfs), _content(parent.model_psf), parent.kernel_floor)
    if key not in _KERNELS:
        while len(_KERNELS) >= _KEPT:
            _KERNELS.pop(next(iter(_KERNELS)), None)
        _KERNELS[key] = _made_kernels(parent, psfs, parent.model_psf)
    return _KERNELS[key]


def _content(array: FloatArray) -> tuple[tuple[int, ...], str, bytes]:
    return array.shape, array.dtype.str, array.tobytes()


def _made_kernels(parent: ParentModel, psfs: FloatArray, model_psf: FloatArray) -> Kernels:
    # In double precision: far from a source all templates are faint, and their ratios are not to be rounding noise.
    psfs = psfs.astype(np.float64)
    missing = ~np.isfinite(psfs).all(axis=(1, 2))
    # The kernel of the model PSF itself is a single 1 in the middle.
    box = Box((-(psfs.shape[1] // 2), -(psfs.shape[2] // 2)), (psfs.shape[1], psfs.shape[2]))
    h, w = model_psf.shape
    psfs[missing] = Image(model_psf, Box((-(h // 2), -(w // 2)), (h, w))).project(box).array
    return prepare_kernels(psfs, model_psf, floor=parent.kernel_floor)


def _render(components: Sequence[Component], kernels: Kernels | None, bands: int, frame: Box) -> Image:
    """Sum of a source's components on the union of their boxes within ``frame``."""
    parts = [Image(c.cube, c.box) for c in components if isinstance(c, TemplateComponent)]
    factorized = [c for c in components if isinstance(c, FactorizedComponent)]
    if factorized and kernels is not None:
        box, cube = render_source(factorized, kernels, frame)
        parts.append(Image(cube, box))
    box = Box(frame.origin, (0, 0))
    for part in parts:
        box |= part.box & frame
    out = np.zeros((bands, *box.shape), dtype=np.result_type(np.float32, *(p.array for p in parts)))
    for part in parts:
        here, there = part.box.overlap_slices(box)
        out[(slice(None), *there)] += part.array[(slice(None), *here)]
    return Image(out, box)


def reapportion_parent(
    exposure: MultibandExposure, parent: ParentModel, config: ApportionConfig | None = None
) -> Apportioned:
    """Share the observed pixels of a parent between its sources, in proportion to their templates.

    A run and a reload from the store both call this, so that they agree to the last bit.

    Parameters
    ----------
    exposure : MultibandExposure
        With the bands of ``parent.psfs``, in their order.
    parent : ParentModel
    config : ApportionConfig, optional

    Returns
    -------
    Apportioned
        Children in the order of ``parent.sources``.

    Raises
    ------
    InputError
        If the bands do not match, or the parent's footprint leaves the exposure.
    ModelError
        See `render_templates`.
    """
    config = config if config is not None else ApportionConfig()
    _check(exposure, parent)
    frame = parent.footprint.box
    templates: Sequence[Image]
    drawn: tuple[Image, ...] | None
    if len(parent.sources) == 1 and config.single_takes_all and not config.keep_outside:
        # Whatever its template, it gets the whole footprint: there is nothing to draw.
        drawn = None
        templates = [Image(np.zeros((len(exposure.bands), 0, 0)), Box(frame.origin, (0, 0)))]
    else:
        wanted = exposure.box if config.keep_outside else template_frame(parent, exposure.box)
        drawn = templates = render_templates(parent, wanted)
        if config.half_turn:
            templates = seen_from_both_sides(drawn, _half_turn_centers(parent), wanted)
    if config.keep_outside:
        for template in templates:
            frame |= template.box
    images, _, bad = parent_pixels(exposure, frame)
    shared = apportion(
        images, parent.footprint, templates, bad, frame, parent_id=parent.id, bands=exposure.bands, config=config
    )
    return replace(shared, templates=drawn)


def _half_turn_centers(parent: ParentModel) -> list[tuple[float, float] | None]:
    """Positions of the sources with a morphology that was fitted pixel by pixel; None for the others."""
    return [
        s.peak.center if any(isinstance(c, FactorizedComponent) for c in s.components) else None for s in parent.sources
    ]


def template_frame(parent: ParentModel, image: Box) -> Box:
    """Pixels of an image on which templates of a parent are wanted: its box, and as far as its PSF carries light."""
    height, width = parent.psfs.shape[1:]
    return parent.footprint.box.grow((height // 2, width // 2)) & image


def _check(exposure: MultibandExposure, parent: ParentModel) -> None:
    if len(parent.psfs) != len(exposure.bands):
        raise InputError(
            f"parent {parent.id} was modelled in {len(parent.psfs)} bands; the exposure has "
            f"{len(exposure.bands)} ({', '.join(exposure.bands)})"
        )
    if not exposure.box.encloses(parent.footprint.box):
        raise InputError(f"parent {parent.id} on {parent.footprint.box} leaves the exposure on {exposure.box}")


def parent_pixels(exposure: MultibandExposure, box: Box) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Images, variances and unusable pixels (band, y, x) of ``box``, in a time proportional to its area."""
    cut = (slice(None), *box.slices_in(exposure.box))
    part = replace(exposure, images=exposure.images[cut], variance=exposure.variance[cut], mask=exposure.mask[cut])
    return part.images, part.variance, part.bad
