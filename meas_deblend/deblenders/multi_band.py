"""Deblending with a joint fit of all bands, blend by blend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel

from ..exceptions import InputError
from ..geometry import Image
from ..models import ParentModel, TemplateComponent
from .blend_fit import BlendFitter, add_observed
from .descent import Descent, attempt
from .ladder import Trouble, plan_parent
from .none import NoDeblending, NoneOptions
from .options import MultiBandOptions
from .profile import JointProfiles, JointProfilesOptions
from .psfs import parent_psfs
from .rungs import PARENT_ONLY
from .seeds import seed_of_components, seeds_from_models
from .templates import parent_templates
from .time_limit import can_watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..detect import BandPsfs
    from ..geometry import Parent
    from ..image import MultibandExposure
    from .descent import Modelled
    from .ladder import PlannedPart

__all__ = ["MultiBand", "MultiBandOptions"]


class MultiBand:
    """Spectrum × morphology of every source, fitted jointly in all bands (Melchior et al. 2018, A&C 24, 129).

    What a blend will cost is predicted first. One beyond a budget is split along its valleys; where that does not help,
    and where a rung fails, it goes down the ladder, on whose last rung its children have no model.
    """

    name: ClassVar[str] = "multi_band"
    Options: ClassVar[type[BaseModel]] = MultiBandOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: MultiBandOptions) -> ParentModel:
        """Return the model; see `Deblender`.

        Outcome "degraded" if a source is not on the first rung of the ladder, "failed" if no source has any model; the
        reason is that of the first such source, or "split" if there is none but a blend was split.

        Raises
        ------
        InputError
            If ``init`` is "templates" and the parent has no seeds: nothing gave it any.
        """
        if options.init == "templates" and parent.seeds is None:
            raise InputError(
                f"init is 'templates', but parent {parent.id} has no seeds: run a deblender before this one, "
                "or set init to 'detect', 'single_band' or 'profiles'"
            )
        if not options.fit_isolated and len(parent.footprint.peaks) == 1:
            return _with_rung(NoDeblending()(exposure, parent, NoneOptions()), PARENT_ONLY)
        psfs = parent_psfs(exposure, parent, options.psf_tolerance)
        return _Work(exposure, parent, options, psfs).run()


def _with_rung(model: ParentModel, rung: str) -> ParentModel:
    blends = tuple(replace(b, sources=tuple(replace(s, rung=rung) for s in b.sources)) for b in model.blends)
    return replace(model, blends=blends)


def _brightest_first(parts: Sequence[PlannedPart]) -> list[int]:
    """Order parts by their highest peak; given positions have no height, and keep their order behind the others."""
    peaks = [part.footprint.peaks for part in parts]
    heights = [max((p.value for p in own if np.isfinite(p.value)), default=-np.inf) for own in peaks]
    return sorted(range(len(parts)), key=lambda k: (-heights[k], k))


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """One parent on its way."""

    exposure: MultibandExposure
    parent: Parent
    options: MultiBandOptions
    psfs: BandPsfs

    def run(self) -> ParentModel:
        """Plan, model every part, and sum up."""
        parts = plan_parent(self.exposure, self.parent, self.options)
        fitter = attempt(self.options, self._fitter)
        descent = Descent(self.exposure, self.parent, self.options, self.psfs, fitter, len(parts) > 1)
        # Blends are separate in the deconvolved image, not in the data: what the brighter ones put on a blend's pixels
        # is taken off before it is fitted, or both would model it.
        light = self._no_light() if len(parts) > 1 else None
        order = _brightest_first(parts)
        done: dict[int, Modelled] = {}
        again = any(part.passes > 1 for part in parts)
        for k in order:
            is_apart = self.options.subtract_neighbours or parts[k].passes > 1
            done[k] = descent.model(parts[k], light if is_apart else None)
            # Nobody sees the light of the last one.
            if again or k != order[-1]:
                self._add(done[k], light)
        if light is not None:
            for k in (k for k in order if parts[k].passes > 1):
                self._add(done[k], light, -1)
                done[k] = descent.again(parts[k], done[k], light)
                self._add(done[k], light)
        return self._sum_up([done[k] for k in range(len(parts))], fitter)

    def _no_light(self) -> Image:
        box = self.parent.footprint.box & self.exposure.box
        return Image(np.zeros((len(self.exposure.bands), *box.shape), dtype=np.float32), box)

    def _add(self, done: Modelled, light: Image | None, sign: int = 1) -> None:
        if light is not None:
            add_observed(done.model, light, done.kernels, np.flatnonzero(done.psfs.known), sign)

    def _fitter(self) -> BlendFitter:
        fitter = BlendFitter.prepare(self.exposure, self.parent, self.psfs, self.options.fit, self._seeds())
        return replace(fitter, flux_errors=self.options.flux_errors)

    def _seeds(self) -> tuple[Image | None, ...] | None:
        if self.options.init == "detect":
            return None
        if self.options.init == "templates":
            return self.parent.seeds
        catch = self.options.catch_failures
        if self.options.init == "profiles":
            options = JointProfilesOptions(
                fit=self.options.profiles, psf_tolerance=self.options.psf_tolerance, catch_failures=catch
            )
            model = JointProfiles()(self.exposure, self.parent, options)
            return seeds_from_models((self.parent,), (model,))[0].seeds
        made = parent_templates(self.exposure, self.parent, self.psfs, self.options.templates, catch=catch)
        return tuple(seed_of_components(model.components) for model in made.peaks)

    def _sum_up(self, done: Sequence[Modelled], fitter: BlendFitter | Trouble) -> ParentModel:
        """Put the blends together, and say how it went."""
        sources = [source for one in done for source in one.model.sources]
        components = [component for source in sources for component in source.components]
        first = self.options.rungs[0]
        below = [s.reason for s in sources if s.rung != first or s.reason not in {"", "split"}]
        reasons = [*below, *(s.reason for s in sources if s.reason)]
        kernels = None if isinstance(fitter, Trouble) else fitter.kernels
        if kernels is None or all(isinstance(c, TemplateComponent) for c in components):
            kernels = None
        messages = [trouble.message for one in done for trouble in one.troubles]
        own = [warning for one in done if one.psfs is not self.psfs for warning in one.psfs.warnings]
        return ParentModel(
            self.parent.id,
            self.parent.footprint,
            tuple(replace(one.model, id=k) for k, one in enumerate(done)),
            self.psfs.stamps,
            model_psf=None if kernels is None else kernels.model_psf.astype(np.float32),
            deblender=MultiBand.name,
            outcome="ok" if not below else "degraded" if components else "failed",
            reason=reasons[0] if reasons else "",
            message="; ".join(dict.fromkeys(message for message in messages if message)),
            warnings=tuple(dict.fromkeys((*self.psfs.warnings, *self._warnings(), *own))),
            kernel_floor=0.0 if kernels is None else kernels.floor,
        )

    def _warnings(self) -> tuple[str, ...]:
        """Warn of two widths of the model PSF, and of a clock that nobody watches."""
        found = []
        detected, fitted = self.parent.detect_sigma, self.options.fit.model_psf_sigma
        if self.options.init == "detect" and None not in (detected, fitted) and detected != fitted:
            found.append(
                f"the fit's model PSF has a standard deviation of {fitted} px, that of the detection image "
                f"{detected} px: give deconvolution.model_psf_sigma of deconvolve and fit.model_psf_sigma of "
                "multi_band one value, or neither"
            )
        if self.options.timeout is not None and not can_watch():
            found.append("timeout does not act outside the main thread of a process")
        return tuple(found)
