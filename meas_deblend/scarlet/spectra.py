"""Spectra of given morphologies: linear least squares, band by band, through normal equations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import linalg, optimize

from ..geometry import BoolArray, Box, FloatArray, IntArray
from ._jit import jit
from .observation import Observation
from .render import MorphRenderer

__all__ = ["solve_spectra"]

SpectraMethod = Literal["nonnegative", "least_squares"]

RANK_TOLERANCE = 1e-12
"""Eigenvalues of the scaled normal matrix below this fraction of the largest count as 0 (identical morphologies)."""


def solve_spectra(
    shapes: Sequence[tuple[Box, FloatArray]],
    observation: Observation,
    method: SpectraMethod = "nonnegative",
    render: MorphRenderer | None = None,
) -> FloatArray:
    """Spectra of all morphologies together that explain the images best.

    Each morphology is rendered on its own box, grown by the kernel radius, so cost and memory follow the sources'
    sizes and not the frame: pixels that no source reaches do not enter the normal equations.

    Parameters
    ----------
    shapes : sequence of (Box, array (y, x))
        Morphologies with their boxes.
    observation : Observation
    method : {"nonnegative", "least_squares"}
        Weighted with non-negative spectra (Lawson & Hanson 1974, chapter 23), or all pixels alike, negative values
        then set to 0. Where morphologies are linearly dependent the shortest solution is taken.

    render : MorphRenderer, optional
        Remembers what it rendered, for several solutions with the same morphologies.

    Returns
    -------
    float64 array (source, band)
        At least 0.
    """
    bands = len(observation.images)
    if not shapes:
        return np.zeros((0, bands))
    if render is None:
        render = MorphRenderer(observation.convolver.kernels, observation.frame)
    rendered = [render(morph, box) for box, morph in shapes]
    weights = observation.weights if method == "nonnegative" else np.ones_like(observation.weights)
    gram, moment = _normal_equations(rendered, observation.images, weights)
    solve = _nonnegative if method == "nonnegative" else _clipped
    spectra = np.zeros((len(shapes), bands))
    # Morphologies that nothing connects are solved for apart: cost grows with the largest group, not with the frame.
    group = connected(np.any(gram != 0, axis=0))
    for k in range(int(group.max()) + 1):
        members = np.flatnonzero(group == k)
        spectra[members] = solve(gram[:, members[:, None], members], moment[:, members]).T
    return spectra


def _normal_equations(
    rendered: list[tuple[Box, FloatArray]], images: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Matrices (band, source, source) and right-hand sides (band, source), in double precision."""
    n, bands = len(rendered), len(images)
    # Bands last while they are filled: what the compiled loops write to is then alike for one source and for several.
    gram, moment = np.zeros((n, n, bands)), np.zeros((n, bands))
    corners = np.array([(*box.origin, *box.stop) for box, _ in rendered], dtype=np.int64)
    for k, (_, cube) in enumerate(rendered):
        weighted = np.empty(cube.shape, dtype=np.float64)
        weigh(cube, corners[k], weights, images, weighted, moment[k])
        first, stop = np.maximum(corners[k, :2], corners[: k + 1, :2]), np.minimum(corners[k, 2:], corners[: k + 1, 2:])
        for j in np.flatnonzero((first < stop).all(axis=1)).tolist():
            add_products(weighted, corners[k], rendered[j][1], corners[j], gram[k, j])
            gram[j, k] = gram[k, j]
    return np.ascontiguousarray(gram.transpose(2, 0, 1)), np.ascontiguousarray(moment.T)


@jit
def weigh(  # noqa: PLR0917 -- a compiled loop, called with plain arrays
    cube: FloatArray,
    corners: IntArray,
    weights: FloatArray,
    images: FloatArray,
    weighted: FloatArray,
    moment: FloatArray,
) -> None:
    """Write w × cube into ``weighted``, and Σ w × cube × image into ``moment`` (band,)."""
    y0, x0 = corners[0], corners[1]
    bands, h, w = cube.shape
    for b in range(bands):
        total = 0.0
        for y in range(h):
            row, weight = cube[b, y], weights[b, y0 + y][x0 : x0 + w]
            data, out = images[b, y0 + y][x0 : x0 + w], weighted[b, y]
            for x in range(w):
                value = float(row[x]) * weight[x]
                out[x] = value
                total += value * data[x]
        moment[b] = total


