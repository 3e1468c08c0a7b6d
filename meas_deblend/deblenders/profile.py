"""Deblending with a joint fit of Sérsic profiles: from the exposure's frame to arrays, and back to models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .._interrupt import raise_interrupt
from ..geometry import Box, Footprint
from ..models import BlendModel, ParentModel, PointComponent, PointSourceFit, ProfileComponent, SourceModel
from ..profiles.config import ProfileFitConfig
from .cutout import cut_out
from .failed import parent_without_models
from .kernels import kernels_for
from .psfs import parent_psfs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..detect import BandPsfs
    from ..geometry import Parent, Peak
    from ..image import MultibandExposure
    from ..models import AnyComponent
    from ..profiles import Calibration, FittedProfile, Positions, ProfileFit, PsfTransforms
    from ..scarlet import Kernels

__all__ = ["Hybrid", "HybridOptions", "JointProfiles", "JointProfilesOptions", "deblend_profiles"]


class JointProfilesOptions(BaseModel):
    """How profiles are fitted, and how they are drawn afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit: ProfileFitConfig = Field(ProfileFitConfig(), description="The joint fit.")
    margin: int = Field(
        8, ge=0, le=200, description="A parent that is fitted without the others is fitted on so many pixels around it."
    )
    psf_tolerance: float = Field(
        1e-3,
        ge=0.0,
        le=0.05,
        description="Largest difference, as a fraction of the peak, up to which PSFs that vary over the image are "
        "taken as one. 0: each parent has its own.",
    )
    model_psf_sigma: float | None = Field(
        None, gt=0, le=5, description="Standard deviation [px] of the model PSF in which models are kept; None: chosen."
    )
    model_psf_size: int = Field(15, ge=3, le=101, description="Side of its stamp [px].")
    kernel_floor: float | None = Field(
        None, ge=0, lt=1, description="Floor of the kernels with which models are drawn; None: chosen."
    )
    structure: float | None = Field(
        None,
        ge=0,
        description="A source that was added because the residual demanded it becomes a part of the source that is "
        "brightest at its place, if that one is brighter there than this fraction of it. None: none does.",
    )
    catch_failures: bool = Field(True, description="Leave a parent without models if its fit raised an error.")


class HybridOptions(JointProfilesOptions):
    """How profiles and the structure on top of them are fitted."""

    fit: ProfileFitConfig = Field(ProfileFitConfig(add_min_snr=4.0, add_model_error=0.1), description="The joint fit.")
    structure: float | None = Field(
        0.3,
        ge=0,
        description="A source that was added because the residual demanded it becomes a part of the source that is "
        "brightest at its place, if that one is brighter there than this fraction of it. None: none does.",
    )


class JointProfiles:
    """Disc, bulge or point per source, fitted jointly in all bands."""

    name: ClassVar[str] = "joint_profiles"
    Options: ClassVar[type[BaseModel]] = JointProfilesOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: JointProfilesOptions) -> ParentModel:
        """Return the model; see `Deblender`.

        Of the light of other parents nothing is known here: `deblend_profiles` fits those of a patch together.
        """
        near = parent.footprint.dilate(options.margin, exposure.box)
        return _deblend(exposure, (parent,), options, near)[0]


class Hybrid:
    """Profiles fitted jointly, and small profiles on top of them where the residual demands structure."""

    name: ClassVar[str] = "hybrid"
    Options: ClassVar[type[BaseModel]] = HybridOptions

    def __call__(self, exposure: MultibandExposure, parent: Parent, options: HybridOptions) -> ParentModel:
        """Return the model; see `Deblender`, and `JointProfiles` on what one parent alone lacks."""
        return JointProfiles()(exposure, parent, options)


