"""The multi-band engine: constrained matrix factorisation of a blend, standing alone.

A blend is modelled as a sum of components, spectrum × morphology, in the resolution of a narrow model PSF common to all
bands (Melchior et al. 2018). Of this package only `geometry` is imported, so the folder can be lifted out.

The names are loaded on first use: the compiler behind the inner loops is slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .blend import Blend, Source
    from .compilation import warmup
    from .component import Component, PointComponent
    from .config import DeconvolveConfig, FitConfig
    from .convolve import Convolver, full_convolution
    from .deblend import deblend_blend
    from .deconvolution import Deconvolved, deconvolve
    from .freeform import CubeComponent, FreeFormComponent
    from .general import GeneralComponent, LinearObservation
    from .kernels import Kernels, difference_kernels, model_psf, prepare_kernels
    from .matching import PsfMatch, is_undersampled, match_psfs, matched_kernels
    from .observation import Observation, mean_noise, point_source_snr
    from .parameters import GaussianPrior, Parameter
    from .parametric import ParametricComponent, point_source, sersic_source
    from .profiles import SersicShape
    from .psf_fit import fit_psf
    from .render import kernel_support, render_source
    from .sky import SkyComponent
    from .starlet import scale_count, starlet_inverse, starlet_transform
    from .uncertainty import FluxCovariance, Uncertainty

_MODULES = {
    "Blend": "blend",
    "Component": "component",
    "Convolver": "convolve",
    "CubeComponent": "freeform",
    "DeconvolveConfig": "config",
    "Deconvolved": "deconvolution",
    "FitConfig": "config",
    "FluxCovariance": "uncertainty",
    "FreeFormComponent": "freeform",
    "GaussianPrior": "parameters",
    "GeneralComponent": "general",
    "Kernels": "kernels",
    "LinearObservation": "general",
    "Observation": "observation",
    "Parameter": "parameters",
    "ParametricComponent": "parametric",
    "PointComponent": "component",
    "PsfMatch": "matching",
    "SersicShape": "profiles",
    "SkyComponent": "sky",
    "Source": "blend",
    "Uncertainty": "uncertainty",
    "deblend_blend": "deblend",
    "deconvolve": "deconvolution",
    "difference_kernels": "kernels",
    "fit_psf": "psf_fit",
    "full_convolution": "convolve",
    "is_undersampled": "matching",
    "kernel_support": "render",
    "match_psfs": "matching",
    "matched_kernels": "matching",
    "mean_noise": "observation",
    "model_psf": "kernels",
    "point_source": "parametric",
    "point_source_snr": "observation",
    "prepare_kernels": "kernels",
    "render_source": "render",
    "scale_count": "starlet",
    "sersic_source": "parametric",
    "starlet_inverse": "starlet",
    "starlet_transform": "starlet",
    "warmup": "compilation",
}

__all__ = [
    "Blend",
    "Component",
    "Convolver",
    "CubeComponent",
    "DeconvolveConfig",
    "Deconvolved",
    "FitConfig",
    "FluxCovariance",
    "FreeFormComponent",
    "GaussianPrior",
    "GeneralComponent",
    "Kernels",
    "LinearObservation",
    "Observation",
    "Parameter",
    "ParametricComponent",
    "PointComponent",
    "PsfMatch",
    "SersicShape",
    "SkyComponent",
    "Source",
    "Uncertainty",
    "deblend_blend",
    "deconvolve",
    "difference_kernels",
    "fit_psf",
    "full_convolution",
    "is_undersampled",
    "kernel_support",
    "match_psfs",
    "matched_kernels",
    "mean_noise",
    "model_psf",
    "point_source",
    "point_source_snr",
    "prepare_kernels",
    "render_source",
    "scale_count",
    "sersic_source",
    "starlet_inverse",
    "starlet_transform",
    "warmup",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
