"""Files as the shipped surveys have them are read by the surveys' names alone."""

import numpy as np
import pytest
from astropy.io import fits

from meas_deblend.image import load_survey, read_coadds

SHAPE = (40, 50)


def noise(seed=1):
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def planes(path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def test_tiles_of_the_dark_energy_survey(tmp_path):
    mask = np.zeros(SHAPE, np.int16)
    mask[3, 4], mask[5, 6] = 1, 2048
    hdus = [fits.ImageHDU(2 * noise(), name="SCI"), fits.ImageHDU(mask, name="MSK"),
            fits.ImageHDU(np.full(SHAPE, 0.25, np.float32), name="WGT")]  # fmt: skip
    exposure = read_coadds({"Y": planes(tmp_path / "Y.fits", *hdus)}, "des", psf="fwhm=1")
    assert exposure.zeropoints == (30.0,)
    assert exposure.pixel_scale == 0.263
    np.testing.assert_array_equal(exposure.variance[exposure.bad == 0], 4.0)
    assert list(zip(*np.nonzero(exposure.bad[0]), strict=True)) == [(3, 4), (5, 6)]


def test_bricks_of_the_legacy_surveys(tmp_path):
    masked = np.zeros(SHAPE, np.int32)
    masked[3, 4], masked[5, 6], masked[7, 8] = 1 << 3, 1 << 6, 1 << 11  # SATUR_R, ALLMASK_R, MEDIUM
    weight = np.full(SHAPE, 1e4, np.float32)
    weight[5, 6] = 0
    image = fits.PrimaryHDU(0.01 * noise(), fits.Header({"BUNIT": "nanomaggy"}))
    image.writeto(tmp_path / "image.fits")
    fits.PrimaryHDU(weight).writeto(tmp_path / "invvar.fits")
    fits.PrimaryHDU(masked).writeto(tmp_path / "maskbits.fits")
    files = {"image": "image", "weight": "invvar", "mask": "maskbits"}
    spec = {plane: tmp_path / f"{name}.fits" for plane, name in files.items()}
    exposure = read_coadds({"r": spec}, "legacysurvey", psf="fwhm=1.2")
    assert exposure.zeropoints == (22.5,)
    assert exposure.pixel_scale == 0.262
    # Saturated, and without data; a star's surroundings are not bad.
    assert list(zip(*np.nonzero(exposure.bad[0]), strict=True)) == [(3, 4), (5, 6)]


def test_data_quality_of_the_community_pipeline_is_codes_not_bits(tmp_path):
    codes = np.zeros(SHAPE, np.int32)
    codes[3, 4:8] = 1, 3, 5, 8
    hdus = [fits.ImageHDU(noise(), fits.Header({"MAGZERO": 30.1}), name="SCI"), fits.ImageHDU(codes, name="DQ"),
            fits.ImageHDU(np.ones(SHAPE, np.float32), name="WHT")]  # fmt: skip
    exposure = read_coadds({"z": planes(tmp_path / "z.fits", *hdus)}, "decam", psf="fwhm=1.1")
    assert exposure.zeropoints == (30.1,)
    assert exposure.pixel_scale == 0.263
    assert exposure.bad.sum() == 4


def test_mosaics_of_euclid(tmp_path):
    header = fits.Header({"MAGZERO": 24.6})
    hdus = [fits.ImageHDU(noise(), header, name="SCI"), fits.ImageHDU(np.ones(SHAPE, np.float32), name="RMS")]
    exposure = read_coadds({"VIS": planes(tmp_path / "VIS.fits", *hdus)}, "euclid", psf="fwhm=0.25")
    assert exposure.zeropoints == (24.6,)
    assert exposure.pixel_scale == 0.1
    assert load_survey("euclid").sort_bands(["H", "VIS", "g"]) == ("g", "VIS", "H")


@pytest.mark.parametrize(
    ("survey", "physical", "band"),
    [
        ("lsst", "i_39", "i"),
        ("lsst", "i_06", "i"),
        ("hsc", "HSC-R2", "r"),
        ("euclid", "NIR_H", "H"),
        ("decam", "z DECam SDSS c0004 9260.0 1520.0", "z"),
        ("des", "Y DECam c0005 10095.0 1130.0", "Y"),
    ],
)
def test_bands_of_physical_filters(survey, physical, band):
    assert load_survey(survey).band_of_filter(physical) == band
