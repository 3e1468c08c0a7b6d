"""A field of a survey in electrons, with the truth per source and band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np

from ..geometry import Box, Image
from ..image import MaskPlanes, MultibandExposure
from .contents import FieldContents, draw_contents
from .defects import PLANES, Defect, poison, saturate
from .noise import autocorrelation, correlated_noise, correlation_kernel, counted_electrons
from .optics import FourierPsf, KolmogorovPsf, MoffatTransformPsf, VaryingPsf
from .rendering import light_radius, render_source
from .wcs import tan_wcs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from .catalog import SimulatedSource
    from .catsim import GalaxyCatalog
    from .field_config import FieldConfig

__all__ = ["DrawnImages", "Renderer", "SimulatedField", "field_psfs", "observe_contents", "simulate_field"]

#: Draws a source with the PSFs of all bands on a stamp of a given half side.
Renderer: TypeAlias = "Callable[[SimulatedSource, Sequence[FourierPsf], int], Image]"

# Somewhere; fields of one seed lie side by side, a tenth of a degree apart.
_CENTER = (150.0, 2.2)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnImages(Sequence[Image]):
    """Images of sources that are drawn whenever they are asked for: those of a whole patch would fill the memory.

    Parameters
    ----------
    sources : tuple of SimulatedSource
    draw : callable
        Draws one.
    """

    sources: tuple[SimulatedSource, ...]
    draw: Callable[[SimulatedSource], Image]

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> Image: ...

    @overload
    def __getitem__(self, index: slice) -> DrawnImages: ...

    def __getitem__(self, index: int | slice) -> Image | DrawnImages:
        if isinstance(index, slice):
            return DrawnImages(self.sources[index], self.draw)
        return self.draw(self.sources[index])


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedField:
    """An exposure in electrons with its truth.

    Parameters
    ----------
    config : FieldConfig
        What was asked for.
    exposure : MultibandExposure
        Images, variances (sky + model), masks, PSFs, WCS and zero points; float32 pixels.
    sources : tuple of SimulatedSource
        Those of the truth, with ids from 1: galaxies before stars.
    images : sequence of Image
        Per source its noiseless image (B, h, w), convolved with the PSF, float32; boxes may reach beyond the exposure.
        Where ``config.kept_images`` is false each is drawn anew whenever it is asked for.
    undetected : tuple of SimulatedSource
        What is on the image besides, too faint to be in the truth.
    truth : dict of str to array (n,)
        Columns of the sources (`FieldContents.columns`).
    noise_correlation : float64 array (h, w)
        Autocorrelation ξ of the noise over pixel lags, ξ = 1 in the middle; (1, 1) for independent pixels.
    defects : tuple of Defect
        What was done to the images.
    """

    config: FieldConfig
    exposure: MultibandExposure
    sources: tuple[SimulatedSource, ...]
    images: Sequence[Image]
    undetected: tuple[SimulatedSource, ...]
    truth: dict[str, NDArray[Any]]
    noise_correlation: NDArray[np.float64]
    defects: tuple[Defect, ...] = ()

    def source_image(self, k: int) -> NDArray[np.float32]:
        """Noiseless image (B, y, x) of source ``k`` on the exposure's pixels: the truth of that source per band."""
        return np.asarray(self.images[k].project(self.exposure.box).array, dtype=np.float32)

    def noiseless(self) -> NDArray[np.float64]:
        """Sum of the images of the truth's sources (B, y, x)."""
        return _sum(self.images, self.exposure.box, len(self.exposure.bands))


def simulate_field(
    config: FieldConfig, catalog: GalaxyCatalog | None = None, render: Renderer = render_source
) -> SimulatedField:
    """Draw a field's contents, draw them on pixels, and observe them.

    Parameters
    ----------
    config : FieldConfig
        All options (`preset`).
    catalog : GalaxyCatalog, optional
        Galaxies to draw from, in place of random ones (`read_catalog`).
    render : callable
        Draws a source: `render_source`, or `render_with_galsim` for the same sources drawn by GalSim.

    Returns
    -------
    SimulatedField
        The same for the same config, catalog and renderer.

    Raises
    ------
    InputError
        If no galaxy of ``catalog`` reaches the signal to noise asked for, or the sources do not fit.
    """
    return observe_contents(draw_contents(config, catalog), config, render)


