"""What a deblender has to keep to, as checks that a plug-in's tests can call."""

from .conformance import Finding, check_deblender
from .scenes import Case

__all__ = ["Case", "Finding", "check_deblender"]
