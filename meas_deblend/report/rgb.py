"""Colour pictures of multi-band images: Lupton et al. (2004), PASP 116, 133.

The stretch is a value of its own: it is fixed once, from the data, and then used for the model and the residual
too, so that the same colour means the same flux in every panel of a figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from .bands import MAX_COLOUR_BANDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray

__all__ = ["MASKED_GREY", "AsinhStretch", "channel_map", "to_rgb"]

MASKED_GREY = 96
"""Value (0 … 255) of all three channels where there is no data: no stretch makes it from flux and noise alone."""

_THIRD = 1 / 3
# Rows red, green, blue; columns bands from short to long wavelength. Each band is spread over neighbouring
# channels so that all bands are seen, and green peaks in the middle band.
_ROWS: dict[int, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    1: ((1,), (1,), (1,)),
    2: ((0, 1), (0.5, 0.5), (1, 0)),
    3: ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    4: ((0, 0, _THIRD, 1), (0, 2 * _THIRD, 2 * _THIRD, 0), (1, _THIRD, 0, 0)),
    5: ((0, 0, 0, 2 * _THIRD, 1), (0, _THIRD, 1, _THIRD, 0), (1, 2 * _THIRD, 0, 0, 0)),
    6: (
        (0, 0, 0, _THIRD, 2 * _THIRD, 1),
        (0, _THIRD, 2 * _THIRD, 2 * _THIRD, _THIRD, 0),
        (1, 2 * _THIRD, _THIRD, 0, 0, 0),
    ),
}
_DIVISORS = {1: 1.0, 2: 1.0, 3: 1.0, 4: 4 / 3, 5: 5 / 3, 6: 2.0, 7: 2.0}

_BLACK = 2.0  # black lies this many standard deviations of the sky below 0, so that its noise is not cut off
_NOISE_LEVEL = 12.0  # brightness (0 … 255) at which one standard deviation of the sky is drawn
_WHITE_PERCENTILE = 99.7
_MIN_WHITE = 20.0  # a field without sources is drawn with this many sky deviations as white, not as bright noise
_BALANCE_POWER = 0.6  # 0 keeps the catalogued colours, 1 makes the average object white
_BALANCE_RANGE = 4.0


def channel_map(n_bands: int) -> NDArray[np.float64]:
    """Weights that mix bands, in order of wavelength, into red, green and blue.

    Parameters
    ----------
    n_bands : int
        1 … 7.

    Returns
    -------
    float64 array (3, band)
        Rows red, green, blue. All rows have the same sum, so that a source that is equally bright in every band
        is grey.

    Raises
    ------
    ValueError
        If there is no map for this number of bands.
    """
    if not 1 <= n_bands <= MAX_COLOUR_BANDS:
        raise ValueError(f"a colour picture takes 1 to {MAX_COLOUR_BANDS} bands, got {n_bands}: choose some of them")
    if n_bands == MAX_COLOUR_BANDS:
        rows = np.hstack([np.array(_ROWS[6]), np.full((3, 1), 2 * _THIRD)])
    else:
        rows = np.array(_ROWS[n_bands], dtype=np.float64)
    return rows / _DIVISORS[n_bands]


@dataclass(frozen=True, slots=True)
class AsinhStretch:
    """How flux becomes brightness: linear for faint pixels, logarithmic for bright ones.

    With the intensity ``I = (r + g + b) / 3 - minimum``, every channel is multiplied by
    ``f(I) = 25.5 asinh(q I / stretch) / (asinh(0.1 q) I)``, so that ``I = 0.1 stretch`` has brightness 25.5
    whatever ``q`` is (Lupton et al. 2004, equations 1-3). Colours do not depend on brightness.

    Parameters
    ----------
    minimum : float
        Intensity that is drawn black, image units.
    stretch : float
        Intensity scale of the linear part, image units, > 0.
    q : float
        Softening: how strongly bright pixels are compressed, > 0.
    weights : tuple of float
        Factor per band, in the order of the cube, that is applied first (white balance); empty: 1.

    Raises
    ------
    ValueError
        If ``stretch`` or ``q`` is not above 0.
    """

    minimum: float
    stretch: float
    q: float
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("stretch", "q"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} of a stretch must be above 0, got {value}")

    @classmethod
    def from_images(cls, images: FloatArray, noise: FloatArray | None = None) -> AsinhStretch:
        """Stretch that shows the sky's noise as dark grey and the brightest sources just below white.

        Doubling all fluxes gives the same picture.

        Parameters
        ----------
        images : float array (band, y, x)
            Background-subtracted images, bands in order of wavelength. NaN is ignored.
        noise : float array (band,), optional
            Standard deviation of a sky pixel per band, image units; by default 1.4826 times the median absolute
            value, which is too large where sources cover most of the image.
        """
        cube = np.asarray(images, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            if noise is None:
                noise = np.array([_or(1.4826 * _median(np.abs(plane)), 0.0) for plane in cube])
            sigma = np.nan_to_num(np.asarray(noise, dtype=np.float64))
            weights = _white_balance(cube, sigma)
            channels = np.tensordot(channel_map(len(cube)) * weights, cube, axes=1)
        mix = channel_map(len(cube)).mean(axis=0) * weights
        intensity, top = channels.mean(axis=0), channels.max(axis=0)
        finite = intensity[np.isfinite(intensity)]
        sky = float(np.sqrt(np.sum((mix * sigma) ** 2)))
        bright = float(np.percentile(finite, _WHITE_PERCENTILE)) if finite.size else 0.0
        if sky == 0:
            sky = max(bright, 0.0) / _MIN_WHITE or 1.0  # images without noise
        stretch = sky * 255 / _NOISE_LEVEL
        white = max(bright + _BLACK * sky, _MIN_WHITE * sky)
        with np.errstate(invalid="ignore"):
            core = intensity >= max(bright, 5 * sky)
        colour = float(np.clip(np.median(top[core] / intensity[core]), 1, 3)) if core.any() else 1.0
        return cls(-_BLACK * sky, stretch, _softening(white / stretch, colour), tuple(float(w) for w in weights))


def to_rgb(cube: FloatArray, stretch: AsinhStretch, mask: BoolArray | None = None) -> NDArray[np.uint8]:
    """Colour picture of a cube.

    Pixels that would be brighter than white are scaled down as a whole, so that their colour is kept
    (Lupton et al. 2004, section 2).

    Parameters
    ----------
    cube : float array (band, y, x)
        Bands in order of wavelength (`bands.display_order`), 1 to 7 of them; image units.
    stretch : AsinhStretch
        Made from the data, whatever the cube shows.
    mask : bool array (y, x) or (band, y, x), optional
        Pixels without data in any band are drawn in `MASKED_GREY`, like those that are not finite.

    Returns
    -------
    uint8 array (y, x, 3)
        Red, green, blue.

    Raises
    ------
    ValueError
        If the number of bands has no channel map, or differs from the number of weights of the stretch.
    """
    planes = np.asarray(cube, dtype=np.float64)
    if stretch.weights:
        if len(stretch.weights) != len(planes):
            raise ValueError(f"the stretch was made for {len(stretch.weights)} bands, the cube has {len(planes)}")
        planes = planes * np.array(stretch.weights)[:, None, None]
    unusable = ~np.isfinite(planes).all(axis=0)
    if mask is not None:
        unusable |= mask if mask.ndim == 2 else mask.any(axis=0)
    planes = np.where(unusable, 0.0, planes)
    channels = np.tensordot(channel_map(len(planes)), planes, axes=1) - stretch.minimum
    intensity = channels.mean(axis=0)
    lit = np.where(intensity > 0, intensity, 1.0)
    scale = 25.5 / np.arcsinh(0.1 * stretch.q)
    factor = np.where(intensity > 0, np.arcsinh(lit * stretch.q / stretch.stretch) * scale / lit, 0.0)
    values = np.clip(channels * factor, 0, None)
    top = values.max(axis=0)
    values *= 255 / np.maximum(top, 255)
    rgb = np.moveaxis(np.rint(values).astype(np.uint8), 0, -1)
    rgb[unusable] = MASKED_GREY
    return rgb


def _white_balance(cube: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that move the colour of all detected light towards white, 1 where nothing is detected."""
    with np.errstate(divide="ignore", invalid="ignore"):
        significance = np.nansum(cube / sigma[:, None, None], axis=0) / np.sqrt(len(cube))
    detected = np.nan_to_num(significance, posinf=0.0) > 5
    light = np.array([np.nansum(plane[detected]) for plane in cube])
    if not (light > 0).any():
        return np.ones(len(cube))
    mean = light[light > 0].mean()
    ratio = np.clip(mean / np.maximum(light, mean / 1e6), 1 / _BALANCE_RANGE**2, _BALANCE_RANGE**2)
    weights: NDArray[np.float64] = np.clip(ratio**_BALANCE_POWER, 1 / _BALANCE_RANGE, _BALANCE_RANGE)
    return weights


def _softening(white: float, colour: float) -> float:
    """``q`` that gives an intensity of ``white`` stretches the brightness 255 in its brightest channel.

    That channel is ``colour`` times brighter than the mean of the three (1 … 3), so that
    ``asinh(q white) = 10 asinh(0.1 q) / colour``.
    """
    # The left side wins near 0 if white * colour > 1; below, a linear stretch does not reach 255. Far out the right
    # side wins with its power of 10 / colour > 3.
    if white * colour <= 1.001:
        return 1e-3
    log_q = optimize.brentq(
        lambda t: float(np.arcsinh(np.exp(t) * white) - 10 / colour * np.arcsinh(0.1 * np.exp(t))), -9.0, 40.0
    )
    return float(np.exp(log_q))


def _median(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _or(value: float, fallback: float) -> float:
    return value if np.isfinite(value) else fallback
