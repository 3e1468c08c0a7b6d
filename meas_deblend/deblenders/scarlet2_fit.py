"""The joint fit of scarlet2, for comparison; it needs the package scarlet2 (extra ``scarlet2``)."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..exceptions import ConfigError
from ..geometry import Box
from ..models import BlendModel, FactorizedComponent, ParentModel, SourceModel
from .cutout import cut_out
from .failed import parent_without_models
from .psfs import parent_psfs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..detect import BandPsfs
    from ..geometry import FloatArray, Parent
    from ..image import MultibandExposure
    from .cutout import Cutout

__all__ = ["Scarlet2", "Scarlet2Options"]

_MARGIN = 10
"""Pixels around the footprint, without weight, on which sources may lie: the PSF has room at the footprint's edge."""

_FAINT = 1e-3
"""Least value of a morphology at the start, and least flux of a band in units of its noise: both are positive."""

_START_WIDTH = 1.5
"""Width of the morphology at the start, in those of the model PSF."""


class Scarlet2Options(BaseModel):
    """How scarlet2 fits a parent: one source with a free, non-negative morphology per peak."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_iter: int = Field(100, ge=1, description="Most steps of the optimizer (Adam).")
    e_rel: float = Field(1e-4, gt=0, description="Relative change of all parameters at which the fit has converged.")
    box_size: int = Field(25, ge=5, le=201, description="Side of a source's box in pixels; an even one is made odd.")
    model_psf_sigma: float = Field(
        0.8, ge=0.5, le=5, description="Standard deviation of the Gaussian in whose resolution models are, in pixels."
    )
    spectrum_step: float = Field(0.05, gt=0, le=1, description="Step of a spectrum as a fraction of its norm.")
    morph_step: float = Field(0.1, gt=0, description="Step of a morphology, in the variable that is free of bounds.")


class Scarlet2:
    """All sources of a parent are fitted jointly with scarlet2 (https://github.com/pmelchior/scarlet2), in jax.

    Its own first guesses are meant for isolated sources; here every source starts as a blurred point with the flux
    that its peak has.  No prior and no constraint beyond positivity is used, so that this is the simplest of what
    scarlet2 can do, not the best.  Each shape of a parent is compiled anew, which takes seconds.
    """

    name: ClassVar[str] = "scarlet2"
    Options: ClassVar[type[BaseModel]] = Scarlet2Options
    requires: ClassVar[str] = "scarlet2"
    starts_threads: ClassVar[bool] = True

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: Scarlet2Options) -> ParentModel:
        """Return the model; see `Deblender`.

        Outcome "degraded" with reason "fit_failed" if the model of some peak is not finite, "failed" if all are, the
        fit raised an error, or there is no band with data and a PSF.

        Raises
        ------
        ConfigError
            If scarlet2 is not installed.
        """
        library = _library()
        cutout, psfs = cut_out(exposure, parent.footprint.box.grow(_MARGIN)), parent_psfs(exposure, parent)
        weights = _weights(cutout, parent)
        usable = psfs.known & weights.any(axis=(1, 2))
        if not usable.any():
            reason = "no_psf" if not psfs.known.any() else "no_data"
            return parent_without_models(exposure, parent, self.name, "no band has data and a PSF", reason)
        fit = _Fit(library, options, cutout, weights, psfs.stamps, usable)
        try:
            components = fit.components([peak.center for peak in parent.footprint.peaks])
        except Exception as error:  # noqa: BLE001 - the library may raise anything; it is kept in the message
            return parent_without_models(exposure, parent, self.name, f"{type(error).__name__}: {error}")
        return _model(parent, components, psfs, fit.model_psf)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A parent's pixels as scarlet2 takes them.

    Parameters
    ----------
    library : module
        scarlet2.
    options : Scarlet2Options
    cutout : Cutout
    weights : float32 array (band, y, x)
        Inverse variances; 0 outside the footprint.
    psfs : float32 array (band, h, w)
    usable : bool array (band,)
        Bands that are fitted.
    """

    library: Any
    options: Scarlet2Options
    cutout: Cutout
    weights: FloatArray
    psfs: FloatArray
    usable: NDArray[np.bool_]

    @property
    def model_psf(self) -> FloatArray:
        """Stamp (h, w) of the model PSF as scarlet2 draws it."""
        return np.asarray(self.library.GaussianPSF(self.options.model_psf_sigma)(), dtype=np.float32)

    def components(self, centers: list[tuple[float, float]]) -> list[FactorizedComponent | None]:
        """Fit sources at these positions (y, x) of the exposure; None for one that is not finite, or off the cutout."""
        inside = [k for k, center in enumerate(centers) if self.cutout.box.contains(*center)]
        found: list[FactorizedComponent | None] = [None] * len(centers)
        if not inside:
            return found
        with _quiet(self.library):
            observed = self._observation()
            scene = self._scene(observed, [np.subtract(centers[k], self.cutout.box.origin) for k in inside])
            fitted = scene.fit(observed, max_iter=self.options.max_iter, e_rel=self.options.e_rel, progress_bar=False)
        for k, source in zip(inside, fitted.sources, strict=True):
            found[k] = self._component(source)
        return found

    def _observation(self) -> Any:
        psf = self.library.ArrayPSF(_array(self.psfs[self.usable]))
        images, weights = (_array(cube[self.usable]) for cube in (self.cutout.images, self.weights))
        return self.library.Observation(images, weights, psf=psf, channels=self._channels)

    @property
    def _channels(self) -> list[str]:
        return [str(k) for k in np.flatnonzero(self.usable)]

    def _scene(self, observed: Any, centers: list[NDArray[np.float64]]) -> Any:
        """Return what is fitted: a source at each position (y, x) of the cutout."""
        shape = (int(self.usable.sum()), *self.cutout.box.shape)
        psf = self.library.GaussianPSF(self.options.model_psf_sigma)
        frame = self.library.Frame(self.library.Box(shape), psf, None, self._channels)
        observed.match(frame)
        scene = self.library.Scene(frame)
        with scene:
            for center in centers:
                self.library.Source(_array(center), _array(self._spectrum(center)), _array(self._morph()))
        self._declare(scene)
        return scene

    def _declare(self, scene: Any) -> None:
        """Tell scarlet2 what is free, and within which bounds."""
        constraints = import_module("numpyro.distributions").constraints
        step = partial(self.library.relative_step, factor=self.options.spectrum_step)
        with self.library.Parameters(scene):
            for k, source in enumerate(scene.sources):
                self.library.Parameter(
                    source.spectrum, name=f"spectrum.{k}", constraint=constraints.positive, stepsize=step
                )
                self.library.Parameter(
                    source.morphology,
                    name=f"morphology.{k}",
                    constraint=constraints.unit_interval,
                    stepsize=self.options.morph_step,
                )

    def _morph(self) -> FloatArray:
        """Return a Gaussian (y, x) of maximum just below 1, a little wider than the model PSF."""
        half = self.options.box_size // 2
        squared = (np.arange(-half, half + 1) / (_START_WIDTH * self.options.model_psf_sigma)) ** 2
        return np.clip(np.exp(-0.5 * np.add.outer(squared, squared)), _FAINT, 1 - _FAINT).astype(np.float32)

    def _spectrum(self, center: NDArray[np.float64]) -> FloatArray:
        """Return flux per unit of the morphology (band,) of a point that is as high as the pixel at a position."""
        y, x = (min(max(round(float(c)), 0), n - 1) for c, n in zip(center, self.cutout.box.shape, strict=True))
        tops = np.nanmax(self.psfs[self.usable], axis=(1, 2))
        least = _FAINT * self.cutout.noise_rms[self.usable]
        flux = np.maximum(self.cutout.images[self.usable][:, y, x], least) / tops
        return np.asarray(flux / self._morph().sum(), dtype=np.float32)

    def _component(self, source: Any) -> FactorizedComponent | None:
        """Return a fitted source on its part of the cutout, or None if it has none or is not finite."""
        spectrum = np.zeros(len(self.usable), dtype=np.float32)
        spectrum[self.usable] = np.asarray(source.spectrum)
        morph = np.asarray(source.morphology, dtype=np.float32)
        (y, x), origin = source.bbox.spatial.start, self.cutout.box.origin
        box = Box((y + origin[0], x + origin[1]), morph.shape)
        part = box & self.cutout.box
        if part.is_empty or not (np.isfinite(spectrum).all() and np.isfinite(morph).all()):
            return None
        return FactorizedComponent(part, spectrum, np.ascontiguousarray(morph[part.slices_in(box)]))


def _model(
    parent: Parent, components: list[FactorizedComponent | None], psfs: BandPsfs, model_psf: FloatArray
) -> ParentModel:
    peaks = parent.footprint.peaks
    sources = tuple(
        SourceModel(
            peak.id, peak, () if part is None else (part,), frozenset({"deblend_noModel"} if part is None else ())
        )
        for peak, part in zip(peaks, components, strict=True)
    )
    lacking = [str(peak.id) for peak, part in zip(peaks, components, strict=True) if part is None]
    return ParentModel(
        parent.id,
        parent.footprint,
        (BlendModel(0, parent.footprint.box, sources),),
        psfs.stamps,
        model_psf=model_psf,
        deblender=Scarlet2.name,
        outcome="ok" if not lacking else "failed" if len(lacking) == len(peaks) else "degraded",
        reason="fit_failed" if lacking else "",
        message=f"models are not finite: peaks {', '.join(lacking)}" if lacking else "",
        warnings=psfs.warnings,
    )


def _weights(cutout: Cutout, parent: Parent) -> FloatArray:
    """Inverse variances (band, y, x), 0 where pixels are unusable or not the parent's."""
    taken = ~cutout.bad & parent.footprint.on(cutout.box)
    return np.where(taken, 1 / np.where(taken, cutout.variance, 1), 0).astype(np.float32)


def _array(values: NDArray[Any]) -> Any:
    return import_module("jax.numpy").asarray(np.asarray(values, dtype=np.float32))


def _library() -> Any:
    if find_spec("scarlet2") is None:
        raise ConfigError("the deblender 'scarlet2' needs the package scarlet2: pip install 'meas_deblend[scarlet2]'")
    return import_module("scarlet2")


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """Switch off scarlet2's checks, which print, and fail on sources whose box is larger than the parent."""
    before = library.VALIDATION_SWITCH
    library.set_validation(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        library.set_validation(before)
