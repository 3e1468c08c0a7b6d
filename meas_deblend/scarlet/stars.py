"""Bright point sources: found by how well the PSF explains them, so that the fit need not carve them out of pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from ..geometry import Box, FloatArray
from .compactness import broadenings
from .component import Component, PointComponent
from .kernels import kernel_transform
from .observation import Observation, point_source_snr
from .profiles import Resolution, point_images
from .proximal import floor_spectrum
from .render import MorphRenderer

__all__ = ["judged_points", "possible_points", "with_points"]

Source = tuple[Component, ...]
Solve = Callable[[tuple[Source, ...]], tuple[Source, ...]]

BACKGROUND = 0.03
"""Most light that may lie beneath a point source, beside noise, relative to its own (both as roots of summed squares,
in units of the noise): a galaxy with a bright nucleus has more."""

STEPS = 4
"""Gauss-Newton steps of a position: it starts within a pixel, and each step about squares the error."""

FARTHEST = 1.0
"""Largest distance in pixels of a position from the centre that was given."""

MODEL_ERROR = 0.003
"""Error of the PSF at its peak, as a fraction: what differs by less is not held against a point source."""

UNEXPLAINED = 0.25
"""Part of the signal, in units of the noise, that neighbours' first models may have taken or left."""

BROAD, FEIGNED = 0.03, 0.15
"""Broadening, relative to the signal, that the neighbours' first models, and a position half a pixel off, may feign."""

ROUGH, SETTLED = 0.1, 1e-3
"""Step of a position in pixels after which there need not be another, while the neighbours' models are rough and when
they are not."""

SIGNIFICANCE = 4.0
"""Standard deviations by which χ² may exceed its expectation."""

BROADER, UNSURE = 0.35, 30.0
"""Excess of the variance along an axis, in pixels², above which a source is not looked at: that of a galaxy with a
half-light radius of 0.7 pixels, and four errors, which are this over the S/N."""

WIDER = 0.1
"""Change of the model PSF's standard deviation, in pixels, by which broadening is measured."""

BROADENING = 3.0
"""Standard deviations by which a source may be broader than the PSF: χ² alone, of hundreds of pixels, would not notice
a galaxy that is so slightly."""


CLEAR = 100.0
"""S/N above which that can be told of all galaxies that matter. Fainter sources may not be broader than what would be
noticed at this S/N: a galaxy that passes for a star loses more light than a star that is fitted as a galaxy gains."""


def with_points(
    observation: Observation, sources: tuple[Source, ...], render: MorphRenderer, solve: Solve, limit: float
) -> tuple[Source, ...]:
    """Replace sources by point sources where they are bright and nothing but the PSF.

    A point source's morphology is known: neighbours 10⁴ times fainter can be measured beside it, which a morphology
    that is fitted pixel by pixel reaches after thousands of steps, if at all.  A source counts as one if the PSF at a
    fitted position, in free brightness in every band, explains the pixels of its core and its width to within the
    noise, the other sources' first models taken off.  They are taken off twice: a neighbour's first model holds light
    of a star as long as the star's own is not right.

    Parameters
    ----------
    observation : Observation
    sources : tuple of tuples of Component
        First guess, with solved spectra.
    render : MorphRenderer
        With which their morphologies were rendered.
    solve : callable
        Gives sources their best spectra together.
    limit : float
        Least S/N of a point source.

    Returns
    -------
    tuple of tuples of Component
        The same object if there is no point source.
    """
    psfs = observation.convolver.kernels.psfs
    snrs = [point_source_snr(observation.images, observation.variance, psfs, s[0].center) for s in sources]
    # With the neighbours' light a S/N is too high: it decides who is looked at more closely.
    bright = [k for k, snr in enumerate(snrs) if snr >= limit]
    if not bright:
        return sources
    excess = broadenings(observation, [sources[k][0].center for k in bright], _radius(observation))
    candidates = [k for k, broad in zip(bright, excess, strict=True) if broad <= BROADER + UNSURE / snrs[k]]
    now = sources
    for is_right, settled in ((_Match.is_possible, ROUGH), (_Match.is_good, SETTLED)):
        search = _Search.of(observation, now, render, settled)
        matches = {k: search.match(now[k], sources[k][0].center) for k in candidates}
        candidates = [k for k, match in matches.items() if match.snr >= limit and is_right(match)]
        if not candidates:
            return sources
        now = solve(tuple((search.component(matches[k]),) if k in candidates else s for k, s in enumerate(sources)))
    return now


def possible_points(
    observation: Observation, sources: tuple[Source, ...], render: MorphRenderer, limit: float
) -> dict[int, PointComponent]:
    """Find fitted sources that may be point sources, once what they took of their neighbours' light is given back.

    Parameters
    ----------
    observation, render
        As for `with_points`.
    sources : tuple of tuples of Component
        Fitted together.
    limit : float
        Least S/N of a point source.

    Returns
    -------
    dict of int to PointComponent
        By the places of the sources; those that are point sources already are left out.
    """
    search = _Search.of(observation, sources, render, SETTLED)
    out = {}
    for k, source in enumerate(sources):
        if isinstance(source[0], PointComponent) or search.snr(source[0].center) < limit:
            continue
        match = search.match(source, source[0].center)
        if match.snr >= limit and match.is_possible():
            out[k] = search.component(match)
    return out


