"""Sizes of PSFs, and what happens to stamps that are not quite PSFs."""

import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import multivariate_normal

from meas_deblend.exceptions import InputError
from meas_deblend.image import FWHM_PER_SIGMA, GaussianPsf, MoffatPsf, psf_fwhm, psf_moments, validate_psf_stamp


def moffat(fwhm=4.0, dy=0.0, dx=0.0):
    return MoffatPsf(fwhm, 4.0).image(dy, dx).stamp.copy()


@pytest.mark.parametrize("sigma", [0.6, 0.8, 1.3, 2.0, 4.0])
def test_fwhm_of_a_gaussian_is_its_own_with_the_pixel(sigma):
    # A pixel adds 1/12 to the variance; that its kernel is not a Gaussian changes the width by below 1 %.
    expected = FWHM_PER_SIGMA * np.sqrt(sigma**2 + 1 / 12)
    assert psf_fwhm(GaussianPsf(sigma).image(0, 0).stamp) == pytest.approx(expected, rel=1e-2)


def test_moments_of_an_elliptical_gaussian():
    cov = np.array([[5.0, 1.2], [1.2, 3.0]])
    y, x = np.indices((61, 61))
    stamp = multivariate_normal([30.3, 29.8], cov).pdf(np.stack([y, x], axis=-1))
    m = psf_moments(stamp)
    np.testing.assert_allclose([m.y, m.x, m.yy, m.xx, m.xy], [30.3, 29.8, 5.0, 3.0, 1.2], atol=1e-5)
    assert psf_fwhm(7 * stamp) == pytest.approx(FWHM_PER_SIGMA * np.linalg.det(cov) ** 0.25, rel=1e-5)


def test_a_good_stamp_is_left_alone():
    stamp = moffat()
    checked, notes = validate_psf_stamp(stamp)
    np.testing.assert_array_equal(checked, stamp)
    assert notes == ()
    assert checked is not stamp


@pytest.mark.parametrize("factor", [0.982, 1.018])
def test_a_truncated_unit_psf_is_not_normalised(factor):
    stamp = moffat() / moffat().sum() * factor
    checked, notes = validate_psf_stamp(stamp)
    assert checked.sum() == pytest.approx(factor)
    assert notes == ()


@pytest.mark.parametrize("factor", [0.9, 1.2e5])
def test_other_sums_are_normalised_with_a_warning(factor):
    checked, notes = validate_psf_stamp(moffat() / moffat().sum() * factor, "band g: PSF")
    assert checked.sum() == pytest.approx(1.0)
    assert notes == (f"band g: PSF: the stamp sums to {factor:.6g}, not 1; it was normalised to 1",)


@pytest.mark.parametrize(("dy", "dx"), [(0.4, -0.3), (-0.32, 0.13)])
def test_an_off_centre_stamp_is_recentred(dy, dx):
    checked, notes = validate_psf_stamp(MoffatPsf(4.0, 4.0).image(dy, dx).stamp)
    m = psf_moments(checked)
    np.testing.assert_allclose((m.y, m.x), ((checked.shape[0] - 1) / 2, (checked.shape[1] - 1) / 2), atol=5e-3)
    assert f"the centre lies ({dy:+.2f}, {dx:+.2f}) px (y, x) from the middle" in notes[0]
    np.testing.assert_allclose(checked, moffat(), atol=1e-3 * checked.max())


