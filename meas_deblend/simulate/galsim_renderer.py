"""The same sources drawn by GalSim (Rowe et al. 2015), for those who want a second opinion.

Needs the extra ``sim``: ``pip install 'meas_deblend[sim]'``.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from ..geometry import Box, Image
from .optics import KolmogorovPsf, MoffatTransformPsf
from .profiles import Sersic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .catalog import SimulatedComponent, SimulatedSource
    from .optics import FourierPsf

__all__ = ["render_with_galsim"]


def render_with_galsim(source: SimulatedSource, psfs: Sequence[FourierPsf], radius: int) -> Image:
    """Draw one source with GalSim; takes and returns what `render_source` does.

    Parameters
    ----------
    source : SimulatedSource
        With one flux per PSF.
    psfs : sequence of FourierPsf (B,)
        Moffat, Kolmogorov, or one that varies between such.
    radius : int
        Half of the stamp's side [px].

    Returns
    -------
    Image
        Cube (B, h, w) around the pixel nearest to the source, image units; float64.

    Raises
    ------
    InputError
        If GalSim is not installed, or a PSF is of another kind.
    """
    galsim = _galsim()
    row, column = math.floor(source.y + 0.5), math.floor(source.x + 0.5)
    size = 2 * radius + 1
    # Finer than GalSim's defaults, whose truncated wings would show at a few 1e-4 of the peak.
    accuracy = galsim.GSParams(folding_threshold=1e-3, maxk_threshold=1e-4, maximum_fft_size=16384)
    cube = np.empty((len(psfs), size, size))
    for band, psf in enumerate(psfs):
        parts = [_component(galsim, c, c.flux[band]) for c in source.components if c.flux[band] != 0]
        if not parts:
            cube[band] = 0
            continue
        local = _psf(galsim, psf.at(source.y, source.x))
        drawn = galsim.Convolve([galsim.Sum(parts), local], gsparams=accuracy).drawImage(
            nx=size, ny=size, scale=1.0, offset=(source.x - column, source.y - row), dtype=np.float64
        )
        cube[band] = drawn.array
    return Image(cube, Box((row - radius, column - radius), (size, size)))


def _galsim() -> Any:
    try:
        return import_module("galsim")
    except ImportError as error:
        raise InputError(
            "GalSim is not installed: pip install 'meas_deblend[sim]', or use the renderer 'core'"
        ) from error


def _component(galsim: Any, component: SimulatedComponent, flux: float) -> Any:
    profile = component.profile
    if isinstance(profile, Sersic):
        # GalSim shears at constant area, so a circle of the same area is what it starts from.
        circular = profile.half_light_radius * math.sqrt(profile.axis_ratio)
        shape = galsim.Sersic(n=profile.sersic_index, half_light_radius=circular, flux=flux)
        shape = shape.shear(q=profile.axis_ratio, beta=profile.position_angle * galsim.degrees)
    else:
        shape = galsim.DeltaFunction(flux=flux)
    return shape.shift(component.offset[1], component.offset[0])


def _psf(galsim: Any, psf: FourierPsf) -> Any:
    if isinstance(psf, MoffatTransformPsf):
        shape = galsim.Moffat(beta=psf.beta, fwhm=psf.fwhm)
    elif isinstance(psf, KolmogorovPsf):
        shape = galsim.Kolmogorov(fwhm=psf.fwhm)
        if psf.diffraction > 0:
            shape = galsim.Convolve(shape, galsim.Airy(lam_over_diam=psf.diffraction, obscuration=psf.obscuration))
    else:
        raise InputError(f"GalSim draws Moffat and Kolmogorov PSFs, got {type(psf).__name__}")
    return shape.shear(g1=psf.shear[0], g2=psf.shear[1])
