"""The rungs of the ladder by name, from the model that says most to the one that asks least."""

from __future__ import annotations

__all__ = [
    "FITS",
    "PARENT_ONLY",
    "POINTS",
    "RUNG_NAMES",
    "SYMMETRIC",
    "check_ladder",
]

FITS = ("full_multi_band", "joint_profiles", "one_component")
"""Rungs that fit all bands of a blend jointly; the limits on blends bar these."""

SYMMETRIC, POINTS = "symmetric_templates", "psf_templates"
"""Rungs of templates that are scaled to the data, not fitted."""

PARENT_ONLY = "parent_only"
"""The last rung: it costs nothing and cannot fail."""

RUNG_NAMES = (*FITS, SYMMETRIC, POINTS, PARENT_ONLY)


def check_ladder(ladder: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ladder if a blend can be sent down on it.

    Raises
    ------
    ValueError
        If a rung is not known, stands there twice or the last is not ``parent_only``.
    """
    unknown = [name for name in ladder if name not in RUNG_NAMES]
    if unknown:
        raise ValueError(f"there is no rung {', '.join(map(repr, unknown))}; there are {', '.join(RUNG_NAMES)}")
    if len(set(ladder)) < len(ladder):
        raise ValueError(f"a rung stands on the ladder twice: {', '.join(ladder)}")
    if not ladder or ladder[-1] != PARENT_ONLY:
        raise ValueError(f"the last rung must be {PARENT_ONLY}, which cannot fail; got {', '.join(ladder) or 'none'}")
    return ladder
