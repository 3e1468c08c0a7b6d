"""The sky between the sources: which pixels show it, how bright and how noisy it is, and how it is subtracted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation, generate_binary_structure, uniform_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray

__all__ = ["SkyStatistics", "measure_sky", "sky_pixels", "subtract_background"]

MAD_TO_SIGMA = 1.4826

# Sides of the smoothing box, and growth of what is found in it: seeing-limited wings reach about that far.
_SMOOTHING = 5
_GROWTH = 4
_BOX_THRESHOLD = 3.5
_PIXEL_THRESHOLD = 4.5

# Pixels of a patch that its level is found from.
_MOST = 200_000

# Cells of a background mesh: several times the size of all but the largest galaxies, whose outskirts would else be
# subtracted; smaller images get a constant.
MESH = 128


class SkyStatistics(NamedTuple):
    """Sky of one image.

    Parameters
    ----------
    level : float
        Median of the sky pixels, image units.
    sigma : float
        Standard deviation of a sky pixel, from the pixels below the level, which no source has made brighter.
    n : int
        Number of sky pixels.
    fraction : float
        Their share of the usable pixels.
    pixels : bool array
        Where they are; of the shape of the image.
    """

    level: float
    sigma: float
    n: int
    fraction: float
    pixels: BoolArray


def measure_sky(image: FloatArray, bad: BoolArray, margin: int = 0) -> SkyStatistics:
    """Find the sky pixels and measure them.

    A first level (clipped at 3 σ, mode = 2.5 median - 1.5 mean; Bertin & Arnouts 1996) and the scatter below it
    define what is significant: pixels above 4.5 σ, and 5 × 5 boxes whose mean is above 3.5 σ of a mean of white noise.
    These are grown by 4 pixels; the rest is sky.  Noise that is taken for sources lowers the level by 0.002 σ.

    Parameters
    ----------
    image : array (y, x) or (strip, y, x)
        Pixels; strips of one image have the first level in common, and none is blurred into another.
    bad : bool array
        Pixels that are not used; of the same shape.
    margin : int, optional
        Rows at both ends in ``y`` that show which sources are near, but do not count as sky.

    Returns
    -------
    SkyStatistics
        With NaN where no pixel shows sky.
    """
    usable = ~bad & np.isfinite(image)
    if not usable.any():
        return SkyStatistics(np.nan, np.nan, 0, 0.0, usable)
    clipped = _clip(image[usable])
    mode = 2.5 * float(np.median(clipped)) - 1.5 * float(clipped.mean())
    sigma = _scatter_below(clipped, mode)
    above = np.where(usable, image - mode, 0.0)
    sky = usable & ~_near_sources(above, sigma)
    height = image.shape[-2]
    sky[..., :margin, :] = False
    sky[..., height - margin :, :] = False
    n = int(np.count_nonzero(sky))
    if n == 0:
        return SkyStatistics(np.nan, np.nan, 0, 0.0, sky)
    values = _clip(image[sky])
    level = float(np.median(values))
    among = int(np.count_nonzero(usable[..., margin : height - margin, :]))
    return SkyStatistics(level, _scatter_below(values, level), n, n / among, sky)


def _near_sources(above: FloatArray, sigma: float) -> BoolArray:
    """Pixels that stand out of noise of ``sigma``, grown; ``above`` (…, y, x) has its level subtracted."""
    along = (1,) * (above.ndim - 2)
    boxes = uniform_filter(above, (*along, _SMOOTHING, _SMOOTHING)) * _SMOOTHING
    bright = (boxes > _BOX_THRESHOLD * sigma) | (above > _PIXEL_THRESHOLD * sigma)
    cross = generate_binary_structure(2, 1).reshape(*along, 3, 3)
    return np.asarray(binary_dilation(bright, cross, iterations=_GROWTH))


def sky_pixels(image: FloatArray, bad: BoolArray) -> BoolArray:
    """Pixels (y, x) that show the sky and no source; see :func:`measure_sky`."""
    return measure_sky(image, bad).pixels


def subtract_background(image: FloatArray, bad: BoolArray) -> tuple[FloatArray, float, str]:
    """Subtract the sky from an image.

    Images of at least two cells of 128 px on both sides get a mesh of local levels over the sky pixels (sep, the
    algorithm of Bertin & Arnouts 1996), smaller ones a constant.

    Parameters
    ----------
    image : array (y, x)
        Pixels; not changed.
    bad : bool array (y, x)
        Pixels that are not used.

    Returns
    -------
    array (y, x)
        Image without its sky, of the same type.
    float
        Median level that was subtracted, 0 if no pixel shows sky.
    str
        What was done, in words.
    """
    sky = measure_sky(image, bad)
    if sky.n == 0:
        return image.copy(), 0.0, "no background was subtracted: no pixel shows the sky"
    if min(image.shape) < 2 * MESH:
        constant = np.asarray(image - sky.level, dtype=image.dtype)
        return constant, sky.level, f"a constant background of {sky.level:.5g} was subtracted ({sky.n} sky pixels)"
    # A gradient would be taken for sources, so these are looked for once its first estimate is gone.
    first = _mesh(image, bad)
    mesh = _mesh(image, ~sky_pixels(image - first, bad))
    level, low, high = float(np.median(mesh)), float(mesh.min()), float(mesh.max())
    note = f"a background between {low:.5g} and {high:.5g} was subtracted (median {level:.5g}, cells of {MESH} px)"
    return np.asarray(image - mesh, dtype=image.dtype), level, note


def _mesh(image: FloatArray, masked: BoolArray) -> NDArray[np.float32]:
    """Smooth background (y, x) through the levels of cells of ``MESH`` px, without the ``masked`` pixels."""
    import sep  # noqa: PLC0415 - slow to load, so only where it is used

    masked = masked | ~np.isfinite(image)
    filled = np.ascontiguousarray(np.where(masked, 0.0, image), dtype=np.float32)
    # A median over 3 × 3 cells drops those that a large galaxy fills; with fewer than 5 cells it would drop gradients.
    median = 3 if min(image.shape) >= 5 * MESH else 1
    background = sep.Background(filled, mask=masked, bw=MESH, bh=MESH, fw=median, fh=median)
    return np.asarray(background.back(), dtype=np.float32)


def _clip(values: FloatArray) -> NDArray[np.float64]:
    """``values`` (n,) without those more than 3 σ from their median, repeated until none is left to drop.

    Of very many values, evenly spaced ones are used.
    """
    # As many pixels tell the level to 0.003 σ; all of a patch would take ten seconds.
    kept = values[:: max(1, values.size // _MOST)].astype(np.float64)
    for _ in range(20):
        off = np.abs(kept - np.median(kept))
        inside = off <= 3.0 * (MAD_TO_SIGMA * np.median(off))
        if inside.all():
            break
        kept = kept[inside]
    return kept


def _scatter_below(values: NDArray[np.float64], level: float) -> float:
    """Return the standard deviation of a Gaussian around ``level``, from the values (n,) below it."""
    return MAD_TO_SIGMA * float(np.median(level - values[values <= level]))
