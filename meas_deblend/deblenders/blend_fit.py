"""The joint fit of one blend: from the exposure's frame to the engine's arrays, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..apportion import pixels_of
from ..models import BlendModel, FactorizedComponent, PointComponent, SourceModel, TemplateComponent
from .cutout import cut_out
from .kernels import kernels_for, kernels_like
from .psfs import shared_psfs

if TYPE_CHECKING:
    from ..detect import BandPsfs
    from ..geometry import BoolArray, FloatArray, Footprint, Image, IntArray, Parent
    from ..image import MultibandExposure
    from ..scarlet import Blend, Component, FitConfig, Kernels
    from .cutout import Cutout

__all__ = ["BlendFitter", "FluxErrors", "NotFittedError", "add_observed"]

FluxErrors = Literal["marginal", "conditional", "none"]

SIMILAR = 0.03
"""Difference of PSFs, as a fraction of the peak, up to which their kernels have one floor."""


class NotFittedError(Exception):
    """A blend cannot be fitted, for a reason that has a name.

    Parameters
    ----------
    reason : str
        One of the reasons of the catalog.
    message : str
        Details for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class BlendFitter:
    """What the fits of a parent's blends share.

    Parameters
    ----------
    exposure : MultibandExposure
    parent : Parent
    psfs : BandPsfs
        At the place of what is fitted.
    kernels : Kernels
        Of the bands with a PSF.
    config : FitConfig
    seeds : tuple of Image or None, optional
        Per peak of the parent the image that its morphology starts from; None: the detection image is used.
    flux_errors : {"marginal", "conditional", "none"}
        Which covariance of the fluxes is kept with the model.
    """

    exposure: MultibandExposure
    parent: Parent
    psfs: BandPsfs
    kernels: Kernels
    config: FitConfig
    seeds: tuple[Image | None, ...] | None = None
    flux_errors: FluxErrors = "none"

    @classmethod
    def prepare(
        cls,
        exposure: MultibandExposure,
        parent: Parent,
        psfs: BandPsfs,
        config: FitConfig,
        seeds: tuple[Image | None, ...] | None = None,
    ) -> BlendFitter:
        """Make the difference kernels of the bands that have a PSF, for the model PSF of the detection image.

        The floor that goes with the PSFs is looked for once for all parents whose PSFs are similar: that takes ten
        times as long as making the kernels, and changes far less than the PSFs.

        Raises
        ------
        NotFittedError
            If none has one.
        """
        sigma = parent.detect_sigma if config.model_psf_sigma is None else config.model_psf_sigma
        similar = shared_psfs(exposure, parent.footprint, psfs, SIMILAR)
        kernels = kernels_for(_known(similar), sigma, config.kernel_floor, config.model_psf_size)
        if similar is not psfs and not np.array_equal(similar.stamps, psfs.stamps, equal_nan=True):
            kernels = kernels_like(kernels, _known(psfs))
        return cls(exposure, parent, psfs, kernels, config, seeds)

    def at(self, psfs: BandPsfs) -> BlendFitter:
        """Return the same for another place: with its PSFs, but the model PSF and the floor that a parent has once.

        Raises
        ------
        NotFittedError
            If no band has a PSF there.
        """
        if psfs is self.psfs:
            return self
        return replace(self, psfs=psfs, kernels=kernels_like(self.kernels, _known(psfs)))

    @property
    def bands(self) -> IntArray:
        """Indices (n,) of the bands with a PSF."""
        return np.flatnonzero(self.psfs.known)

    def fit(self, index: int, blend: Footprint, neighbours: Image | None = None) -> BlendModel:
        """Fit the sources of one blend together.

        Parameters
        ----------
        index : int
            Number of the blend within the parent: the model's id.
        blend : Footprint
            Its pixels and peaks.
        neighbours : Image, optional
            Light (band, y, x) of other blends, as observed: taken off before the fit, so that it is not modelled twice.

        Returns
        -------
        BlendModel
            Spectra have all bands of the exposure; 0 in bands without a PSF or without usable pixels in the blend.
            Its log-likelihood is that of the data without the neighbours.

        Raises
        ------
        NotFittedError
            If no pixel is usable, or the fit gives values that are not finite.
        ValueError
            If the engine refuses the data.
        """
        from ..scarlet import deblend_blend  # noqa: PLC0415 - loads the compiler

        cutout = cut_out(self.exposure, blend.box)
        member = blend.on(cutout.box)
        used = self._bands_with_data(cutout, member)
        if used.size == 0:
            raise NotFittedError("no_data", "no pixel of the blend is usable in a band with a PSF")
        (y0, x0), of_kernels = cutout.box.origin, np.searchsorted(self.bands, used)
        images = cutout.images if neighbours is None else cutout.images - neighbours.project(cutout.box).array
        result = deblend_blend(
            images[used],
            cutout.variance[used],
            # The same object for all of them, so that its transforms are found again.
            self.kernels if len(used) == len(self.bands) else self.kernels.select(of_kernels),
            [(p.y - y0, p.x - x0) for p in blend.peaks],
            footprint=member,
            bands=[self.exposure.bands[b] for b in used],
            detect=self._detect_image(cutout),
            init=self._seed_cube(blend, cutout),
            config=self.config,
        )
        return self._model(index, blend, result, used)

    def _bands_with_data(self, cutout: Cutout, member: BoolArray) -> IntArray:
        """Return the indices of the bands that have a PSF and a usable pixel in the blend."""
        usable = np.asarray((member & ~cutout.bad).any(axis=(1, 2)))
        return self.bands[usable[self.bands]]

    def _detect_image(self, cutout: Cutout) -> FloatArray | None:
        image = self.parent.detect_image
        return None if image is None or self.seeds is not None else image.project(cutout.box).array

    def _seed_cube(self, blend: Footprint, cutout: Cutout) -> FloatArray | None:
        """Seeds (source, y, x) of the blend's peaks on its box; 0 for a peak without one, which starts as a point."""
        if self.seeds is None:
            return None
        by_id = {peak.id: seed for peak, seed in zip(self.parent.footprint.peaks, self.seeds, strict=True)}
        cube = np.zeros((len(blend.peaks), *cutout.box.shape), dtype=np.float32)
        for plane, peak in zip(cube, blend.peaks, strict=True):
            seed = by_id[peak.id]
            if seed is not None:
                plane[:] = seed.project(cutout.box).array
        return cube

    def _model(self, index: int, blend: Footprint, result: Blend, used: IntArray) -> BlendModel:
        """Turn the engine's result into values in the exposure's frame."""
        frame = blend.box & self.exposure.box
        sources = []
        for peak, fitted in zip(blend.peaks, result.sources, strict=True):
            if not all(np.isfinite(c.spectrum).all() and np.isfinite(c.morph).all() for c in fitted.components):
                why = f"the fit ended ({result.stop_reason}) with values that are not finite"
                raise NotFittedError("fit_failed", why)
            components = tuple(self._component(c, frame.origin, used) for c in fitted.components)
            sources.append(SourceModel(peak.id, peak, components))
        return BlendModel(
            index,
            frame,
            tuple(sources),
            result.iterations,
            float(result.logL),
            result.stop_reason,
            self._covariance(result, used),
        )

    def _component(
        self, component: Component, origin: tuple[int, int], used: IntArray
    ) -> FactorizedComponent | PointComponent:
        from ..scarlet import PointComponent as FittedPoint  # noqa: PLC0415 - loads the compiler

        spectrum, box = np.zeros(len(self.exposure.bands), dtype=np.float32), component.box.shift(*origin)
        if isinstance(component, FittedPoint):
            spectrum[used] = component.total
            y, x = component.position
            return PointComponent(box, spectrum, (y + origin[0], x + origin[1]))
        spectrum[used] = component.spectrum
        return FactorizedComponent(box, spectrum, component.morph.astype(np.float32))

    def _covariance(self, result: Blend, used: IntArray) -> FloatArray | None:
        """Covariance (band, source, source) of the fluxes, if it is wanted; 0 in bands that were not fitted."""
        if self.flux_errors == "none":
            return None
        covariance = np.zeros((len(self.exposure.bands), len(result.sources), len(result.sources)))
        covariance[used] = result.flux_covariance(self.flux_errors).transpose(2, 0, 1)
        return covariance


