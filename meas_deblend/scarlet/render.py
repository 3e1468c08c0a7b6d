"""Rendering of single sources on their own boxes, with exact zeros where they contribute nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol

import numpy as np
from scipy import ndimage

from ..geometry import BoolArray, Box, FloatArray
from .convolve import full_convolution, local_convolution
from .kernels import Kernels

__all__ = ["Factorized", "MorphRenderer", "kernel_support", "render_morph", "render_source"]


class Factorized(Protocol):
    """What is needed of a component: any value with these attributes will do."""

    @property
    def box(self) -> Box:
        """Where the morphology lies."""
        ...

    @property
    def spectrum(self) -> FloatArray:
        """Flux (band,) per unit of morphology."""
        ...

    @property
    def morph(self) -> FloatArray:
        """Shape (y, x) on the box."""
        ...


def render_source(
    components: Iterable[Factorized], kernels: Kernels, frame: Box | None = None
) -> tuple[Box, FloatArray]:
    """One source, the sum of its components, in the seeing of each band.

    The cost follows the source's box, not the frame. A product of transforms leaves rounding noise everywhere; the
    result is restricted to the pixels that the kernel can reach from a positive pixel of the model, so that the
    source's footprint is that of a sum over kernel taps.

    Parameters
    ----------
    components : iterable of Factorized
        Components with ``box``, ``spectrum`` (band,) and ``morph`` (y, x).
    kernels : Kernels
        Of the same bands.
    frame : Box, optional
        The result is cut to it.

    Returns
    -------
    box : Box
        The union of the components' boxes, grown by the kernel radius, within ``frame``.
    cube : array (band, y, x)
        Rendered source on ``box``.

    Raises
    ------
    ValueError
        If a spectrum does not have one value per kernel.
    """
    parts = list(components)
    for part in parts:
        if part.spectrum.shape != kernels.stamps.shape[:1]:
            raise ValueError(
                f"spectrum has shape {part.spectrum.shape}, expected ({len(kernels.stamps)},), one per kernel"
            )
    union = reduce(lambda a, b: a | b, (part.box for part in parts), Box((0, 0), (0, 0)))
    if union.is_empty:
        return Box(union.origin, (0, 0)), np.zeros((len(kernels.stamps), 0, 0), dtype=kernels.stamps.dtype)
    model = np.zeros((len(kernels.stamps), *union.shape), dtype=np.result_type(parts[0].morph, kernels.stamps))
    for part in parts:
        model[:, *part.box.slices_in(union)] += part.spectrum[:, None, None] * part.morph
    cube = full_convolution(model, kernels)
    positive: BoolArray = np.any(model > 0, axis=0)
    cube *= kernel_support(positive, kernels.radius)
    box = union.grow(kernels.radius)
    if frame is None:
        return box, cube
    return box & frame, np.ascontiguousarray(cube[:, *box.overlap_slices(frame)[0]])


def render_morph(morph: FloatArray, box: Box, kernels: Kernels, frame: Box) -> tuple[Box, FloatArray]:
    """Morphology (y, x) on ``box`` with unit spectrum in the seeing of each band, on the grown box cut to ``frame``."""
    target = box.grow(kernels.radius) & frame
    return target, local_convolution(morph, box, target, kernels)


@dataclass(frozen=True, slots=True)
class MorphRenderer:
    """`render_morph` that remembers: the same array on the same box is rendered once.

    Parameters
    ----------
    kernels : Kernels
    frame : Box
        Results are cut to it.
    """

    kernels: Kernels
    frame: Box
    made: dict[int, tuple[FloatArray, Box, tuple[Box, FloatArray]]] = field(default_factory=dict)

    def __call__(self, morph: FloatArray, box: Box) -> tuple[Box, FloatArray]:
        """Morphology (y, x) on ``box`` in the seeing of each band; the array must not change afterwards."""
        known = self.made.get(id(morph))
        # The array is kept, so that no other can have its identity.
        if known is None or known[1] != box:
            known = (morph, box, render_morph(morph, box, self.kernels, self.frame))
            self.made[id(morph)] = known
        return known[2]


def kernel_support(mask: BoolArray, radius: tuple[int, int]) -> BoolArray:
    """Pixels within ``radius`` rows and columns of a true pixel of ``mask`` (y, x), on an array grown by it."""
    (ry, rx) = radius
    h, w = mask.shape
    grown = np.zeros((h + 2 * ry, w + 2 * rx), dtype=np.uint8)
    grown[ry : ry + h, rx : rx + w] = mask
    for axis, r in enumerate(radius):
        grown = ndimage.maximum_filter1d(grown, 2 * r + 1, axis=axis, mode="constant")
    return grown.astype(bool)
