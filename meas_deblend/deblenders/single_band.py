"""Deblending with templates from each band on its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from .._interrupt import raise_interrupt
from ..exceptions import InputError
from ..models import BlendModel, ParentModel, SourceModel
from ..sdss.config import SingleBandConfig
from .failed import parent_without_models
from .parent_limits import masked_bands, size_exceeded
from .peak_models import NO_MODEL
from .psfs import parent_psfs
from .templates import parent_templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from ..detect import BandPsfs
    from ..geometry import Parent, Peak
    from ..image import MultibandExposure
    from .peak_models import PeakModel
    from .templates import ParentTemplates

__all__ = ["SingleBand", "SingleBandOptions"]


class SingleBandOptions(SingleBandConfig):
    """The options of `sdss.SingleBandConfig`, with defaults by which no peak goes without light for want of trying."""

    # Rubin's task skips parents above 10 000 pixels, for time and memory that are not needed here.
    max_footprint_area: int = Field(
        default=1_000_000,
        ge=0,
        description="Parents with a larger footprint, in pixels, are not deblended; 0: no limit.",
    )
    propagate_all_peaks: bool = Field(
        default=True,
        description="A peak that no template fits gets the PSF, scaled to its pixel, so that it has a share of the "
        "light; otherwise its light goes to the other peaks, and its row in the catalog says so.",
    )


class SingleBand:
    """Point-source and symmetric templates (Lupton et al. 2001, ASP Conf. 238, 269), independent in every band."""

    name: ClassVar[str] = "single_band"
    Options: ClassVar[type[BaseModel]] = SingleBandOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: SingleBandConfig) -> ParentModel:
        """Return the model; see `Deblender`.

        Outcome "failed" for a parent beyond a limit, or where no peak has any model; "degraded" if a band raised an
        error or is masked too much, if only the brightest peaks were deblended, or if a peak has no template of its
        own.  A parent with one peak is never beyond a limit.

        Raises
        ------
        Exception
            Whatever goes wrong with this parent, unless ``catch_failures`` is true.
        """
        try:
            return self._deblend(exposure, parent, options)
        except Exception as error:
            raise_interrupt(error)
            if not options.catch_failures:
                raise
            message = f"{type(error).__name__}: {error}"
            return parent_without_models(exposure, parent, self.name, message, "template_failed")

    def _deblend(self, exposure: MultibandExposure, parent: Parent, options: SingleBandConfig) -> ParentModel:
        footprint = parent.footprint
        if not exposure.box.encloses(footprint.box):
            raise InputError(
                f"the footprint of parent {parent.id} on {footprint.box} leaves the image on {exposure.box}"
            )
        masked = {}
        if len(footprint.peaks) > 1:
            too_big = size_exceeded(footprint, options)
            if too_big:
                return parent_without_models(exposure, parent, self.name, too_big, "parent_too_big")
            masked = {exposure.bands[k]: why for k, why in masked_bands(exposure, footprint, options).items()}
            if len(masked) == len(exposure.bands):
                return parent_without_models(exposure, parent, self.name, _by_band(masked), "masked")
        psfs = parent_psfs(exposure, parent)
        chosen = _brightest(footprint.peaks, options.max_number_of_peaks)
        made = parent_templates(
            exposure,
            replace(parent, footprint=footprint.with_peaks(chosen)),
            psfs,
            options,
            catch=options.catch_failures,
            psf_for_lost_peaks=options.propagate_all_peaks,
            without=frozenset(masked),
        )
        models = dict(zip((peak.id for peak in chosen), made.peaks, strict=True))
        return _Result(parent, psfs, made, models, masked).sum_up()


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    """Templates of a parent, by id of the peak, and the bands that were left out."""

    parent: Parent
    psfs: BandPsfs
    made: ParentTemplates
    models: Mapping[int, PeakModel]
    masked: Mapping[str, str]

    def sum_up(self) -> ParentModel:
        """Put the sources together, and say how it went."""
        peaks = self.parent.footprint.peaks
        sources = tuple(self._source(peak) for peak in peaks)
        problems = self._problems()
        outcome, reason = ("degraded", next(iter(problems))) if problems else ("ok", "")
        if peaks and not any(source.components for source in sources):
            outcome, reason = "failed", "template_failed" if self.made.has_data else "no_data"
        return ParentModel(
            self.parent.id,
            self.parent.footprint,
            (BlendModel(0, self.parent.footprint.box, sources),),
            self.psfs.stamps,
            deblender=SingleBand.name,
            outcome=outcome,
            reason=reason,
            message="; ".join(problems.values()),
            warnings=self.psfs.warnings + self.made.warnings,
        )

    def _source(self, peak: Peak) -> SourceModel:
        model = self.models.get(peak.id, NO_MODEL)
        return SourceModel(peak.id, peak, model.components, model.flags, model.psf_fits)

    def _problems(self) -> dict[str, str]:
        """Reasons and what to tell about them; the first counts."""
        n_left = len(self.parent.footprint.peaks) - len(self.models)
        lost = [str(identifier) for identifier, model in self.models.items() if model.status == "failed"]
        failures = [*self.made.problems, *([f"no template of their own: peaks {', '.join(lost)}"] if lost else [])]
        found = {
            "too_many_peaks": f"{n_left} peaks beyond the limit of {len(self.models)} were left out" if n_left else "",
            "masked": _by_band(self.masked),
            "template_failed": "; ".join(failures),
        }
        return {reason: message for reason, message in found.items() if message}


def _by_band(messages: Mapping[str, str]) -> str:
    return "; ".join(f"{band}: {message}" for band, message in messages.items())


def _brightest(peaks: tuple[Peak, ...], most: int) -> tuple[Peak, ...]:
    """Return the highest ``most`` peaks (0: all) in their order; given positions have no height, and go last."""
    if most == 0 or len(peaks) <= most:
        return peaks
    order = np.argsort([-peak.value for peak in peaks], kind="stable")
    return tuple(peaks[k] for k in sorted(order[:most]))
