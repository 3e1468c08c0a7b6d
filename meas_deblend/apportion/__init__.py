"""Templates → children: each pixel is shared in proportion to the templates, and every count is accounted for."""

from .account import account_imbalance
from .children import child_boxes
from .components import drawn, pixels_of
from .contamination import ModelOverlap, model_overlap
from .handed_on import HandedOn, handed_on
from .patch import BandSums, PatchLedgerRow, check_patch_ledger, image_sums, parent_sums, patch_ledger
from .quality import ModelChi2, ModelQuality, ResidualScore, model_chi2, model_quality
from .render import reapportion_parent, render_templates, template_frame
from .split import apportion
from .values import ApportionConfig, Apportioned, Child, LedgerRow

__all__ = [
    "ApportionConfig",
    "Apportioned",
    "BandSums",
    "Child",
    "HandedOn",
    "LedgerRow",
    "ModelChi2",
    "ModelOverlap",
    "ModelQuality",
    "PatchLedgerRow",
    "ResidualScore",
    "account_imbalance",
    "apportion",
    "check_patch_ledger",
    "child_boxes",
    "drawn",
    "handed_on",
    "image_sums",
    "model_chi2",
    "model_overlap",
    "model_quality",
    "parent_sums",
    "patch_ledger",
    "pixels_of",
    "reapportion_parent",
    "render_templates",
    "template_frame",
]
