"""``meas-deblend explain``: the story of one object or parent of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..access import open_run
from ._settings import say

if TYPE_CHECKING:
    import argparse

__all__ = ["explain"]


def explain(options: argparse.Namespace) -> int:
    """Print what became of an object or parent.

    Returns
    -------
    int
        0.

    Raises
    ------
    ModelError
        If the folder is not a run's, or the run has no such object or parent.
    """
    told = open_run(options.folder).explain(options.id)
    say(told.to_json() if options.json else str(told))
    return 0
