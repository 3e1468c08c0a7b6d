"""Deblending of multi-band sky images: every detected object gets its own pixels.

>>> import meas_deblend as md
>>> md.__version__
'0.1.0'

The doors are `read_coadds`, `plan`, `deblend`, `load_models` and `open_run`. What they need is imported when they are
first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .access import load_models, open_run
    from .api import DeblendResult, deblend
    from .image import read_coadds, read_sources
    from .planning import Plan, plan

__all__ = [
    "DeblendResult",
    "Plan",
    "__version__",
    "deblend",
    "load_models",
    "open_run",
    "plan",
    "read_coadds",
    "read_sources",
]

_LAZY = {
    "DeblendResult": "api",
    "Plan": "planning",
    "deblend": "api",
    "load_models": "access",
    "open_run": "access",
    "plan": "planning",
    "read_coadds": "image",
    "read_sources": "image",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
