"""How the area of an ellipse changes with the moments that it was made of, where they are hardly known too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .shapes import SHORTEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .child import ShapeSet

__all__ = ["AreaChange"]


@dataclass(frozen=True, slots=True, eq=False)
class AreaChange:
    """Change of the area A of a common ellipse with M, the mean of the bands' moments.

    An axis with the moment λ ± σ is longer at λ + σ than at λ − σ by a factor that the limits of
    `shapes.common_ellipse` bound. Its logarithm over 2 σ takes the place of the derivative 1 / 2λ, to which it tends
    for a small σ: the derivative has no bound where noise brings λ near 0, and does not know that an axis at a limit
    stays there.

    Parameters
    ----------
    slopes : float64 array (3,)
        Symmetric matrix Q, yy, yx, xx [px⁻²], with δ ln A = ½ tr(Q δM); 0 without moments.
    is_certain : bool
        Both axes' moments are known to half of their values, and farther than that error from a limit.
    """

    slopes: NDArray[np.float64]
    is_certain: bool

    @classmethod
    def of(cls, shape: ShapeSet, largest: float) -> AreaChange:
        """Look at both axes; ``largest`` is the limit of `shapes.common_ellipse` [px]."""
        from ._mean_kernels import add_area_slopes, inverse_variances, weighted_moments  # noqa: PLC0415 - the compiler

        slopes, (weights, is_known) = np.zeros(3), inverse_variances(shape.covariance, shape.reasons)
        if not is_known:
            return cls(slopes, is_certain=False)
        mean = weighted_moments(shape.moments, weights)
        return cls(slopes, add_area_slopes(shape.covariance, weights, mean, (SHORTEST, largest), slopes))
