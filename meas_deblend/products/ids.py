"""One space of identifiers for parents and objects, unique over a survey.

An identifier has 63 bits, so that it fits a signed 64-bit integer everywhere: 17 for the tract, 14 for the patch and
32 for a counter that starts at 1 in each patch. 0 is never an identifier: as a parent it means "isolated". Data that
belong to no tract (tract 0, patch 0) have the plain counter as their identifier.
"""

from __future__ import annotations

from typing import NamedTuple

from ..exceptions import InputError

__all__ = ["COUNTER_BITS", "PATCH_BITS", "TRACT_BITS", "PatchId", "pack_id", "unpack_id"]

TRACT_BITS = 17
PATCH_BITS = 14
COUNTER_BITS = 32


class PatchId(NamedTuple):
    """What an identifier is made of.

    Parameters
    ----------
    tract : int
        0 … 131 071.
    patch : int
        0 … 16 383.
    counter : int
        1 … 4 294 967 295.
    """

    tract: int
    patch: int
    counter: int


def pack_id(tract: int, patch: int, counter: int) -> int:
    """Make an identifier.

    Raises
    ------
    InputError
        If a part is out of its range.
    """
    _check("tract", tract, 0, TRACT_BITS)
    _check("patch", patch, 0, PATCH_BITS)
    _check("counter", counter, 1, COUNTER_BITS)
    return (int(tract) << (PATCH_BITS + COUNTER_BITS)) | (int(patch) << COUNTER_BITS) | int(counter)


def unpack_id(identifier: int) -> PatchId:
    """Take an identifier apart (the inverse of `pack_id`).

    Raises
    ------
    InputError
        If it is not an identifier.
    """
    value = int(identifier)
    counter = value & ((1 << COUNTER_BITS) - 1)
    if not 0 < value < 1 << (TRACT_BITS + PATCH_BITS + COUNTER_BITS) or counter == 0:
        raise InputError(f"{identifier} is not an identifier: they have 63 bits, of which the last 32 are not all 0")
    patch = (value >> COUNTER_BITS) & ((1 << PATCH_BITS) - 1)
    return PatchId(value >> (PATCH_BITS + COUNTER_BITS), patch, counter)


def _check(name: str, value: int, first: int, bits: int) -> None:
    if not first <= value < 1 << bits:
        raise InputError(f"{name} must be {first} … {(1 << bits) - 1} ({bits} bits), got {value}")
