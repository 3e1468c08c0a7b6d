"""The joint fit of Sérsic profiles to all sources and bands of an image.

The names are loaded on first use: the compiler behind the inner loops is slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import ProfileFitConfig, ProfilePriors
    from .joint import Positions, fit_profiles
    from .priors import Calibration
    from .stamps import PsfTransforms
    from .values import FittedProfile, ProfileFit, Sersic

_MODULES = {
    "Calibration": "priors",
    "FittedProfile": "values",
    "Positions": "joint",
    "ProfileFit": "values",
    "ProfileFitConfig": "config",
    "ProfilePriors": "config",
    "PsfTransforms": "stamps",
    "Sersic": "values",
    "fit_profiles": "joint",
}

__all__ = [
    "Calibration",
    "FittedProfile",
    "Positions",
    "ProfileFit",
    "ProfileFitConfig",
    "ProfilePriors",
    "PsfTransforms",
    "Sersic",
    "fit_profiles",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
