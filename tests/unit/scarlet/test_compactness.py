"""The quick look at which sources are broader than the PSF."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Convolver, FitConfig, SersicShape, matched_kernels, model_psf
from meas_deblend.scarlet.arguments import make_observation
from meas_deblend.scarlet.compactness import broadenings
from meas_deblend.scarlet.profiles import Resolution, point_images, sersic_images

FRAME = Box((0, 0), (41, 41))
PSFS = np.stack([model_psf(sigma, 31) for sigma in (1.5, 1.7, 1.9)])
EXACT = FitConfig(model_psf_sigma=0.8, kernel_floor=0.0)


def observation(center, radius, psfs=PSFS):
    """Draw a source of 1000 counts per band without noise."""
    if radius:
        image, _ = sersic_images(SersicShape(center, radius, (0.0, 0.0), 0.5), FRAME, Resolution(0.8))
    else:
        image, _ = point_images(np.array(center), FRAME, Resolution(0.8))
    convolver = Convolver(matched_kernels(PSFS, sigma=0.8, floor=0.0), FRAME.shape)
    cube = 1000 * convolver.render(np.repeat(image[None], 3, axis=0))
    return make_observation(cube, np.ones_like(cube), psfs, config=EXACT)


@pytest.mark.parametrize("center", [(20, 20), (20.3, 19.8), (20.5, 20.5)])
def test_points_are_as_broad_as_the_psf_wherever_in_the_pixel_they_are(center):
    (excess,) = broadenings(observation(center, 0), [(20, 20)], 6)
    # Terms of third order, for the farthest shift.
    assert excess == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("radius", [0.3, 0.6])
def test_small_gaussians_show_their_variance(radius):
    # A Gaussian's half-light radius is 1.177 standard deviations; larger ones are no small change of the PSF.
    (excess,) = broadenings(observation((20.2, 19.9), radius), [(20, 20)], 6)
    assert excess == pytest.approx((radius / 1.1774) ** 2, rel=0.15, abs=0.01)


def test_larger_sources_are_broader():
    excess = [broadenings(observation((20, 20), radius), [(20, 20)], 6)[0] for radius in (0, 0.5, 1.0, 2.0)]
    assert (np.diff(excess) > 0.1).all()


def test_nothing_is_known_at_the_edge_nor_without_a_psf():
    seen = observation((20, 20), 0)
    assert broadenings(seen, [(3, 20), (20, 39)], 6).tolist() == [-np.inf, -np.inf]
    psfs = PSFS.copy()
    psfs[1] = np.nan
    assert broadenings(observation((20, 20), 0, psfs), [(20, 20)], 6) == pytest.approx(0, abs=0.03)
