"""First guess of a blend: one or two components per source, from a detection image or from templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Box, FloatArray
from .component import Component, resample
from .config import FitConfig
from .convolve import central_values
from .halfturn import symmetric_about
from .monotone import monotonic, monotonic_mask
from .observation import Observation, point_source_snr
from .proximal import floor_spectrum, symmetric
from .render import MorphRenderer
from .spectra import solve_spectra
from .stars import with_points

__all__ = ["initialize", "joint_spectra"]

Source = tuple[Component, ...]
Center = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """What one source's morphology starts from: an image (y, x) on the frame, and whether other sources are in it.

    ``position`` (y, x), if known, says where in its pixel the centre lies.
    """

    center: Center
    image: FloatArray
    crowded: bool
    position: tuple[float, float] | None = None


def initialize(
    observation: Observation,
    centers: Sequence[Center],
    start: FloatArray,
    config: FitConfig,
    positions: Sequence[tuple[float, float]] | None = None,
) -> tuple[Source, ...]:
    """Components of every source before the fit.

    Parameters
    ----------
    observation : Observation
    centers : sequence of (y, x)
        Pixels inside the frame.
    start : array (y, x) or (source, y, x)
        Detection image with all sources in the resolution of the model PSF and image units, or one template per
        source with arbitrary scale.
    config : FitConfig
    positions : sequence of (y, x), optional
        Where in their pixels the centres lie: detection images are made symmetric about them.

    Returns
    -------
    tuple of tuples of Component
        One entry per centre, none empty: a source whose image leaves nothing becomes a point source.
    """
    sources = []
    render = MorphRenderer(observation.convolver.kernels, observation.frame)
    together = _is_joint(len(centers), observation, config)
    for k, center in enumerate(centers):
        image = start if start.ndim == 2 else _in_image_units(start[k], center, observation)
        position = None if positions is None else positions[k]
        source = _source(_Start(center, image, start.ndim == 2, position), observation, config)
        if len(source) > 1 and not together:
            source = _solved(source, observation, config, render)
        sources.append(source)

    def _solve(some: tuple[Source, ...]) -> tuple[Source, ...]:
        return joint_spectra(some, observation, config, render)

    solved = _solve(tuple(sources))
    if config.point_source_snr is None:
        return solved
    return with_points(observation, solved, render, _solve, config.point_source_snr)


def _is_joint(sources: int, observation: Observation, config: FitConfig) -> bool:
    """Whether the spectra of so many sources are solved together: all of them are replaced then."""
    return config.spectra_limit is None or sources * observation.frame.area < config.spectra_limit


def joint_spectra(
    sources: tuple[Source, ...], observation: Observation, config: FitConfig, render: MorphRenderer | None = None
) -> tuple[Source, ...]:
    """Spectra of all components solved together, unless the blend exceeds the configured limit."""
    if not _is_joint(len(sources), observation, config):
        return sources
    fitted = iter(_solved([component for source in sources for component in source], observation, config, render))
    return tuple(tuple(next(fitted) for _ in source) for source in sources)


def _solved(
    components: Sequence[Component], observation: Observation, config: FitConfig, render: MorphRenderer | None
) -> Source:
    """Give the components the spectra that together explain the images best."""
    spectra = solve_spectra([(c.box, c.morph) for c in components], observation, config.spectra, render)
    return tuple(_with_spectrum(c, s) for c, s in zip(components, spectra, strict=True))


def _with_spectrum(component: Component, spectrum: FloatArray) -> Component:
    return replace(component, spectrum=floor_spectrum(spectrum.astype(component.spectrum.dtype)))


def _in_image_units(template: FloatArray, center: Center, observation: Observation) -> FloatArray:
    """Template scaled so that it stands for the sum over bands, as a detection image does."""
    clean = np.where(np.isfinite(template) & (template > 0), template, 0).astype(observation.images.dtype)
    scale = float(_central_spectrum(clean, center, observation).sum())
    return clean * scale if scale > 0 else clean


def _central_spectrum(image: FloatArray, center: Center, observation: Observation) -> FloatArray:
    """Ratio (band,) of the data to the rendered image at the centre; 0 where either is not positive."""
    rendered = central_values(image, center, observation.convolver.kernels.stamps)
    data = observation.images[:, *center]
    return np.divide(data, rendered, out=np.zeros_like(data), where=(rendered > 0) & (data > 0))


def _source(start: _Start, observation: Observation, config: FitConfig) -> Source:
    """Point source, single component, or bulge and disk, as the S/N allows."""
    single = None if config.max_components == 0 else _single(start, observation, config)
    if single is None:
        return (_point(start.center, observation),)
    kernels = observation.convolver.kernels
    snr = point_source_snr(observation.images, observation.variance, kernels.psfs, start.center)
    if np.floor(snr) / config.min_snr < 2 or config.max_components < 2:
        return (single,)
    return _bulge_and_disk(single, config)


def _single(start: _Start, observation: Observation, config: FitConfig) -> Component | None:
    """One component from the image around its centre; None if nothing significant is left of it."""
    noise = observation.noise[np.isfinite(observation.noise)]
    threshold = float(noise.mean()) * config.initial_bg_thresh if noise.size else 0.0
    if start.crowded:
        # The minimum with its own half turn removes neighbours; then only what falls from the peak is kept.
        if start.position is None:
            image = symmetric(start.image, start.center, fill=0.0)
        else:
            image = symmetric_about(start.image, start.position)
        valid = monotonic_mask(image, start.center, 1)
        shape = np.where(valid, image, 0)
    else:
        # A template of this source alone: project it onto the constraint instead of masking what noise raises.
        shape = monotonic(start.image, start.center)
        valid = shape > 0
    bounds = Box.from_mask(valid)
    if bounds.area <= 1 and not shape.max() > 0:
        return None
    if threshold > 0:
        shape = np.where(shape > threshold, shape, 0)
        bounds = Box.from_mask(shape > 0).grow(config.padding)
    largest = shape.max()
    if not largest > 0:
        return None
    box = bounds.grow(config.padding) & observation.frame
    morph = resample(shape, observation.frame, box)
    # The data at the centre hold the neighbours' light, and so does the whole image that they are divided by.
    spectrum = _central_spectrum(start.image, start.center, observation)
    return Component(start.center, box, floor_spectrum(spectrum * largest), morph / largest)


def _bulge_and_disk(single: Component, config: FitConfig) -> Source:
    """Cut the morphology at a fraction of its peak: what is below is the disk, what exceeds it the bulge.

    Their spectra, which add up to that of the whole at the peak, are to be solved for.
    """
    fraction = config.disk_percentile / 100
    disk = np.minimum(single.morph, fraction) / fraction
    bulge = np.maximum(single.morph - fraction, 0)
    bulge /= bulge.max()
    parts = ((bulge, 1 - fraction), (disk, fraction))
    return tuple(_with_spectrum(replace(single, morph=morph), single.spectrum * share) for morph, share in parts)


def _point(center: Center, observation: Observation) -> Component:
    """Put the model PSF at the centre, cut at the frame's edges."""
    kernels = observation.convolver.kernels
    h, w = kernels.model_psf.shape
    stamp = Box((center[0] - h // 2, center[1] - w // 2), (h, w))
    box = stamp & observation.frame
    morph = resample(kernels.model_psf, stamp, box)
    peaks = central_values(kernels.model_psf, (h // 2, w // 2), kernels.stamps)
    data = observation.images[:, *center]
    spectrum = np.divide(data, peaks, out=np.zeros_like(data), where=(peaks > 0) & (data > 0))
    largest = morph.max()
    return Component(center, box, floor_spectrum(spectrum * largest), morph / largest)
