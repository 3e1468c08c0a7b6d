"""Models of sources, as values without behaviour: rendering is `apportion`'s, files are `products`'."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..geometry import Box, FloatArray, Footprint, Peak

__all__ = [
    "AnyComponent",
    "BlendModel",
    "Component",
    "FactorizedComponent",
    "ParentModel",
    "PointComponent",
    "PointSourceFit",
    "ProfileComponent",
    "SourceModel",
    "TemplateComponent",
]


@dataclass(frozen=True, slots=True, eq=False)
class FactorizedComponent:
    """Spectrum × morphology in the resolution of the model PSF.

    Parameters
    ----------
    box : Box
        Where the morphology lies.
    spectrum : float32 array (band,)
        Flux per band and unit of morphology, image units.
    morph : float32 array (y, x)
        Shape, at least 0, dimensionless.
    """

    box: Box
    spectrum: FloatArray
    morph: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class TemplateComponent:
    """A template per band as it was observed: already in each band's seeing, never convolved again.

    Parameters
    ----------
    box : Box
        Where the template lies.
    cube : float32 array (band, y, x)
        At least 0, image units.
    """

    box: Box
    cube: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PointComponent:
    """A point source at a float position, in the resolution of the model PSF.

    Parameters
    ----------
    box : Box
        Where it is drawn.
    spectrum : float32 array (band,)
        Total flux per band, image units.
    center : tuple of float
        Position ``(y, x)``.
    """

    box: Box
    spectrum: FloatArray
    center: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class ProfileComponent:
    """A Sérsic profile with elliptical isophotes, in the resolution of the model PSF.

    Parameters
    ----------
    box : Box
        Where it is drawn.
    spectrum : float32 array (band,)
        Total flux per band, image units, what falls outside the box included.
    center : tuple of float
        Position ``(y, x)``.
    radius : float
        Half-light radius in pixels, geometric mean of both axes; > 0.
    ellipticity : tuple of float
        ``(g1, g2)``, of length g: axis ratio (1 − g) / (1 + g), major axis at half the angle of (g1, g2) from x to y.
    index : float
        Sérsic index: 0.5 for a Gaussian, 1 for an exponential, 4 for de Vaucouleurs.
    """

    box: Box
    spectrum: FloatArray
    center: tuple[float, float]
    radius: float
    ellipticity: tuple[float, float] = (0.0, 0.0)
    index: float = 1.0


Component = FactorizedComponent | TemplateComponent
"""Components that are pixels."""

AnyComponent = FactorizedComponent | TemplateComponent | PointComponent | ProfileComponent
"""Components that are pixels or parameters; `apportion.pixels_of` draws the latter."""


@dataclass(frozen=True, slots=True)
class PointSourceFit:
    """A point source that was fitted at a peak in one band.

    Parameters
    ----------
    is_psf : bool
        Whether it is the peak's template in that band.
    flux : float
        Image units.
    center : tuple of float
        Position ``(y, x)``.
    """

    is_psf: bool
    flux: float
    center: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class SourceModel:
    """The model of one child.

    Parameters
    ----------
    id : int
        objectId.
    peak : Peak
        The peak that it belongs to.
    components : tuple of AnyComponent
        May be empty: a source without a model is kept, and receives no flux.
    flags : frozenset of str
        Names of the object flags (products.columns) that are true.
    psf_fits : tuple of PointSourceFit or None
        One per band, None where none was made; empty if none was made in any band.
    rung : str
        Rung of the ladder on which the model was made: one of products.RUNGS; "" if its deblender has no ladder.
    reason : str
        Why it is not the first rung, or what else was done to the blend: one of products.REASONS; else "".
    """

    id: int
    peak: Peak
    components: tuple[AnyComponent, ...]
    flags: frozenset[str] = frozenset()
    psf_fits: tuple[PointSourceFit | None, ...] = ()
    rung: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class BlendModel:
    """Sources that were fitted together.

    Parameters
    ----------
    id : int
        Unique over a survey.
    box : Box
        Pixels that were fitted.
    sources : tuple of SourceModel
    iterations : int
    log_likelihood : float
        −½ Σ w (model − data)² of the returned model; NaN where nothing was fitted.
    stop_reason : str
        Why the fit ended ("converged", "max_iter", …); "" where nothing was fitted.
    flux_covariance : float array (band, source, source), optional
        Covariance of the sources' total model fluxes, image units², in the order of ``sources``; None where it is not
        known.
    psfs : float32 array (band, h, w), optional
        Observed PSFs at the blend, where they differ from those of its parent; as `ParentModel.psfs`.
    """

    id: int
    box: Box
    sources: tuple[SourceModel, ...]
    iterations: int = 0
    log_likelihood: float = float("nan")
    stop_reason: str = ""
    flux_covariance: FloatArray | None = None
    psfs: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ParentModel:
    """A deblended parent, with the PSFs that render it.

    Parameters
    ----------
    id : int
    footprint : Footprint
        Detected pixels and all peaks.
    blends : tuple of BlendModel
        Together they hold one source per peak.
    psfs : float32 array (band, h, w)
        Observed PSFs at the parent, odd stamps; NaN planes for bands without one.  Those of a blend go before them.
    model_psf : float32 array (h, w), optional
        Resolution of factorized components; None where there are none.
    deblender : str
        Name of what made it.
    outcome : str
        "ok", "degraded" or "failed".
    reason : str
        Why it is not "ok": one of products.columns.REASONS; else "".
    message : str
        Details for people, e.g. the text of the exception.
    warnings : tuple of str
        What was found wrong on the way.
    kernel_floor : float
        Floor of the kernels with which factorized components were fitted, and are to be drawn.
    """

    id: int
    footprint: Footprint
    blends: tuple[BlendModel, ...]
    psfs: FloatArray
    model_psf: FloatArray | None = None
    deblender: str = ""
    outcome: str = "ok"
    reason: str = ""
    message: str = ""
    warnings: tuple[str, ...] = field(default=())
    kernel_floor: float = 0.0

    @property
    def sources(self) -> tuple[SourceModel, ...]:
        """All sources, in the order of the footprint's peaks."""
        order = {peak.id: k for k, peak in enumerate(self.footprint.peaks)}
        every = [source for blend in self.blends for source in blend.sources]
        return tuple(sorted(every, key=lambda s: order[s.peak.id]))
