"""What is measured on an object's pixels: fluxes, centroids and shapes per band, with errors and flags."""

from .apertures import aperture_weights
from .child import CentroidSet, Measurement, ShapeSet, measure_child
from .config import MeasureConfig
from .flags import FlagReason
from .fluxes import Fluxes, FluxSet, PsfCube, draw_psfs, flux_covariance, measure_fluxes, psf_flux_weights
from .moments import GaussianFit, adaptive_moments, gaussian_centroid
from .pixels import ObjectPixels, Window, child_pixels, image_pixels, with_surroundings

__all__ = [
    "CentroidSet",
    "FlagReason",
    "FluxSet",
    "Fluxes",
    "GaussianFit",
    "MeasureConfig",
    "Measurement",
    "ObjectPixels",
    "PsfCube",
    "ShapeSet",
    "Window",
    "adaptive_moments",
    "aperture_weights",
    "child_pixels",
    "draw_psfs",
    "flux_covariance",
    "gaussian_centroid",
    "image_pixels",
    "measure_child",
    "measure_fluxes",
    "psf_flux_weights",
    "with_surroundings",
]
