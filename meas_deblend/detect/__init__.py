"""Detection: thresholds per band, peaks, parents over all bands, and their split on deconvolved images."""

from .band import BandDetections, detect_band
from .compilation import warmup
from .config import DeconvolveConfig, DetectConfig, HierarchyConfig, StructureConfig
from .deconvolved import Deconvolved, deconvolve_exposure, detection_significance
from .dilation import dilate_disc
from .edits import AddedPeak, DroppedPeak, Edits, MergedPeaks, ProtectedPeak, apply_edits
from .exposure import detect_bands
from .given import parents_from_sources
from .hierarchy import split_parents
from .mend import mend
from .merge import Detections, merge_detections, parents_of_mask
from .psf_search import FoundPsf, nearest_psf
from .psfs import BandPsfs, evaluate_psfs, exposure_psfs
from .selection import Selection, parse_bbox
from .significance import gaussian_kernel, psf_sigma
from .sky import SKY, SkyObjectsConfig, add_sky_objects, is_sky
from .structure import MergedPeak, Structure, find_structure, merge_structure

__all__ = [
    "SKY",
    "AddedPeak",
    "BandDetections",
    "BandPsfs",
    "DeconvolveConfig",
    "Deconvolved",
    "DetectConfig",
    "Detections",
    "DroppedPeak",
    "Edits",
    "FoundPsf",
    "HierarchyConfig",
    "MergedPeak",
    "MergedPeaks",
    "ProtectedPeak",
    "Selection",
    "SkyObjectsConfig",
    "Structure",
    "StructureConfig",
    "add_sky_objects",
    "apply_edits",
    "deconvolve_exposure",
    "detect_band",
    "detect_bands",
    "detection_significance",
    "dilate_disc",
    "evaluate_psfs",
    "exposure_psfs",
    "find_structure",
    "gaussian_kernel",
    "is_sky",
    "mend",
    "merge_detections",
    "merge_structure",
    "nearest_psf",
    "parents_from_sources",
    "parents_of_mask",
    "parse_bbox",
    "psf_sigma",
    "split_parents",
    "warmup",
]
