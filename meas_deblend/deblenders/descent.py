"""One blend, or a part of one, on its way down the ladder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .._interrupt import raise_interrupt
from ..apportion import render_templates
from ..geometry import Image, Parent
from ..models import BlendModel, ParentModel, SourceModel, TemplateComponent
from .blend_fit import BlendFitter, FluxErrors, NotFittedError
from .credible import covariance_of_mixture, with_credible_sources
from .cutout import cut_out
from .fixed_shapes import FixedShapes, solution_covariance
from .ladder import Trouble
from .profile import JointProfiles, JointProfilesOptions
from .psfs import blend_psfs
from .rungs import FITS, PARENT_ONLY, SYMMETRIC
from .shared_templates import TemplateWork
from .time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..detect import BandPsfs
    from ..geometry import Footprint
    from ..image import MultibandExposure
    from ..scarlet import Kernels
    from .ladder import PlannedPart
    from .options import MultiBandOptions

__all__ = ["Descent", "Modelled"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Modelled:
    """A part with its sources.

    Parameters
    ----------
    model : BlendModel
        Its sources know their rungs and reasons.
    rung : str
        The rung that made it.
    troubles : tuple of Trouble
        What happened on the way down.
    psfs : BandPsfs
        At the part.
    kernels : Kernels or None
        By which components that are not templates are drawn as they are observed.
    """

    model: BlendModel
    rung: str
    troubles: tuple[Trouble, ...]
    psfs: BandPsfs
    kernels: Kernels | None


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """What the parts of a parent share.

    Parameters
    ----------
    exposure : MultibandExposure
    parent : Parent
    options : MultiBandOptions
    psfs : BandPsfs
        At the parent.
    fitter : BlendFitter or Trouble
        For the whole parent, or why there is none.
    several : bool
        Whether the parent has several parts, which may have PSFs of their own.
    """

    exposure: MultibandExposure
    parent: Parent
    options: MultiBandOptions
    psfs: BandPsfs
    fitter: BlendFitter | Trouble
    several: bool

    def model(self, part: PlannedPart, light: Image | None) -> Modelled:
        """Give every peak of a part its source: on the rung that was planned, or on the first below that works.

        Parameters
        ----------
        part : PlannedPart
        light : Image, optional
            Of other parts (band, y, x), as observed; it is taken off.

        Returns
        -------
        Modelled

        Raises
        ------
        Exception
            Whatever a rung raises, unless ``catch_failures`` is true.
        """
        psfs = (
            blend_psfs(self.exposure, part.footprint, self.psfs, self.options.psf_tolerance)
            if self.several
            else self.psfs
        )
        troubles = [Trouble(part.reason, part.message)] if part.reason else []
        rungs = self.options.rungs
        for rung in rungs[rungs.index(part.rung) :]:
            if rung != part.rung and self._is_over(rung, part.footprint):
                continue
            result = attempt(self.options, partial(self._on, rung, part.blend, part.footprint, psfs, light))
            if isinstance(result, BlendModel):
                return self._modelled(result, rung, tuple(troubles), psfs)
            troubles.append(result)
        raise AssertionError(f"{PARENT_ONLY} cannot fail")

    def again(self, part: PlannedPart, before: Modelled, light: Image) -> Modelled:
        """Model a part once more, on the rung that it came to; if that fails it stays what it was."""
        work = partial(self._on, before.rung, part.blend, part.footprint, before.psfs, light)
        result = attempt(self.options, work)
        if not isinstance(result, BlendModel):
            return replace(before, troubles=(*before.troubles, result))
        return self._modelled(result, before.rung, before.troubles, before.psfs)

    def _modelled(self, model: BlendModel, rung: str, troubles: tuple[Trouble, ...], psfs: BandPsfs) -> Modelled:
        """Tell the sources their rung, and the first reason that is not only that the blend was split."""
        reasons = [trouble.reason for trouble in troubles]
        reason = next((r for r in reasons if r != "split"), "split" if reasons else "")
        sources = tuple(_labelled(source, rung, reason) for source in model.sources)
        kernels = None
        if isinstance(self.fitter, BlendFitter) and psfs.known.any():
            kernels = self.fitter.at(psfs).kernels
        if psfs is not self.psfs and model.psfs is None:
            model = replace(model, psfs=psfs.stamps)
        return Modelled(replace(model, sources=sources), rung, troubles, psfs, kernels)

    def _is_over(self, rung: str, footprint: Footprint) -> bool:
        cost = self.options.predict(rung, footprint.peaks, footprint.box, len(self.exposure.bands))
        return rung != PARENT_ONLY and bool(self.options.over_budget(cost).reason)

    def _on(self, rung: str, index: int, footprint: Footprint, psfs: BandPsfs, light: Image | None) -> BlendModel:
        """Model the sources of a footprint on one rung."""
        if rung == PARENT_ONLY:
            nothing = frozenset({"deblend_noModel"})
            return BlendModel(index, footprint.box, tuple(SourceModel(p.id, p, (), nothing) for p in footprint.peaks))
        if rung == "joint_profiles":
            return self._credible_profiles(index, footprint, psfs, light)
        if rung in FITS:
            return self._with_config(rung, psfs).fit(index, footprint, light)
        if rung == SYMMETRIC:
            return self._symmetric(index, footprint, psfs, light)
        work = TemplateWork(self.exposure, footprint, psfs, light)
        return _checked(BlendModel(index, footprint.box, work.psf()), work)

    def _credible_profiles(self, index: int, footprint: Footprint, psfs: BandPsfs, light: Image | None) -> BlendModel:
        """Fit profiles, and put templates in the place of those that ran away; fluxes with their covariance."""
        kernels = self._fitter_at(psfs).kernels
        made = self._profiles(index, footprint, kernels, light)
        cutout = cut_out(self.exposure, footprint.box)

        def shapes(model: BlendModel) -> FixedShapes:
            return FixedShapes.of(self._as_parent(model, footprint, psfs, kernels), cutout.box)

        mixture, templates = made, made
        if len(made.sources) > 1:
            templates = self._symmetric(index, footprint, psfs, light)
            mixture = with_credible_sources(made, templates)
        if self.options.flux_errors == "none":
            return mixture
        if any(source.rung == SYMMETRIC for source in mixture.sources):
            covariance = covariance_of_mixture(mixture, (shapes(made), shapes(templates)), cutout, footprint)
        elif mixture.flux_covariance is None:
            covariance = solution_covariance(shapes(mixture), cutout, footprint)
        else:
            return mixture
        return replace(mixture, flux_covariance=covariance)

    def _as_parent(self, model: BlendModel, footprint: Footprint, psfs: BandPsfs, kernels: Kernels) -> ParentModel:
        """Put a blend into a parent of its own, to be drawn."""
        return ParentModel(
            self.parent.id,
            footprint,
            (model,),
            psfs.stamps,
            model_psf=kernels.model_psf.astype(np.float32),
            kernel_floor=kernels.floor,
        )

    def _symmetric(self, index: int, footprint: Footprint, psfs: BandPsfs, light: Image | None) -> BlendModel:
        """Symmetric templates of the deconvolved image where a fit could start from it, else of the observed ones."""
        try:
            model = self._with_config(SYMMETRIC, psfs).fit(index, footprint, light)
        except Exception as error:
            raise_interrupt(error)
            if not (self.options.catch_failures or isinstance(error, NotFittedError)):
                raise
            if isinstance(error, NotFittedError) and error.reason in {"timeout", "no_data"}:
                raise
        else:
            return replace(model, iterations=0, log_likelihood=float("nan"), stop_reason="")
        work = TemplateWork(self.exposure, footprint, psfs, light)
        return _checked(BlendModel(index, footprint.box, work.symmetric(self.options.templates)), work)

    def _fitter_at(self, psfs: BandPsfs) -> BlendFitter:
        if isinstance(self.fitter, Trouble):
            raise NotFittedError(self.fitter.reason, self.fitter.message)
        return self.fitter.at(psfs)

    def _with_config(self, rung: str, psfs: BandPsfs) -> BlendFitter:
        """Fitter for one of the rungs that start with what the joint fit starts with."""
        fitter, fit = self._fitter_at(psfs), self.options.fit
        if rung == "full_multi_band":
            return fitter
        single = fit.model_copy(update={"max_components": min(1, fit.max_components)})
        if rung == "one_component":
            return replace(fitter, config=single)
        # Shapes that are not fitted have no errors.
        errors: FluxErrors = "none" if self.options.flux_errors == "none" else "conditional"
        first = single.model_copy(update={"max_iter": 0, "final_spectra": False})
        return replace(fitter, config=first, flux_errors=errors)

    def _profile_options(self, kernels: Kernels) -> JointProfilesOptions:
        """Options by which models come in the resolution of the other rungs, and failures as errors."""
        fit = self.options.fit
        sigma = self.parent.detect_sigma if fit.model_psf_sigma is None else fit.model_psf_sigma
        return JointProfilesOptions(
            fit=self.options.profiles,
            # Around a part lie the pixels of others, whose light may not be known yet.
            **({"margin": 0} if self.several else {}),
            psf_tolerance=self.options.psf_tolerance,
            model_psf_sigma=sigma,
            model_psf_size=fit.model_psf_size,
            kernel_floor=kernels.floor,
            catch_failures=False,
        )

    def _profiles(self, index: int, footprint: Footprint, kernels: Kernels, light: Image | None) -> BlendModel:
        """Hand a blend to the deblender of profiles as if it were a parent, without its neighbours' light."""
        exposure = self.exposure
        if light is not None and light.array.any():
            exposure = replace(exposure, images=exposure.images - light.project(exposure.box).array)
        parent = Parent(self.parent.id, footprint)
        made = JointProfiles()(exposure, parent, self._profile_options(kernels))
        if made.outcome == "failed":
            raise NotFittedError(made.reason, made.message)
        sources, psfs = made.sources, None if np.array_equal(made.psfs, self.psfs.stamps, equal_nan=True) else made.psfs
        if made.model_psf is not None and not (
            np.array_equal(made.model_psf, kernels.model_psf.astype(np.float32)) and made.kernel_floor == kernels.floor
        ):
            # In another resolution than the parent's: kept as it is observed.
            images = render_templates(made, exposure.box)
            sources = tuple(
                replace(s, components=(TemplateComponent(i.box, np.maximum(i.array, 0).astype(np.float32)),))
                if s.components
                else s
                for s, i in zip(sources, images, strict=True)
            )
        # What rungs that deblender has, if any, are not those of this ladder.
        sources = tuple(replace(source, rung="", reason="") for source in sources)
        (blend,) = made.blends
        # The fit knows its errors with all shapes fitted too; others are found from the models.
        covariance = blend.flux_covariance if self.options.flux_errors == "marginal" else None
        return BlendModel(index, footprint.box, sources, blend.iterations, flux_covariance=covariance, psfs=psfs)


def attempt(options: MultiBandOptions, action: Callable[[], T]) -> T | Trouble:
    """Return the result of ``action``, or why there is none."""
    try:
        with time_limit(options.timeout):
            return action()
    except NotFittedError as error:
        return Trouble(error.reason, str(error))
    except Exception as error:
        raise_interrupt(error)
        if not options.catch_failures:
            raise
        return Trouble("fit_failed", f"{type(error).__name__}: {error}")


def _checked(model: BlendModel, work: TemplateWork) -> BlendModel:
    """Return the model if any of its sources has a template."""
    if model.sources and not any(source.components for source in model.sources):
        if work.has_data:
            raise NotFittedError("template_failed", "no template of any peak is above 0")
        raise NotFittedError("no_data", "no pixel of the blend is usable in any band")
    return model


def _labelled(source: SourceModel, rung: str, reason: str) -> SourceModel:
    """Return the source with its rung; one that lies below the others' needs a reason of its own."""
    if source.rung in {"", rung}:
        return replace(source, rung=rung, reason=reason)
    return replace(source, reason=reason or source.reason or "template_failed")
