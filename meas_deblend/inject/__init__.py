"""Sources of known truth in the user's own images: what becomes of them on a real sky, with a real PSF."""

from .catalog import InjectionCatalog, read_injection_catalog
from .columns import BAND_COLUMNS, COLUMNS
from .config import InjectionConfig, RandomConfig
from .experiment import InjectionResult, run_injection
from .insertion import inject_sources
from .population import faintest_magnitude, random_catalog
from .realizations import Realization, make_realizations, spread_sources
from .sky import KnownObjects, describe_sky
from .summary import BIN_EDGES, DEFINITIONS, reference_color, summarise_injection

__all__ = [
    "BAND_COLUMNS",
    "BIN_EDGES",
    "COLUMNS",
    "DEFINITIONS",
    "InjectionCatalog",
    "InjectionConfig",
    "InjectionResult",
    "KnownObjects",
    "RandomConfig",
    "Realization",
    "describe_sky",
    "faintest_magnitude",
    "inject_sources",
    "make_realizations",
    "random_catalog",
    "read_injection_catalog",
    "reference_color",
    "run_injection",
    "spread_sources",
    "summarise_injection",
]