def test_a_stamp_off_by_pixels_is_cut_anew():
    stamp = np.pad(moffat(), ((4, 0), (0, 6)))
    checked, notes = validate_psf_stamp(stamp)
    assert checked.shape[0] % 2 == 1
    assert np.unravel_index(checked.argmax(), checked.shape) == (checked.shape[0] // 2, checked.shape[1] // 2)
    assert "(+2.00, -3.00) px" in notes[0]


@pytest.mark.parametrize("corner", [(0, 0), (1, 1), (0, 1)])
def test_even_sides_become_odd(corner):
    # The peak of an even stamp may lie on either of its two middle pixels.
    padded = np.pad(moffat(), tuple((c, 1 - c) for c in corner))
    checked, notes = validate_psf_stamp(padded)
    assert checked.shape == moffat().shape
    assert f"even sides {padded.shape}" in notes[0]
    np.testing.assert_allclose(checked, moffat(), atol=1e-6)


def test_a_few_wing_pixels_may_be_nan():
    stamp = moffat()
    stamp[0, :3] = np.nan
    checked, notes = validate_psf_stamp(stamp)
    assert np.isfinite(checked).all()
    assert notes == ("PSF: 3 NaN or infinite pixels of the stamp were set to 0",)


def spoil(n=0, center=False):
    stamp = moffat()
    stamp.ravel()[:n] = np.nan
    if center:
        stamp[stamp.shape[0] // 2, stamp.shape[1] // 2 + 1] = np.nan
    return stamp


@pytest.mark.parametrize(
    ("stamp", "message"),
    [
        (spoil(n=60), "PSF: 60 of .* pixels of the stamp are NaN or infinite; at most 1 %"),
        (spoil(center=True), "none within 3 px of the peak"),
        (spoil(n=10**6), "every pixel of the stamp is NaN"),
        (-moffat(), r"the stamp sums to -0\.99.*a PSF has a positive sum"),
        (np.zeros((11, 11)), "the stamp sums to 0"),
        (np.ones((3, 3)), r"sides of at least 5 px, got shape \(3, 3\)"),
        (np.ones((2, 9, 9)), r"must be \(y, x\)"),
        (np.ones((21, 21)), "shows no single compact star"),
    ],
)
def test_what_is_no_psf_is_refused(stamp, message):
    with pytest.raises(InputError, match=message):
        validate_psf_stamp(stamp)


def test_an_under_sampled_psf_is_reported():
    _, notes = validate_psf_stamp(GaussianPsf(0.6).image(0, 0).stamp, "band i: PSF")
    assert len(notes) == 1
    assert "band i: PSF: with a FWHM of 1.5" in notes[0]
    assert "below 2.00 px, the image is under-sampled" in notes[0]


@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_the_psf_of_the_models_itself_is_not_reported(offset):
    assert validate_psf_stamp(GaussianPsf(0.8).image(offset, 0.0).stamp)[1] == ()


def test_a_stamp_that_is_cut_too_small_is_reported():
    _, notes = validate_psf_stamp(moffat()[5:-5, 5:-5])
    assert "the stamp is cut off where the PSF is still" in notes[-1]


@pytest.mark.parametrize(("band", "fwhm"), [(0, 4.88), (1, 3.29), (2, 3.78), (3, 3.45), (4, 4.45)])
def test_real_stamps_are_good_as_they_are(data_dir, band, fwhm):
    stamp = np.load(data_dir / "real" / "hsc_cosmos_35.npz", allow_pickle=True)["psfs"][band]
    checked, notes = validate_psf_stamp(stamp)
    assert notes == ()
    assert psf_fwhm(checked) == pytest.approx(fwhm, abs=0.01)


def test_truncated_unit_psfs_keep_their_sum(data_dir):
    for stamp in np.load(data_dir / "fields" / "psf.npz", allow_pickle=True)["psf"]:
        checked, notes = validate_psf_stamp(stamp)
        assert notes == ()
        assert checked.sum() == pytest.approx(0.996, abs=1e-3)


def test_an_off_centre_real_psf_is_recentred(data_dir):
    stamp = fits.getdata(data_dir / "multires" / "PSF_HST.fits")
    checked, notes = validate_psf_stamp(stamp, "HST")
    assert len(notes) == 1
    assert "HST: the centre lies (+1.21, +0.78) px" in notes[0]
    m = psf_moments(checked)
    # A FWHM of 3.7 px with diffraction spikes: the shift is good to a few thousandths of a pixel.
    np.testing.assert_allclose((m.y, m.x), (89, 89), atol=5e-3)
    assert checked.sum() == pytest.approx(stamp.sum(), rel=1e-3)
