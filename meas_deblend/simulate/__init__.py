"""Simulated skies with their truth: for demonstrations, tests, and to measure deblenders.

Two ways lead to a sky. `simulate_field` makes fields of a survey in electrons, in the manner of the published
benchmarks of deblenders, from presets (`preset`); `write_field` writes them. `simulate_sky` makes a small sky of given
depth, for demonstrations and tests.
"""

from .catalog import SimulatedComponent, SimulatedSource, truth_columns
from .catsim import CATSIM_COLUMNS, GalaxyCatalog, disc_and_bulge, read_catalog
from .conditions import LSST_10Y, BandConditions, SurveyConditions
from .config import HSC_WIDE, BandConfig, SkyConfig
from .contents import FieldContents, draw_contents
from .defects import Defect
from .drawing import draw_source
from .examples import star_field, three_in_a_row, two_galaxies
from .external_surveys import survey_conditions
from .field import SimulatedField, observe_contents, simulate_field
from .field_config import PRESETS, FieldConfig, preset
from .files import compact_arrays, psf_arrays, write_field, write_psfs
from .galaxies import draw_catalog, galaxy_density
from .galsim_renderer import render_with_galsim
from .morphology import free_galaxy
from .noise import correlated_noise, correlation_kernel
from .optics import FourierPsf, KolmogorovPsf, MoffatTransformPsf, VaryingPsf
from .population import draw_sources
from .profiles import PointSource, Profile, Sersic
from .rendering import light_radius, render_source
from .scene import SimulatedSky, observe, simulate_sky

__all__ = [
    "CATSIM_COLUMNS",
    "HSC_WIDE",
    "LSST_10Y",
    "PRESETS",
    "BandConditions",
    "BandConfig",
    "Defect",
    "FieldConfig",
    "FieldContents",
    "FourierPsf",
    "GalaxyCatalog",
    "KolmogorovPsf",
    "MoffatTransformPsf",
    "PointSource",
    "Profile",
    "Sersic",
    "SimulatedComponent",
    "SimulatedField",
    "SimulatedSky",
    "SimulatedSource",
    "SkyConfig",
    "SurveyConditions",
    "VaryingPsf",
    "compact_arrays",
    "correlated_noise",
    "correlation_kernel",
    "disc_and_bulge",
    "draw_catalog",
    "draw_contents",
    "draw_source",
    "draw_sources",
    "free_galaxy",
    "galaxy_density",
    "light_radius",
    "observe",
    "observe_contents",
    "preset",
    "psf_arrays",
    "read_catalog",
    "render_source",
    "render_with_galsim",
    "simulate_field",
    "simulate_sky",
    "star_field",
    "survey_conditions",
    "three_in_a_row",
    "truth_columns",
    "two_galaxies",
    "write_field",
    "write_psfs",
]
