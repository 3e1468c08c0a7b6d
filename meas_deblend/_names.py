"""Names in messages: what is known, and what was probably meant."""

import difflib
import re
from collections.abc import Iterable

__all__ = ["SNAKE_CASE", "listing", "suggestion"]

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def listing(names: Iterable[str]) -> str:
    """Return the names in their order, separated by commas, or ``(none)``."""
    return ", ".join(names) or "(none)"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: ``"; did you mean 'x'?"`` with the nearest known name, or a full stop."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else "."
