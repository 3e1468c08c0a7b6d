"""PSF and aperture fluxes: unbiased, with errors that noise confirms."""

import numpy as np
import pytest

from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box, Image
from meas_deblend.measure import (
    FlagReason,
    MeasureConfig,
    ObjectPixels,
    draw_psfs,
    flux_covariance,
    measure_fluxes,
    psf_flux_weights,
)

CONFIG = MeasureConfig()
POSITION = (30.3, 34.6)
N = 800


class NoPsfHere:
    """A PSF that is not defined anywhere."""

    def image(self, y, x):
        raise InputError(f"no exposure contributes at ({y}, {x})")


class BrokenPsf:
    """A PSF with NaN pixels."""

    def image(self, y, x):
        return np.full((5, 5), np.nan), (round(y), round(x))


def pulls(flux_set, truth):
    return (flux_set.flux - truth) / flux_set.error


def test_noiseless_fluxes(star_image, objects_of, psf):
    fluxes = measure_fluxes(objects_of(star_image(500.0, POSITION)[None]), [psf], POSITION, CONFIG)
    assert fluxes.psf.flux[0] == pytest.approx(500.0, rel=1e-12)
    # The PSF and the aperture both count a pixel's light as uniform inside it, each adding 1/12 to σ².
    blurred = 1.8**2 + 2 / 12
    for radius, flux in zip(CONFIG.aperture_radii, fluxes.apertures, strict=True):
        assert flux.flux[0] == pytest.approx(500 * (1 - np.exp(-(radius**2) / (2 * blurred))), abs=500 * 1.5e-3)
    assert not fluxes.psf.flag.any()
    assert not any(a.flag.any() for a in fluxes.apertures)


@pytest.mark.parametrize("share", [None, 0.4])
def test_fluxes_are_unbiased_and_their_errors_right(star_image, objects_of, psf, share):
    rng = np.random.default_rng(11)
    sky = 1 + 0.02 * np.arange(71.0)
    model = star_image(300.0, POSITION)
    variance = sky + model / 3
    noisy = model + np.sqrt(variance) * rng.normal(size=(N, *model.shape))
    part = 1.0 if share is None else share
    objects = objects_of(part * noisy, variance=variance, share=share)
    fluxes = measure_fluxes(objects, [psf] * N, POSITION, CONFIG)
    inside = measure_fluxes(objects_of(part * model[None]), [psf], POSITION, CONFIG)
    found = pulls(fluxes.psf, part * 300.0)
    assert abs(found.mean()) < 0.1
    assert 0.9 < found.std() < 1.1
    for measured, truth in zip(fluxes.apertures, inside.apertures, strict=True):
        found = pulls(measured, truth.flux[0])
        assert abs(found.mean()) < 0.1
        assert 0.9 < found.std() < 1.1


def test_covariance_of_children_that_share_pixels(star_image, objects_of, psf):
    rng = np.random.default_rng(12)
    places = [(30.0, 34.0), (30.0, 36.0)]
    models = [star_image(400.0, places[0]), star_image(250.0, places[1])]
    total = models[0] + models[1]
    shares = [m / np.maximum(total, 1e-300) for m in models]
    noisy = total + rng.normal(size=(N, *total.shape))
    children = [objects_of(s * noisy, share=s) for s in shares]
    fluxes = np.array([measure_fluxes(c, [psf] * N, p, CONFIG).psf.flux for c, p in zip(children, places, strict=True)])
    one = [objects_of(s[None] * noisy[:1], share=s) for s in shares]
    weights = [psf_flux_weights(c, draw_psfs([psf], p)) for c, p in zip(one, places, strict=True)]
    covariance = flux_covariance(one, weights, Image(np.ones((1, *total.shape)), one[0].frame))
    assert covariance.shape == (1, 2, 2)
    sampled = np.cov(fluxes)
    # A covariance from N realisations is uncertain by √((C11 C22 + C12²) / N).
    uncertain = np.sqrt((np.outer(np.diag(sampled), np.diag(sampled)) + sampled**2) / N)
    assert covariance[0, 0, 1] > 5 * uncertain[0, 1]
    np.testing.assert_array_less(np.abs(covariance[0] - sampled), 3 * uncertain)
    errors = [measure_fluxes(c, [psf], p, CONFIG).psf.error[0] for c, p in zip(one, places, strict=True)]
    np.testing.assert_allclose(np.sqrt(np.diag(covariance[0])), errors, rtol=1e-10)