def add_observed(model: BlendModel, light: Image, kernels: Kernels | None, bands: IntArray, sign: int = 1) -> None:
    """Add what a model puts on the pixels of ``light`` (band, y, x), as it is seen in every band.

    Parameters
    ----------
    model : BlendModel
    light : Image
        Changed.
    kernels : Kernels, optional
        Of ``bands``; without them only templates are drawn.
    bands : int array (n,)
        Indices of the bands with a PSF; in the others only templates are drawn.
    sign : {1, -1}
        −1: it is taken off.
    """
    from ..scarlet import render_source  # noqa: PLC0415 - loads the compiler

    for source in model.sources:
        for template in (c for c in source.components if isinstance(c, TemplateComponent)):
            here, there = template.box.overlap_slices(light.box)
            light.array[(slice(None), *there)] += sign * template.cube[(slice(None), *here)]
        if kernels is None:
            continue
        drawn = (pixels_of(c, kernels.model_psf) for c in source.components)
        parts = [replace(c, spectrum=c.spectrum[bands]) for c in drawn if isinstance(c, FactorizedComponent)]
        if parts:
            where, cube = render_source(parts, kernels, light.box)
            cut, present = where.slices_in(light.box), sign * cube
            if len(bands) == len(light.array):
                light.array[(slice(None), *cut)] += present
            else:
                light.array[(bands[:, None, None], *np.ogrid[cut])] += present


def _known(psfs: BandPsfs) -> FloatArray:
    """Stamps of the bands that have one."""
    known = psfs.known
    if not known.any():
        raise NotFittedError("no_psf", f"no band has a PSF: {'; '.join(psfs.warnings)}")
    # The array itself where it can be: its kernels are found again without a look at its values.
    return psfs.stamps if known.all() else psfs.stamps[known]
