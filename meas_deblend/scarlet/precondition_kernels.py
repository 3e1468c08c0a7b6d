"""Compiled loops of the preconditioned steps, on the flat arrays of a `Pool`."""

from __future__ import annotations

import numpy as np

from ..geometry import BoolArray, FloatArray, IntArray
from ._jit import jit
from .kernels import ComplexArray
from .monotone import monotonic_inplace
from .pool_kernels import symmetrize, trim
from .proximal import SPECTRUM_FLOOR

__all__ = ["advance", "draw_ahead", "undo"]

FARTHEST = 10.0
"""Longest step of a pixel, in units of the morphology's maximum: a component without light would have infinite ones."""


FAINT, FAINTEST = 0.3, 1e-6
"""Most and least of its maximum that counts as the faintest light of a morphology."""


@jit
def undo(conjugate: ComplexArray, scale: FloatArray, floor: float, out: ComplexArray) -> None:
    """Write scale · conj(K̂) / (|K̂|² + floor) into ``out`` (band, y, x), scales (band,) in double precision."""
    bands, ny, nx = conjugate.shape
    for b in range(bands):
        for y in range(ny):
            line, row = conjugate[b, y], out[b, y]
            for x in range(nx):
                power = line[x].real * line[x].real + line[x].imag * line[x].imag
                row[x] = line[x] * (scale[b] / (power + floor))


@jit
def _faintest(spectrum: FloatArray, noise: FloatArray) -> np.floating:
    """Morphology of a component that is as bright as the noise in the band where it is brightest."""
    least = spectrum.dtype.type(FAINT)
    for b in range(len(spectrum)):
        least = min(least, noise[b] / spectrum[b])
    return max(least, spectrum.dtype.type(FAINTEST))


@jit
def draw_ahead(
    planes: tuple[FloatArray, FloatArray, FloatArray],
    origin: IntArray,
    layout: tuple[IntArray, IntArray],
    spectra: FloatArray,
    values: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    ahead_by: tuple[float, FloatArray],
) -> None:
    """Extrapolate all morphologies, and draw the model there.

    Parameters
    ----------
    planes : arrays (band, y, x), (band, y, x), (y, x)
        Written: the model; the sum of the spectra of all components times their claims; the sum of all morphologies.
    origin : int array (2,)
        First pixel of the planes.
    layout : boxes (n, 4), starts (n + 1,)
    spectra : array (n, band)
    values : four arrays (size,)
        Present and previous morphologies; the extrapolated ones and the claims are written.
    ahead_by : float and array (band,)
        Part of the last change by which to go on; and the noise: a component claims a pixel by the square root of its
        morphology there, at least of one as bright as the noise in the band where it is brightest.
    """
    cube, cover, total = planes
    boxes, starts = layout
    now, before, ahead, claim = values
    beta, nothing = now.dtype.type(ahead_by[0]), now.dtype.type(0)
    cube[:] = 0
    cover[:] = 0
    total[:] = 0
    for k in range(len(boxes)):
        y0, x0, h, w = boxes[k, 0] - origin[0], boxes[k, 1] - origin[1], boxes[k, 2], boxes[k, 3]
        faintest = _faintest(spectra[k], ahead_by[1])
        for y in range(h):
            first = starts[k] + y * w
            line, last, new = now[first : first + w], before[first : first + w], ahead[first : first + w]
            part = total[y0 + y][x0 : x0 + w]
            mine = claim[first : first + w]
            for x in range(w):
                value = line[x] + beta * (line[x] - last[x])
                new[x] = value
                part[x] += value
                mine[x] = np.sqrt(max(value, nothing) + faintest)
            for b in range(cube.shape[0]):
                a = spectra[k, b]
                model, reach = cube[b, y0 + y][x0 : x0 + w], cover[b, y0 + y][x0 : x0 + w]
                for x in range(w):
                    model[x] += a * new[x]
                    reach[x] += a * mine[x]


