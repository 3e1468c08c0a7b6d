"""The joint fit of Sérsic profiles to all sources and bands of an image."""

from .config import ProfileFitConfig, ProfilePriors
from .joint import Positions, fit_profiles
from .priors import Calibration
from .stamps import PsfTransforms
from .values import FittedProfile, ProfileFit, Sersic

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
