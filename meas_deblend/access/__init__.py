"""What a notebook holds: models by identifier, and everything that a run left behind.

The numerics, pyarrow and astropy are loaded when something that needs them is first used, not before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blend import Blend
    from .cutouts import write_cutout
    from .explanation import Explanation
    from .fits_catalogs import write_fits_catalog
    from .models import Models, load_models
    from .patch_run import PatchModels, PatchRun
    from .run import Run, open_run
    from .run_source import RunSource
    from .segmentation import Segmentation
    from .source import Source
    from .stamp import Stamp
    from .stamps import StampOptions

__all__ = [
    "Blend",
    "Explanation",
    "Models",
    "PatchModels",
    "PatchRun",
    "Run",
    "RunSource",
    "Segmentation",
    "Source",
    "Stamp",
    "StampOptions",
    "load_models",
    "open_run",
    "write_cutout",
    "write_fits_catalog",
]

_LAZY = {
    "Blend": "blend",
    "Explanation": "explanation",
    "Models": "models",
    "PatchModels": "patch_run",
    "PatchRun": "patch_run",
    "Run": "run",
    "RunSource": "run_source",
    "Segmentation": "segmentation",
    "Source": "source",
    "Stamp": "stamp",
    "StampOptions": "stamps",
    "load_models": "models",
    "open_run": "run",
    "write_cutout": "cutouts",
    "write_fits_catalog": "fits_catalogs",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
