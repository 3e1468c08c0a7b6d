"""Profiles in Fourier space: against closed forms, against pixels, and their derivatives against differences."""

import numpy as np
import pytest
from profile_scenes import SIGMAS, convolved, psfs, sersic_image
from scipy.special import gammaincinv

from meas_deblend.profiles.planes import N_PARAMETERS
from meas_deblend.profiles.radial import U_FIRST, U_STEP, radial_table, sersic_transform
from meas_deblend.profiles.stamps import draw

NODES = U_FIRST + U_STEP * np.arange(500)
# In three bands: disc and bulge have spectra of their own.
GALAXY = np.array([31.3, 32.2, 1.2, 0.5, -0.3, -1.0, 0.4, 0.2, 0.3, 0.0, -0.4])
IMAGE = np.array([-1])


def test_exponential_and_gaussian_have_closed_forms():
    # 1e-5: the interpolation of the transform on its grid of ln k.
    b = gammaincinv(2, 0.5)
    np.testing.assert_allclose(radial_table(0.0).columns[:, 0], (1 + np.exp(NODES) / b**2) ** -1.5, atol=1e-5)
    b = gammaincinv(1, 0.5)
    np.testing.assert_allclose(radial_table(np.log(0.5)).columns[:, 0], np.exp(-np.exp(NODES) / (4 * b)), atol=1e-5)


@pytest.mark.parametrize("index", [0.7, 1.3, 2.6, 4.4])
def test_profiles_between_nodes_of_the_grid_are_those_of_their_index(index):
    np.testing.assert_allclose(radial_table(np.log(index)).columns[:, 0], sersic_transform(index), atol=1e-5)


def test_indices_beyond_the_range_are_those_at_its_ends():
    np.testing.assert_array_equal(radial_table(9.0).columns, radial_table(np.log(6.0)).columns)


@pytest.mark.parametrize(("index", "tolerance"), [(1.0, 1e-3), (1.7, 2e-3), (4.0, 3e-3)])
def test_drawn_profile_is_the_integral_over_pixels(index, tolerance):
    # Of the peak; a PSF stamp is taken at the centres of pixels in both, and the sampled profile is the less exact.
    q, angle = 0.6, 0.5
    h = -np.log(q)
    galaxy = np.array(
        [31.3, 32.2, 2 * np.log(2.5), h * np.cos(2 * angle), h * np.sin(2 * angle), -np.inf, 0, np.log(index), 0, 0, 0]
    )
    image = draw(galaxy, (0, 0), 64, psfs(), IMAGE)[:, 0]
    expected = sersic_image((31.3, 32.2), 2.5, q, angle, index, (64, 64))
    for band, sigma in enumerate(SIGMAS):
        seen = convolved(expected, sigma)
        assert np.abs(image[band] - seen).max() < tolerance * seen.max()


def test_bulge_and_disc_add_up():
    galaxy = GALAXY.copy()
    galaxy[3:5], galaxy[7] = 0, 0
    share = 1 / (1 + np.exp(1.0 - galaxy[8:, None, None, None]))
    disc, bulge = galaxy.copy(), galaxy.copy()
    disc[5] = bulge[5] = -np.inf
    bulge[2], bulge[7] = galaxy[6], np.log(4.0)
    parts = [draw(each, (0, 0), 64, psfs(), IMAGE) for each in (disc, bulge)]
    np.testing.assert_allclose(
        draw(galaxy, (0, 0), 64, psfs(), IMAGE), (1 - share) * parts[0] + share * parts[1], atol=1e-7
    )


def test_point_is_the_psf_at_any_place():
    point = np.array([32.0, 30.0, -np.inf, 0, 0, -np.inf, 0, 0, 0, 0, 0])
    image = draw(point, (0, 0), 64, psfs(), IMAGE)[:, 0]
    np.testing.assert_allclose(image[:, 17:48, 15:46], psfs().stamps, atol=1e-6)
    # Half a pixel further, the centroid follows.
    point[:2] += 0.5, -0.25
    moved = draw(point, (0, 0), 64, psfs(), IMAGE)[0, 0].astype(float)
    grid = np.arange(64)
    assert (moved.sum(axis=1) @ grid) / moved.sum() == pytest.approx(32.5, abs=1e-3)
    assert (moved.sum(axis=0) @ grid) / moved.sum() == pytest.approx(29.75, abs=1e-3)


@pytest.mark.parametrize(
    "galaxy", [GALAXY, np.array([30.0, 33.6, 2.2, 0.0, 0.0, 1.5, 0.1, 0.0, 0.0, 0.0, 0.0])], ids=["oblique", "round"]
)
@pytest.mark.parametrize("parameter", range(N_PARAMETERS))
def test_derivatives_against_differences(galaxy, parameter):
    step = 1e-2
    lower, upper = galaxy.copy(), galaxy.copy()
    lower[parameter] -= step
    upper[parameter] += step
    found = draw(galaxy, (0, 0), 64, psfs(), np.array([parameter]))[:, 0]
    difference = (draw(upper, (0, 0), 64, psfs(), IMAGE) - draw(lower, (0, 0), 64, psfs(), IMAGE))[:, 0] / (2 * step)
    # Images are in single precision: 1e-8 of noise over a step of 2e-2, and the third derivative.
    np.testing.assert_allclose(found, difference, atol=1e-3 * np.abs(difference).max() + 2e-6)


def test_stamp_smaller_than_the_psf_agrees_in_its_middle():
    galaxy = GALAXY.copy()
    galaxy[:2] = 40.2, 40.7
    large = draw(galaxy, (0, 0), 96, psfs(), IMAGE)[:, 0, 24:56, 24:56]
    small = draw(galaxy, (24, 24), 32, psfs(), IMAGE)[:, 0]
    # What would lie beyond the stamp comes back in on its other side: little of this galaxy.
    np.testing.assert_allclose(small[:, 8:24, 8:24], large[:, 8:24, 8:24], atol=2e-4 * large.max())
