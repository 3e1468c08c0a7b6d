"""Deblenders behind one protocol, found by name: those of the package, wrappers of other libraries, and plug-ins."""

from .cost_model import Cost, CostModel, calibrate
from .cutout import Cutout, cut_out
from .failed import parent_without_models
from .ladder import PlannedPart, blend_footprints, plan_parent
from .limits import BlendLimits
from .multi_band import MultiBand, MultiBandOptions
from .none import NoDeblending, NoneOptions
from .profile import Hybrid, HybridOptions, JointProfiles, JointProfilesOptions, deblend_profiles
from .protocol import Deblender
from .pseudo import deblend_unless_sky, sky_model
from .psfs import parent_psfs
from .registry import deblender_names, get_deblender, register_deblender
from .rungs import RUNG_NAMES
from .scarlet2_fit import Scarlet2, Scarlet2Options
from .seeds import seeds_from_models
from .selected import deblend_if_selected
from .sep_segmentation import SepOptions, SepSegmentation
from .single_band import SingleBand, SingleBandOptions

__all__ = [
    "RUNG_NAMES",
    "BlendLimits",
    "Cost",
    "CostModel",
    "Cutout",
    "Deblender",
    "Hybrid",
    "HybridOptions",
    "JointProfiles",
    "JointProfilesOptions",
    "MultiBand",
    "MultiBandOptions",
    "NoDeblending",
    "NoneOptions",
    "PlannedPart",
    "Scarlet2",
    "Scarlet2Options",
    "SepOptions",
    "SepSegmentation",
    "SingleBand",
    "SingleBandOptions",
    "blend_footprints",
    "calibrate",
    "cut_out",
    "deblend_if_selected",
    "deblend_profiles",
    "deblend_unless_sky",
    "deblender_names",
    "get_deblender",
    "parent_psfs",
    "parent_without_models",
    "plan_parent",
    "register_deblender",
    "seeds_from_models",
    "sky_model",
]
