"""What became of an injected source: its own pixels against what was injected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..apportion import drawn
from ..evaluate.metrics import Apertures
from ..geometry import Box, Image
from ..measure import ParentMeasurer, PsfShapes, Scene, detected_pixels, flux_names, measure_noise
from ..models import model_flux
from ..simulate import Sersic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..evaluate import ChainResult
    from ..image import MultibandExposure
    from ..measure import MeasureConfig
    from ..simulate import SimulatedSource
    from .sky import DeblendedObject

__all__ = ["ApertureFluxes", "CatalogFluxes", "ObjectFluxes", "aperture_fluxes"]


@dataclass(frozen=True, slots=True, eq=False)
class ApertureFluxes:
    """Sums over the aperture of one source, each (B,), image units.

    Parameters
    ----------
    truth : float64 array
        Of its noiseless image, on usable pixels.
    blend : float64 array
        Of the injected image: the source with noise and neighbours.
    child : float64 array
        Of the object's re-apportioned pixels; NaN without an object.
    error : float64 array
        Standard deviation of ``blend`` by the variance plane.
    usable : float64 array
        Part of the source's flux in the aperture that is on usable pixels, 0 … 1.
    """

    truth: NDArray[np.float64]
    blend: NDArray[np.float64]
    child: NDArray[np.float64]
    error: NDArray[np.float64]
    usable: NDArray[np.float64]

    @property
    def kappa(self) -> NDArray[np.float64]:
        """Contamination κ: flux in the aperture that is not the source's, relative to its own.

        As the truth of the sky is not known, the noise of the image counts as contamination too.
        """
        ratio = np.full(self.truth.shape, np.nan)
        np.divide(self.blend - self.truth, self.truth, out=ratio, where=self.truth > 0)
        return ratio


@dataclass(frozen=True, slots=True, eq=False)
class ObjectFluxes:
    """Fluxes of an object as the catalog has them, each (B,), image units.

    Parameters
    ----------
    model : float64 array
        Sum of the model; NaN without one.
    psf, psf_error : float64 array
        PSF flux of the re-apportioned pixels at their centroid, and its standard deviation; NaN where it failed.
    """

    model: NDArray[np.float64]
    psf: NDArray[np.float64]
    psf_error: NDArray[np.float64]


def aperture_fluxes(
    exposure: MultibandExposure,
    source: SimulatedSource,
    truth: Image,
    found: DeblendedObject | None,
    fwhm: NDArray[np.float64],
) -> ApertureFluxes:
    """Sum images over the aperture of a source.

    The aperture is that of the evaluation on simulated fields: an ellipse around the true centre with semi-axes
    2 √(a² + (FWHM/2)²), (a, b, θ) being the half-light ellipse (Biswas et al. 2025, section 4.1). Pixels that are not
    usable count in none of the sums.

    Parameters
    ----------
    exposure : MultibandExposure
        With the injected source.
    source : SimulatedSource
        What was injected.
    truth : Image
        Its noiseless image (B, h, w).
    found : DeblendedObject or None
        Its object.
    fwhm : float64 array (B,)
        Of the PSFs [px].
    """
    apertures = _apertures(source, fwhm)
    reach = int(np.ceil(2 * max(float(a.a[0]) for a in apertures))) + 2
    middle = (int(np.floor(source.y + 0.5)), int(np.floor(source.x + 0.5)))
    box = Box(middle, (1, 1)).grow(reach) & exposure.box
    cut = (slice(None), *box.slices_in(exposure.box))
    image, variance = exposure.images[cut].astype(np.float64), exposure.variance[cut].astype(np.float64)
    good = np.isfinite(image) & np.isfinite(variance) & (variance > 0)
    good &= ~exposure.mask_planes.any_set(exposure.mask[cut])
    whole = truth.project(box).array
    child = np.full(whole.shape, np.nan)
    if found is not None:
        child = Image(found.child.flux, found.child.box).project(box).array
    sums = np.empty((5, len(apertures)))
    for b, aperture in enumerate(apertures):
        local = Apertures(
            aperture.x - box.origin[1], aperture.y - box.origin[0], aperture.a, aperture.b, aperture.theta
        )
        planes = [np.where(good[b], plane, 0.0) for plane in (whole[b], image[b], child[b])]
        sums[:3, b] = [local.sums(plane)[0] for plane in planes]
        sums[3, b] = local.errors(np.sqrt(np.where(good[b], variance[b], 0.0)))[0]
        sums[4, b] = sums[0, b] / total if (total := _infinite(local, truth, box, b)) > 0 else 0.0
    return ApertureFluxes(sums[0], sums[1], sums[2], sums[3], sums[4])


class CatalogFluxes:
    """Fluxes of objects as the catalog has them: the noise of the sky is measured once, and each parent drawn once.

    Parameters
    ----------
    exposure : MultibandExposure
        What was deblended.
    result : ChainResult
        All that came of it.
    config : MeasureConfig
        Options.
    """

    def __init__(self, exposure: MultibandExposure, result: ChainResult, config: MeasureConfig) -> None:
        detected = detected_pixels([parent.footprint for parent in result.parent_models], exposure.box.shape)
        noise = measure_noise(exposure, detected, config.noise_lag)
        self._scene = Scene(exposure, detected, noise, config.noise_seed)
        self._psfs, self._config = PsfShapes(exposure.psfs, config), config
        self._shared = {
            parent.id: (parent, shared) for parent, shared in zip(result.parent_models, result.children, strict=True)
        }
        self._measurers: dict[int, ParentMeasurer] = {}

    def __call__(self, found: DeblendedObject) -> ObjectFluxes:
        """Measure one object of the result."""
        parent, shared = self._shared[found.parent.id]
        if parent.id not in self._measurers:
            self._measurers[parent.id] = ParentMeasurer(self._scene, drawn(parent), shared, self._psfs, self._config)
        place = [source.id for source in parent.sources].index(found.source.id)
        measured = self._measurers[parent.id].measure(place)[0].flavors["reapportioned"].fluxes
        model = np.array([model_flux(found.source, b) for b in range(len(self._scene.exposure.bands))])
        psf = flux_names(len(self._config.aperture_radii)).index("psf")
        return ObjectFluxes(model, measured.flux[psf], measured.error[psf])


def _apertures(source: SimulatedSource, fwhm: NDArray[np.float64]) -> list[Apertures]:
    """Apertures of a source in all bands; that of a star is round."""
    profile = source.components[0].profile
    a = b = theta = 0.0
    if isinstance(profile, Sersic):
        a, b = profile.half_light_radius, profile.half_light_radius * profile.axis_ratio
        # sep takes angles within ±90°.
        theta = float(np.deg2rad((profile.position_angle + 90) % 180 - 90))
    y, x = np.array([source.y]), np.array([source.x])
    return [Apertures(x, y, np.hypot([a], width / 2), np.hypot([b], width / 2), np.array([theta])) for width in fwhm]


def _infinite(local: Apertures, truth: Image, box: Box, band: int) -> float:
    """Sum of the truth in the aperture wherever its light falls, beyond the image's edge too."""
    shifted = Apertures(
        local.x + (box.origin[1] - truth.box.origin[1]),
        local.y + (box.origin[0] - truth.box.origin[0]),
        local.a,
        local.b,
        local.theta,
    )
    return float(shifted.sums(truth.array[band])[0])
