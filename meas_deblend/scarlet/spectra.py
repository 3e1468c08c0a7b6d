"""Spectra of given morphologies: linear least squares, band by band, through normal equations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import optimize

from ..geometry import Box, FloatArray
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
    return np.stack([solve(gram[b], moment[b]) for b in range(bands)], axis=1)


def _normal_equations(
    rendered: list[tuple[Box, FloatArray]], images: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Matrices (band, source, source) and right-hand sides (band, source), in double precision."""
    n, bands = len(rendered), len(images)
    gram, moment = np.zeros((bands, n, n)), np.zeros((bands, n))
    frame = Box((0, 0), (images.shape[1], images.shape[2]))
    for k, (box, cube) in enumerate(rendered):
        here = box.slices_in(frame)
        weighted = (cube * weights[:, *here]).astype(np.float64)
        moment[:, k] = np.einsum("byx,byx->b", weighted, images[:, *here])
        for j in range(k + 1):
            mine, other = box.overlap_slices(rendered[j][0])
            product = np.einsum("byx,byx->b", weighted[:, *mine], rendered[j][1][:, *other])
            gram[:, k, j] = gram[:, j, k] = product
    return gram, moment


def _scaled_inverse(gram: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Eigenvalues, eigenvectors and usable inverse eigenvalues of the normal matrix."""
    values, vectors = np.linalg.eigh(gram)
    usable = values > RANK_TOLERANCE * max(values[-1], 0)
    return values, vectors, np.divide(1, values, out=np.zeros_like(values), where=usable)


def _clipped(gram: FloatArray, moment: FloatArray) -> FloatArray:
    """Shortest least-squares solution, negative values set to 0."""
    _, vectors, inverse = _scaled_inverse(gram)
    solution: FloatArray = vectors @ (inverse * (vectors.T @ moment))
    return np.maximum(solution, 0)


def _nonnegative(gram: FloatArray, moment: FloatArray) -> FloatArray:
    """Non-negative solution, from a square root R of the matrix: |R x − y|² with Rᵀ R = gram and Rᵀ y = moment.

    Sources are scaled to unit norm, and those without any weight get 0.
    """
    norm = np.sqrt(np.maximum(np.diag(gram), 0))
    scale = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
    values, vectors, inverse = _scaled_inverse(gram * np.outer(scale, scale))
    root = np.sqrt(np.where(inverse > 0, values, 0))
    target = np.sqrt(inverse) * (vectors.T @ (scale * moment))
    solution, _ = optimize.nnls(root[:, None] * vectors.T, target)
    out: FloatArray = scale * solution
    return out
