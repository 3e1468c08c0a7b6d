"""Deblending with a joint fit of all bands, blend by blend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .._interrupt import raise_interrupt
from ..exceptions import InputError
from ..geometry import Image
from ..models import BlendModel, ParentModel, SourceModel, TemplateComponent
from ..scarlet.config import FitConfig
from ..sdss.config import TemplateConfig
from .blend_fit import BlendFitter, FluxErrors, NotFittedError
from .limits import BlendLimits
from .none import NoDeblending, NoneOptions
from .psfs import blend_psfs, parent_psfs
from .seeds import seed_of_components
from .templates import parent_templates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..detect import BandPsfs
    from ..geometry import Footprint, Parent
    from ..image import MultibandExposure
    from ..scarlet import Kernels
    from .templates import ParentTemplates

__all__ = ["MultiBand", "MultiBandOptions", "blend_footprints"]

T = TypeVar("T")


class MultiBandOptions(BaseModel):
    """How blends are fitted in all bands at once, and what happens to those that are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit: FitConfig = Field(FitConfig(), description="The joint fit.")
    init: Literal["detect", "single_band", "templates"] = Field(
        "detect",
        description="What morphologies start from: the deconvolved detection image (made of the blend's own pixels "
        "where the parent has none), templates of single bands, or the parent's seeds.",
    )
    limits: BlendLimits = Field(BlendLimits(), description="Blends beyond these get templates of single bands instead.")
    templates: TemplateConfig = Field(
        TemplateConfig(), description="Templates of single bands, as a first guess and where there is no joint fit."
    )
    fit_isolated: bool = Field(
        True, description="Fit parents with one peak too; else their child simply has all pixels (deblender none)."
    )
    subtract_neighbours: bool = Field(
        True, description="Take the light of a parent's brighter blends off before a blend is fitted."
    )
    flux_errors: FluxErrors = Field(
        "marginal",
        description="Covariance of the model fluxes that is kept with the models: with the morphologies fitted too "
        "(about as costly as the fit), held fixed, or none.",
    )
    psf_tolerance: float = Field(
        1e-3,
        ge=0.0,
        le=0.05,
        description="Largest difference, as a fraction of the peak, up to which PSFs that vary over the image are "
        "taken as one: parents then share their kernels, and the blends of a parent its PSF. 0: each has its own.",
    )
    catch_failures: bool = Field(
        True, description="Give a blend whose fit raised an error templates of single bands, instead of raising it."
    )


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a blend was not fitted."""

    reason: str
    message: str


class MultiBand:
    """Spectrum × morphology of every source, fitted jointly in all bands (Melchior et al. 2018, A&C 24, 129).

    A blend that is beyond the limits, has no data or PSF, or whose fit fails, gets templates of single bands; a peak
    for which they find nothing gets the PSF.
    """

    name: ClassVar[str] = "multi_band"
    Options: ClassVar[type[BaseModel]] = MultiBandOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: MultiBandOptions) -> ParentModel:
        """Return the model; see `Deblender`.

        Outcome "degraded" if a blend was not fitted, "failed" if no source has any model; the reason is that of the
        first blend that was not fitted.

        Raises
        ------
        InputError
            If ``init`` is "templates" and the parent has no seeds: nothing gave it any.
        """
        if options.init == "templates" and parent.seeds is None:
            raise InputError(
                f"init is 'templates', but parent {parent.id} has no seeds: run a deblender before this one, "
                "or set init to 'detect' or 'single_band'"
            )
        if not options.fit_isolated and len(parent.footprint.peaks) == 1:
            return NoDeblending()(exposure, parent, NoneOptions())
        work = _Work(exposure, parent, options, parent_psfs(exposure, parent, options.psf_tolerance))
        blends = blend_footprints(parent)
        results, kernels, warnings = work.fit(blends)
        troubles = [r for r in results if isinstance(r, _Trouble)]
        fallback = work.templates() if troubles else None
        models = list[BlendModel]()
        for k, (blend, result) in enumerate(zip(blends, results, strict=True)):
            if isinstance(result, BlendModel):
                models.append(result)
            elif fallback is not None:
                models.append(_template_blend(k, blend, parent, fallback))
        whole = work.sum_up(tuple(models), troubles, fallback, kernels)
        return replace(whole, warnings=tuple(dict.fromkeys(whole.warnings + warnings)))


def blend_footprints(parent: Parent) -> tuple[Footprint, ...]:
    """Return the parent's blends, or its footprint if it was not split; peaks that are in no blend form one more."""
    if not parent.blends:
        return (parent.footprint,)
    held = {peak.id for blend in parent.blends for peak in blend.peaks}
    rest = tuple(peak for peak in parent.footprint.peaks if peak.id not in held)
    return (*parent.blends, *((parent.footprint.with_peaks(rest),) if rest else ()))


def _brightest_first(blends: Sequence[Footprint]) -> list[int]:
    """Order blends by their highest peak; given positions have no height, and keep their order behind the others."""
    heights = [max((p.value for p in blend.peaks if np.isfinite(p.value)), default=-np.inf) for blend in blends]
    return sorted(range(len(blends)), key=lambda k: (-heights[k], k))