def judged_points(
    observation: Observation, sources: tuple[Source, ...], render: MorphRenderer
) -> tuple[set[int], set[int]]:
    """Judge the point sources among fitted sources; parameters as for `possible_points`.

    Returns
    -------
    narrow : set of int
        Places of those that have the shape of the PSF.
    good : set of int
        Those of them that have no halo either, which a neighbour that is drawn too narrow may feign.
    """
    search = _Search.of(observation, sources, render, SETTLED)
    points = [k for k, source in enumerate(sources) if isinstance(source[0], PointComponent)]
    matches = {k: search.match(sources[k], sources[k][0].center) for k in points}
    return {k for k in points if matches[k].is_narrow()}, {k for k in points if matches[k].is_good()}


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """The PSF at a position, fitted to the pixels around a source: fluxes (band,), S/N, χ², degrees of freedom.

    ``width`` is the significance of a broadening of the PSF, ``background`` the sum of
    squares of the light beneath the source that neither it nor the neighbours' models explain, in units of the noise.
    """

    position: FloatArray
    flux: FloatArray
    snr: float = 0.0
    chi2: float = np.inf
    freedom: int = 0
    width: float = 0.0
    background: float = 0.0

    def is_possible(self) -> bool:
        """Whether better models of the neighbours may bring χ² down to what noise makes."""
        if self.is_good():
            return True
        return self.chi2 <= self.freedom + (UNEXPLAINED * self.snr) ** 2 and self.width <= BROADENING + BROAD * self.snr

    def is_narrow(self) -> bool:
        """Whether χ² and width are what noise makes."""
        return self.chi2 <= _by_chance(self.freedom) and self.width <= BROADENING * min(1.0, self.snr / CLEAR)

    def is_good(self) -> bool:
        """Whether it is narrow, and there is no halo."""
        halo = _by_chance(3 * len(self.flux)) + (BACKGROUND * self.snr) ** 2
        return self.is_narrow() and self.background <= halo


def _radius(observation: Observation) -> int:
    """Radius in pixels of a disc with the noise-equivalent area of the widest PSF."""
    kernels = observation.convolver.kernels
    psfs = kernels.psfs[kernels.known].astype(np.float64)
    area = psfs.sum(axis=(1, 2)) ** 2 / np.sum(psfs**2, axis=(1, 2))
    return int(np.ceil(np.sqrt(area.max(initial=1) / np.pi)))


