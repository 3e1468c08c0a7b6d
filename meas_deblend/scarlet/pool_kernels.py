"""Compiled loops over all components of a blend at once, on flat arrays.

Component k occupies ``values[starts[k] : starts[k + 1]]`` of every morphology array, row by row on its box
``boxes[k] = (y0, x0, height, width)``.  Arrays of numbers share one floating type; constants come in an array of that
type, so that single precision stays single.
"""

from __future__ import annotations

import numpy as np

from ..geometry import BoolArray, FloatArray, IntArray
from ._jit import jit
from .monotone import monotonic_inplace
from .proximal import SPECTRUM_FLOOR

__all__ = ["add_components", "best_boxes", "bounds", "move_values", "step_components", "symmetrize", "trim"]

DECAY_1, REST_1, DECAY_2, REST_2, FLOOR, MORPH_STEP, SPECTRUM_STEP, SPECTRUM_FLOOR_STEP, SPECTRUM_MOMENT = range(9)
"""Places of the constants of `step_components`."""

MONOTONIC, SYMMETRIC, EDGE_DAMPING, RESCALE, MEAN = range(5)
"""Places of its switches."""


@jit
def add_components(
    cube: FloatArray, origin: IntArray, boxes: IntArray, starts: IntArray, spectra: FloatArray, morphs: FloatArray
) -> None:
    """Add all components to ``cube`` (band, y, x), whose first pixel is ``origin``."""
    for k in range(len(boxes)):
        y0, x0, h, w = boxes[k, 0] - origin[0], boxes[k, 1] - origin[1], boxes[k, 2], boxes[k, 3]
        for b in range(cube.shape[0]):
            a = spectra[k, b]
            for y in range(h):
                # Cut from lines that are contiguous, which lets the compiler use vectors.
                row, first = cube[b, y0 + y][x0 : x0 + w], starts[k] + y * w
                line = morphs[first : first + w]
                for x in range(w):
                    row[x] += a * line[x]


@jit
def step_components(
    gradient: FloatArray,
    origin: IntArray,
    layout: tuple[IntArray, IntArray, IntArray, BoolArray],
    spectra: FloatArray,
    morphs: FloatArray,
    noise: tuple[FloatArray, FloatArray],
    constants: FloatArray,
    switches: tuple[bool, bool, bool, bool, bool],
    weights: FloatArray,
) -> None:
    """Step spectra and morphologies of all components with AMSGrad (Reddi et al. 2018) and project them; in place.

    Parameters
    ----------
    gradient : array (band, y, x)
        Of −logL with respect to the model cube, whose first pixel is ``origin``.
    layout : boxes (n, 4), starts (n + 1,), centres (n, 2), which morphologies are kept (n,)
    spectra : array (4, n, band)
        Values, first moments, second moments, and the largest second moments so far.
    morphs : array (4, size)
        The same for morphologies.
    noise : two arrays (band,)
        Noise, 0 where there is none to be had, for the least step; and the thresholds of sparsity.
    constants, switches
        In the order of the module's constants; steps are those of this iteration.
    weights : array (n, n, 4)
        Of `monotone_weights`.
    """
    boxes, starts, centers, kept = layout
    longest = 0
    for k in range(len(boxes)):
        longest = max(longest, starts[k + 1] - starts[k])
    for_morph = np.empty(longest, dtype=morphs.dtype)
    for_spectrum = np.empty(spectra.shape[2], dtype=morphs.dtype)
    for k in range(len(boxes)):
        first, stop = starts[k], starts[k + 1]
        h, w = boxes[k, 2], boxes[k, 3]
        y0, x0 = boxes[k, 0] - origin[0], boxes[k, 1] - origin[1]
        values = morphs[0][first:stop]
        _factor_gradients(gradient, (y0, x0, h, w), spectra[0, k], values, (for_spectrum, for_morph))
        _step_spectrum(spectra[:, k], for_spectrum, noise[0], constants)
        if kept[k]:
            continue
        moments = (morphs[1][first:stop], morphs[2][first:stop], morphs[3][first:stop])
        _step_values(values, moments, for_morph, constants)
        morph = values.reshape((h, w))
        peak = (centers[k, 0] - boxes[k, 0], centers[k, 1] - boxes[k, 1])
        if switches[MONOTONIC]:
            monotonic_inplace(morph, peak, weights, np.int64(1), switches[EDGE_DAMPING])
        if switches[SYMMETRIC]:
            symmetrize(morph, peak, switches[MEAN])
        scale = trim(morph, peak, _level(spectra[0, k], noise[1]))
        if switches[RESCALE]:
            for b in range(spectra.shape[2]):
                value = spectra[0, k, b] * scale
                spectra[0, k, b] = value if value >= SPECTRUM_FLOOR and value < np.inf else SPECTRUM_FLOOR


