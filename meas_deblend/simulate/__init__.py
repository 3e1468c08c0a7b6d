"""Simulated skies with their truth: for demonstrations and tests."""

from .catalog import SimulatedComponent, SimulatedSource, truth_columns
from .config import HSC_WIDE, BandConfig, SkyConfig
from .drawing import draw_source
from .examples import star_field, three_in_a_row, two_galaxies
from .population import draw_sources
from .profiles import PointSource, Sersic
from .scene import SimulatedSky, observe, simulate_sky

__all__ = [
    "HSC_WIDE",
    "BandConfig",
    "PointSource",
    "Sersic",
    "SimulatedComponent",
    "SimulatedSky",
    "SimulatedSource",
    "SkyConfig",
    "draw_source",
    "draw_sources",
    "observe",
    "simulate_sky",
    "star_field",
    "three_in_a_row",
    "truth_columns",
    "two_galaxies",
]
