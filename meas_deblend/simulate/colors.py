"""Colours of galaxies and stars, as magnitudes relative to the i band.

The values are representative, not a fit to one survey: they give early types, late types and stars the
different colours by which a multi-band deblender tells neighbours apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["BANDS", "galaxy_colors", "star_colors"]

#: Bands with known colours.
BANDS = ("u", "g", "r", "i", "z", "y")

# The red sequence and the blue cloud (Strateva et al. 2001; Baldry et al. 2004) as seen near redshift 0.4.
_RED = dict(zip(BANDS, (3.80, 2.10, 0.70, 0.0, -0.30, -0.45), strict=True))
_BLUE = dict(zip(BANDS, (1.55, 0.85, 0.35, 0.0, -0.20, -0.30), strict=True))

# The stellar locus against g − i, rounded from Covey et al. (2007); y, which they lack, continues z.
_LOCUS_GI = (0.3, 0.5, 1.0, 1.6, 2.0, 2.6, 3.0)
_LOCUS = {
    "u": (1.35, 1.60, 2.60, 3.80, 4.50, 5.10, 5.50),
    "g": _LOCUS_GI,
    "r": (0.08, 0.13, 0.28, 0.50, 0.72, 1.22, 1.60),
    "i": (0.0,) * 7,
    "z": (0.02, -0.02, -0.12, -0.27, -0.40, -0.66, -0.86),
    "y": (0.03, -0.02, -0.15, -0.37, -0.58, -0.98, -1.28),
}


def galaxy_colors(bands: Sequence[str], red: bool, stretch: float) -> NDArray[np.float64]:
    """Colours of a stellar population.

    Parameters
    ----------
    bands : sequence of str
        B names out of `BANDS`.
    red : bool
        Old (red sequence, bulges) or young (blue cloud, discs).
    stretch : float
        Factor on all colours, about 1: what scatter in age and redshift does to first order.

    Returns
    -------
    float64 array (B,)
        m_band − m_i.
    """
    table = _RED if red else _BLUE
    return stretch * np.array([table[b] for b in bands])


def star_colors(bands: Sequence[str], g_minus_i: float) -> NDArray[np.float64]:
    """Colours of a main-sequence star: m_band − m_i (B,), for ``g_minus_i`` within 0.3 … 3.0."""
    return np.array([np.interp(g_minus_i, _LOCUS_GI, _LOCUS[b]) for b in bands])
