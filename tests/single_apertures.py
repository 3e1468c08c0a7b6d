"""The ellipse of one set of moments, and how its area changes: what the package does for all flavours of an object."""

import numpy as np

from meas_deblend.measure import Ellipse
from meas_deblend.measure._aperture_kernels import common_axes
from meas_deblend.measure._mean_kernels import add_area_slopes, inverse_variances, weighted_moments
from meas_deblend.measure.area_change import AreaChange
from meas_deblend.measure.shapes import SHORTEST


def common_ellipse(shape, psf, largest):
    """Ellipse of one σ for all bands; None where nothing is known."""
    own, point = (shape.moments, shape.covariance, shape.reasons), (psf.moments, psf.reasons)
    a, b, theta = common_axes(own, point, (SHORTEST, largest))
    return None if np.isnan(a) else Ellipse(a, b, theta)


def area_change(shape, largest):
    """What the moments' noise does to its area."""
    slopes, (weights, is_known) = np.zeros(3), inverse_variances(shape.covariance, shape.reasons)
    if not is_known:
        return AreaChange(slopes, is_certain=False)
    mean = weighted_moments(shape.moments, weights)
    return AreaChange(slopes, add_area_slopes(shape.covariance, weights, mean, (SHORTEST, largest), slopes))
