"""What is on the image already: the neighbours of injected sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..apportion import Child
    from ..evaluate import Chain, ChainResult
    from ..image import MultibandExposure
    from ..models import ParentModel, SourceModel

__all__ = ["DeblendedObject", "KnownObjects", "describe_sky", "objects_of"]


@dataclass(frozen=True, slots=True, eq=False)
class DeblendedObject:
    """One object that came out of a chain.

    Parameters
    ----------
    parent : ParentModel
    source : SourceModel
    child : Child
        Its re-apportioned pixels.
    """

    parent: ParentModel
    source: SourceModel
    child: Child

    @property
    def flux(self) -> NDArray[np.float64]:
        """Sum of its pixels (B,), image units."""
        return np.asarray(self.child.flux.sum(axis=(1, 2), dtype=np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class KnownObjects:
    """Objects that were detected before anything was injected.

    Parameters
    ----------
    y, x : float64 array (n,)
        Positions [px].
    flux : float64 array (n, B)
        Sum of their re-apportioned pixels, image units.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    flux: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)


def objects_of(result: ChainResult) -> Iterator[DeblendedObject]:
    """Yield all objects, parent by parent."""
    for parent, shared in zip(result.parent_models, result.children, strict=True):
        for source, child in zip(parent.sources, shared.children, strict=True):
            yield DeblendedObject(parent, source, child)


def describe_sky(exposure: MultibandExposure, chain: Chain) -> KnownObjects:
    """Detect and deblend what is there.

    Parameters
    ----------
    exposure : MultibandExposure
    chain : Chain
        Decides where objects are, and how bright; it should deblend.

    Raises
    ------
    PipelineError
        If a step failed.
    """
    found = list(objects_of(chain(exposure, None)))
    where = np.array([o.source.peak.center for o in found], dtype=np.float64).reshape(-1, 2)
    # The sub-pixel position of a peak in the outermost pixels may be beyond them, where no position can be given.
    where = np.clip(where, 0, np.array(exposure.box.shape) - 1)
    flux = np.array([o.flux for o in found]).reshape(-1, len(exposure.bands))
    return KnownObjects(where[:, 0], where[:, 1], flux)