def test_bad_pixels_do_not_bias_the_psf_flux(star_image, objects_of, psf):
    cube = star_image(500.0, POSITION)[None].copy()
    bad = np.zeros(cube.shape, dtype=bool)
    bad[0, 30, 36:38] = True
    cube[0, 30, 36:38] = 1e6
    fluxes = measure_fluxes(objects_of(cube, bad=bad), [psf], POSITION, CONFIG)
    assert fluxes.psf.flux[0] == pytest.approx(500.0, rel=1e-10)
    assert fluxes.psf.reasons[0] == FlagReason.MASKED


def test_a_lost_pixel_in_the_core_flags_apertures_and_one_in_the_wings_does_not(star_image, objects_of, psf):
    cube = np.repeat(star_image(500.0, POSITION)[None], 3, axis=0)
    bad = np.zeros(cube.shape, dtype=bool)
    bad[0, 30, 35] = True
    bad[1, 41, 35] = True
    cube[2, 30, 35] = np.nan
    fluxes = measure_fluxes(objects_of(cube, bad=bad), [psf] * 3, POSITION, CONFIG)
    assert list(fluxes.apertures[3].reasons) == [FlagReason.MASKED, 0, FlagReason.MASKED]
    assert list(fluxes.psf.reasons) == [FlagReason.MASKED, 0, FlagReason.MASKED]


@pytest.mark.parametrize("missing", [None, NoPsfHere(), BrokenPsf()])
def test_a_band_without_psf_is_flagged_and_keeps_its_apertures(star_image, objects_of, psf, missing):
    cube = np.repeat(star_image(500.0, POSITION)[None], 2, axis=0)
    fluxes = measure_fluxes(objects_of(cube), [psf, missing], POSITION, CONFIG)
    assert list(fluxes.psf.reasons) == [0, FlagReason.NO_PSF]
    assert np.isnan(fluxes.psf.flux[1])
    assert np.isnan(fluxes.psf.error[1])
    assert not any(a.flag.any() for a in fluxes.apertures)


def test_beyond_the_edge(star_image, objects_of, psf):
    place = (1.0, 34.6)
    fluxes = measure_fluxes(objects_of(star_image(500.0, place)[None]), [psf], place, CONFIG)
    assert fluxes.psf.reasons[0] == FlagReason.EDGE
    # Only the pixels that were observed are fitted.
    assert fluxes.psf.flux[0] == pytest.approx(500.0, rel=1e-10)
    assert all(a.reasons[0] == FlagReason.EDGE for a in fluxes.apertures)
    far = measure_fluxes(objects_of(star_image(500.0, place)[None]), [psf], (-500.0, 34.0), CONFIG)
    assert far.psf.reasons[0] == FlagReason.EDGE | FlagReason.NO_USABLE_PIXELS
    assert np.isnan(far.psf.flux[0])


def test_no_usable_pixel(objects_of, psf):
    cube = np.zeros((1, 61, 71))
    fluxes = measure_fluxes(objects_of(cube, bad=np.ones(cube.shape, dtype=bool)), [psf], POSITION, CONFIG)
    for flux_set in (fluxes.psf, *fluxes.apertures):
        assert flux_set.reasons[0] == FlagReason.MASKED | FlagReason.NO_USABLE_PIXELS
        assert np.isnan(flux_set.flux[0])


def test_numbers_that_are_not_finite(objects_of, psf):
    cube = np.full((1, 61, 71), 1e308)
    fluxes = measure_fluxes(objects_of(cube), [psf], POSITION, CONFIG)
    assert fluxes.apertures[3].reasons[0] == FlagReason.NON_FINITE
    assert np.isnan(fluxes.apertures[3].flux[0])
    nowhere = measure_fluxes(objects_of(np.ones((1, 61, 71))), [psf], (np.nan, 3.0), CONFIG)
    assert nowhere.psf.reasons[0] & FlagReason.NON_FINITE
    assert nowhere.apertures[0].reasons[0] == FlagReason.NON_FINITE


def test_outside_its_box_an_object_has_neither_flux_nor_noise(psf):
    box, frame = Box((28, 32), (5, 5)), Box((0, 0), (61, 71))
    ones = np.ones((1, 5, 5))
    pixels = ObjectPixels(box, frame, ones, ones, np.zeros(ones.shape, dtype=bool))
    fluxes = measure_fluxes(pixels, [psf], (30.0, 34.0), CONFIG)
    assert fluxes.apertures[3].flux[0] == pytest.approx(25.0)
    assert fluxes.apertures[3].error[0] == pytest.approx(5.0)
    assert fluxes.apertures[3].reasons[0] == 0


def test_arrays_that_do_not_fit_are_refused():
    box = Box((0, 0), (5, 5))
    ones = np.ones((2, 5, 5))
    with pytest.raises(ValueError, match=r"variance has shape \(1, 5, 5\); \(2, 5, 5\) is needed"):
        ObjectPixels(box, box, ones, ones[:1], ones > 2)