@jit
def advance(
    planes: tuple[FloatArray, FloatArray, FloatArray],
    origin: IntArray,
    layout: tuple[IntArray, IntArray, IntArray, BoolArray],
    spectra: FloatArray,
    values: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    importance: FloatArray,
    damping: float,
    switches: tuple[bool, bool, bool],
    weights: FloatArray,
) -> float:
    """Step spectra and morphologies of all components along the deconvolved residual, and project the latter.

    Parameters
    ----------
    planes : arrays (band, y, x), (band, y, x), (y, x)
        Deconvolved residual (model − data); and as `draw_ahead` left them.
    layout : boxes (n, 4), starts (n + 1,), centres (n, 2), which morphologies are kept (n,)
    spectra : array (n, band)
        Changed.
    values : four arrays (size,)
        Present morphologies, the extrapolated ones, the claims, and where the new ones are written.
    importance : array (band,)
        Weight of a band in the step of a morphology.
    damping : float
        Fraction of the step of a spectrum that is taken.
    switches : monotonic, symmetric, symmetric by the mean
    weights : array (r, r, 4)
        Of `monotone_weights`.

    Returns
    -------
    float
        Σ (extrapolated − new) · (new − present): above 0 the momentum points uphill.
    """
    residual, cover, total = planes
    boxes, starts, centers, kept = layout
    now, ahead, claim, new = values
    uphill = 0.0
    for k in range(len(boxes)):
        box = (boxes[k, 0] - origin[0], boxes[k, 1] - origin[1], boxes[k, 2], boxes[k, 3])
        part = slice(starts[k], starts[k + 1])
        _step_spectrum(residual, total, box, spectra[k], ahead[part], damping)
        if kept[k]:
            new[part] = now[part]
            continue
        _step_morph((residual, cover), box, spectra[k], (ahead[part], claim[part], new[part]), importance)
        morph = new[part].reshape((box[2], box[3]))
        peak = (centers[k, 0] - boxes[k, 0], centers[k, 1] - boxes[k, 1])
        if switches[0]:
            monotonic_inplace(morph, peak, weights, np.int64(1), np.bool_(False))
        if switches[1]:
            symmetrize(morph, peak, switches[2])
        scale = trim(morph, peak, 0.0)
        for b in range(spectra.shape[1]):
            value = spectra[k, b] * scale
            spectra[k, b] = value if value >= SPECTRUM_FLOOR and value < np.inf else SPECTRUM_FLOOR
        for i in range(starts[k], starts[k + 1]):
            uphill += (ahead[i] - new[i]) * (new[i] - now[i])
    return uphill


@jit
def _step_spectrum(
    residual: FloatArray,
    total: FloatArray,
    box: tuple[int, int, int, int],
    spectrum: FloatArray,
    morph: FloatArray,
    damping: float,
) -> None:
    """Step a spectrum: A ← A − damping · Σ S G / Σ S ΣS, what all components would take away, divided among them."""
    y0, x0, h, w = box
    norm = 0.0
    for y in range(h):
        for x in range(w):
            norm += morph[y * w + x] * total[y0 + y, x0 + x]
    if not norm > 0:
        return
    for b in range(len(spectrum)):
        found = 0.0
        for y in range(h):
            row, part = residual[b, y0 + y][x0 : x0 + w], morph[y * w : (y + 1) * w]
            for x in range(w):
                found += part[x] * row[x]
        value = spectrum[b] - damping * found / norm
        spectrum[b] = value if value >= SPECTRUM_FLOOR and value < np.inf else SPECTRUM_FLOOR


@jit
def _step_morph(
    planes: tuple[FloatArray, FloatArray],
    box: tuple[int, int, int, int],
    spectrum: FloatArray,
    values: tuple[FloatArray, FloatArray, FloatArray],
    importance: FloatArray,
) -> None:
    """Step a morphology: S ← S − q Σ_b c A G / Σ_b c A ΣqA, the last sum over the claims q of all components."""
    residual, cover = planes
    y0, x0, h, w = box
    ahead, claim, new = values
    above, below = np.empty(w, dtype=new.dtype), np.empty(w, dtype=new.dtype)
    own, farthest = new.dtype.type(0), new.dtype.type(FARTHEST)
    for b in range(len(spectrum)):
        own += importance[b] * spectrum[b] * spectrum[b]
    if not own > 0:
        new[:] = ahead
        return
    for y in range(h):
        above[:] = 0
        below[:] = 0
        for b in range(len(spectrum)):
            a = importance[b] * spectrum[b]
            row, reach = residual[b, y0 + y][x0 : x0 + w], cover[b, y0 + y][x0 : x0 + w]
            for x in range(w):
                above[x] += a * row[x]
                below[x] += a * reach[x]
        first = y * w
        for x in range(w):
            step = claim[first + x] * above[x] / below[x]
            new[first + x] = ahead[first + x] - min(max(step, -farthest), farthest)
