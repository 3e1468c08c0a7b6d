"""Figures to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_figure"]

# Without dates and version, the same figure gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def save_figure(figure: Figure, path: Path | str, dpi: int = 140) -> Path:
    """Write ``figure`` to ``path``; the file appears whole or not at all.

    Parameters
    ----------
    figure : matplotlib Figure
    path : path-like
        Ends in ``.png`` or ``.pdf``.
    dpi : int
        Dots per inch (PNG, and pictures inside a PDF).

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the name has another ending.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in _METADATA:
        raise ValueError(f"figures are written as {' or '.join(_METADATA)}, got {target.name!r}")
    with atomic_write(target, "wb") as stream:
        figure.savefig(stream, format=suffix[1:], dpi=dpi, metadata=_METADATA[suffix], facecolor="white")
    return target
