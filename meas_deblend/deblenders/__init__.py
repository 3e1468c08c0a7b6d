"""Deblenders behind one protocol, found by name: none, sep, single_band, multi_band, joint_profiles, and plug-ins."""

from .failed import parent_without_models
from .limits import BlendLimits
from .multi_band import MultiBand, MultiBandOptions
from .none import NoDeblending, NoneOptions
from .profile import JointProfiles, JointProfilesOptions, deblend_profiles
from .protocol import Deblender
from .registry import deblender_names, get_deblender, register_deblender
from .seeds import seeds_from_models
from .sep_segmentation import SepOptions, SepSegmentation
from .single_band import SingleBand, SingleBandOptions

__all__ = [
    "BlendLimits",
    "Deblender",
    "JointProfiles",
    "JointProfilesOptions",
    "MultiBand",
    "MultiBandOptions",
    "NoDeblending",
    "NoneOptions",
    "SepOptions",
    "SepSegmentation",
    "SingleBand",
    "SingleBandOptions",
    "deblend_profiles",
    "deblender_names",
    "get_deblender",
    "parent_without_models",
    "register_deblender",
    "seeds_from_models",
]
