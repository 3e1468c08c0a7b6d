"""Deconvolution of one band of a coadd, tile by tile, with the PSF of each tile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .mend import mend
from .stencils import Stencils
from .tiling import blocks, row_strips, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray
    from .band_pixels import BandPixels
    from .config import DeconvolveConfig

    Plane: TypeAlias = NDArray[np.float32]

__all__ = ["BandField", "deconvolve_band"]

START_MOMENTUM = 4.0
"""Where the sequence t of the accelerated updates starts: any start of 1 or more converges (Chambolle & Dossal 2015,
J. Optim. Theory Appl. 166, 968).  From 4 on, 12 updates are closer to 16 that start at 1 than those are to 60 plain
ones."""


@dataclass(frozen=True, eq=False)
class BandField:
    """A band, and the kernels that take a model to its seeing.

    Parameters
    ----------
    pixels : BandPixels
        Its ``kernel`` and ``kernels`` are the PSFs of the tiles.
    stamps : mapping of int to array (h, w)
        Difference kernels by the `id` of the PSF.
    wanted : bool array (y, x)
        Pixels where the model may be positive.
    side : int
        Of the tiles, pixels.
    """

    pixels: BandPixels
    stamps: Mapping[int, FloatArray]
    wanted: BoolArray
    side: int

    @property
    def frame(self) -> Box:
        """All pixels."""
        return Box((0, 0), self.pixels.shape)

    @cached_property
    def image(self) -> FloatArray:
        """Pixels (y, x) as compiled loops take them: files may bring their bytes in another order."""
        image = self.pixels.image
        return image.astype(image.dtype.newbyteorder("="), copy=False)

    @cached_property
    def unusable(self) -> BoolArray:
        """Pixels (y, x) that do not count."""
        return np.concatenate([~self.pixels.usable(rows) for rows in row_strips(self.pixels.shape)])

    @cached_property
    def reach(self) -> tuple[int, int]:
        """Largest half sides of the kernels."""
        h, w = np.max([stamp.shape for stamp in self.stamps.values()], axis=0)
        return int(h) // 2, int(w) // 2

    @cached_property
    def _stencils(self) -> dict[int, Stencils]:
        """Kernel (0, turned, so that correlating with it is to convolve) and its transpose (1), by the PSF's id."""
        inner = min(self.side, self.pixels.shape[0]), min(self.side, self.pixels.shape[1])
        made = {}
        for name, stamp in self.stamps.items():
            margin = [(r - side // 2,) * 2 for r, side in zip(self.reach, stamp.shape, strict=True)]
            wide = np.pad(stamp, margin)
            made[name] = Stencils.of([wide[::-1, ::-1], wide], inner, np.float32)
        return made

    @cached_property
    def gain(self) -> float:
        """Largest factor by which a kernel amplifies a frequency."""
        return max(float(np.abs(stencils.transforms[1]).max()) for stencils in self._stencils.values())

    def on(self, tile: Box) -> Stencils:
        """Stencils of a tile."""
        return self._stencils[id(self.pixels.kernel_on(tile))]

    def tiles(self) -> Iterator[tuple[Box, tuple[slice, slice]]]:
        """Tiles on which the model may be positive, and their slices."""
        for tile in tiles(self.pixels.shape, self.side):
            here = tile.slices_in(self.frame)
            if self.wanted[here].any():
                yield tile, here

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks on which the model may be positive."""
        return tuple(block for block in self._all_blocks() if self.wanted[block.here].any())

    @cached_property
    def seen_blocks(self) -> tuple[Block, ...]:
        """Blocks that light of the model reaches."""
        around = ((block, block.box.grow(self.reach) & self.frame) for block in self._all_blocks())
        return tuple(block for block, wide in around if self.wanted[wide.slices_in(self.frame)].any())

    def _all_blocks(self) -> Iterator[Block]:
        """Parts of tiles that are transformed together."""
        for tile in tiles(self.pixels.shape, self.side):
            stencils = self.on(tile)
            for box in blocks(tile, stencils.block):
                yield Block(box, box.slices_in(self.frame), stencils)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Pixels that are transformed together.

    Parameters
    ----------
    box : Box
    here : tuple of slice
        Its place in the frame.
    stencils : Stencils
        Kernels of its tile.
    """

    box: Box
    here: tuple[slice, slice]
    stencils: Stencils

    @property
    def place(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """First pixel of it in what `Stencils.filtered` gives, the same in the frame, and its shape."""
        return self.stencils.reach, self.box.origin, self.box.shape


def deconvolve_band(field: BandField, config: DeconvolveConfig) -> tuple[Plane, int]:
    """Least-squares deconvolution with positivity, by projected gradients.

    With ``config.accelerate`` each update starts ahead of the model, in the direction in which it moved (FISTA: Beck &
    Teboulle 2009, SIAM J. Imaging Sci. 2, 183).  The residual of unusable pixels is 0: their neighbours decide.  Other
    weights would hold back what is bright, whose noise is larger, so that it stayed blurred.

    Residuals of a tile are computed with the kernel of the tile, from the model in the tile and around it as far as the
    kernel reaches: with one kernel the result does not depend on the tiles.

    Returns
    -------
    float32 array (y, x)
        At least 0, and 0 where it is not wanted.
    int
        Number of updates.
    """
    model = _start(field)
    ahead = model.copy() if config.accelerate else model
    residual = np.zeros_like(model)
    momentum, before = START_MOMENTUM, np.inf
    for n in range(config.max_iter):
        _residual(field, ahead, residual)
        # Nobody needs the loss where updates go on in any case.
        if config.e_rel > 0:
            loss = _loss(field, residual)
            if n > config.min_iter and abs(loss - before) < config.e_rel * loss:
                return model, n
            before = loss
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        beta = (momentum - 1) / following if config.accelerate else 0.0
        _update(field, residual, (model, ahead), beta)
        momentum = float(following)
    return model, config.max_iter


def _start(field: BandField) -> Plane:
    """Image where the model may be positive, with unusable pixels interpolated over."""
    model = np.zeros(field.pixels.shape, dtype=np.float32)
    for tile, here in field.tiles():
        psf = field.pixels.kernel_on(tile)
        around = tile.grow((psf.shape[0] // 2, psf.shape[1] // 2)) & field.frame
        pixels = field.pixels.on(around)
        part = mend(pixels.image, ~pixels.usable, psf)[tile.slices_in(around)]
        model[here] = np.where(field.wanted[here], np.maximum(part, 0), 0)
    return model


def _residual(field: BandField, model: Plane, residual: Plane) -> None:
    """Set ``residual`` to image − kernel ∗ model on the usable pixels."""
    from ._deconvolution_kernels import subtract  # noqa: PLC0415 - loads the compiler

    for block in field.seen_blocks:
        seen = block.stencils.filtered(model, block.box, 0)
        subtract(seen, block.place, field.image, field.unusable, residual)


def _loss(field: BandField, residual: Plane) -> float:
    """Half the sum of squares of the residual."""
    parts = (residual[block.here] for block in field.seen_blocks)
    return 0.5 * sum(float(np.einsum("yx,yx->", part, part, dtype=np.float64)) for part in parts)


def _update(field: BandField, residual: Plane, models: tuple[Plane, Plane], beta: float) -> None:
    """Move the model along the gradient from where it was ahead, and that by the fraction ``beta`` of the move."""
    from ._deconvolution_kernels import advance  # noqa: PLC0415 - loads the compiler

    steps = (np.float32(1 / field.gain**2), np.float32(beta))
    for block in field.blocks:
        gradient = block.stencils.filtered(residual, block.box, 1)
        advance(gradient, block.place, steps, field.wanted, models)
