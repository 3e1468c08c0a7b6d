"""Templates → children: each pixel is shared in proportion to the templates, and every count is accounted for."""

from .split import apportion
from .values import ApportionConfig, Apportioned, Child, LedgerRow

__all__ = ["ApportionConfig", "Apportioned", "Child", "LedgerRow", "apportion"]
