"""A fitted blend and its sources, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import BoolArray, FloatArray
from .component import Component, scene
from .observation import Observation
from .uncertainty import CovarianceKind, Uncertainty

__all__ = ["FLAGS", "Blend", "Source"]

FLAGS = {
    "no_psf": "A band has no PSF: the flux there is 0.",
    "no_data": "No pixel of the source's boxes has weight in a band: the flux there is that of the first guess.",
    "no_flux": "The model is empty: nothing positive was found at the centre.",
}
"""Flags of a source, and what they say."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One or two components that share a centre.

    Parameters
    ----------
    center : tuple of float
        Pixel ``(y, x)``, or the fitted position of a point source.
    components : tuple of Component
        Bulge and disk, or a single one.
    index : int
        Number in the blend.
    uncertainty : Uncertainty, optional
        Of the blend, in which the errors are looked up.
    flags : frozenset of str
        What is wrong with it, of `FLAGS`.
    """

    center: tuple[float, float]
    components: tuple[Component, ...]
    index: int = 0
    uncertainty: Uncertainty | None = None
    flags: frozenset[str] = frozenset()

    @property
    def flux(self) -> FloatArray:
        """Sum (band,) of the model, before convolution; image units."""
        flux: FloatArray = np.sum([component.flux for component in self.components], axis=0)
        return flux

    @property
    def flux_error(self) -> FloatArray:
        """Marginal standard deviation (band,) of `flux`: spectra and morphologies of the whole blend were fitted.

        Raises
        ------
        ValueError
            If the source does not come from a fit.
        """
        if self.uncertainty is None:
            raise ValueError(f"the source at {self.center} has no flux errors: it does not come from a fit")
        errors: FloatArray = self.uncertainty.marginal.errors[self.index].astype(self.flux.dtype)
        return errors


@dataclass(frozen=True)
class Blend:
    """A fitted blend.

    Parameters
    ----------
    sources : tuple of Source
        In the order of the centres.
    observation : Observation
        The data that were fitted.
    bands : tuple of str
        Names of the bands.
    logL : float
        −½ Σ w (model − images)² of this model.
    loss : tuple of float
        Log-likelihood before each update.
    stop_reason : str
        "converged", "max_iter", "no_sources", "no_data" or "diverged".
    uncertainty : Uncertainty
        Where covariances come from.
    sky : array (band,), optional
        Fitted level per pixel; None if it was not fitted.
    """

    sources: tuple[Source, ...]
    observation: Observation
    bands: tuple[str, ...]
    logL: float  # noqa: N815 -- the field's name for it
    loss: tuple[float, ...]
    stop_reason: str
    uncertainty: Uncertainty
    sky: FloatArray | None = None

    @property
    def iterations(self) -> int:
        """Number of updates."""
        return len(self.loss)

    def model(self, convolved: bool = True) -> FloatArray:
        """All sources (band, y, x) on the frame, in the bands' seeing or in the resolution of the model PSF.

        With the sky, where one was fitted: it is part of what `logL` compares with the images.
        """
        return self._render([c for source in self.sources for c in source.components], convolved, self.sky)

    def source_model(self, k: int, convolved: bool = True) -> FloatArray:
        """Source ``k`` alone (band, y, x) on the frame."""
        return self._render(self.sources[k].components, convolved)

    def flux_covariance(self, kind: CovarianceKind = "marginal") -> FloatArray:
        """Covariance (source, source, band) of the fluxes, computed when it is first asked for.

        Parameters
        ----------
        kind : {"marginal", "conditional"}
            With morphologies fitted (delta method), or held fixed (Fisher matrix of the spectra).

        Returns
        -------
        float64 array (source, source, band)
            Finite: what no pixel constrains has a variance of 1e38, see `undetermined`.

        Raises
        ------
        ValueError
            If there is no such ``kind``.
        """
        return self.uncertainty.covariance(kind).values

    @property
    def undetermined(self) -> BoolArray:
        """Fluxes (source, band) that the data do not determine: no weight, or two sources that are one."""
        return self.uncertainty.marginal.undetermined

    def _render(self, components: Sequence[Component], convolved: bool, sky: FloatArray | None = None) -> FloatArray:
        images = self.observation.images
        model = scene(components, images.shape, images.dtype)
        if sky is not None:
            model += sky[:, None, None]
        return self.observation.render(model) if convolved else model
