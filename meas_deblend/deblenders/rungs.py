"""The rungs of the ladder by name, from the model that says most to the one that asks least."""

from __future__ import annotations

__all__ = [
    "FITS",
    "PARENT_ONLY",
    "POINTS",
    "PROFILE_DEBLENDER",
    "RUNG_NAMES",
    "SYMMETRIC",
    "check_ladder",
    "default_ladder",
]

FITS = ("full_multi_band", "joint_profiles", "one_component")
"""Rungs that fit all bands of a blend jointly; the limits on blends bar these."""

SYMMETRIC, POINTS = "symmetric_templates", "psf_templates"
"""Rungs of templates that are scaled to the data, not fitted."""

PARENT_ONLY = "parent_only"
"""The last rung: it costs nothing and cannot fail."""

RUNG_NAMES = (*FITS, SYMMETRIC, POINTS, PARENT_ONLY)

PROFILE_DEBLENDER = "profile"
"""Name of the deblender behind the rung ``joint_profiles``."""


def default_ladder() -> tuple[str, ...]:
    """All rungs that there are in this installation, in order."""
    return tuple(name for name in RUNG_NAMES if name != "joint_profiles" or _has_profiles())


def check_ladder(ladder: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ladder if a blend can be sent down on it.

    Raises
    ------
    ValueError
        If a rung is not known, stands there twice, lacks its deblender, or the last is not ``parent_only``.
    """
    unknown = [name for name in ladder if name not in RUNG_NAMES]
    if unknown:
        raise ValueError(f"there is no rung {', '.join(map(repr, unknown))}; there are {', '.join(RUNG_NAMES)}")
    if len(set(ladder)) < len(ladder):
        raise ValueError(f"a rung stands on the ladder twice: {', '.join(ladder)}")
    if not ladder or ladder[-1] != PARENT_ONLY:
        raise ValueError(f"the last rung must be {PARENT_ONLY}, which cannot fail; got {', '.join(ladder) or 'none'}")
    if "joint_profiles" in ladder and not _has_profiles():
        raise ValueError(f"the rung joint_profiles needs a deblender named {PROFILE_DEBLENDER!r}, which is not there")
    return ladder


def _has_profiles() -> bool:
    # The registry imports the multi-band deblender, which has a ladder.
    from .registry import deblender_names  # noqa: PLC0415

    return PROFILE_DEBLENDER in deblender_names()