@jit
def add_products(weighted: FloatArray, corners: IntArray, other: FloatArray, others: IntArray, out: FloatArray) -> None:
    """Write Σ weighted × other over the pixels that both have into ``out`` (band,)."""
    y0, x0 = max(corners[0], others[0]), max(corners[1], others[1])
    y1, x1 = min(corners[2], others[2]), min(corners[3], others[3])
    for b in range(weighted.shape[0]):
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        for y in range(y0, y1):
            mine = weighted[b, y - corners[0]][x0 - corners[1] : x1 - corners[1]]
            theirs = other[b, y - others[0]][x0 - others[1] : x1 - others[1]]
            n = len(mine)
            # Sums side by side, in an order that is the same anywhere.
            for x in range(0, n - 3, 4):
                s0 += mine[x] * theirs[x]
                s1 += mine[x + 1] * theirs[x + 1]
                s2 += mine[x + 2] * theirs[x + 2]
                s3 += mine[x + 3] * theirs[x + 3]
            for x in range(n - n % 4, n):
                s0 += mine[x] * theirs[x]
        out[b] = (s0 + s1) + (s2 + s3)


@jit
def connected(linked: BoolArray) -> IntArray:
    """Find the number (n,) of the group of each source, from 0, by which sources (n, n) are linked.

    For the few sources of most blends a general library takes longer than all of the algebra.
    """
    n = len(linked)
    group = np.full(n, -1)
    waiting = np.empty(n, dtype=np.int64)
    found = 0
    for start in range(n):
        if group[start] >= 0:
            continue
        group[start], waiting[0], many = found, start, 1
        while many > 0:
            many -= 1
            here = waiting[many]
            for other in range(n):
                if linked[here, other] and group[other] < 0:
                    group[other], waiting[many] = found, other
                    many += 1
        found += 1
    return group


def _eigen(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and eigenvectors of symmetric matrices (band, source, source)."""
    try:
        values, vectors = np.linalg.eigh(matrices)
    except np.linalg.LinAlgError:
        # The fast algorithm may fail on large matrices of many blocks; the plain one does not.
        pairs = [linalg.eigh(matrix, driver="ev") for matrix in matrices]
        values, vectors = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
    return values, vectors


def _usable_inverse(values: FloatArray) -> FloatArray:
    """Inverse eigenvalues (..., source), 0 for those that count as 0."""
    usable = values > RANK_TOLERANCE * np.maximum(values[..., -1:], 0)
    inverse: FloatArray = np.divide(1, values, out=np.zeros_like(values), where=usable)
    return inverse


def _clipped(gram: FloatArray, moment: FloatArray) -> FloatArray:
    """Shortest least-squares solution (band, source), negative values set to 0."""
    values, vectors = _eigen(gram)
    projected = np.einsum("bji,bj->bi", vectors, moment)
    solution = np.einsum("bij,bj->bi", vectors, _usable_inverse(values) * projected)
    clipped: FloatArray = np.maximum(solution, 0)
    return clipped


def _nonnegative(gram: FloatArray, moment: FloatArray) -> FloatArray:
    """Non-negative solution (band, source), from a square root R of the matrix: |R x − y|², Rᵀ R = gram, Rᵀ y = moment.

    Sources are scaled to unit norm, and those without any weight get 0.
    """
    norm = np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 0))
    scale = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
    scaled = gram * scale[:, :, None] * scale[:, None, :]
    if scaled.shape[1] == 1:
        # Most blends have one source: the same numbers without the algebra.
        return np.asarray(scale * (_usable_inverse(scaled[:, :, 0]) * np.maximum(scale * moment, 0)))
    values, vectors = _eigen(scaled)
    inverse = _usable_inverse(values)
    projected = np.einsum("bji,bj->bi", vectors, scale * moment)
    solution = np.einsum("bij,bj->bi", vectors, inverse * projected)
    # Where the free solution is not negative, it is the answer.
    for b in np.flatnonzero((solution < 0).any(axis=1)):
        root = np.sqrt(np.where(inverse[b] > 0, values[b], 0))
        solution[b], _ = optimize.nnls(root[:, None] * vectors[b].T, np.sqrt(inverse[b]) * projected[b])
    out: FloatArray = scale * solution
    return out
