"""Records of parents from stores of older versions, brought to the present one step by step.

A step knows two neighbouring versions only, so it never changes again once it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._arrays import pixel_record, read_array
from ._store_schema import STORE_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._records import Record

__all__ = ["READABLE_STORES", "migrated", "migrated_psf"]


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


def migrated_psf(array: Record, version: str) -> Record:
    """Record of a PSF's pixels as the present version has it; see `migrated`."""
    for step in range(READABLE_STORES.index(version), len(_STEPS)):
        array = _PSF_STEPS.get(READABLE_STORES[step], _unchanged)(array)
    return array


def _unchanged(array: Record) -> Record:
    return array


def _with_point_source_fits(record: Record) -> Record:
    """1.0.0 → 1.1.0: sources hold the point-source fits of each band, which were not kept before."""
    blends = [
        {**blend, "sources": [{**source, "psf_fits": []} for source in blend["sources"]]} for blend in record["blends"]
    ]
    return {**record, "blends": blends}


def _with_planes_of_pixels(record: Record) -> Record:
    """1.1.0 → 1.2.0.

    Pixels are byte planes, boxes four numbers, and sources name their peak by its id. Components may have parameters
    instead of pixels, and blends flux covariances and PSFs of their own.
    """
    footprint = {**record["footprint"], "box": _four_numbers(record["footprint"]["box"])}
    blends = [
        {
            **blend,
            "box": _four_numbers(blend["box"]),
            "flux_covariance": None,
            "psfs": [],
            "sources": [_source_with_planes(source) for source in blend["sources"]],
        }
        for blend in record["blends"]
    ]
    return {**record, "footprint": footprint, "blends": blends}


def _source_with_planes(source: Record) -> Record:
    components = [
        {**c, "box": _four_numbers(c["box"]), "pixels": _with_planes(c["pixels"]), "parameters": None}
        for c in source["components"]
    ]
    return {**source, "peak": source["peak"]["id"], "components": components}


def _four_numbers(box: Record) -> list[int]:
    return [box["y"], box["x"], box["height"], box["width"]]


def _with_planes(array: Record) -> Record:
    return pixel_record(read_array(array))


def _with_rungs(record: Record) -> Record:
    """1.2.0 → 1.3.0: sources say on which rung they were made, and why; before, there was no ladder."""
    blends = [
        {**blend, "sources": [{**source, "rung": "", "reason": ""} for source in blend["sources"]]}
        for blend in record["blends"]
    ]
    return {**record, "blends": blends}


_STEPS: dict[str, Callable[[Record], Record]] = {
    "1.0.0": _with_point_source_fits,
    "1.1.0": _with_planes_of_pixels,
    "1.2.0": _with_rungs,
}
"""What takes a record of each older version, oldest first, to the next one."""

_PSF_STEPS: dict[str, Callable[[Record], Record]] = {"1.1.0": _with_planes}
"""The same for the pixels of PSFs, where they changed."""

READABLE_STORES = (*_STEPS, STORE_VERSION)
"""Versions that can be read, oldest first."""