def _by_chance(freedom: int) -> float:
    """χ² of so many degrees of freedom that noise does not exceed."""
    return freedom + SIGNIFICANCE * float(np.sqrt(2 * freedom))


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What the tests of all sources share."""

    observation: Observation
    sources: Sequence[Source]
    render: MorphRenderer
    resolution: Resolution
    radius: int
    settled: float

    @classmethod
    def of(cls, observation: Observation, sources: Sequence[Source], render: MorphRenderer, settled: float) -> _Search:
        resolution = Resolution.of(observation.convolver.kernels.model_psf)
        return cls(observation, sources, render, resolution, _radius(observation), settled)

    def snr(self, center: tuple[int, int]) -> float:
        """S/N of a point source at ``center``, all light that is seen there its own."""
        seen = self.observation
        return point_source_snr(seen.images, seen.variance, seen.convolver.kernels.psfs, center)

    def match(self, source: Source, center: tuple[int, int]) -> _Match:
        """Fit the PSF to what the other sources leave around ``center``; one that walks away does not match."""
        window = Box(center, (1, 1)).grow(self.radius) & self.observation.frame
        data, weights = self._core(source, center, window)
        place = source[0].position if isinstance(source[0], PointComponent) else center
        match = _Match(np.array(place, dtype=np.float64), np.zeros(len(data)))
        for _ in range(STEPS):
            before, match = match.position, self._improved(match, window, data, weights)
            if np.abs(match.position - center).max() > FARTHEST:
                return replace(match, chi2=np.inf)
            if match.width > BROADENING + FEIGNED * match.snr or np.abs(match.position - before).max() < self.settled:
                break
        return match

    def _core(self, source: Source, center: tuple[int, int], window: Box) -> tuple[FloatArray, FloatArray]:
        """Images (band, y, x) without the other sources, and weights, of a disc around ``center``."""
        cut = (slice(None), *window.slices_in(self.observation.frame))
        data = self.observation.images[cut].astype(np.float64)
        for component in (c for other in self.sources if other is not source for c in other):
            if not (self._reach(component.box) & window).is_empty:
                box, cube = self.render(component.morph, component.box)
                here, there = box.overlap_slices(window)
                data[:, *there] -= component.spectrum[:, None, None] * cube[:, *here]
        y, x = np.ogrid[window.origin[0] : window.stop[0], window.origin[1] : window.stop[1]]
        disc = (y - center[0]) ** 2 + (x - center[1]) ** 2 <= self.radius**2
        return data, np.where(disc, self.observation.weights[cut], 0).astype(np.float64)

    def _reach(self, box: Box) -> Box:
        return box.grow(self.observation.convolver.kernels.radius)

    def _improved(self, last: _Match, window: Box, data: FloatArray, weights: FloatArray) -> _Match:
        """Fit the fluxes at a position, and take a Gauss-Newton step of it (variable projection, Golub & Pereyra 1973).

        A plane in every band takes what the models of the neighbours leave. χ² is that before the step.
        """
        psf, *slopes, broader = self._rendered(last.position, window)
        softened = weights / (1 + weights * (MODEL_ERROR * last.flux[:, None, None] * psf) ** 2)
        space = _Space.of(softened)
        star, seen = space.flat(psf), space.flat(data)
        alone, left = space.without_planes(star), space.without_planes(seen)
        norm = np.sum(alone**2, axis=1)
        inverse = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
        flux = np.sum(alone * left, axis=1) * inverse
        residual = left - flux[:, None] * alone
        plane = seen - flux[:, None] * star - residual

        def _free(change: FloatArray) -> FloatArray:
            # What neither the fluxes nor the planes can undo of it.
            part = space.without_planes(space.flat(change))
            out: FloatArray = flux[:, None] * (part - (np.sum(alone * part, axis=1) * inverse)[:, None] * alone)
            return out.ravel()

        moves = np.stack([_free(change) for change in slopes], axis=1)
        step = np.linalg.lstsq(moves, residual.ravel(), rcond=None)[0]
        change = _free(broader)
        spread = float(np.sqrt(change @ change))
        signal = float(np.sqrt(np.sum(np.maximum(flux, 0)[:, None] ** 2 * star**2)))
        return _Match(
            last.position + step,
            flux,
            snr=signal,
            chi2=float(np.sum(residual**2)),
            freedom=max(int(np.count_nonzero(weights)) - 4 * int(np.count_nonzero(norm)) - 2, 1),
            width=float(change @ residual.ravel()) / spread if spread > 0 else 0.0,
            background=float(np.sum(plane**2)),
        )

    def _rendered(self, position: FloatArray, window: Box) -> list[FloatArray]:
        """PSF of unit flux at a position, its derivatives by it, and its change when it broadens: (band, y, x)."""
        box = self._stamp(position) & window
        image, slopes = point_images(position, box, self.resolution)
        wider, _ = point_images(position, box, Resolution(self.resolution.sigma + WIDER))
        parts = np.stack([image, *slopes, (wider - image) / WIDER])
        kernels = self.observation.convolver.kernels
        # The window is small: all parts and bands at once. What wraps around must not reach it.
        reach = (min(kernels.radius[0], 2 * self.radius), min(kernels.radius[1], 2 * self.radius))
        ly, lx = (fft.next_fast_len(n + r, real=True) for n, r in zip(window.shape, reach, strict=True))
        # In the precision of the kernels: rounding stays far below the error that the PSF itself is granted.
        padded = np.zeros((len(parts), 1, *window.shape), dtype=kernels.stamps.dtype)
        padded[:, 0][:, *box.slices_in(window)] = parts
        transform = fft.rfft2(padded, s=(ly, lx)) * kernel_transform(kernels, (ly, lx), reach)
        return list(fft.irfft2(transform, s=(ly, lx))[..., : window.shape[0], : window.shape[1]])

    def _stamp(self, position: FloatArray) -> Box:
        h, w = self.observation.convolver.kernels.model_psf.shape
        y, x = (round(float(value)) for value in position)
        return Box((y - h // 2, x - w // 2), (h, w))

    def component(self, match: _Match) -> PointComponent:
        """Return the point source that was matched."""
        box = self._stamp(match.position) & self.observation.frame
        dtype = self.observation.images.dtype
        image, slopes = point_images(match.position, box, self.resolution)
        peak = image.max()
        y, x = match.position.tolist()
        return PointComponent(
            (round(y), round(x)),
            box,
            floor_spectrum((match.flux * peak).astype(dtype)),
            (image / peak).astype(dtype),
            position=(y, x),
            slopes=slopes / peak,
            unit=float(peak),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    """Pixels of all bands, scaled to unit noise: ``root`` (band, pixel), and an orthonormal basis of planes."""

    root: FloatArray
    planes: FloatArray

    @classmethod
    def of(cls, weights: FloatArray) -> _Space:
        bands, h, w = weights.shape
        root = np.sqrt(weights).reshape(bands, -1)
        y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j])
        planes, _ = np.linalg.qr(root[:, :, None] * np.stack([np.ones_like(y), y, x], axis=1))
        return cls(root, planes)

    def flat(self, image: FloatArray) -> FloatArray:
        """Image (band, y, x) as (band, pixel) in units of the noise."""
        flat: FloatArray = self.root * image.reshape(len(image), -1)
        return flat

    def without_planes(self, flat: FloatArray) -> FloatArray:
        """Take off the planes that fit best."""
        amounts = self.planes.transpose(0, 2, 1) @ flat[:, :, None]
        out: FloatArray = flat - (self.planes @ amounts)[:, :, 0]
        return out
