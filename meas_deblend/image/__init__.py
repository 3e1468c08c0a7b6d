"""Exposures, mask planes, PSFs, surveys, and the readers that make them from FITS files."""

from .background import SkyStatistics, measure_sky, sky_pixels, subtract_background
from .checks import check_exposure
from .exposure import BandSource, MultibandExposure
from .file_checks import check_files
from .fits_writer import write_coadd, write_mask
from .masks import MaskPlanes
from .planes import PlaneSpec, parse_plane_spec, plane_spec
from .psf import Psf, PsfStamp
from .psf_checks import MODEL_PSF_SIGMA, PsfMoments, psf_fwhm, psf_moments, validate_psf_stamp
from .psf_grid import GridPsf
from .psf_models import FWHM_PER_SIGMA, GaussianPsf, ImagePsf, MoffatPsf
from .psf_specs import parse_analytic_psf, parse_psf_specs
from .psfex import PsfexPsf
from .readers import read_coadds
from .source_list import SourceList, pixel_positions, read_sources
from .survey import HduNames, SanityLimits, Survey, load_survey
from .tables import table_columns
from .wcs import CelestialGrid, grid_offset, pixel_scale_of, pixel_to_sky, sky_to_pixel, wcs_from_header

__all__ = [
    "FWHM_PER_SIGMA",
    "MODEL_PSF_SIGMA",
    "BandSource",
    "CelestialGrid",
    "GaussianPsf",
    "GridPsf",
    "HduNames",
    "ImagePsf",
    "MaskPlanes",
    "MoffatPsf",
    "MultibandExposure",
    "PlaneSpec",
    "Psf",
    "PsfMoments",
    "PsfStamp",
    "PsfexPsf",
    "SanityLimits",
    "SkyStatistics",
    "SourceList",
    "Survey",
    "check_exposure",
    "check_files",
    "grid_offset",
    "load_survey",
    "measure_sky",
    "parse_analytic_psf",
    "parse_plane_spec",
    "parse_psf_specs",
    "pixel_positions",
    "pixel_scale_of",
    "pixel_to_sky",
    "plane_spec",
    "psf_fwhm",
    "psf_moments",
    "read_coadds",
    "read_sources",
    "sky_pixels",
    "sky_to_pixel",
    "subtract_background",
    "table_columns",
    "validate_psf_stamp",
    "wcs_from_header",
    "write_coadd",
    "write_mask",
]
