"""Detection: thresholds per band, peaks, parents over all bands, and their split on deconvolved images."""

from .band import BandDetections, detect_band
from .config import DeconvolveConfig, DetectConfig, HierarchyConfig
from .dilation import dilate_disc
from .exposure import detect_bands
from .given import parents_from_sources
from .hierarchy import Deconvolved, deconvolve_exposure, detection_significance, split_parents
from .mend import mend
from .merge import Detections, merge_detections, parents_of_mask
from .psfs import BandPsfs, evaluate_psfs, exposure_psfs
from .selection import Selection, parse_bbox
from .significance import gaussian_kernel, psf_sigma

__all__ = [
    "BandDetections",
    "BandPsfs",
    "DeconvolveConfig",
    "Deconvolved",
    "DetectConfig",
    "Detections",
    "HierarchyConfig",
    "Selection",
    "deconvolve_exposure",
    "detect_band",
    "detect_bands",
    "detection_significance",
    "dilate_disc",
    "evaluate_psfs",
    "exposure_psfs",
    "gaussian_kernel",
    "mend",
    "merge_detections",
    "parents_from_sources",
    "parents_of_mask",
    "parse_bbox",
    "psf_sigma",
    "split_parents",
]
