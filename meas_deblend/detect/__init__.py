"""Detection: thresholds per band, peaks, parents over all bands, and their split on deconvolved images."""

from .band import BandDetections, detect_band, dilate_disc
from .config import DetectConfig, HierarchyConfig
from .exposure import detect_bands
from .given import parents_from_sources
from .merge import Detections, merge_detections, parents_of_mask
from .significance import psf_sigma

__all__ = [
    "BandDetections",
    "DetectConfig",
    "Detections",
    "HierarchyConfig",
    "detect_band",
    "detect_bands",
    "dilate_disc",
    "merge_detections",
    "parents_from_sources",
    "parents_of_mask",
    "psf_sigma",
]