def observe_contents(contents: FieldContents, config: FieldConfig, render: Renderer = render_source) -> SimulatedField:
    """Draw given contents on pixels and observe them as ``config`` says (see `simulate_field`)."""
    psfs = field_psfs(config)
    sky = config.conditions.sky
    faintest = config.cut_level * np.sqrt(sky)

    def draw(source: SimulatedSource) -> Image:
        image = render(source, psfs, light_radius(source, psfs, faintest, config.max_radius))
        return Image(image.array.astype(np.float32), image.box)

    images: Sequence[Image] = DrawnImages(contents.sources, draw)
    if config.kept_images:
        images = tuple(images)
    box = Box((0, 0), config.shape)
    model = _sum(images, box, len(psfs))
    if contents.undetected:
        model += _sum(DrawnImages(contents.undetected, draw), box, len(psfs))
    # Fourier ringing may leave tiny negative values far from a source; they must not lower the variance.
    np.maximum(model, 0.0, out=model)
    pixels, variance, correlation = _observed(model, sky, config)
    exposure = _exposure(pixels, variance, psfs, config)
    exposure, defects = _with_defects(exposure, model, contents, config)
    truth = contents.columns(config, exposure.wcs)
    return SimulatedField(
        config, exposure, contents.sources, images, contents.undetected, truth, correlation, tuple(defects)
    )


def field_psfs(config: FieldConfig) -> tuple[FourierPsf, ...]:
    """PSF of each band of ``config``."""
    conditions, psfs = config.conditions, []
    center = ((config.shape[0] - 1) / 2, (config.shape[1] - 1) / 2)
    for name, fwhm in zip(conditions.names, conditions.fwhm_pixels, strict=True):
        psf: MoffatTransformPsf | KolmogorovPsf
        if config.psf == "moffat":
            psf = MoffatTransformPsf(float(fwhm), config.psf_beta, radius=config.psf_radius)
        else:
            hole = float(np.sqrt(conditions.obscuration))
            psf = KolmogorovPsf(float(fwhm), conditions.diffraction(name), hole, radius=config.psf_radius)
        v = config.psf_variation
        psfs.append(VaryingPsf(psf, center, float(np.hypot(*center)), v, 0.6 * v) if v else psf)
    return tuple(psfs)


def _observed(
    model: NDArray[np.float64], sky: NDArray[np.float64], config: FieldConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Pixels, variances and noise correlation, band after band: in double precision the cube is large enough once."""
    rng = np.random.default_rng([config.seed, config.index, 2])
    pixels, variance = (np.empty(model.shape, dtype=np.float32) for _ in range(2))
    kernel = np.ones((1, 1)) if config.noise_sum == 1 else correlation_kernel(config.noise_sum)
    for k, level in enumerate(sky):
        plane, expected = slice(k, k + 1), level + model[k : k + 1]
        variance[plane] = expected
        if config.noise_sum == 1:
            pixels[plane] = counted_electrons(rng, model[plane], sky[plane])
        else:
            pixels[plane] = model[plane] + correlated_noise(rng, expected, kernel)
    return pixels, variance, np.ones((1, 1)) if config.noise_sum == 1 else autocorrelation(kernel)


def _exposure(
    pixels: NDArray[np.float32], variance: NDArray[np.float32], psfs: Sequence[FourierPsf], config: FieldConfig
) -> MultibandExposure:
    conditions = config.conditions
    return MultibandExposure(
        bands=conditions.names,
        images=pixels,
        variance=variance,
        mask=np.zeros(pixels.shape, dtype=np.int32),
        psfs=tuple(psfs),
        mask_planes=MaskPlanes({name: bit for bit, name in enumerate(PLANES)}, PLANES),
        wcs=tan_wcs(config.shape, conditions.pixel_scale, (_CENTER[0] + 0.1 * config.index, _CENTER[1])),
        zeropoints=tuple(b.image_zeropoint for b in conditions.bands),
        units="electron",
        pixel_scale=conditions.pixel_scale,
    )


def _with_defects(
    exposure: MultibandExposure, model: NDArray[np.float64], contents: FieldContents, config: FieldConfig
) -> tuple[MultibandExposure, list[Defect]]:
    defects: list[Defect] = []
    if config.full_well is not None:
        levels = np.array([config.full_well * b.visits for b in config.conditions.bands])
        exposure, found = saturate(exposure, model, levels, bleed=config.poisoned)
        defects += found
    if config.poisoned:
        rng = np.random.default_rng([config.seed, config.index, 3])
        galaxies = [s for s in contents.sources if not s.is_star]
        brightest = max(galaxies, key=lambda s: float(s.flux.sum()), default=None)
        exposure, found = poison(rng, exposure, None if brightest is None else (brightest.y, brightest.x))
        defects += found
    return exposure, defects


def _sum(images: Iterable[Image], box: Box, bands: int) -> NDArray[np.float64]:
    total = np.zeros((bands, *box.shape))
    for image in images:
        here, there = image.box.overlap_slices(box)
        total[(..., *there)] += image.array[(..., *here)]
    return total
