"""PSFs in Fourier space: against a published set, integrals, and each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.image import MoffatPsf, Psf, psf_fwhm
from meas_deblend.simulate import LSST_10Y, FourierPsf, KolmogorovPsf, MoffatTransformPsf, VaryingPsf
from meas_deblend.simulate.optics import finer_grid

ZERO = np.zeros(1)
LSST_R = KolmogorovPsf(4.05, LSST_10Y.diffraction("r"), np.sqrt(LSST_10Y.obscuration))


def test_the_psfs_of_the_given_fields(data_dir):
    published = np.load(data_dir / "fields" / "psf.npz")["psf"]
    hole = float(np.sqrt(LSST_10Y.obscuration))
    for k, name in enumerate(LSST_10Y.names):
        psf = KolmogorovPsf(float(LSST_10Y.fwhm_pixels[k]), LSST_10Y.diffraction(name), hole)
        # Stored in single precision; the periodic grid brings a little light back at the edge.
        np.testing.assert_allclose(psf.image(0.0, 0.0).stamp, published[k], atol=1e-5 * published[k].max())


def test_turbulence_has_the_width_it_was_given():
    # Sampled finely, so that the pixel's response does not matter.
    stamp = KolmogorovPsf(40.0, radius=80).image(0.0, 0.0).stamp
    row = stamp[80] / stamp[80, 80]
    half = np.interp(-0.5, -row[80:], np.arange(81.0))
    assert 2 * half == pytest.approx(40.0, rel=2e-3)


def test_diffraction_is_the_pupil_against_itself():
    n, diameter, hole = 512, 128, 0.6
    y, x = np.mgrid[:n, :n] - n // 2
    r = np.hypot(y, x)
    pupil = ((r <= diameter / 2) & (r > hole * diameter / 2)).astype(float)
    brute = np.fft.fftshift(np.fft.ifft2(np.abs(np.fft.fft2(pupil)) ** 2).real) / pupil.sum()
    # A point of the atmosphere so sharp that only the telescope is left; λ/D is 1 px.
    psf = KolmogorovPsf(1e-9, 1.0, hole)
    shift = np.arange(0, 140, 7)
    otf = psf.transform(ZERO, 2 * np.pi * shift / diameter)
    # The pixels of the pupil's rim are worth 1 %.
    np.testing.assert_allclose(otf, brute[n // 2, n // 2 + shift], atol=0.01)
    assert psf.transform(ZERO, np.array([2.001 * np.pi]))[0] == pytest.approx(0, abs=1e-9)


def test_moffat_is_the_pixel_integrated_profile():
    ours = MoffatTransformPsf(3.8, 2.5).image(7.3, 9.8)
    other = MoffatPsf(3.8, 2.5).image(7.3, 9.8)
    c = other.stamp.shape[0] // 2
    assert ours.center == other.center == (7, 10)
    np.testing.assert_allclose(
        ours.stamp[10:51, 10:51], other.stamp[c - 20 : c + 21, c - 20 : c + 21], atol=1e-5 * other.stamp.max()
    )


@given(
    st.sampled_from([LSST_R, KolmogorovPsf(3.0), MoffatTransformPsf(3.5, 2.5), MoffatTransformPsf(2.5, 4.0)]),
    st.floats(-5, 5),
    st.floats(-5, 5),
)
def test_a_transfer_function_is_1_at_0_and_symmetric(psf, ky, kx):
    assert psf.transform(ZERO, ZERO)[0] == pytest.approx(1, abs=1e-5)
    one, other = (psf.transform(np.array([s * ky]), np.array([s * kx]))[0] for s in (1, -1))
    assert one == other
    assert one <= 1 + 1e-9


@pytest.mark.parametrize("psf", [LSST_R, KolmogorovPsf(3.8), MoffatTransformPsf(3.8, 2.5), MoffatTransformPsf(4, 3.5)])
@pytest.mark.parametrize("brightness", [1e-4, 1e-5])
def test_outside_of_its_radius_a_psf_is_fainter(psf, brightness):
    stamp = type(psf)(**{f: getattr(psf, f) for f in psf.__dataclass_fields__ if f != "radius"}, radius=90)
    image = stamp.image(0.0, 0.0).stamp
    y, x = np.mgrid[-90:91, -90:91]
    far = np.hypot(y, x) >= psf.radius_at(brightness)
    # Diffraction rings scatter about the mean wing.
    assert image[far].max() < 1.5 * brightness
    assert (~far).any()


def test_shear_makes_it_elliptical_at_constant_flux():
    psf = MoffatTransformPsf(3.8, 4.0, shear=(0.1, 0.0))
    stamp = psf.image(0.0, 0.0).stamp
    weights = stamp * np.exp(-(np.add.outer(np.arange(-30, 31) ** 2, np.arange(-30, 31) ** 2)) / 18)
    x2 = (weights * np.arange(-30, 31)[None, :] ** 2).sum()
    y2 = (weights * np.arange(-30, 31)[:, None] ** 2).sum()
    assert (x2 - y2) / (x2 + y2) > 0.05
    assert stamp.sum() == pytest.approx(MoffatTransformPsf(3.8, 4.0).image(0.0, 0.0).stamp.sum(), abs=1e-4)


def test_a_varying_psf_is_round_in_the_middle_and_wider_outside():
    psf = VaryingPsf(LSST_R, (100.0, 100.0), 140.0, width=0.1, ellipticity=0.05)
    assert isinstance(psf, FourierPsf)
    assert isinstance(psf, Psf)
    assert psf.at(100.0, 100.0) == LSST_R
    corner = psf.at(0.0, 0.0)
    assert corner.fwhm == pytest.approx(4.05 * (1 + 0.1 * (200**0.5 * 10 / 140) ** 2))
    middle, edge = psf.image(100.0, 100.0).stamp, psf.image(100.0, 200.0).stamp
    assert psf_fwhm(edge) > psf_fwhm(middle)
    # Tangential: at the right edge it is longer along y.
    assert psf.at(100.0, 200.0).shear[0] < 0
    assert psf.radius_at(1e-5) > LSST_R.radius_at(1e-5)
    np.testing.assert_array_equal(psf.transform(ZERO, ZERO + 1), LSST_R.transform(ZERO, ZERO + 1))


def test_narrow_psfs_get_finer_grids():
    assert finer_grid(LSST_R) == 1
    assert 2 <= finer_grid(MoffatTransformPsf(2.0, 2.5)) <= 4
    assert finer_grid(KolmogorovPsf(0.1)) == 8
    # A narrow PSF is still right: against 7 × 7 Gauss-Legendre points per pixel.
    ours, other = MoffatTransformPsf(2.0, 3.0).image(0.2, 0.4).stamp, MoffatPsf(2.0, 3.0).image(0.2, 0.4).stamp
    c = other.shape[0] // 2
    np.testing.assert_allclose(ours[25:36, 25:36], other[c - 5 : c + 6, c - 5 : c + 6], atol=2e-4 * other.max())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MoffatTransformPsf(0.0), "FWHM of a PSF must be above 0 px, got 0"),
        (lambda: KolmogorovPsf(-1.0), "FWHM of a PSF must be above 0 px, got -1"),
        (lambda: MoffatTransformPsf(3.0, 1.0), r"beta of a Moffat PSF must be in \(1, 20\], got 1"),
        (lambda: KolmogorovPsf(3.0, -0.1), "λ/D must be 0 px or more, got -0.1"),
        (lambda: KolmogorovPsf(3.0, 0.1, 1.0), r"obscuration must be in \[0, 1\), got 1"),
        (lambda: KolmogorovPsf(3.0, shear=(0.8, 0.8)), r"the shear of a PSF must have \|g\| < 1"),
        (lambda: KolmogorovPsf(3.0, radius=0), "the radius of a PSF stamp must be 1 px or more, got 0"),
    ],
)
def test_parameters_out_of_range(make, message):
    with pytest.raises(InputError, match=message):
        make()
