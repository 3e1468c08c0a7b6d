"""Records of parents from stores of older versions, brought to the present one step by step.

A step knows two neighbouring versions only, so it never changes again once it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._store_schema import STORE_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._records import Record

__all__ = ["READABLE_STORES", "migrated"]


def migrated(record: Record, version: str) -> Record:
    """Record of a parent as the present version has it.

    Parameters
    ----------
    record : mapping
        As a store of ``version`` holds it; it is not changed.
    version : str
        One of ``READABLE_STORES``.
    """
    for step in range(READABLE_STORES.index(version), len(_STEPS)):
        record = _STEPS[READABLE_STORES[step]](record)
    return record


def _with_point_source_fits(record: Record) -> Record:
    """1.0.0 → 1.1.0: sources hold the point-source fits of each band, which were not kept before."""
    blends = [
        {**blend, "sources": [{**source, "psf_fits": []} for source in blend["sources"]]} for blend in record["blends"]
    ]
    return {**record, "blends": blends}


_STEPS: dict[str, Callable[[Record], Record]] = {"1.0.0": _with_point_source_fits}
"""What takes a record of each older version, oldest first, to the next one."""

READABLE_STORES = (*_STEPS, STORE_VERSION)
"""Versions that can be read, oldest first."""
