"""What a figure shows, as values: arrays, marks and outlines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from .bands import display_order
from .rgb import AsinhStretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray, Footprint

__all__ = ["Mark", "Outline", "Scene", "SourceView"]

_SAMPLE_SIDE = 500  # pixels


@dataclass(frozen=True, slots=True)
class Mark:
    """A numbered position.

    Parameters
    ----------
    label : str
        Short: the child's number within the figure, or the end of its id; "" for a dot alone.
    y, x : float
        Position in pixels of the exposure.
    """

    label: str
    y: float
    x: float


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The border of a footprint, coloured by what became of it.

    Parameters
    ----------
    footprint : Footprint
    outcome : str
        "ok", "degraded", "failed" or "isolated" (`style.OUTCOME_COLORS`).
    """

    footprint: Footprint
    outcome: str = "ok"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Images and their model on one box, with what is to be drawn over them.

    Parameters
    ----------
    bands : tuple of str
        Names of the first axis of the cubes, in any order.
    images, model, variance : float array (band, y, x)
        Background-subtracted data, rendered model (image units) and variance (image units²).
    mask : bool array (band, y, x) or (y, x), optional
        Pixels that carry no usable flux.
    origin : tuple of int
        Pixel ``(y, x)`` of the exposure at the cubes' first pixel.
    unit : str
        Unit of the images, for titles and axes.
    pixel_scale : float, optional
        Arcseconds per pixel; a scale bar is drawn if it is known.
    marks : tuple of Mark
    outlines : tuple of Outline

    Raises
    ------
    ValueError
        If the arrays do not have one shape, or not one plane per band.
    """

    bands: tuple[str, ...]
    images: FloatArray
    model: FloatArray
    variance: FloatArray
    mask: BoolArray | None = None
    origin: tuple[int, int] = (0, 0)
    unit: str = "count"
    pixel_scale: float | None = None
    marks: tuple[Mark, ...] = field(default=())
    outlines: tuple[Outline, ...] = field(default=())

    def __post_init__(self) -> None:
        shape = self.images.shape
        if len(shape) != 3 or shape[0] != len(self.bands):
            raise ValueError(f"images must have shape (band, y, x) with {len(self.bands)} bands, got {shape}")
        for name in ("model", "variance"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have the images' shape {shape}, got {getattr(self, name).shape}")
        if self.mask is not None and self.mask.shape not in (shape, shape[1:]):
            raise ValueError(f"mask must have shape {shape} or {shape[1:]}, got {self.mask.shape}")

    @property
    def box(self) -> Box:
        """Where the cubes lie."""
        return Box(self.origin, (self.images.shape[1], self.images.shape[2]))

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Pixels that cannot be compared with the model (band, y, x)."""
        usable = np.isfinite(self.images) & np.isfinite(self.variance) & (self.variance > 0) & np.isfinite(self.model)
        return ~usable if self.mask is None else ~usable | self.mask

    @property
    def noise(self) -> NDArray[np.float64]:
        """Median standard deviation of a usable pixel per band (band,), image units; NaN without usable pixels."""
        bad = self.bad
        rms = [np.sqrt(np.median(v[~b])) if not b.all() else np.nan for v, b in zip(self.variance, bad, strict=True)]
        return np.array(rms, dtype=np.float64)

    def sorted_by_wavelength(self) -> Scene:
        """Return the scene with the bands that a colour picture can show, in order of wavelength."""
        order = list(display_order(self.bands))
        return replace(
            self,
            bands=tuple(self.bands[k] for k in order),
            images=self.images[order],
            model=self.model[order],
            variance=self.variance[order],
            mask=self.mask if self.mask is None or self.mask.ndim == 2 else self.mask[order],
        )

    def stretch(self) -> AsinhStretch:
        """Stretch of the data, for all panels; bands as `sorted_by_wavelength` gives them."""
        # Levels of a large field are known well enough from a regular sample of its pixels.
        step = max(1, max(self.box.shape) // _SAMPLE_SIDE)
        sample = (slice(None), slice(None, None, step), slice(None, None, step))
        images = np.where(self.bad[sample], np.nan, self.images[sample])
        return AsinhStretch.from_images(images, self.noise)

    def significance(self, band: int) -> NDArray[np.float64]:
        """Residual of the band with this index in σ (y, x): (data − model) / √variance; NaN where there is no data."""
        bad = self.bad[band]
        sigma = np.sqrt(np.where(bad, 1.0, self.variance[band]))
        out: NDArray[np.float64] = np.where(bad, np.nan, (self.images[band] - self.model[band]) / sigma)
        return out

    def combined_significance(self) -> NDArray[np.float64]:
        """Residual of all bands in σ (y, x): Σ_b r_b / √n over the n usable bands; NaN where there is none.

        If the model is right and the noise independent between bands, every pixel is a standard normal deviate.
        """
        total, n = np.zeros(self.box.shape), np.zeros(self.box.shape)
        for k in range(len(self.bands)):
            one = self.significance(k)
            n += np.isfinite(one)
            total += np.nan_to_num(one)
        out: NDArray[np.float64] = np.where(n > 0, total / np.sqrt(np.maximum(n, 1)), np.nan)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class SourceView:
    """What is shown of one child.

    Parameters
    ----------
    mark : Mark
        Its number and position.
    box : Box
        Where the cubes lie.
    model, pixels : float array (band, y, x)
        Its rendered model and its re-apportioned pixels, image units, bands as in the scene.
    flux, flux_err : float array (band,)
        Spectrum that is plotted, image units; NaN errors are not drawn.
    note : str
        Shown in the title, e.g. why it was degraded.
    """

    mark: Mark
    box: Box
    model: FloatArray
    pixels: FloatArray
    flux: FloatArray
    flux_err: FloatArray
    note: str = ""

    def __post_init__(self) -> None:
        shape = (*self.flux.shape, *self.box.shape)
        for name in ("model", "pixels"):
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} of source {self.mark.label!r} must have shape {shape}, got {getattr(self, name).shape}"
                )
        if self.flux_err.shape != self.flux.shape:
            raise ValueError(f"flux_err must have the shape {self.flux.shape} of flux, got {self.flux_err.shape}")
