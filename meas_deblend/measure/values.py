"""What is measured of one object: values, one set per flavour of its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..geometry import BoolArray
    from .child import CentroidSet, ShapeSet
    from .ellipses import Ellipse
    from .kron import HalfLight, KronRadius
    from .sdss_centroid import PeakCentroids

    Float = NDArray[np.float64]

__all__ = ["FLAVORS", "FlavorMeasurement", "FluxTable", "ModelFluxes", "ObjectMeasurement", "Sizes", "flux_names"]

FLAVORS = ("reapportioned", "convolved", "deconvolved")
"""On which pixels an object is measured: its own share of the data; its model as seen in each band; its model in the
resolution of the model PSF."""


def flux_names(count: int) -> tuple[str, ...]:
    """Names of the fluxes in the order of their arrays, for ``count`` circular apertures."""
    return (*(f"aperture{k}" for k in range(count)), "ellipse", "kron", "psf", "gaap")


@dataclass(frozen=True, slots=True, eq=False)
class FluxTable:
    """F fluxes in B bands, in the order of `flux_names`.

    Parameters
    ----------
    flux, error : float64 array (F, B)
        Values and standard deviations, image units; NaN where there are none.
    flag : bool array (F, B)
        The flux is not to be trusted.
    correction : float64 array (F, B)
        Total over measured flux of a point source.
    """

    flux: Float
    error: Float
    flag: BoolArray
    correction: Float


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """How much larger than its PSF an object is, in B bands.

    Parameters
    ----------
    excess, error : float64 array (B,)
        1 − T(PSF) / T, with T = Ixx + Iyy, and its standard deviation; NaN where flagged.
    extendedness : float64 array (B,)
        Chance, for Gaussian errors, that the excess is above `MeasureConfig.extended_above`: 0 for stars, 1 for
        galaxies, in between where the noise leaves it open; NaN where flagged.
    flag : bool array (B,)
        There is no size of the object or of the PSF.
    """

    excess: Float
    error: Float
    extendedness: Float
    flag: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class FlavorMeasurement:
    """All that is measured on one flavour of an object's pixels.

    Parameters
    ----------
    fluxes : FluxTable
    centroid : CentroidSet
        Under a Gaussian weight as wide as the PSF.
    peak : PeakCentroids
        Maximum of the smoothed image.
    shape, psf_shape : ShapeSet
        Adaptive moments of the pixels, and of the PSF that they have been seen through.
    sizes : Sizes
    half_light : HalfLight
    ellipse : Ellipse or None
        One standard deviation of the object; None where it has no shape and there is no PSF to take its place.
    ellipse_flag : bool
        There is no ellipse of the object's own, or an axis of it is not known to half of its moment, or is at a limit
        to within its error: errors of elliptical and Kron fluxes are not of first order there.
    kron : KronRadius
    """

    fluxes: FluxTable
    centroid: CentroidSet
    peak: PeakCentroids
    shape: ShapeSet
    psf_shape: ShapeSet
    sizes: Sizes
    half_light: HalfLight
    ellipse: Ellipse | None
    ellipse_flag: bool
    kron: KronRadius


@dataclass(frozen=True, slots=True, eq=False)
class ModelFluxes:
    """Total flux of an object's model in B bands, before convolution.

    Parameters
    ----------
    flux, error : float64 array (B,)
        Image units; NaN without a model. The error is that of the template's amplitude, neighbours included.
    flag : bool array (B,)
        There is no model, or nothing is known of its error.
    """

    flux: Float
    error: Float
    flag: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMeasurement:
    """All that is measured of one object in B bands.

    Parameters
    ----------
    position : tuple of float
        ``(y, x)`` of all fluxes [px].
    flavors : mapping of str to FlavorMeasurement
        By the names in `FLAVORS`.
    undeblended : FluxTable
        The same fluxes of the image as it is, neighbours included.
    model : ModelFluxes
    blendedness : float64 array (B,)
        1 − Σ w (own pixels) / Σ w (image), w being the Gaussian of its adaptive moments (Bosch et al. 2018, PASJ 70,
        S5, section 4.9.11).
    model_blendedness : float64 array (B,)
        1 − Σ m² / Σ m T, m its model, and T that of its blend.
    joint_model_blendedness : float
        The same with sums over all bands.
    masked_fraction : float64 array (B,)
        Part of its pixels that is not usable; NaN without pixels.
    extra : mapping of str to float64 array (B,)
        What plug-ins measured.
    """

    position: tuple[float, float]
    flavors: Mapping[str, FlavorMeasurement]
    undeblended: FluxTable
    model: ModelFluxes
    blendedness: Float
    model_blendedness: Float
    joint_model_blendedness: float
    masked_fraction: Float
    extra: Mapping[str, Float] = field(default_factory=dict)
