"""Priors of sizes: stated in arcsec, so that pixels follow with the pixel scale, and alike for all surveys."""

import numpy as np
import pytest

from meas_deblend import framework
from meas_deblend.image import load_survey
from meas_deblend.profiles import Calibration, ProfilePriors
from meas_deblend.profiles.priors import expected_size, start_size, unknown_size
from meas_deblend.shipped import surveys

PIPELINES = {"joint_profiles": "profile", "hybrid": "hybrid", "multi_band": "multiband"}
#: r - i of a galaxy at a redshift of about a half, magnitudes.
COLOR = 0.45


def priors_of(label, survey):
    config = framework.load_pipeline(PIPELINES[label], survey=survey).task(label).resolved.config
    return (config.profiles if label == "multi_band" else config.fit).priors


def arcsec(magnitude, priors, scale, zeropoint=30.0):
    """Expected half-light radius in arcsec, from what the fit expects in pixels."""
    flux = 10 ** (0.4 * (zeropoint - np.atleast_1d(magnitude)))
    return scale * np.exp(expected_size(flux[:, None], priors, Calibration(0, zeropoint, scale)) / 2)


@pytest.mark.parametrize("scale", [0.1, 0.168, 0.263])
def test_sizes_in_pixels_follow_the_pixel_scale(scale):
    priors, flux = ProfilePriors(), np.array([[1e3], [3e4]])
    shift = 2 * np.log(0.2 / scale)
    here, usual = Calibration(0, 30.0, scale), Calibration(0, 30.0, 0.2)
    for size in (expected_size, start_size):
        np.testing.assert_allclose(size(flux, priors, here) - size(flux, priors, usual), shift, rtol=1e-12)
    assert unknown_size(priors, here) - unknown_size(priors, usual) == pytest.approx(shift)
    unknown = expected_size(flux, priors, Calibration(0, None, scale))
    np.testing.assert_allclose(unknown, unknown_size(priors, here), rtol=1e-12)
    # exp(-1.677) arcsec are 0.935 px of 0.2 arcsec, and the half-light radius is 1.678 of it.
    assert unknown_size(priors, usual) == pytest.approx(2 * np.log(1.678 * 0.935), abs=2e-3)


def test_published_sizes():
    # Miller et al. 2013: exp(-1.145) = 0.318 arcsec at i = 23, and the half-light radius is 1.678 of it.
    np.testing.assert_allclose(arcsec([23, 25], ProfilePriors(), 0.2), [0.5340, 0.3118], rtol=1e-3)
    kids = priors_of("joint_profiles", "decam")
    np.testing.assert_allclose(arcsec([23, 24], kids, 0.263), [0.4483, 0.3395], rtol=1e-3)


@pytest.mark.parametrize("label", PIPELINES)
@pytest.mark.parametrize("survey", surveys())
def test_sizes_of_surveys_agree_in_arcsec(label, survey):
    priors, described = priors_of(label, survey), load_survey(survey)
    assert priors == priors_of("joint_profiles", survey)
    assert priors.size_band in (described.band_order or ("i",))
    i = np.linspace(20, 25, 6)
    sizes = arcsec(i + (COLOR if priors.size_band == "r" else 0), priors, described.pixel_scale or 0.2)
    # Two catalogues in two bands: they differ by less than the width of the prior, 0.5 in ln r.
    assert np.abs(np.log(sizes / arcsec(i, ProfilePriors(), 0.2))).max() < 0.4


def test_bands_of_sizes():
    bands = {survey: priors_of("joint_profiles", survey).size_band for survey in surveys()}
    others = dict.fromkeys(("des", "generic", "hsc", "lsst"), "i")
    assert bands == {"decam": "r", "euclid": "VIS", "legacysurvey": "r"} | others
