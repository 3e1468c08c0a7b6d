"""Deblending with a joint fit of Sérsic profiles to all parents of a patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .._interrupt import raise_interrupt
from ..geometry import Footprint
from ..models import ParentModel
from .cutout import cut_out
from .failed import parent_without_models
from .profile_models import models_of
from .profile_options import HybridOptions, JointProfilesOptions
from .profile_scene import Ready, calibration_of, positions_of, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydantic import BaseModel

    from ..geometry import Parent
    from ..image import MultibandExposure

__all__ = ["Hybrid", "HybridOptions", "JointProfiles", "JointProfilesOptions", "deblend_profiles"]


class JointProfiles:
    """Disc, bulge or point per source, fitted jointly in all bands."""

    name: ClassVar[str] = JointProfilesOptions.deblender
    Options: ClassVar[type[BaseModel]] = JointProfilesOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: JointProfilesOptions) -> ParentModel:
        """Return the model; see `Deblender`.

        Of the light of other parents nothing is known here: `deblend_profiles` fits those of a patch together.
        """
        near = parent.footprint.dilate(options.margin, exposure.box)
        return _deblend(exposure, (parent,), options, near)[0]


class Hybrid:
    """Profiles fitted jointly, and small profiles on top of them where the residual demands structure."""

    name: ClassVar[str] = HybridOptions.deblender
    Options: ClassVar[type[BaseModel]] = HybridOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: HybridOptions) -> ParentModel:
        """Return the model; see `Deblender`, and `JointProfiles` on what one parent alone lacks."""
        return JointProfiles()(exposure, parent, options)


def deblend_profiles(
    exposure: MultibandExposure, parents: Sequence[Parent], options: JointProfilesOptions
) -> tuple[ParentModel, ...]:
    """Fit the sources of all parents of a patch, so that none is biased by the wings of another parent.

    Parameters
    ----------
    exposure : MultibandExposure
    parents : sequence of Parent
        All of the patch.
    options : JointProfilesOptions

    Returns
    -------
    tuple of ParentModel
        In the order of ``parents``.  Outcome "failed" for a parent without a PSF or without usable pixels, and for
        one in which the fit raised an error.

    Raises
    ------
    Exception
        Whatever goes wrong, unless ``catch_failures`` is true.
    """
    return _deblend(exposure, tuple(parents), options, Footprint.from_box(exposure.box))


def _deblend(
    exposure: MultibandExposure, parents: tuple[Parent, ...], options: JointProfilesOptions, used: Footprint
) -> tuple[ParentModel, ...]:
    try:
        return _fit(exposure, parents, options, used)
    except Exception as error:
        raise_interrupt(error)
        if not options.catch_failures:
            raise
        if len(parents) == 1:
            return (parent_without_models(exposure, parents[0], options.deblender, f"{type(error).__name__}: {error}"),)
    # One of them did it: the others are not to suffer.
    deblender = JointProfiles()
    return tuple(deblender(exposure, parent, options) for parent in parents)


def _fit(
    exposure: MultibandExposure, parents: tuple[Parent, ...], options: JointProfilesOptions, used: Footprint
) -> tuple[ParentModel, ...]:
    from ..profiles import fit_profiles  # noqa: PLC0415 - loads the compiler

    cutout = cut_out(exposure, used.box)
    usable: NDArray[np.bool_] = np.logical_and(used.on(cutout.box), ~cutout.bad)
    prepared = [prepare(exposure, parent, options, usable, cutout.box) for parent in parents]
    ready = [one for one in prepared if isinstance(one, Ready)]
    if not ready:
        return tuple(one for one in prepared if isinstance(one, ParentModel))
    weights = np.divide(1, cutout.variance, out=np.zeros_like(cutout.variance), where=usable)
    weights[~np.any([one.psfs.known for one in ready], axis=0)] = 0
    where = positions_of(ready, cutout.box, options.fit)
    calibration = calibration_of(exposure, options.fit, weights)
    fit = fit_profiles(cutout.images, weights, where, options.fit, calibration)
    made = iter(models_of(ready, fit, cutout.box, exposure, options))
    return tuple(next(made) if isinstance(one, Ready) else one for one in prepared)
