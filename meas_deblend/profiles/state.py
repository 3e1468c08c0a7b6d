"""The fit under way: sources as they are, and the image without the models that were last fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .planes import BULGE, N_PARAMETERS, SIZE
from .priors import unknown_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .config import ProfileFitConfig
    from .normal import Memory
    from .priors import Calibration
    from .scene import Sources
    from .stamps import PsfTransforms

__all__ = ["Kept", "Positions", "Scene", "Shown", "check", "start", "start_of"]

_FIRST_SIZE = 32  # Side of the first stamps [px]: small discs, whose fluxes say how large they are to be.

_ENOUGH = 8192  # Pixels that tell the noise of a band.


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where sources are.

    Parameters
    ----------
    centers : float64 array (source, 2)
        ``(y, x)`` in pixels.
    widths : float64 array (source,)
        Standard deviations of their errors [px].
    psfs : tuple of PsfTransforms
        Per source; the same object for equal PSFs.
    """

    centers: NDArray[np.float64]
    widths: NDArray[np.float64]
    psfs: tuple[PsfTransforms, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The models whose light was taken off the image; sources may have moved on since."""

    parameters: NDArray[np.float64]
    sizes: NDArray[np.int64]
    fluxes: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Images and derivatives of a group that was fitted, for its next stage.

    Parameters
    ----------
    members : int64 array (n,)
    corner : int64 array (2,)
        First pixel of the group.
    sources : Sources
        As they were drawn.
    units : list of float32 array (band, size, size)
    memory : Memory
    """

    members: NDArray[np.int64]
    corner: NDArray[np.int64]
    sources: Sources
    units: list[NDArray[np.float32]]
    memory: Memory

    @property
    def size(self) -> int:
        """Bytes of the derivatives."""
        return int(self.memory.pool.nbytes)


@dataclass(slots=True, eq=False)
class Scene:
    """The fit under way: sources as they are now, and the image without the models that were last fitted.

    ``merged`` holds, per source, the one that explains its light; −1 for those that are fitted.
    """

    images: NDArray[np.float32]
    weights: NDArray[np.float32]
    residual: NDArray[np.float32]
    noise: NDArray[np.float64]
    positions: Positions
    config: ProfileFitConfig
    calibration: Calibration
    parameters: NDArray[np.float64]
    free: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    snr: NDArray[np.float64]
    extended: NDArray[np.bool_]
    shown: Shown
    merged: NDArray[np.int64]
    kept: tuple[Kept, ...] = ()


def start_of(centers: NDArray[np.float64], size: float | NDArray[np.float64], bands: int) -> NDArray[np.float64]:
    """Parameters (source, 8 + band) of round discs without bulges at centres (source, 2), with ln(a b / px²)."""
    parameters = np.zeros((len(centers), N_PARAMETERS + bands))
    parameters[:, :2], parameters[:, SIZE], parameters[:, BULGE] = centers, size, -np.inf
    return parameters


def check(images: NDArray[np.floating], weights: NDArray[np.floating], positions: Positions) -> None:
    """Say what does not fit.

    Raises
    ------
    ValueError
        See `fit_profiles`.
    """
    if images.ndim != 3 or weights.shape != images.shape:
        raise ValueError(f"images and weights must have one shape (band, y, x), got {images.shape} and {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("weights must be finite and at least 0")
    if not np.isfinite(images[weights > 0]).all():
        raise ValueError("images must be finite where weights are not 0")
    n = len(positions.psfs)
    if positions.centers.shape != (n, 2) or not np.isfinite(positions.centers).all():
        raise ValueError(f"centers must be {n} finite pairs (y, x), one per PSF, got {positions.centers.shape}")
    if positions.widths.shape != (n,) or not (positions.widths > 0).all():
        raise ValueError(f"widths must be {n} numbers > 0, one per PSF, got {positions.widths.shape}")


def _typical(weights: NDArray[np.floating]) -> float:
    """Median of some thousand of the values."""
    return float(np.median(weights[:: max(len(weights) // _ENOUGH, 1)]))


def start(
    images: NDArray[np.floating],
    weights: NDArray[np.floating],
    positions: Positions,
    config: ProfileFitConfig,
    calibration: Calibration,
) -> Scene:
    """Put discs of the expected size at all positions; no model is taken off yet.  See `fit_profiles`."""
    used = weights > 0
    clean = np.where(used, images, 0).astype(np.float32)
    with np.errstate(divide="ignore"):
        noise = np.array([_typical(w[u]) ** -0.5 if u.any() else np.inf for w, u in zip(weights, used, strict=True)])
    n = len(positions.psfs)
    parameters = start_of(positions.centers, unknown_size(config.priors, calibration), len(images))
    free = np.zeros(parameters.shape, dtype=bool)
    free[:, :BULGE] = True
    return Scene(
        clean,
        np.ascontiguousarray(weights, dtype=np.float32),
        clean.copy(),
        noise,
        positions,
        config,
        calibration,
        parameters,
        free,
        np.full(n, _FIRST_SIZE),
        np.zeros(n),
        np.zeros(n, dtype=bool),
        Shown(parameters.copy(), np.full(n, _FIRST_SIZE), np.zeros((n, len(images)))),
        np.full(n, -1),
    )