@jit
def _factor_gradients(
    gradient: FloatArray,
    box: tuple[int, int, int, int],
    spectrum: FloatArray,
    morph: FloatArray,
    out: tuple[FloatArray, FloatArray],
) -> None:
    """Chain rule for the product model: Σ_yx g S per band, and Σ_b A g per pixel, into ``out``."""
    y0, x0, h, w = box
    for_spectrum, for_morph = out
    for_morph[: h * w] = 0
    # A sum per band and column: neighbours in a line are summed side by side.
    sums = np.zeros((len(spectrum), w), dtype=morph.dtype)
    for y in range(h):
        shape, part = morph[y * w : y * w + w], for_morph[y * w : y * w + w]
        for b in range(len(spectrum)):
            # Cut from a line that is contiguous, which lets the compiler use vectors.
            row, a, total = gradient[b, y0 + y][x0 : x0 + w], spectrum[b], sums[b]
            for x in range(w):
                part[x] += a * row[x]
            for x in range(w):
                total[x] += shape[x] * row[x]
    for b in range(len(spectrum)):
        whole = 0.0
        for x in range(w):
            whole += sums[b, x]
        for_spectrum[b] = whole


@jit
def _step_spectrum(spectrum: FloatArray, gradient: FloatArray, noise: FloatArray, constants: FloatArray) -> None:
    """Step a spectrum (4, band): at least a fraction of the noise, else of its mean."""
    mean = spectrum[0].mean()
    for b in range(spectrum.shape[1]):
        step = max(constants[SPECTRUM_FLOOR_STEP] * noise[b], constants[SPECTRUM_STEP] * mean)
        g = gradient[b]
        m = constants[DECAY_1] * spectrum[1, b] + constants[REST_1] * g
        v = constants[DECAY_2] * spectrum[2, b] + constants[REST_2] * g * g
        spectrum[1, b], spectrum[2, b] = m, v
        spectrum[3, b] = max(spectrum[3, b], v)
        value = spectrum[0, b] - step * m / np.sqrt(max(spectrum[3, b], constants[SPECTRUM_MOMENT]))
        spectrum[0, b] = value if value >= SPECTRUM_FLOOR and value < np.inf else SPECTRUM_FLOOR


@jit
def _step_values(
    x: FloatArray, moments: tuple[FloatArray, FloatArray, FloatArray], gradient: FloatArray, constants: FloatArray
) -> None:
    """Step a morphology (size,)."""
    m, v, vhat = moments
    b1, r1, b2, r2, floor, step = constants[0], constants[1], constants[2], constants[3], constants[4], constants[5]
    # Few arrays per loop, and none without bound: else the compiler cannot tell that they do not overlap, and use
    # vectors.
    for i in range(len(x)):
        m[i] = b1 * m[i] + r1 * gradient[i]
    for i in range(len(x)):
        g = gradient[i]
        second = b2 * v[i] + r2 * (g * g)
        v[i] = second
        vhat[i] = max(vhat[i], second)
    for i in range(len(x)):
        x[i] -= step * m[i] / np.sqrt(max(vhat[i], floor))


@jit
def symmetrize(morph: FloatArray, peak: tuple[int, int], mean: bool) -> None:
    """Minimum or mean with its half turn about the peak; 0 where the counterpart lies outside."""
    h, w = morph.shape
    for y in range(h):
        for x in range(w):
            j, i = 2 * peak[0] - y, 2 * peak[1] - x
            if not (0 <= j < h and 0 <= i < w):
                morph[y, x] = 0
            elif (j, i) > (y, x):
                a, b = morph[y, x], morph[j, i]
                common = morph.dtype.type(0.5) * (a + b) if mean else min(a, b)
                morph[y, x] = common
                morph[j, i] = common


@jit
def _level(spectrum: FloatArray, thresholds: FloatArray) -> float:
    """Morphology below which spectrum × morphology is under the threshold in every band."""
    level = np.inf
    for b in range(len(spectrum)):
        level = min(level, thresholds[b] / spectrum[b])
    return max(level, 0.0)


