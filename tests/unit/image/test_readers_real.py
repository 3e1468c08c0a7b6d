"""Real files of three surveys."""

import warnings

import numpy as np
import pytest

from meas_deblend.exceptions import InputError, InputWarning
from meas_deblend.image import psf_fwhm, read_coadds


@pytest.fixture
def decam(data_dir):
    """Files of DECam exposures: band to its image, weight and data quality."""

    def _specs(band):
        images = sorted((data_dir / "real" / "decam").glob(f"*_ooi_{band}_*.N??.fits"))
        return [
            {
                "image": path,
                "weight": path.with_name(path.name.replace("_ooi_", "_oow_")),
                "mask": path.with_name(path.name.replace("_ooi_", "_ood_")),
            }
            for path in images
        ]

    return _specs


def test_hsc_coadds_are_read_without_a_complaint(data_dir):
    folder = data_dir / "real" / "hsc_cosmos_35"
    exposure = read_coadds({band: folder / f"{band}.fits" for band in "grizy"}, "hsc")
    truth = np.load(data_dir / "real" / "hsc_cosmos_35.npz", allow_pickle=True)
    np.testing.assert_array_equal(exposure.images, truth["images"])
    np.testing.assert_array_equal(exposure.variance, truth["variance"])
    np.testing.assert_array_equal(exposure.mask, truth["mask"])
    assert exposure.bands == tuple("grizy")
    assert exposure.warnings == ()
    assert exposure.wcs is None
    assert exposure.pixel_scale == 0.168
    assert exposure.zeropoints == (27.0,) * 5
    np.testing.assert_allclose(exposure.noise_rms, [0.0127, 0.0141, 0.0203, 0.0333, 0.0666], atol=1e-4)
    widths = [psf_fwhm(psf.image(0, 0).stamp) for psf in exposure.psfs]
    np.testing.assert_allclose(widths, [4.88, 3.29, 3.78, 3.45, 4.45], atol=0.01)
    assert not exposure.bad.any()
    assert {"BIT_10", "BIT_12", "BIT_14", "BIT_15"} <= set(exposure.mask_planes.bits)


def test_decam_exposures_are_read_one_by_one(decam):
    specs = [(band, spec) for band in "grz" for spec in decam(band)]
    assert len(specs) == 8
    for band, spec in specs:
        with pytest.warns(InputWarning, match=f"band {band}: the sky lies at .*--background subtract"):
            exposure = read_coadds({band: spec}, psf="fwhm=1.2")
        # The pixels of DECam are 0.263 arcsec; the distortion changes them by a part in a thousand.
        assert exposure.pixel_scale == pytest.approx(0.2635, abs=5e-4)
        assert exposure.psfs[0].fwhm == pytest.approx(1.2 / exposure.pixel_scale)
        assert exposure.images.dtype.isnative
        assert exposure.wcs.has_celestial
        subtracted = read_coadds({band: spec}, psf="fwhm=1.2", background="subtract")
        assert abs(np.median(subtracted.images)) < subtracted.noise_rms[0]
        assert subtracted.background[0] > 50


def test_decam_exposures_have_their_survey(decam):
    for band in "grz":
        for spec in decam(band):
            with pytest.warns(InputWarning, match=f"band {band}: the sky lies at"):
                exposure = read_coadds({band: spec}, "decam", psf="fwhm=1.2", zeropoint="22.5")
            assert not exposure.bad.any()  # their data quality is 0 everywhere
            assert exposure.zeropoints == (22.5,)


def test_decam_exposures_are_not_on_one_grid(decam):
    with pytest.raises(
        InputError, match=r"bands z and r are not on one pixel grid: equal pixels lie up to .* px apart"
    ):
        read_coadds({"z": decam("z")[0], "r": decam("r")[0]}, psf="fwhm=1.2")


def test_decam_exposures_without_a_noise_plane_are_refused_for_their_grid(decam):
    # A noise plane, of which the first complaint would be, would not help.
    with pytest.raises(InputError, match="bands z and r are not on one pixel grid"):
        read_coadds({"z": decam("z")[0]["image"], "r": decam("r")[0]["image"]}, psf="fwhm=1.2")
    with pytest.raises(InputError, match="has no noise plane"):
        read_coadds({"z": decam("z")[0]["image"]}, psf="fwhm=1.2")


def test_decam_exposures_of_other_shape_are_refused(decam):
    shapes = {}
    for k, spec in enumerate(decam("g")):
        shapes[f"g{k}"] = spec
    with pytest.raises(InputError, match=r"shapes \(y, x\) differ: .*\(51, 41\).*\(50, 41\)"):
        read_coadds(shapes, psf="fwhm=1.2")


def test_a_scaled_integer_image_of_eso(data_dir):
    path = data_dir / "real" / "emmi_r_band.fits"
    with pytest.raises(InputError, match="has no noise plane"):
        read_coadds({"r": path}, psf="fwhm=4px")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exposure = read_coadds({"r": {"image": path, "sigma": 65.0}}, psf="fwhm=4px")
    (warning,) = caught
    assert warning.category is InputWarning
    assert str(warning.message).count("emmi_r_band.fits: ") == 1
    assert "band r: the sky lies at 68" in str(warning.message)
    # int16 × BSCALE + BZERO
    assert np.median(exposure.images) == pytest.approx(6855.61, abs=0.01)
    assert exposure.wcs is None


def test_a_cube_of_psfs_that_are_off_centre_and_cut_off(data_dir):
    folder = data_dir / "real" / "hsc_cosmos_35"
    paths = {band: folder / f"{band}.fits" for band in "grizy"}
    with pytest.warns(InputWarning, match=r"(?s)band g: PSF .*\(-0\.32, \+0\.13\) px.*band y: PSF .*is cut off where"):
        exposure = read_coadds(paths, "hsc", psf=data_dir / "multires" / "PSF_HSC.fits")
    widths = [psf_fwhm(psf.image(0, 0).stamp) for psf in exposure.psfs]
    np.testing.assert_allclose(widths, [5.04, 4.54, 4.10, 3.80, 4.68], atol=0.02)
    # Unit PSFs cut to a stamp: their sums stay.
    np.testing.assert_allclose([p.stamp.sum() for p in exposure.psfs], 0.997, atol=0.003)


def test_an_image_of_the_space_telescope(data_dir):
    folder = data_dir / "multires"
    spec = {"image": folder / "Cut_HST.fits", "sigma": 4.2, "psf": folder / "PSF_HST.fits"}
    with pytest.warns(InputWarning, match=r"\(\+1\.21, \+0\.78\) px \(y, x\) from the middle"):
        exposure = read_coadds({"F814W": spec})
    assert exposure.pixel_scale == pytest.approx(0.03, rel=1e-4)
