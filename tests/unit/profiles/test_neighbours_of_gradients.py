"""Where disc and bulge of a source get spectra of their own, shapes far away stay as they are."""

import numpy as np
from profile_scenes import psfs

from meas_deblend.profiles.gradients import beside
from meas_deblend.profiles.planes import N_PARAMETERS
from meas_deblend.profiles.scene import Sources


def test_who_is_fitted_again():
    """Stamps of 32 px at 0, 31, 32 and 100 px: the second shares a column with the first, the third only with it."""
    free = np.zeros((4, N_PARAMETERS + 3), dtype=bool)
    free[:, :5] = True
    free[0, N_PARAMETERS:] = True
    origins = np.array([[0, 0], [0, 31], [0, 32], [100, 0]])
    sources = Sources(np.zeros(free.shape), free, origins, np.full(4, 32), (psfs(),) * 4)
    np.testing.assert_array_equal(beside(sources), [True, True, False, False])
