"""Exposures, mask planes, PSFs and the readers that make them from FITS files."""

from .exposure import BandSource, MultibandExposure
from .masks import MaskPlanes
from .psf import Psf, PsfStamp

__all__ = ["BandSource", "MaskPlanes", "MultibandExposure", "Psf", "PsfStamp"]
