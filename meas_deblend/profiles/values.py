"""What the joint fit returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .planes import BULGE, BULGE_ROUNDNESS, N_PARAMETERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FittedProfile", "ProfileFit", "Sersic"]


@dataclass(frozen=True, slots=True)
class Sersic:
    """One elliptical Sérsic profile.

    Parameters
    ----------
    fluxes : tuple of float
        Total per band, image units.
    radius : float
        Half-light radius, geometric mean of both axes [px].
    ellipticity : tuple of float
        ``(g1, g2)`` with axis ratio (1 − g) / (1 + g), major axis at half the angle of (g1, g2) from x to y.
    index : float
    """

    fluxes: tuple[float, ...]
    radius: float
    ellipticity: tuple[float, float]
    index: float


@dataclass(frozen=True, slots=True, eq=False)
class FittedProfile:
    """One source as it was fitted.

    Parameters
    ----------
    parameters : float64 array (8 + band,)
        See `planes`; s = −inf for a point, l = −inf without a bulge.
    fluxes : float64 array (band,)
        Total, image units, at least 0.
    covariance : float64 array (8 + band, 8 + band)
        Of the parameters; 0 for those that were not fitted.
    reach : int
        The model is followed to half of so many pixels from its centre.
    snr : float
        Signal-to-noise ratio of the matched flux over all bands.
    group : int
        Number of the group that it was fitted in; −1 if it was taken out.
    """

    parameters: NDArray[np.float64]
    fluxes: NDArray[np.float64]
    covariance: NDArray[np.float64]
    reach: int
    snr: float
    group: int

    @property
    def is_point(self) -> bool:
        """Whether it was found to be unresolved."""
        return bool(self.parameters[2] == -np.inf)

    @property
    def has_bulge(self) -> bool:
        """Whether it was fitted with a bulge."""
        return not self.is_point and bool(self.parameters[BULGE] > -np.inf)

    @property
    def has_gradient(self) -> bool:
        """Whether disc and bulge have spectra of their own."""
        return self.has_bulge and bool(self.parameters[N_PARAMETERS:].any())

    @property
    def center(self) -> tuple[float, float]:
        """Position ``(y, x)``."""
        return float(self.parameters[0]), float(self.parameters[1])

    @property
    def profiles(self) -> tuple[Sersic, ...]:
        """Disc and bulge; empty for a point."""
        if self.is_point:
            return ()
        _, _, s, p, q, logit, t, log_index = (float(value) for value in self.parameters[:N_PARAMETERS])
        share = 1 / (1 + np.exp(-logit - self.parameters[N_PARAMETERS:]))
        disc = Sersic(
            tuple(((1 - share) * self.fluxes).tolist()),
            float(np.exp(s / 2)),
            _ellipticity(p, q),
            float(np.exp(log_index)),
        )
        if not self.has_bulge:
            return (disc,)
        round_ = _ellipticity(BULGE_ROUNDNESS * p, BULGE_ROUNDNESS * q)
        return disc, Sersic(tuple((share * self.fluxes).tolist()), float(np.exp(t / 2)), round_, 4.0)


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """All sources of a scene.

    Parameters
    ----------
    sources : tuple of FittedProfile
        In the order of the given positions.
    added : tuple of FittedProfile
        Sources that were fitted too, because the residual demanded them.
    owners : int64 array (added,)
        Per added source the source that is brightest at its place, over all bands in units of the noise; −1 for none.
    contrasts : float64 array (added,)
        How bright that one is there, as a fraction of the added source's own brightness.
    flux_covariance : dict of int to float64 array (band, source, source)
        By group, in the order of its sources; shapes, sky and added sources are marginalised over.
    sky : float64 array (group, band)
        Fitted level under each group, image units.
    residual : float32 array (band, y, x)
        Data − all sources; the sky is left in it.
    iterations : int64 array (group,)
    stop_reasons : tuple of str
        Per group: "converged", "max_iter", "no_better_step", or "no_data".
    merged : int64 array (source,)
        Source that explains the light of this one, which then has none; −1 for all others.
    """

    sources: tuple[FittedProfile, ...]
    added: tuple[FittedProfile, ...]
    owners: NDArray[np.int64]
    contrasts: NDArray[np.float64]
    flux_covariance: dict[int, NDArray[np.float64]]
    sky: NDArray[np.float64]
    residual: NDArray[np.float32]
    iterations: NDArray[np.int64]
    stop_reasons: tuple[str, ...]
    merged: NDArray[np.int64]

    def members(self, group: int) -> list[int]:
        """Return the indices of the sources of a group."""
        return [k for k, source in enumerate(self.sources) if source.group == group]


def _ellipticity(p: float, q: float) -> tuple[float, float]:
    """From ln(a / b) to (a − b) / (a + b)."""
    h = float(np.hypot(p, q))
    ratio = np.tanh(h / 2) / h if h > 1e-12 else 0.5
    return float(ratio * p), float(ratio * q)
