"""Templates of one shape in all bands, scaled to each of them together with the neighbours': no fit, no kernels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, optimize, sparse
from scipy.sparse.csgraph import connected_components

from .._interrupt import raise_interrupt
from ..geometry import Box, Footprint, Image
from ..models import PointSourceFit, SourceModel, TemplateComponent
from .cutout import cut_out
from .peak_models import CAUSES
from .rungs import PARENT_ONLY, POINTS, SYMMETRIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..detect import BandPsfs
    from ..geometry import BoolArray, FloatArray, Peak
    from ..image import MultibandExposure, Psf
    from ..sdss import PeakTemplate, TemplateConfig
    from .cutout import Cutout

__all__ = ["TemplateWork"]

FAINT = 0.1
"""Part of the noise of a pixel below which a shared shape counts as 0: boxes follow the sources, not their parent."""

ROUNDS = 3
"""Least number of rounds in which templates are built without their neighbours': without them, sources that stand
between two others take both in, and their fluxes are off by twice as much."""

_RIDGE = 1e-6
"""Added to the normal matrix of unit-norm templates, so that two that are alike have a solution."""


@dataclass(frozen=True, slots=True, eq=False)
class _Shapes:
    """Templates of a peak: one image for all bands, or one per band; and where a point source was drawn."""

    images: tuple[Image | None, ...]
    rung: str
    center: tuple[float, float] | None = None
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class TemplateWork:
    """A blend whose sources get templates.

    Parameters
    ----------
    exposure : MultibandExposure
    blend : Footprint
    psfs : BandPsfs
        At the blend.
    neighbours : Image, optional
        Light (band, y, x) of others, as observed; it is taken off.
    """

    exposure: MultibandExposure
    blend: Footprint
    psfs: BandPsfs
    neighbours: Image | None = None

    def symmetric(self, config: TemplateConfig) -> tuple[SourceModel, ...]:
        """Symmetric templates of the sum over bands, weighted by their noise, each scaled to every band.

        The algorithm of single bands (Lupton et al. 2001, ASP Conf. 238, 269) sees the sum of all, so that a source has
        one shape, and colours that its neighbours do not blur. What it takes for a point source, and peaks for which
        it finds nothing, get the PSF of each band.

        Parameters
        ----------
        config : TemplateConfig

        Returns
        -------
        tuple of SourceModel
            In the order of the peaks; ``rung`` is that of each source. No component where nothing was found.
        """
        from ..sdss import ParentInput, build_templates  # noqa: PLC0415 - keeps the algorithm out of the import

        cutout = self._cutout()
        known = self._bands_with_noise(cutout)
        if not known.any() or not self.blend.peaks:
            return self._sources(cutout, [_Shapes((), PARENT_ONLY) for _ in self.blend.peaks])
        plane = _Plane.of(cutout, known, self.psfs)
        config = config.model_copy(update={"iterate_templates": max(config.iterate_templates, ROUNDS)})
        if plane.psf is None:
            config = config.model_copy(update={"fit_psfs": False, "edge_handling": "clip"})
        given = ParentInput(
            plane.image,
            plane.variance,
            plane.psf,
            np.array([peak.center for peak in self.blend.peaks]),
            footprint=self.blend.on(cutout.box),
            mask=plane.bad,
            sigma1=plane.sigma,
            origin=cutout.box.origin,
            edge=~Footprint.from_box(self.exposure.box.grow(-1)).on(cutout.box),
        )
        templates = build_templates(given, config)
        shapes = [self._shape(peak, t, plane.sigma) for peak, t in zip(self.blend.peaks, templates, strict=True)]
        return self._sources(cutout, shapes)

    def psf(self) -> tuple[SourceModel, ...]:
        """Put the PSF of each band at every peak, scaled together; see `symmetric` for what is returned."""
        return self._sources(self._cutout(), [self._point(peak.center) for peak in self.blend.peaks])

    @property
    def has_data(self) -> bool:
        """Whether any pixel of the blend is usable in any band."""
        return bool(self._bands_with_noise(self._cutout()).any())

    def _cutout(self) -> Cutout:
        # Ramps read, and templates may reach, some 1.5 FWHM beyond the footprint; a stamp is wider than that.
        cutout = cut_out(self.exposure, self.blend.box.grow(max(self.psfs.stamps.shape[1:])))
        if self.neighbours is None:
            return cutout
        return replace(cutout, images=cutout.images - self.neighbours.project(cutout.box).array)

    def _bands_with_noise(self, cutout: Cutout) -> BoolArray:
        """Bands with a usable pixel in the blend."""
        return np.asarray((self.blend.on(cutout.box) & ~cutout.bad).any(axis=(1, 2)))

    def _shape(self, peak: Peak, template: PeakTemplate, sigma: float) -> _Shapes:
        flags = {flag for flag, cause in CAUSES.items() if cause in template.flags}
        if template.status != "ok" or not np.any(template.image.array > 0):
            return self._point(peak.center)
        if template.psf.is_psf:
            return replace(self._point(template.psf.center), rung=SYMMETRIC, flags=frozenset(flags))
        pixels = np.where(template.image.array > FAINT * sigma, template.image.array, 0.0)
        if not pixels.any():
            return self._point(peak.center)
        box = Box.from_mask(pixels > 0, template.image.box.origin)
        cut = Image(pixels.astype(np.float32), template.image.box).project(box & self.exposure.box)
        return _Shapes((cut,) * len(self.exposure.bands), SYMMETRIC, None, frozenset(flags))

    def _point(self, center: tuple[float, float]) -> _Shapes:
        """PSF of each band at a position."""
        near = self.blend.box & self.exposure.box
        images = []
        for psf, stamp in zip(self.exposure.psfs, self.psfs.stamps, strict=True):
            drawn = None if psf is None or not np.isfinite(stamp).all() else _stamp_at(psf, stamp, center)
            images.append(None if drawn is None or (drawn.box & near).is_empty else drawn.project(drawn.box & near))
        return _Shapes(tuple(images), POINTS, center)

    def _sources(self, cutout: Cutout, shapes: Sequence[_Shapes]) -> tuple[SourceModel, ...]:
        """Scale the templates to every band, and make sources of them."""
        bands = len(self.exposure.bands)
        fluxes = np.zeros((bands, len(shapes)))
        member = self.blend.on(cutout.box)
        for b in range(bands):
            with_image = [k for k, shape in enumerate(shapes) if shape.images and shape.images[b] is not None]
            images = [shapes[k].images[b] for k in with_image]
            weights = np.where(member & ~cutout.bad[b], 1 / cutout.variance[b], 0.0)
            fluxes[b, with_image] = _scales([i for i in images if i is not None], cutout.images[b], weights, cutout.box)
        return tuple(
            _source(peak, shape, fluxes[:, k])
            for k, (peak, shape) in enumerate(zip(self.blend.peaks, shapes, strict=True))
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """All bands in one: their sum, weighted by their noise."""

    image: FloatArray
    variance: FloatArray
    bad: BoolArray
    psf: FloatArray | None
    sigma: float

    @classmethod
    def of(cls, cutout: Cutout, known: BoolArray, psfs: BandPsfs) -> _Plane:
        raw = np.nan_to_num(np.where(known, 1 / cutout.noise_rms**2, 0.0))
        weights = raw / raw.sum()
        # A pixel that is unusable in some bands is interpolated there, as noisy as their others.
        filled = np.where(np.isfinite(cutout.variance), cutout.variance, cutout.noise_rms[:, None, None] ** 2)
        variance = np.nan_to_num(filled, posinf=0.0, neginf=0.0)
        with_psf = weights * psfs.known
        stamps = np.nan_to_num(psfs.stamps)
        total = np.tensordot(weights**2, variance, axes=1)
        return cls(
            np.tensordot(weights, cutout.images, axes=1),
            total,
            np.asarray(cutout.bad[known].all(axis=0)),
            np.tensordot(with_psf / with_psf.sum(), stamps, axes=1) if with_psf.any() else None,
            float(np.sqrt(np.median(total))),
        )


def _stamp_at(psf: Psf, stamp: FloatArray, center: tuple[float, float]) -> Image:
    """PSF at a position: with its shift within the pixel where it has one and is defined, else as it is elsewhere."""
    y, x = round(center[0]), round(center[1])
    if center == (y, x):
        return _as_image(stamp, (y, x))
    try:
        drawn = psf.image(*center)
    except Exception as error:  # noqa: BLE001 - PSFs are plug-ins, and each has errors of its own
        raise_interrupt(error)
        return _as_image(stamp, (y, x))
    usable = np.isfinite(drawn.stamp).all() and drawn.stamp.sum() > 0
    return _as_image(drawn.stamp, drawn.center) if usable else _as_image(stamp, (y, x))


def _as_image(stamp: FloatArray, center: tuple[int, int]) -> Image:
    h, w = stamp.shape
    return Image(np.maximum(stamp, 0).astype(np.float32), Box((center[0] - h // 2, center[1] - w // 2), (h, w)))


def _scales(images: Sequence[Image], data: FloatArray, weights: FloatArray, box: Box) -> NDArray[np.float64]:
    """Non-negative factors of templates that together explain the data best, by weighted least squares.

    Lawson & Hanson 1974, chapter 23, through the normal equations; groups of templates that overlap are solved for
    apart.
    """
    n = len(images)
    if n == 0:
        return np.zeros(0)
    indices, values = [], []
    places = np.arange(box.area, dtype=np.int64).reshape(box.shape)
    for image in images:
        here, there = image.box.overlap_slices(box)
        keep = image.array[here] > 0
        indices.append(places[there][keep])
        values.append(image.array[here][keep].astype(np.float64))
    starts = np.concatenate([[0], np.cumsum([len(i) for i in indices])])
    shapes = sparse.csc_array((np.concatenate(values), np.concatenate(indices), starts), shape=(box.area, n))
    weighted = shapes * weights.reshape(-1, 1)
    gram = sparse.csc_array(weighted.T @ shapes)
    moment = np.reshape(weighted.T @ data.ravel().astype(np.float64), n)
    scales = np.zeros(n)
    count, group = connected_components(gram, directed=False)
    for k in range(count):
        members = np.flatnonzero(group == k)
        scales[members] = _nonnegative(gram[members][:, members].toarray(), moment[members])
    return scales


def _nonnegative(gram: NDArray[np.float64], moment: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.sqrt(np.diagonal(gram))
    usable = norm > 0
    out = np.zeros(len(moment))
    if not usable.any():
        return out
    norm = norm[usable]
    matrix = gram[np.ix_(usable, usable)] / norm[:, None] / norm[None, :] + _RIDGE * np.eye(len(norm))
    root = linalg.cholesky(matrix, lower=True)
    solution, _ = optimize.nnls(root.T, linalg.solve_triangular(root, moment[usable] / norm, lower=True))
    out[usable] = solution / norm
    return out


def _source(peak: Peak, shape: _Shapes, fluxes: NDArray[np.float64]) -> SourceModel:
    """Source of a peak; without components if its template is 0 in all bands."""
    drawn = [(b, i) for b, i in enumerate(shape.images) if i is not None and fluxes[b] > 0]
    if not drawn:
        return SourceModel(peak.id, peak, (), frozenset({"deblend_noModel"}), (), PARENT_ONLY)
    box = Box((0, 0), (0, 0))
    for _, image in drawn:
        box |= image.box
    cube = np.zeros((len(fluxes), *box.shape), dtype=np.float32)
    for b, image in drawn:
        cube[b] = fluxes[b] * image.project(box).array
    if shape.center is None:
        return SourceModel(peak.id, peak, (TemplateComponent(box, cube),), shape.flags, (), shape.rung)
    used = {b for b, _ in drawn}
    fits = tuple(
        PointSourceFit(True, float(flux), shape.center) if b in used else None for b, flux in enumerate(fluxes)
    )
    flags = shape.flags | {"deblend_deblendedAsPsf"}
    return SourceModel(peak.id, peak, (TemplateComponent(box, cube),), flags, fits, shape.rung)
