"""Words and numbers put together for people; only the standard library is used, so that any module may."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["by_count", "counted", "duration", "number", "percent", "position", "together"]


def counted(count: int, what: str, several: str = "") -> str:
    """Count things: "1 peak", "3 peaks"; ``several`` is the plural where it is not made with an s."""
    return f"{count} {what}" if count == 1 else f"{count} {several or what + 's'}"


def together(items: Iterable[str], last: str = "and") -> str:
    """List things in a sentence: "g", "g and r", "g, r and i"; "none" without any."""
    every = list(items)
    if len(every) < 2:
        return every[0] if every else "none"
    return f"{', '.join(every[:-1])} {last} {every[-1]}"


def percent(fraction: float) -> str:
    """Fraction as a percentage with as many digits as it deserves: "0 %", "0.04 %", "3.4 %", "34 %"."""
    value = 100 * fraction
    digits = 0 if abs(value) >= 10 or value == 0 else 1 if abs(value) >= 1 else 2
    return f"{value:.{digits}f} %"


def number(value: float) -> str:
    """Write a number with four significant digits and no exponent where it can do without: "12340", "0.001234"."""
    if not math.isfinite(value):
        return "not known"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e7:
        digits = max(0, 3 - math.floor(math.log10(abs(value))))
        return f"{value:.{digits}f}"
    return f"{value:.3e}"


def position(x: float, y: float, sky: Sequence[float] | None) -> str:
    """Where something is: pixels, and ICRS degrees where they are known."""
    where = f"x = {x:.2f}, y = {y:.2f}"
    return where if sky is None else f"{where} (RA {sky[0]:.6f}°, Dec {sky[1]:+.6f}°)"


def by_count(counts: Mapping[str, int]) -> str:
    """List names with their counts: "117 full_multi_band, 3 one_component"; "none" without any."""
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def duration(seconds: float) -> str:
    """Give a time in the unit that suits it: "0.3 s", "12 s", "4.5 min", "2.1 h"."""
    for limit, divisor, unit in ((100.0, 1.0, "s"), (6000.0, 60.0, "min")):
        if seconds < limit:
            value = seconds / divisor
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{seconds / 3600:.1f} h"
