"""What a notebook holds: models by identifier, and everything that a run left behind.

The numerics, pyarrow and astropy are loaded when something that needs them is first used, not before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blend import Blend
    from .models import Models, load_models
    from .run import Run, open_run
    from .run_source import RunSource
    from .source import Source

__all__ = ["Blend", "Models", "Run", "RunSource", "Source", "load_models", "open_run"]

_LAZY = {
    "Blend": "blend",
    "Models": "models",
    "Run": "run",
    "RunSource": "run_source",
    "Source": "source",
    "load_models": "models",
    "open_run": "run",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
