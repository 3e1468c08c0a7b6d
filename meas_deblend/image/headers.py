"""What the headers of a coadd tell: zero point, unit, band, names of mask planes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .survey import Survey

__all__ = ["filter_note", "header_number", "header_text", "named_planes", "zeropoint_of"]

# AB magnitude of one unit: m = 8.90 - 2.5 log10(flux / Jy); a nanomaggy is 10⁻⁹ of the flux of magnitude 0.
_ZEROPOINT_OF_UNIT = {"jy": 8.9, "ujy": 23.9, "njy": 31.4, "nanomaggy": 22.5, "nanomaggies": 22.5}
_MASK_PREFIX = "MP_"


def named_planes(header: Any, label: str) -> dict[str, int]:
    """Plane names and bits from the cards ``MP_<name> = bit`` of a mask's header.

    Raises
    ------
    InputError
        If a bit is not a number from 0 to 62.
    """
    named = {}
    for card in header.cards:
        if str(card.keyword).startswith(_MASK_PREFIX):
            if not isinstance(card.value, int) or not 0 <= card.value <= 62:
                raise InputError(f"{label}: {card.keyword} = {card.value!r} is not a bit number (0 … 62)")
            named[card.keyword[len(_MASK_PREFIX) :]] = card.value
    return named


def zeropoint_of(headers: Sequence[Any], survey: Survey) -> float | None:
    """AB magnitude of one image unit: from the survey's keywords, else from BUNIT, else the survey's own.

    The survey's own zero point is that of its unit, so it is not used where BUNIT names another one.

    Parameters
    ----------
    headers : sequence of astropy.io.fits.Header
        Looked through in this order: that of the image, then the primary.
    survey : Survey
        Keywords and default.

    Returns
    -------
    float or None
        None where nothing tells.
    """
    for keyword, kind in survey.zeropoint_keywords.items():
        value = header_number(headers, keyword)
        if value is not None and kind == "magnitude":
            return value
        if value is not None and value > 0:
            return 2.5 * math.log10(value)
    unit = header_text(headers, "BUNIT")
    if unit.lower() in _ZEROPOINT_OF_UNIT:
        return _ZEROPOINT_OF_UNIT[unit.lower()]
    return survey.zeropoint if unit.lower() in ("", survey.units.lower()) else None


def header_number(headers: Sequence[Any], keyword: str) -> float | None:
    """First finite number that ``headers`` have under ``keyword``; None without one."""
    for header in headers:
        value = header.get(keyword)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None


def header_text(headers: Sequence[Any], keyword: str) -> str:
    """First text that is not blank that ``headers`` have under ``keyword``; "" without one."""
    for header in headers:
        value = header.get(keyword)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def filter_note(headers: Sequence[Any], band: str, survey: Survey) -> tuple[str, ...]:
    """Return a warning if the header says that this is another band."""
    physical = header_text(headers, "FILTER")
    known = survey.band_of_filter(physical) if physical else None
    if known is None or known == band or band not in survey.band_order:
        return ()
    return (f"band {band}: the header says FILTER = {physical!r}, which is {known}: are two files mixed up?",)
