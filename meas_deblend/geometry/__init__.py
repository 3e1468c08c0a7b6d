"""Boxes, footprints, peaks and images on one pixel grid: frozen values, axis order stated once.

Conventions (doc/explanation/conventions.md): arrays are ``(y, x)`` or ``(band, y, x)``; positions are
``(y, x)``; the first pixel is 0 and pixel centres lie on integers; boxes are half-open.
"""

from ._types import BoolArray, FloatArray, IntArray
from .box import Box
from .footprint import Footprint, Peak
from .image import HeavyFootprint, Image
from .parent import Parent

__all__ = [
    "BoolArray",
    "Box",
    "FloatArray",
    "Footprint",
    "HeavyFootprint",
    "Image",
    "IntArray",
    "Parent",
    "Peak",
]
