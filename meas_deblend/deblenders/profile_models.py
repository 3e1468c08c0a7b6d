"""From fitted profiles back to models of parents in the exposure's frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box
from ..models import BlendModel, ParentModel, PointComponent, PointSourceFit, ProfileComponent, SourceModel
from .cutout import cut_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..geometry import Peak
    from ..image import MultibandExposure
    from ..models import AnyComponent
    from ..profiles import FittedProfile, ProfileFit
    from .profile_options import JointProfilesOptions
    from .profile_scene import Ready

__all__ = ["models_of"]


def models_of(
    ready: Sequence[Ready], fit: ProfileFit, box: Box, exposure: MultibandExposure, options: JointProfilesOptions
) -> tuple[ParentModel, ...]:
    """Make the models of parents from what was fitted to them together.

    Parameters
    ----------
    ready : sequence of Ready
        The parents that were fitted.
    fit : ProfileFit
        Of all their peaks, parent by parent.
    box : Box
        What the arrays of the fit cover of the exposure.
    exposure : MultibandExposure
    options : JointProfilesOptions

    Returns
    -------
    tuple of ParentModel
        In the order of ``ready``.
    """
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
                deblender=options.deblender,
                outcome="ok" if modelled else "failed",
                reason="" if modelled else "fit_failed",
                message="" if modelled else "no source of the parent has any light",
                warnings=one.psfs.warnings + _unlisted(one, fit, parts, box),
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


def _unlisted(one: Ready, fit: ProfileFit, parts: Mapping[int, tuple[FittedProfile, ...]], box: Box) -> tuple[str, ...]:
    """Say where the residual demanded sources that nobody listed; their light is shared out with the data."""
    footprint, out = one.parent.footprint, []
    owned = {id(part) for own in parts.values() for part in own}
    for source in (source for source in fit.added if id(source) not in owned):
        y, x = (float(c + o) for c, o in zip(source.center, box.origin, strict=True))
        pixel = Box((int(np.floor(y + 0.5)), int(np.floor(x + 0.5))), (1, 1))
        if source.fluxes.any() and footprint.on(pixel).any():
            out.append(f"the fit needs a source that is not listed at y = {y:.1f}, x = {x:.1f}")
    return tuple(out)


def _stop_reason(reasons: Sequence[str]) -> str:
    """Return the first reason that is not "converged", if any."""
    return next((reason for reason in reasons if reason != "converged"), "converged" if reasons else "")


def _source(peak: Peak, fitted: tuple[FittedProfile, ...], one: Ready, box: Box) -> SourceModel:
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


def _log_likelihood(one: Ready, fit: ProfileFit, groups: Sequence[int], box: Box, exposure: MultibandExposure) -> float:
    """−½ χ² over the usable pixels of the parent's footprint, above the level fitted there."""
    if not groups:
        return float("nan")
    level = fit.sky[groups[0]]
    part = one.parent.footprint.box & box
    cutout = cut_out(exposure, part)
    residual = fit.residual[(slice(None), *part.slices_in(box))].astype(np.float64)
    used = one.parent.footprint.on(part) & ~cutout.bad & one.psfs.known[:, None, None]
    return float(-0.5 * ((residual - level[:, None, None])[used] ** 2 / cutout.variance[used]).sum())


def _covariance(one: Ready, index: list[int], fit: ProfileFit) -> NDArray[np.float64]:
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
