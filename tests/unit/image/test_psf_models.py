"""PSF models against exact integrals and against each other."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad

from meas_deblend.exceptions import InputError
from meas_deblend.image import GaussianPsf, ImagePsf, MoffatPsf, Psf, psf_moments

MODELS = [GaussianPsf(1.5), MoffatPsf(3.4, 2.5), MoffatPsf(4.0, 4.765)]
POSITION = st.floats(-20, 20).map(lambda v: round(v, 3))


@pytest.mark.parametrize("psf", [*MODELS, ImagePsf(GaussianPsf(1.5).image(0, 0).stamp)], ids=repr)
def test_every_model_follows_the_protocol(psf):
    assert isinstance(psf, Psf)
    stamp, center = psf.image(10.6, 3.2)
    assert center == (11, 3)
    assert stamp.shape[0] % 2 == 1
    assert stamp.shape[1] % 2 == 1


@given(y=POSITION, x=POSITION, k=st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_the_centroid_is_where_the_source_is(y, x, k):
    stamp, center = MODELS[k].image(y, x)
    m = psf_moments(stamp)
    found = (m.y - stamp.shape[0] // 2 + center[0], m.x - stamp.shape[1] // 2 + center[1])
    # A stamp that is cut at the same pixels on both sides holds a little more of one wing: below 1e-3 px.
    np.testing.assert_allclose(found, (y, x), atol=1e-3)


@pytest.mark.parametrize("psf", MODELS, ids=repr)
def test_pixels_are_integrals_of_the_profile(psf):
    dy, dx = 0.31, -0.42
    stamp, _ = psf.image(dy, dx)
    middle = stamp.shape[0] // 2

    def profile(x, y):
        r2 = (y - dy) ** 2 + (x - dx) ** 2
        if isinstance(psf, GaussianPsf):
            return np.exp(-0.5 * r2 / psf.sigma**2) / (2 * np.pi * psf.sigma**2)
        return (psf.beta - 1) / (np.pi * psf.alpha**2) * (1 + r2 / psf.alpha**2) ** -psf.beta

    for row, column in [(0, 0), (1, -2), (-3, 2)]:
        exact, _ = dblquad(profile, row - 0.5, row + 0.5, column - 0.5, column + 0.5)
        # 7-point Gauss-Legendre over a pixel of a profile this wide is exact to better than 1e-9.
        np.testing.assert_allclose(stamp[middle + row, middle + column], exact, rtol=1e-8)


@pytest.mark.parametrize(("fwhm", "beta"), [(2.0, 2.0), (3.4, 2.5), (6.0, 4.765)])
def test_a_moffat_stamp_holds_all_but_half_a_percent_of_a_unit_psf(fwhm, beta):
    # The square holds more than the circle inside it, which leaves out 0.5 %.
    assert 0.995 < MoffatPsf(fwhm, beta).image(0, 0).stamp.sum() < 1.0


def test_a_gaussian_stamp_holds_the_unit_flux():
    assert GaussianPsf(1.3).image(0.4, -0.3).stamp.sum() == pytest.approx(1.0, abs=1e-5)


def test_fwhm_of_the_profiles():
    assert GaussianPsf.from_fwhm(2.3548200450309493).sigma == pytest.approx(1.0)
    psf = MoffatPsf(3.0, 2.5)
    assert (1 + (1.5 / psf.alpha) ** 2) ** -2.5 == pytest.approx(0.5)


@pytest.mark.parametrize(("psf", "tolerance"), [(MODELS[0], 1e-5), (MODELS[1], 5e-4), (MODELS[2], 5e-4)])
@pytest.mark.parametrize("shift", [(0.0, 0.3), (0.499, -0.5), (-0.25, 0.1)])
def test_a_shifted_stamp_is_the_model_drawn_there(psf, tolerance, shift):
    moved = ImagePsf(psf.image(0, 0).stamp).image(*shift).stamp
    exact = psf.image(*shift).stamp
    # Measured: 2e-6 of the peak for the Gaussian; the Moffat has more power at high frequencies, 5e-4.
    assert np.abs(moved - exact).max() < tolerance * exact.max()
    assert moved.sum() == pytest.approx(psf.image(0, 0).stamp.sum(), rel=1e-12)


def test_a_stamp_at_the_centre_of_a_pixel_is_returned_as_it_was():
    stamp = MoffatPsf(3.0).image(0, 0).stamp
    np.testing.assert_array_equal(ImagePsf(stamp).image(7.0, -2.0).stamp, stamp)


def test_a_stamp_is_a_copy_that_nobody_can_change():
    stamp = GaussianPsf(1.0).image(0, 0).stamp
    psf = ImagePsf(stamp)
    stamp[:] = 0
    assert psf.stamp.sum() == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        psf.stamp[0, 0] = 1.0


@pytest.mark.parametrize("psf", [*MODELS, ImagePsf(np.ones((3, 5)) / 15)], ids=repr)
def test_psfs_travel_to_worker_processes(psf):
    copy = pickle.loads(pickle.dumps(psf))  # noqa: S301 - made in this line
    np.testing.assert_array_equal(copy.image(1.2, 3.4).stamp, psf.image(1.2, 3.4).stamp)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ImagePsf(np.ones((4, 5))), r"odd sides, got shape \(4, 5\)"),
        (lambda: ImagePsf(np.ones(5)), r"must be \(y, x\)"),
        (lambda: ImagePsf(-np.ones((3, 3))), "positive sum, got the sum -9"),
        (lambda: ImagePsf(np.full((3, 3), np.nan)), "finite"),
        (lambda: GaussianPsf(0.0), r"sigma of a Gaussian PSF must be in \(0, 25\] px, got 0.0"),
        (lambda: GaussianPsf(float("nan")), "sigma of a Gaussian PSF"),
        (lambda: MoffatPsf(-1.0), r"FWHM of a Moffat PSF must be in \(0, 60\] px, got -1.0"),
        (lambda: MoffatPsf(3.0, 1.0), r"beta of a Moffat PSF must be in \[1.5, 20\], got 1.0"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
