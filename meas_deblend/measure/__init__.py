"""What is measured on an object's pixels: fluxes, centroids and shapes per band, with errors and flags."""

from .apertures import aperture_weights
from .child import CentroidSet, ShapeSet
from .config import MeasureConfig
from .covariance import FluxCovariances, flux_covariances
from .ellipses import Ellipse, ellipse_weights
from .flags import FlagReason
from .fluxes import Fluxes, FluxSet, PsfCube, draw_psfs, flux_covariance, measure_fluxes, psf_flux_weights
from .kron import HalfLight, KronRadius, half_light_radii, kron_radius
from .matched import matched_weights
from .moments import GaussianFit, adaptive_moments, gaussian_centroid
from .noise import NoiseCorrelation, measure_noise, noise_field
from .objects import ParentMeasurer, measure_sky
from .one_object import Target
from .pixels import ObjectPixels, Window, image_pixels
from .plugins import (
    MEASUREMENT_GROUP,
    MeasuredColumn,
    ObjectMeasure,
    get_measurement,
    measurement_names,
    register_measurement,
)
from .scene import Scene, detected_pixels
from .sdss_centroid import PeakCentroids, peak_centroids
from .shapes import PsfShapes
from .unrecognised import BlendFeatures, blend_scores
from .values import FLAVORS, FlavorMeasurement, FluxTable, ModelFluxes, ObjectMeasurement, Sizes, flux_names

__all__ = [
    "FLAVORS",
    "MEASUREMENT_GROUP",
    "BlendFeatures",
    "CentroidSet",
    "Ellipse",
    "FlagReason",
    "FlavorMeasurement",
    "FluxCovariances",
    "FluxSet",
    "FluxTable",
    "Fluxes",
    "GaussianFit",
    "HalfLight",
    "KronRadius",
    "MeasureConfig",
    "MeasuredColumn",
    "ModelFluxes",
    "NoiseCorrelation",
    "ObjectMeasure",
    "ObjectMeasurement",
    "ObjectPixels",
    "ParentMeasurer",
    "PeakCentroids",
    "PsfCube",
    "PsfShapes",
    "Scene",
    "ShapeSet",
    "Sizes",
    "Target",
    "Window",
    "adaptive_moments",
    "aperture_weights",
    "blend_scores",
    "detected_pixels",
    "draw_psfs",
    "ellipse_weights",
    "flux_covariance",
    "flux_covariances",
    "flux_names",
    "gaussian_centroid",
    "get_measurement",
    "half_light_radii",
    "image_pixels",
    "kron_radius",
    "matched_weights",
    "measure_fluxes",
    "measure_noise",
    "measure_sky",
    "measurement_names",
    "noise_field",
    "peak_centroids",
    "psf_flux_weights",
    "register_measurement",
]
