"""Which blends are too large, or too damaged, for the joint fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from ..geometry import Footprint
    from ..image import MultibandExposure

__all__ = ["BlendLimits"]

Fraction = Annotated[float, Field(ge=0, le=1)]


class BlendLimits(BaseModel):
    """Blends beyond these are not fitted jointly, but go down the ladder to templates.

    The names are those of Rubin's ScarletDeblendTask, in snake_case.  Only sizes decide, never the clock: the same
    blend is treated alike on any machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_number_of_peaks: int = Field(600, ge=0, description="Most peaks of a blend; 0: no limit.")
    max_footprint_area: int = Field(
        2_000_000, ge=0, description="Largest area of a blend's bounding box in pixels; 0: no limit."
    )
    max_footprint_size: int = Field(0, ge=0, description="Longest side of a blend's bounding box; 0: no limit.")
    max_area_times_peaks: int = Field(
        1_000_000_000, ge=0, description="Largest product of the bounding box's area and the peaks; 0: no limit."
    )
    mask_limits: dict[str, Fraction] = Field(
        {}, description="Mask plane: largest fraction of a blend's pixels with it set in any band."
    )

    def exceeded(self, exposure: MultibandExposure, blend: Footprint) -> tuple[str, str]:
        """Tell which limit a blend exceeds.

        Parameters
        ----------
        exposure : MultibandExposure
        blend : Footprint

        Returns
        -------
        reason : str
            "parent_too_big", "masked", "too_many_peaks", or "" if it is within all limits.
        message : str
            The number and its limit.

        Raises
        ------
        InputError
            If ``mask_limits`` names a plane that the exposure does not have.
        """
        area, peaks = blend.box.area, len(blend.peaks)
        sizes = (
            (area, self.max_footprint_area, "a bounding box of {} pixels"),
            (max(blend.box.shape), self.max_footprint_size, "a side of {} pixels"),
            (area * peaks, self.max_area_times_peaks, "area × peaks = {}"),
        )
        for value, limit, what in sizes:
            if 0 < limit < value:
                return "parent_too_big", f"{what.format(value)} exceeds the limit of {limit}"
        for plane, most in self.mask_limits.items():
            fraction = _masked_fraction(exposure, blend, plane)
            if fraction > most:
                return "masked", f"{plane} is set on {fraction:.3f} of the pixels, more than the limit of {most:g}"
        if 0 < self.max_number_of_peaks < peaks:
            return "too_many_peaks", f"{peaks} peaks exceed the limit of {self.max_number_of_peaks}"
        return "", ""


def _masked_fraction(exposure: MultibandExposure, blend: Footprint, plane: str) -> float:
    """Fraction of the blend's pixels on which ``plane`` is set in any band."""
    inside = blend.box & exposure.box
    cut = (slice(None), *inside.slices_in(exposure.box))
    member = blend.on(inside)
    if not member.any():
        return 0.0
    marked = np.asarray(exposure.mask_planes.any_set(exposure.mask[cut], (plane,)).any(axis=0))
    return float(np.mean(marked[member]))