def _name(options: JointProfilesOptions) -> str:
    return Hybrid.name if isinstance(options, HybridOptions) else JointProfiles.name


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
            return (parent_without_models(exposure, parents[0], _name(options), f"{type(error).__name__}: {error}"),)
    # One of them did it: the others are not to suffer.
    deblender = JointProfiles()
    return tuple(deblender(exposure, parent, options) for parent in parents)


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """A parent that can be fitted.

    Parameters
    ----------
    parent : Parent
    psfs : BandPsfs
    kernels : Kernels
        Of the bands with a PSF: the model PSF and the floor are kept with the model.
    peaks : tuple of Peak
        Those with a pixel of the image.
    """

    parent: Parent
    psfs: BandPsfs
    kernels: Kernels
    peaks: tuple[Peak, ...]


def _fit(
    exposure: MultibandExposure, parents: tuple[Parent, ...], options: JointProfilesOptions, used: Footprint
) -> tuple[ParentModel, ...]:
    from ..profiles import fit_profiles  # noqa: PLC0415 - loads the compiler

    cutout = cut_out(exposure, used.box)
    usable: NDArray[np.bool_] = np.logical_and(used.on(cutout.box), ~cutout.bad)
    prepared = [_prepare(exposure, parent, options, usable, cutout.box) for parent in parents]
    ready = [one for one in prepared if isinstance(one, _Ready)]
    if not ready:
        return tuple(one for one in prepared if isinstance(one, ParentModel))
    weights = np.divide(1, cutout.variance, out=np.zeros_like(cutout.variance), where=usable)
    weights[~np.any([one.psfs.known for one in ready], axis=0)] = 0
    config = options.fit
    fit = fit_profiles(
        cutout.images, weights, _positions(ready, cutout.box, config), config, _calibration(exposure, config, weights)
    )
    made = iter(_models(ready, fit, cutout.box, exposure, options))
    return tuple(next(made) if isinstance(one, _Ready) else one for one in prepared)


def _prepare(
    exposure: MultibandExposure, parent: Parent, options: JointProfilesOptions, usable: NDArray[np.bool_], box: Box
) -> _Ready | ParentModel:
    """Find PSFs and kernels, or say why the parent cannot be fitted."""
    psfs = parent_psfs(exposure, parent, options.psf_tolerance)
    if not psfs.known.any():
        why = f"no band has a PSF: {'; '.join(psfs.warnings)}"
        return parent_without_models(exposure, parent, _name(options), why, "no_psf")
    usable_here = np.logical_and(usable[psfs.known], parent.footprint.on(box))
    if not usable_here.any():
        why = "no pixel of the parent is usable in a band with a PSF"
        return parent_without_models(exposure, parent, _name(options), why, "no_data")
    kernels = kernels_for(
        psfs.stamps[psfs.known], options.model_psf_sigma, options.kernel_floor, options.model_psf_size
    )
    peaks = tuple(peak for peak in parent.footprint.peaks if np.isfinite(peak.center).all())
    return _Ready(parent, psfs, kernels, peaks)


def _positions(ready: Sequence[_Ready], box: Box, config: ProfileFitConfig) -> Positions:
    from ..profiles import Positions, PsfTransforms  # noqa: PLC0415 - loads the compiler

    kept: dict[bytes, PsfTransforms] = {}
    centers, widths, psfs = [], [], []
    for one in ready:
        key = one.psfs.stamps.tobytes()
        if key not in kept:
            kept[key] = PsfTransforms.of(np.where(one.psfs.known[:, None, None], one.psfs.stamps, 0))
        for peak in one.peaks:
            centers.append(np.subtract(peak.center, box.origin))
            # A position between pixels was measured, or given by somebody who knew it.
            between = any(not float(c).is_integer() for c in peak.center)
            exact = between and peak.position is not None and not np.isfinite(peak.value)
            widths.append(config.given_center_width if exact else config.peak_center_width)
            psfs.append(kept[key])
    return Positions(np.array(centers, dtype=np.float64).reshape(-1, 2), np.array(widths), tuple(psfs))


