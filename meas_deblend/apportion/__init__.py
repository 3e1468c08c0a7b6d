"""Templates → children: each pixel is shared in proportion to the templates, and every count is accounted for."""

from .account import account_imbalance
from .components import drawn, pixels_of
from .quality import ModelChi2, model_chi2
from .render import reapportion_parent, render_templates
from .split import apportion
from .values import ApportionConfig, Apportioned, Child, LedgerRow

__all__ = [
    "ApportionConfig",
    "Apportioned",
    "Child",
    "LedgerRow",
    "ModelChi2",
    "account_imbalance",
    "apportion",
    "drawn",
    "model_chi2",
    "pixels_of",
    "reapportion_parent",
    "render_templates",
]
