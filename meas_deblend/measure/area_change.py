"""How the area of an ellipse changes with the moments that it was made of, where they are hardly known too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .ellipses import Ellipse
from .shapes import SHORTEST, band_weights

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
        weights = band_weights(shape)
        used = weights > 0
        slopes, is_certain = np.zeros(3), bool(used.any())
        if not is_certain:
            return cls(slopes, is_certain)
        moments = weights[used] @ shape.moments[used]
        covariance = ((weights**2)[used] @ shape.covariance[used].reshape(-1, 9)).reshape(3, 3)
        theta = Ellipse.from_moments(*(float(m) for m in moments)).theta
        for y, x in ((math.sin(theta), math.cos(theta)), (math.cos(theta), -math.sin(theta))):
            along = np.array([y * y, 2 * y * x, x * x])
            moment = float(along @ moments)
            error = math.sqrt(max(float(along @ covariance @ along), 0.0))
            low, high = (min(max(m, SHORTEST**2), largest**2) for m in (moment - error, moment + error))
            is_certain &= error <= moment / 2 and low > SHORTEST**2 and high < largest**2
            if error > 0:
                slopes += math.log(high / low) / (2 * error) * np.array([y * y, y * x, x * x])
        return cls(slopes, is_certain)