def _calibration(exposure: MultibandExposure, config: ProfileFitConfig, weights: NDArray[np.floating]) -> Calibration:
    """Units of the priors; the band of sizes is the deepest one if the one asked for is not there."""
    from ..profiles import Calibration  # noqa: PLC0415 - loads the compiler

    priors, present = config.priors, np.asarray(weights.any(axis=(1, 2)))
    band = exposure.bands.index(priors.size_band) if priors.size_band in exposure.bands else -1
    if band < 0 or not present[band]:
        band = int(np.argmax(weights.sum(axis=(1, 2))))
    zeropoint = exposure.zeropoints[band] if exposure.zeropoints[band] is not None else priors.zeropoint
    scale = exposure.pixel_scale if exposure.pixel_scale is not None else priors.pixel_scale
    return Calibration(band, zeropoint, scale)


def _models(
    ready: Sequence[_Ready], fit: ProfileFit, box: Box, exposure: MultibandExposure, options: JointProfilesOptions
) -> tuple[ParentModel, ...]:
    out = []
    parts = _parts(fit, options.structure)
    first = 0
    for one in ready:
        index = list(range(first, first + len(one.peaks)))
        first += len(index)
        by_id = {peak.id: (fit.sources[k], *parts.get(k, ())) for peak, k in zip(one.peaks, index, strict=True)}
        flags = {peak.id: _flags(k, fit, parts) for peak, k in zip(one.peaks, index, strict=True)}
        made = (_source(peak, by_id.get(peak.id, ()), one, box) for peak in one.parent.footprint.peaks)
        sources = tuple(replace(s, flags=s.flags | flags.get(s.peak.id, frozenset())) for s in made)
        groups = sorted({fit.sources[k].group for k in index} - {-1})
        blend = BlendModel(
            0,
            one.parent.footprint.box & exposure.box,
            sources,
            iterations=int(max((fit.iterations[g] for g in groups), default=0)),
            log_likelihood=_log_likelihood(one, fit, groups, box, exposure),
            stop_reason=_stop_reason([fit.stop_reasons[g] for g in groups]),
            flux_covariance=_covariance(one, index, fit),
        )
        modelled = any(source.components for source in sources)
        out.append(
            ParentModel(
                one.parent.id,
                one.parent.footprint,
                (blend,),
                one.psfs.stamps,
                model_psf=one.kernels.model_psf.astype(np.float32),
                deblender=_name(options),
                outcome="ok" if modelled else "failed",
                reason="" if modelled else "fit_failed",
                message="" if modelled else "no source of the parent has any light",
                warnings=one.psfs.warnings + _unlisted(one, fit, options.structure, box),
                kernel_floor=one.kernels.floor,
            )
        )
    return tuple(out)


def _parts(fit: ProfileFit, structure: float | None) -> dict[int, tuple[FittedProfile, ...]]:
    """Return the added sources that are structure of a source, by its index."""
    out: dict[int, tuple[FittedProfile, ...]] = {}
    if structure is not None:
        for added, owner, contrast in zip(fit.added, fit.owners.tolist(), fit.contrasts, strict=True):
            if owner >= 0 and contrast > structure:
                out[owner] = (*out.get(owner, ()), added)
    return out


def _flags(k: int, fit: ProfileFit, parts: Mapping[int, tuple[FittedProfile, ...]]) -> frozenset[str]:
    """Return what the residual and the neighbours had to say about a listed source."""
    structure, lit = parts.get(k, ()), [fit.added[n] for n in np.flatnonzero(fit.owners == k)]
    said = {
        "deblend_hasStructure": any(part.fluxes.any() for part in structure),
        "deblend_hasUnlistedNeighbor": any(s.fluxes.any() and all(s is not p for p in structure) for s in lit),
        "deblend_mergedSource": bool(fit.merged[k] >= 0),
    }
    return frozenset(name for name, true in said.items() if true)


