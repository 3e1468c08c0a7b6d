"""The datasets that tasks hand to each other, each declared once."""

from __future__ import annotations

from dataclasses import replace

from meas_deblend.framework import Connection

__all__ = [
    "CHILDREN",
    "COADDS",
    "DETECTIONS",
    "EDITS",
    "FLUX_COVARIANCE",
    "LEDGER",
    "MARKED_COADDS",
    "MERGED_PEAKS",
    "MODELS",
    "NOISE",
    "OBJECTS",
    "PARENTS",
    "PARENT_MODELS",
    "PATCH_LEDGER",
    "SEED_MODELS",
    "SELECTION",
    "SHARING",
    "SOURCE_LIST",
    "SPLIT_PARENTS",
]


def _of_patch(name: str, kind: str, doc: str) -> Connection:
    return Connection(name, name, kind, ("tract", "patch"), doc=doc)


COADDS = _of_patch("coadds", "MultibandExposure", "Images in all bands.")
SOURCE_LIST = replace(
    _of_patch("source_list", "SourceList", "Positions that take the place of detected peaks."), optional=True
)
EDITS = replace(_of_patch("edits", "Edits", "Peaks that are merged, dropped or added by hand."), optional=True)
SELECTION = replace(_of_patch("selection", "Selection", "Which parents to deblend; all without one."), optional=True)
DETECTIONS = _of_patch("detections", "Detections", "Parents with their peaks, and who was seen in which band.")
SPLIT_PARENTS = _of_patch(
    "split_parents",
    "tuple[Parent, ...]",
    "Parents with their blends and their part of the deconvolved detection image.",
)
PARENT_MODELS = _of_patch("parent_models", "tuple[ParentModel, ...]", "Deblended parents: one model per parent.")
MARKED_COADDS = _of_patch(
    "marked_coadds",
    "MultibandExposure",
    "The images, with mask planes on what was not deblended, or not as it was asked for.",
)
SEED_MODELS = Connection(
    "seed_models",
    "single_band_models",
    "tuple[ParentModel, ...]",
    ("tract", "patch"),
    optional=True,
    doc="Models whose templates the fit may start from.",
)
CHILDREN = _of_patch("children", "tuple[Apportioned, ...]", "Per parent, the children's pixels and the ledger.")
SHARING = _of_patch("sharing", "ApportionConfig", "How pixels were shared out, so that a reload does the same.")
MODELS = _of_patch("models", "MemoryStore", "Every model, PSF and footprint.")
OBJECTS = _of_patch("objects", "Table", "One row per object.")
PARENTS = _of_patch("parents", "Table", "One row per parent.")
LEDGER = _of_patch("ledger", "Table", "One row per parent and band.")
PATCH_LEDGER = _of_patch("patch_ledger", "Table", "One row per band: the account of the whole image.")
MERGED_PEAKS = _of_patch("merged_peaks", "Table", "One row per peak that was merged into a large source.")
FLUX_COVARIANCE = _of_patch("flux_covariance", "Table", "One row per pair of children of a parent, and band.")
NOISE = _of_patch("noise_correlation", "Table", "Autocorrelation of each band's noise.")
