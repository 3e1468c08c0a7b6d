"""Deblenders behind one protocol, found by name; those of the package are none, sep, single_band and multi_band."""

from .failed import parent_without_models
from .limits import BlendLimits
from .multi_band import MultiBand, MultiBandOptions
from .none import NoDeblending, NoneOptions
from .protocol import Deblender
from .pseudo import deblend_unless_sky, sky_model
from .registry import deblender_names, get_deblender, register_deblender
from .seeds import seeds_from_models
from .sep_segmentation import SepOptions, SepSegmentation
from .single_band import SingleBand, SingleBandOptions

__all__ = [
    "BlendLimits",
    "Deblender",
    "MultiBand",
    "MultiBandOptions",
    "NoDeblending",
    "NoneOptions",
    "SepOptions",
    "SepSegmentation",
    "SingleBand",
    "SingleBandOptions",
    "deblend_unless_sky",
    "deblender_names",
    "get_deblender",
    "parent_without_models",
    "register_deblender",
    "seeds_from_models",
    "sky_model",
]