def _unlisted(one: _Ready, fit: ProfileFit, structure: float | None, box: Box) -> tuple[str, ...]:
    """Say where the residual demanded sources that nobody listed; their light is shared out with the data."""
    footprint, out = one.parent.footprint, []
    owned = {id(part) for parts in _parts(fit, structure).values() for part in parts}
    for source in (source for source in fit.added if id(source) not in owned):
        y, x = (float(c + o) for c, o in zip(source.center, box.origin, strict=True))
        pixel = Box((int(np.floor(y + 0.5)), int(np.floor(x + 0.5))), (1, 1))
        if source.fluxes.any() and footprint.on(pixel).any():
            out.append(f"the fit needs a source that is not listed at y = {y:.1f}, x = {x:.1f}")
    return tuple(out)


def _stop_reason(reasons: Sequence[str]) -> str:
    """Return the first reason that is not "converged", if any."""
    return next((reason for reason in reasons if reason != "converged"), "converged" if reasons else "")


def _source(peak: Peak, fitted: tuple[FittedProfile, ...], one: _Ready, box: Box) -> SourceModel:
    """Return the model of a source from its own profile, the first, and the structure on top of it."""
    components = tuple(c for profile in fitted for c in _components(profile, box))
    if not components:
        return SourceModel(peak.id, peak, (), frozenset({"deblend_noModel"}))
    if len(components) > 1 or not isinstance(components[0], PointComponent):
        return SourceModel(peak.id, peak, components)
    point = components[0]
    fits = tuple(
        PointSourceFit(True, float(flux), point.center) if known else None
        for flux, known in zip(point.spectrum, one.psfs.known, strict=True)
    )
    return SourceModel(peak.id, peak, components, frozenset({"deblend_deblendedAsPsf"}), fits)


def _components(fitted: FittedProfile, box: Box) -> tuple[AnyComponent, ...]:
    """Disc and bulge, or a point; nothing of a source without light or beyond the image."""
    y, x = (float(c + o) for c, o in zip(fitted.center, box.origin, strict=True))
    half = fitted.reach // 2
    where = Box((int(np.floor(y + 0.5)) - half, int(np.floor(x + 0.5)) - half), (2 * half + 1, 2 * half + 1)) & box
    if where.area == 0 or not fitted.fluxes.any():
        return ()
    if fitted.is_point:
        return (PointComponent(where, fitted.fluxes.astype(np.float32), (y, x)),)
    return tuple(
        ProfileComponent(where, np.array(p.fluxes, dtype=np.float32), (y, x), p.radius, p.ellipticity, p.index)
        for p in fitted.profiles
    )


def _log_likelihood(
    one: _Ready, fit: ProfileFit, groups: Sequence[int], box: Box, exposure: MultibandExposure
) -> float:
    """−½ χ² over the usable pixels of the parent's footprint, above the level fitted there."""
    if not groups:
        return float("nan")
    level = fit.sky[groups[0]]
    part = one.parent.footprint.box & box
    cutout = cut_out(exposure, part)
    residual = fit.residual[(slice(None), *part.slices_in(box))].astype(np.float64)
    used = one.parent.footprint.on(part) & ~cutout.bad & one.psfs.known[:, None, None]
    return float(-0.5 * ((residual - level[:, None, None])[used] ** 2 / cutout.variance[used]).sum())


def _covariance(one: _Ready, index: list[int], fit: ProfileFit) -> NDArray[np.float64]:
    """Covariance (band, source, source) of the fluxes of a parent's sources; 0 between groups."""
    peaks = one.parent.footprint.peaks
    place = {peak.id: n for n, peak in enumerate(peaks)}
    out = np.zeros((len(one.psfs.stamps), len(peaks), len(peaks)))
    at = {k: place[peak.id] for peak, k in zip(one.peaks, index, strict=True)}
    for group, covariance in fit.flux_covariance.items():
        members = fit.members(group)
        mine = [(n, at[k]) for n, k in enumerate(members) if k in at]
        if mine:
            inner, outer = np.array(mine).T
            out[:, outer[:, None], outer] = covariance[:, inner[:, None], inner]
    return out
