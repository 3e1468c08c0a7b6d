"""Components without a common morphology, or without monotonicity: positive cubes, and free-form factors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from ..geometry import BoolArray, Box, FloatArray
from .component import add_product, factor_gradients
from .config import FitConfig
from .optimizer import Optimizer, make_optimizer
from .parameters import MORPH_STEP, NOISE_STEP, SPECTRUM_STEP, adaptive_scheme
from .proximal import SPECTRUM_FLOOR, floor_spectrum, sparsify, sparsity_level

__all__ = ["CubeComponent", "FreeFormComponent", "connected_to"]


def connected_to(mask: BoolArray, pixel: tuple[int, int], min_area: int = 1) -> BoolArray:
    """Pixels of ``mask`` (y, x) that are joined to ``pixel`` by their sides, unless they are fewer than ``min_area``.

    The pixel itself is always a member.
    """
    labels, _ = ndimage.label(mask)
    out: BoolArray = (labels == labels[pixel]) & (labels > 0)
    if np.count_nonzero(out) < min_area:
        out = np.zeros_like(out)
    out[pixel] = True
    return out


@dataclass(frozen=True, slots=True, eq=False)
class CubeComponent:
    """A morphology of its own in every band: non-negative voxels.

    Parameters
    ----------
    center : tuple of int
        Pixel ``(y, x)`` inside the box.
    box : Box
        Where the cube lies; inside the frame.
    cube : array (band, y, x)
        At least 0; image units, in the resolution of the model PSF.
    """

    center: tuple[int, int]
    box: Box
    cube: FloatArray

    @property
    def peak(self) -> tuple[int, int]:
        """Index of the centre in the cube's planes."""
        return (self.center[0] - self.box.origin[0], self.center[1] - self.box.origin[1])

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) of the model, before convolution."""
        flux: FloatArray = self.cube.sum(axis=(1, 2), dtype=np.float64).astype(self.cube.dtype)
        return flux

    @property
    def morph(self) -> FloatArray:
        """Mean over bands, scaled to maximum 1; zeros if the cube is."""
        total: FloatArray = self.cube.sum(axis=0)
        return total / max(float(total.max()), SPECTRUM_FLOOR)

    @property
    def spectrum(self) -> FloatArray:
        """Flux (band,) per unit of `morph`."""
        return self.flux / max(float(self.morph.sum()), SPECTRUM_FLOOR)

    def model(self) -> FloatArray:
        """Model (band, y, x) on the box."""
        return self.cube

    def worker(self, config: FitConfig) -> CubeWorker:
        """Return what carries this component through a fit."""
        return CubeWorker(self, config)


@dataclass(slots=True)
class CubeWorker:
    """A cube under way."""

    now: CubeComponent
    config: FitConfig
    optimizer: Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer = make_optimizer(adaptive_scheme(self.config), self.now.cube)

    def component(self) -> CubeComponent:
        """Return the component as it is now."""
        return self.now

    def add_to(self, scene: FloatArray) -> None:
        """Add the model to a frame (band, y, x), in place."""
        box = self.now.box
        scene[:, box.origin[0] : box.stop[0], box.origin[1] : box.stop[1]] += self.now.cube

    def update(self, gradient: FloatArray, iteration: int, noise: FloatArray) -> None:
        """Step along the gradient (band, y, x) by the model on the frame; faint voxels become 0.

        A voxel's step is a fraction of the band's brightest voxel, and at least one of the noise.
        """
        box = self.now.box
        here = gradient[:, box.origin[0] : box.stop[0], box.origin[1] : box.stop[1]]
        noise = np.where(np.isfinite(noise), noise, 0).astype(gradient.dtype)
        cube = self.now.cube
        brightest = cube.max(axis=(1, 2))
        step = np.maximum(MORPH_STEP * brightest, NOISE_STEP * noise)
        faint = self.config.bg_thresh * noise

        def _project(x: FloatArray) -> FloatArray:
            # A pixel stays if it is significant in some band: else faint colours would bias the bright ones.
            keep = np.any(x >= faint[:, None, None], axis=0)
            out: FloatArray = np.where(keep & np.isfinite(x) & (x > 0), x, 0).astype(x.dtype)
            return out

        step = step[:, None, None].astype(cube.dtype)
        self.now = replace(self.now, cube=self.optimizer.update(cube.copy(), here, step, iteration, _project))


@dataclass(frozen=True, slots=True, eq=False)
class FreeFormComponent:
    """Spectrum × morphology of any shape: positive and sparse, not monotonic.

    Parameters
    ----------
    center : tuple of int
        Pixel ``(y, x)`` inside the box.
    box : Box
        Where the morphology lies; inside the frame.
    spectrum : array (band,)
        Sum 1.
    morph : array (y, x)
        At least 0; flux in all bands together, in the resolution of the model PSF.
    connected : bool
        Keep only pixels that are joined to the centre.
    min_area : int
        Fewer joined pixels than this are dropped.
    """

    center: tuple[int, int]
    box: Box
    spectrum: FloatArray
    morph: FloatArray
    connected: bool = False
    min_area: int = 1

    @property
    def peak(self) -> tuple[int, int]:
        """Index of the centre in the morphology."""
        return (self.center[0] - self.box.origin[0], self.center[1] - self.box.origin[1])

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) of the model, before convolution."""
        flux: FloatArray = self.spectrum * self.morph.sum(dtype=np.float64).astype(self.morph.dtype)
        return flux

    def model(self) -> FloatArray:
        """Model (band, y, x) on the box."""
        return self.spectrum[:, None, None] * self.morph

    def gradients(self, gradient: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradients of spectrum and morphology from that (band, y, x) by the model on the frame."""
        return factor_gradients(gradient, self.spectrum, self.morph, self.box.origin)

    def worker(self, config: FitConfig) -> FreeFormWorker:
        """Return what carries this component through a fit."""
        return FreeFormWorker(self, config)


@dataclass(slots=True)
class FreeFormWorker:
    """A free-form component under way."""

    now: FreeFormComponent
    config: FitConfig
    for_spectrum: Optimizer = field(init=False)
    for_morph: Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.for_spectrum = make_optimizer(adaptive_scheme(self.config), self.now.spectrum)
        self.for_morph = make_optimizer(adaptive_scheme(self.config), self.now.morph)

    def component(self) -> FreeFormComponent:
        """Return the component as it is now."""
        return self.now

    def add_to(self, scene: FloatArray) -> None:
        """Add the model to a frame (band, y, x), in place."""
        add_product(scene, self.now.spectrum, self.now.morph, self.now.box.origin)

    def update(self, gradient: FloatArray, iteration: int, noise: FloatArray) -> None:
        """Step both factors along the gradient (band, y, x) by the model on the frame."""
        now = self.now
        noise = np.where(np.isfinite(noise), noise, 0).astype(gradient.dtype)
        for_spectrum, for_morph = now.gradients(gradient)
        spectrum = self.for_spectrum.update(
            now.spectrum.copy(),
            for_spectrum,
            SPECTRUM_STEP * float(now.spectrum.mean()),
            iteration,
            floor_spectrum,
        )
        # The scale belongs to the morphology: what the spectrum loses when it is normalised goes there.
        scale = spectrum.sum()
        spectrum = spectrum / scale
        level = sparsity_level(spectrum, self.config.bg_thresh * noise)
        step = max(MORPH_STEP * float(now.morph.max()), NOISE_STEP * float(noise.sum()))

        def _project(morph: FloatArray) -> FloatArray:
            morph = sparsify(morph, level)
            if now.connected:
                morph = np.where(connected_to(morph > 0, now.peak, now.min_area), morph, 0).astype(morph.dtype)
            morph[now.peak] = max(morph[now.peak], SPECTRUM_FLOOR)
            return morph

        morph = self.for_morph.update(now.morph * scale, for_morph, step, iteration, _project)
        self.now = replace(now, spectrum=spectrum, morph=morph)
