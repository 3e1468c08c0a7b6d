"""The scores of a deblender: each source in each band."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray
    from .images import SourceImages

__all__ = ["Deblended", "Scores", "concatenate_scores", "reference_band"]


@dataclass(frozen=True, slots=True, eq=False)
class Deblended:
    """What a deblender made of a field.

    Parameters
    ----------
    models : SourceImages
        In the order of the field's sources.
    children : SourceImages, optional
        Re-apportioned pixels; None if there are none, as for models from elsewhere.
    rest : float array (band, y, x), optional
        Sum of the models of objects that belong to no true source; None if there are none.
    """

    models: SourceImages
    children: SourceImages | None = None
    rest: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Per source (first axis) and band (second axis), unless said otherwise; fluxes in image units.

    Parameters
    ----------
    field : int64 array (source,)
        Index of the field: the unit of the bootstrap.
    index : int64 array (source,)
        Position of the source in its field.
    F : float64 array
        Aperture flux of noise + the source's truth: the field without all other galaxies.
    Fb : float64 array
        Of the field as it is: F (1 + κ).
    F0 : float64 array
        Of the noiseless truth alone.
    Ferr : float64 array
        Error of F from the noise of the sky.
    sigma : float64 array
        Error of F from sky and photons of all sources.
    beta : float64 array
        Blendedness 1 − S·S / (S^b·S), with the truth S and the noiseless field S^b.
    Fd : float64 array
        Of the field minus the models of all other sources.
    Fm : float64 array
        Of the source's own model.
    Fc : float64 array
        Of its re-apportioned child; NaN where there are no children.
    cos, ssim, ssim_stamp : float64 array
        Likeness of model and truth, over the field and over a stamp; NaN where it was not measured.
    e_true, e, e_child : float64 array (source, 2)
        Ellipticity of truth, model and child in the reference band; NaN where it failed.
    modelled : bool array (source,)
        Whether there is a model that is not 0 everywhere.
    snr, size : float64 array (source,)
        From the catalog: r-band signal-to-noise ratio, √(ab) [px].
    magnitudes : float64 array
        Catalog AB magnitudes.
    """

    field: NDArray[np.int64]
    index: NDArray[np.int64]
    F: NDArray[np.float64]
    Fb: NDArray[np.float64]
    F0: NDArray[np.float64]
    Ferr: NDArray[np.float64]
    sigma: NDArray[np.float64]
    beta: NDArray[np.float64]
    Fd: NDArray[np.float64]
    Fm: NDArray[np.float64]
    Fc: NDArray[np.float64]
    cos: NDArray[np.float64]
    ssim: NDArray[np.float64]
    ssim_stamp: NDArray[np.float64]
    e_true: NDArray[np.float64]
    e: NDArray[np.float64]
    e_child: NDArray[np.float64]
    modelled: NDArray[np.bool_]
    snr: NDArray[np.float64]
    size: NDArray[np.float64]
    magnitudes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.field)

    @property
    def kappa(self) -> NDArray[np.float64]:
        """Contamination κ = F^b / F − 1 (source, band)."""
        return self.Fb / self.F - 1

    @property
    def field_error(self) -> NDArray[np.float64]:
        """δF/F = (F^d − F) / F: what the neighbours' models leave in the aperture, or take from it."""
        return (self.Fd - self.F) / self.F

    @property
    def model_error(self) -> NDArray[np.float64]:
        """(F_model − F_truth) / F_truth: what the source's own model gets wrong."""
        return (self.Fm - self.F0) / self.F0

    @property
    def child_error(self) -> NDArray[np.float64]:
        """(F_child − F_truth) / F_truth: what is wrong with the pixels that are delivered, noise included."""
        return (self.Fc - self.F0) / self.F0

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Scores:
        """Return the scores of some of the sources."""
        return Scores(*(getattr(self, item.name)[rows] for item in fields(self)))


def concatenate_scores(parts: Sequence[Scores]) -> Scores:
    """Join the scores of several fields."""
    return Scores(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Scores)))


def reference_band(bands: Sequence[str]) -> int:
    """Index of the band in which sources are chosen and summed up: r, or else the middle one."""
    return list(bands).index("r") if "r" in bands else len(bands) // 2
