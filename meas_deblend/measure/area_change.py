"""How the area of an ellipse changes with the moments that it was made of, where they are hardly known too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AreaChange"]


@dataclass(frozen=True, slots=True, eq=False)
class AreaChange:
    """Change of the area A of a common ellipse with M, the mean of the bands' moments.

    An axis with the moment λ ± σ is longer at λ + σ than at λ − σ by a factor that the limits of
    `object_fluxes.flavor_apertures` bound. Its logarithm over 2 σ takes the place of the derivative 1 / 2λ, to which
    it tends for a small σ: the derivative has no bound where noise brings λ near 0, and does not know that an axis at
    a limit stays there.

    Parameters
    ----------
    slopes : float64 array (3,)
        Symmetric matrix Q, yy, yx, xx [px⁻²], with δ ln A = ½ tr(Q δM); 0 without moments.
    is_certain : bool
        Both axes' moments are known to half of their values, and farther than that error from a limit.
    """

    slopes: NDArray[np.float64]
    is_certain: bool
