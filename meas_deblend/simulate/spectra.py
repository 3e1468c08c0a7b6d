"""Colours of galaxies from their redshift and type.

The spectra are three templates, given as AB magnitudes at a few wavelengths, in the manner of Coleman, Wu & Weedman
(1980): an old population with a 4000 Å break, a late-type spiral, and a starburst (Kinney et al. 1996). Optical
colours at redshift 0 are rounded from Fukugita, Shimasaku & Ichikawa (1995, table 3). A redshifted template, dimmed by
intergalactic hydrogen (Madau 1995), is averaged over flat passbands of LSST's widths. What is approximate: lines are
missing, dust is only in the scatter of the type, templates do not evolve, and edges of passbands are sharp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .colors import BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["galaxy_magnitudes", "igm_transmission"]

# Å; the templates are linear in log λ between these.
_WAVELENGTHS = (700, 911, 913, 1216, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5500, 6200, 7500, 9000, 11000, 20000)
# Magnitudes relative to 6200 Å; light below the Lyman limit is absorbed in the galaxy.
_TEMPLATES = (
    (12.0, 12.0, 8.0, 7.0, 6.6, 6.0, 5.2, 3.9, 2.65, 1.9, 1.0, 0.35, 0.0, -0.38, -0.66, -0.95, -1.30),
    (8.0, 8.0, 1.75, 1.45, 1.30, 1.20, 1.10, 1.00, 0.90, 0.55, 0.35, 0.12, 0.0, -0.12, -0.20, -0.30, -0.40),
    (6.0, 6.0, 0.60, 0.40, 0.30, 0.25, 0.25, 0.25, 0.25, 0.15, 0.10, 0.05, 0.0, -0.05, -0.05, -0.05, -0.05),
)
# Half-power edges of LSST's passbands [Å] (Ivezić et al. 2019, figure 7).
_PASSBANDS = {
    "u": (3300, 4000),
    "g": (4020, 5500),
    "r": (5520, 6910),
    "i": (6910, 8180),
    "z": (8180, 9220),
    "y": (9220, 10600),
}
_SAMPLES = 9
# Lyman α, β, γ and δ [Å] with the coefficients of their blanketing (Madau 1995, eq. 12).
_LYMAN = ((1216.0, 0.0036), (1026.0, 0.0017), (973.0, 0.0012), (950.0, 0.00093))


def galaxy_magnitudes(
    bands: Sequence[str], redshift: NDArray[np.float64], kind: NDArray[np.float64]
) -> NDArray[np.float64]:
    """AB magnitudes relative to the i band.

    Parameters
    ----------
    bands : sequence of str
        B names out of u, g, r, i, z, y.
    redshift : float64 array (n,)
        0 or more.
    kind : float64 array (n,)
        0 for an old population, 1 for a late-type spiral, 2 for a starburst, mixtures between.

    Returns
    -------
    float64 array (n, B)
        m_band − m_i.
    """
    magnitudes = {b: _magnitude(b, redshift, kind) for b in BANDS if b in (*bands, "i")}
    return np.stack([magnitudes[b] - magnitudes["i"] for b in bands], axis=1)


def igm_transmission(wavelength: NDArray[np.float64], redshift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean transmission of intergalactic hydrogen between here and a source (Madau 1995, eq. 12 and footnote 3).

    Parameters
    ----------
    wavelength : float64 array
        As observed [Å].
    redshift : float64 array
        Of the source; broadcast with ``wavelength``.

    Returns
    -------
    float64 array
        In (0, 1].
    """
    wavelength, emitted = np.broadcast_arrays(wavelength, 1 + np.asarray(redshift))
    depth = np.zeros(wavelength.shape)
    for line, strength in _LYMAN:
        depth += np.where(wavelength < line * emitted, strength * (wavelength / line) ** 3.46, 0.0)
    # Photoelectric absorption below the Lyman limit of gas along the way.
    x = np.maximum(wavelength / 912.0, 1.0)
    absorbed = (
        0.25 * x**3 * (emitted**0.46 - x**0.46)
        + 9.4 * x**1.5 * (emitted**0.18 - x**0.18)
        - 0.7 * x**3 * (x**-1.32 - emitted**-1.32)
        - 0.023 * (emitted**1.68 - x**1.68)
    )
    return np.asarray(np.exp(-depth - np.where(wavelength < 912 * emitted, np.maximum(absorbed, 0), 0.0)))


def _magnitude(band: str, redshift: NDArray[np.float64], kind: NDArray[np.float64]) -> NDArray[np.float64]:
    edges = _PASSBANDS[band]
    # Midpoints of equal parts of the passband: f_ν averaged over ln λ, which is what an AB magnitude counts.
    parts = np.linspace(np.log(edges[0]), np.log(edges[1]), 2 * _SAMPLES + 1)[1::2]
    observed = np.exp(parts)[None, :]
    rest = np.log(observed / (1 + redshift[:, None]))
    table = [np.interp(rest, np.log(_WAVELENGTHS), template) for template in _TEMPLATES]
    t = np.clip(kind, 0, 2)[:, None]
    mixed = np.where(t < 1, (1 - t) * table[0] + t * table[1], (2 - t) * table[1] + (t - 1) * table[2])
    light = (10 ** (-0.4 * mixed) * igm_transmission(observed, redshift[:, None])).mean(axis=1)
    return np.asarray(-2.5 * np.log10(light))