def _template_blend(index: int, blend: Footprint, parent: Parent, made: ParentTemplates) -> BlendModel:
    """Return the sources of a blend that was not fitted, with their templates of single bands."""
    by_id = {peak.id: model for peak, model in zip(parent.footprint.peaks, made.peaks, strict=True)}
    sources = tuple(
        SourceModel(p.id, p, by_id[p.id].components, by_id[p.id].flags, by_id[p.id].psf_fits) for p in blend.peaks
    )
    return BlendModel(index, blend.box, sources)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """One parent on its way."""

    exposure: MultibandExposure
    parent: Parent
    options: MultiBandOptions
    psfs: BandPsfs

    def fit(self, blends: Sequence[Footprint]) -> tuple[list[BlendModel | _Trouble], Kernels | None, tuple[str, ...]]:
        """Fit every blend; where that is not possible, say why. With the parent's kernels, if any, and warnings."""
        fitter = self._attempt(
            lambda: BlendFitter.prepare(self.exposure, self.parent, self.psfs, self.options.fit, self._seeds())
        )
        if isinstance(fitter, BlendFitter):
            fitter = replace(fitter, flux_errors=self.options.flux_errors)
        if isinstance(fitter, _Trouble):
            return [fitter] * len(blends), None, ()
        results: dict[int, BlendModel | _Trouble] = {}
        warnings: list[str] = []
        # Blends are separate in the deconvolved image, not in the data: what the brighter ones put on a blend's
        # pixels is taken off before it is fitted, or both would model it.
        box = self.parent.footprint.box & self.exposure.box
        light = Image(np.zeros((len(self.exposure.bands), *box.shape), dtype=np.float32), box)
        for k in _brightest_first(blends):
            reason, message = self.options.limits.exceeded(self.exposure, blends[k])
            result = (
                _Trouble(reason, message) if reason else self._attempt(partial(self._fit_one, fitter, k, blends, light))
            )
            if isinstance(result, _Trouble):
                results[k] = result
                continue
            results[k], here = result
            warnings += here.psfs.warnings
            if len(blends) > 1:
                light.array[:] += here.observed(result[0], box)
        return [results[k] for k in range(len(blends))], fitter.kernels, tuple(warnings)

    def _fit_one(
        self, fitter: BlendFitter, k: int, blends: Sequence[Footprint], light: Image
    ) -> tuple[BlendModel, BlendFitter]:
        """Fit one of several blends, with the PSFs at its place if those of the parent are not good enough there."""
        here = fitter
        if len(blends) > 1:
            here = fitter.at(blend_psfs(self.exposure, blends[k], self.psfs, self.options.psf_tolerance))
        model = here.fit(k, blends[k], light if self.options.subtract_neighbours else None)
        return model if here is fitter else replace(model, psfs=here.psfs.stamps), here

    def _attempt(self, action: Callable[[], T]) -> T | _Trouble:
        """Return the result of ``action``, or why there is none."""
        try:
            return action()
        except NotFittedError as error:
            return _Trouble(error.reason, str(error))
        except Exception as error:
            raise_interrupt(error)
            if not self.options.catch_failures:
                raise
            return _Trouble("fit_failed", f"{type(error).__name__}: {error}")

    def _seeds(self) -> tuple[Image | None, ...] | None:
        if self.options.init == "detect":
            return None
        if self.options.init == "templates":
            return self.parent.seeds
        return tuple(seed_of_components(model.components) for model in self.templates().peaks)

    def templates(self) -> ParentTemplates:
        """Templates of single bands for every peak."""
        catch = self.options.catch_failures
        return parent_templates(self.exposure, self.parent, self.psfs, self.options.templates, catch=catch)

    def sum_up(
        self,
        models: tuple[BlendModel, ...],
        troubles: Sequence[_Trouble],
        fallback: ParentTemplates | None,
        kernels: Kernels | None,
    ) -> ParentModel:
        """Put the blends together, and say how it went."""
        components = [c for model in models for source in model.sources for c in source.components]
        drawn = any(not isinstance(c, TemplateComponent) for c in components)
        problems = [t.message for t in troubles] + list(fallback.problems if fallback else ())
        return ParentModel(
            self.parent.id,
            self.parent.footprint,
            models,
            self.psfs.stamps,
            model_psf=kernels.model_psf.astype(np.float32) if kernels is not None and drawn else None,
            deblender=MultiBand.name,
            outcome=("degraded" if components else "failed") if troubles else "ok",
            reason=troubles[0].reason if troubles else "",
            message="; ".join(dict.fromkeys(problems)),
            warnings=self.psfs.warnings + self._widths() + (fallback.warnings if fallback else ()),
            kernel_floor=kernels.floor if kernels is not None and drawn else 0.0,
        )

    def _widths(self) -> tuple[str, ...]:
        """Warn if the fit was told to work in another resolution than that of its first guess."""
        detected, fitted = self.parent.detect_sigma, self.options.fit.model_psf_sigma
        if self.options.init != "detect" or None in (detected, fitted) or detected == fitted:
            return ()
        return (
            f"the fit's model PSF has a standard deviation of {fitted} px, that of the detection image {detected} px: "
            "give deconvolution.model_psf_sigma of deconvolve and fit.model_psf_sigma of multi_band one value, or "
            "neither",
        )