@jit
def trim(morph: FloatArray, peak: tuple[int, int], level: float) -> float:
    """Set what is below ``level`` or not finite to 0, scale to maximum 1, and return the former maximum."""
    values = morph.ravel()
    n, zero, limit, lowest = len(values), morph.dtype.type(0), morph.dtype.type(np.inf), morph.dtype.type(level)
    for i in range(n):
        value = values[i]
        values[i] = value if value >= lowest and value < limit else zero
    morph[peak] = max(morph[peak], morph.dtype.type(SPECTRUM_FLOOR))
    # Four maxima side by side keep the processor busy.
    m0, m1, m2, m3 = zero, zero, zero, zero
    for i in range(0, n - 3, 4):
        m0, m1 = max(m0, values[i]), max(m1, values[i + 1])
        m2, m3 = max(m2, values[i + 2]), max(m3, values[i + 3])
    for i in range(n - n % 4, n):
        m0 = max(m0, values[i])
    largest = max(m0, m1, m2, m3)
    for i in range(n):
        values[i] /= largest
    return float(largest)


@jit
def best_boxes(
    layout: tuple[IntArray, IntArray, IntArray],
    spectra: FloatArray,
    morphs: FloatArray,
    thresholds: FloatArray,
    frame: tuple[int, int, int],
) -> IntArray:
    """Boxes (n, 4) around what is significant in some band, with a margin: they grow and shrink.

    ``frame`` is the height and the width of the images, and the margin in pixels.
    """
    boxes, starts, centers = layout
    out = np.empty_like(boxes)
    for k in range(len(boxes)):
        level = _level(spectra[k], thresholds)
        top, bottom, left, right = frame[0], -1, frame[1], -1
        h, w = boxes[k, 2], boxes[k, 3]
        for y in range(h):
            line = morphs[starts[k] + y * w : starts[k] + y * w + w]
            x = 0
            while x < w and not (line[x] >= level and line[x] > 0):
                x += 1
            if x == w:
                continue
            top, bottom, left = min(top, y), y, min(left, x)
            x = w - 1
            while x > right and not (line[x] >= level and line[x] > 0):
                x -= 1
            right = max(right, x)
        if bottom < 0:
            top = bottom = centers[k, 0] - boxes[k, 0]
            left = right = centers[k, 1] - boxes[k, 1]
        y0, x0 = max(boxes[k, 0] + top - frame[2], 0), max(boxes[k, 1] + left - frame[2], 0)
        out[k, 0], out[k, 1] = y0, x0
        out[k, 2] = min(boxes[k, 0] + bottom + 1 + frame[2], frame[0]) - y0
        out[k, 3] = min(boxes[k, 1] + right + 1 + frame[2], frame[1]) - x0
    return out


@jit
def bounds(boxes: IntArray) -> tuple[int, int, int, int]:
    """First and last rows, first and last columns of boxes (n, 4) together; half-open."""
    y0, x0 = boxes[0, 0], boxes[0, 1]
    y1, x1 = y0, x0
    for k in range(len(boxes)):
        y0, x0 = min(y0, boxes[k, 0]), min(x0, boxes[k, 1])
        y1, x1 = max(y1, boxes[k, 0] + boxes[k, 2]), max(x1, boxes[k, 1] + boxes[k, 3])
    return y0, y1, x0, x1


@jit
def move_values(
    old: FloatArray, old_boxes: IntArray, old_starts: IntArray, new: FloatArray, boxes: IntArray, starts: IntArray
) -> None:
    """Copy what old and new boxes share from ``old`` (rows, size) to ``new``, which holds 0."""
    for k in range(len(boxes)):
        y0, x0 = max(old_boxes[k, 0], boxes[k, 0]), max(old_boxes[k, 1], boxes[k, 1])
        y1 = min(old_boxes[k, 0] + old_boxes[k, 2], boxes[k, 0] + boxes[k, 2])
        x1 = min(old_boxes[k, 1] + old_boxes[k, 3], boxes[k, 1] + boxes[k, 3])
        for row in range(old.shape[0]):
            for y in range(y0, y1):
                here = old_starts[k] + (y - old_boxes[k, 0]) * old_boxes[k, 3] - old_boxes[k, 1]
                there = starts[k] + (y - boxes[k, 0]) * boxes[k, 3] - boxes[k, 1]
                for x in range(x0, x1):
                    new[row, there + x] = old[row, here + x]
