"""Templates → children: each pixel is shared in proportion to the templates, and every count is accounted for."""

from .account import account_imbalance
from .components import drawn, pixels_of
from .patch import BandSums, PatchLedgerRow, check_patch_ledger, image_sums, parent_sums, patch_ledger
from .quality import ModelChi2, model_chi2
from .render import reapportion_parent, render_templates
from .split import apportion
from .values import ApportionConfig, Apportioned, Child, LedgerRow

__all__ = [
    "ApportionConfig",
    "Apportioned",
    "BandSums",
    "Child",
    "LedgerRow",
    "ModelChi2",
    "PatchLedgerRow",
    "account_imbalance",
    "apportion",
    "check_patch_ledger",
    "drawn",
    "image_sums",
    "model_chi2",
    "parent_sums",
    "patch_ledger",
    "pixels_of",
    "reapportion_parent",
    "render_templates",
]
