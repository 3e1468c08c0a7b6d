"""All measurements of an object together."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.image import GaussianPsf
from meas_deblend.measure import FlagReason, MeasureConfig, ObjectPixels, measure_child, measure_fluxes
from meas_deblend.simulate import HSC_WIDE, SkyConfig, star_field

CONFIG = MeasureConfig()
POSITION = (30.3, 34.6)
START = (30.0, 35.0)


def all_sets(measurement):
    """(values, errors, flag) of everything that is measured."""
    fluxes = measurement.fluxes
    for flux_set in (fluxes.psf, *fluxes.apertures):
        yield flux_set.flux, flux_set.error, flux_set.flag
    for centroid in (measurement.centroid, measurement.joint_centroid):
        values = np.stack([centroid.y, centroid.x], axis=1)
        yield values, np.stack([centroid.y_error, centroid.x_error], axis=1), centroid.flag
    for shape in (measurement.shape, measurement.psf_shape):
        yield shape.moments, shape.errors, shape.flag


def test_an_isolated_star_in_three_bands(star_image, objects_of, psf):
    rng = np.random.default_rng(2)
    cube = np.stack([star_image(f, POSITION) for f in (2000.0, 3000.0, 0.0)]) + rng.normal(size=(3, 61, 71))
    found = measure_child(objects_of(cube), [psf] * 3, START, CONFIG)
    assert found.fluxes.position == (found.joint_centroid.y[0], found.joint_centroid.x[0])
    np.testing.assert_allclose(found.fluxes.position, POSITION, atol=0.02)
    pull = (found.fluxes.psf.flux - (2000.0, 3000.0, 0.0)) / found.fluxes.psf.error
    assert np.abs(pull).max() < 3.5
    assert not found.fluxes.psf.flag.any()
    assert list(found.centroid.flag[:2]) == [False, False]
    # Pixel integration adds 1/12 to the variance of the Gaussian.
    np.testing.assert_allclose(found.shape.moments[:2, [0, 2]], 1.8**2 + 1 / 12, rtol=0.03)
    np.testing.assert_allclose(found.psf_shape.moments[:, [0, 2]], 1.8**2 + 1 / 12, rtol=1e-3)
    np.testing.assert_allclose(found.psf_shape.moments[:, 1], 0, atol=1e-3)
    assert not found.psf_shape.flag.any()
    assert list(found.masked_fraction) == [0, 0, 0]


class OftenDrawn:
    """A PSF that remembers what it drew, for many noise realisations at the same places."""

    def __init__(self, psf):
        self.image = lru_cache(psf.image)


def test_fluxes_of_simulated_stars_have_unit_pulls():
    config = SkyConfig(bands=HSC_WIDE[2:3], shape=(180, 180))
    grid = np.stack(np.meshgrid(np.arange(20.0, 170, 35), np.arange(20.0, 170, 35), indexing="ij"), axis=-1)
    places = grid.reshape(-1, 2) + np.random.default_rng(7).uniform(-0.5, 0.5, (25, 2))
    sky = star_field(places, 22.0, config)
    variance = np.repeat(sky.exposure.variance, 24, axis=0).astype(float)
    # Realisations of the noise take the place of bands.
    cube = sky.noiseless() + np.sqrt(variance) * np.random.default_rng(8).normal(size=variance.shape)
    psf = OftenDrawn(sky.exposure.psfs[0])
    pixels = ObjectPixels(sky.exposure.box, sky.exposure.box, cube, variance, np.zeros(cube.shape, dtype=bool))
    pulls = []
    for y, x in places:
        flux = measure_fluxes(pixels, [psf] * 24, (y, x), MeasureConfig(aperture_radii=(6.0,))).psf
        assert not flux.flag.any()
        pulls.append((flux.flux - sky.sources[0].flux[0]) / flux.error)
    # 600 realisations know the mean to 0.04 and the width to 0.03.
    assert abs(np.mean(pulls)) < 0.1
    assert 0.9 < np.std(pulls) < 1.1


def test_fluxes_can_stay_where_the_object_is_said_to_be(star_image, objects_of, psf):
    pixels = objects_of(star_image(2000.0, POSITION)[None])
    found = measure_child(pixels, [psf], START, MeasureConfig(position="given"))
    assert found.fluxes.position == START
    assert found.fluxes.psf.flux == measure_fluxes(pixels, [psf], START, CONFIG).psf.flux


def test_an_uncertain_centroid_is_not_followed(star_image, objects_of, psf):
    pixels = objects_of(star_image(40.0, POSITION)[None])
    assert measure_child(pixels, [psf], START, MeasureConfig(max_position_error=0.01)).fluxes.position == START
    assert measure_child(pixels, [psf], START, MeasureConfig(max_position_error=10)).fluxes.position != START


def test_a_band_without_psf_still_has_centroid_and_shape(star_image, objects_of, psf):
    cube = np.repeat(star_image(2000.0, POSITION)[None], 2, axis=0)
    found = measure_child(objects_of(cube), [None, psf], START, CONFIG)
    assert list(found.psf_shape.reasons) == [FlagReason.NO_PSF, 0]
    assert np.isnan(found.psf_shape.moments[0]).all()
    assert not found.centroid.flag.any()
    assert not found.shape.flag.any()
    np.testing.assert_allclose(found.shape.moments[0], found.shape.moments[1], rtol=1e-4, atol=1e-5)


def test_nothing_at_all(objects_of):
    found = measure_child(objects_of(np.zeros((2, 61, 71))), [None, None], START, CONFIG)
    assert list(found.centroid.reasons) == [FlagReason.NO_FLUX] * 2
    assert list(found.shape.reasons) == [FlagReason.NO_FLUX] * 2
    assert (found.centroid.y[0], found.centroid.x[0]) == START
    assert np.isnan(found.centroid.y_error).all()
    assert found.joint_centroid.flag.all()
    assert found.fluxes.position == START
    empty = ObjectPixels(
        Box((3, 3), (0, 0)), Box((0, 0), (9, 9)), *[np.zeros((1, 0, 0))] * 2, np.zeros((1, 0, 0), bool)
    )
    found = measure_child(empty, [GaussianPsf(1.5)], (3.0, 3.0), CONFIG)
    assert found.shape.reasons[0] & FlagReason.NO_FLUX
    assert found.fluxes.apertures[0].flux[0] == 0
    assert np.isnan(found.masked_fraction[0])


def test_the_number_of_psfs_must_be_that_of_the_bands(objects_of, psf):
    with pytest.raises(ValueError, match="1 PSFs for 2 bands: give one PSF or None per band"):
        measure_child(objects_of(np.zeros((2, 61, 71))), [psf], START, CONFIG)


# Errors so small that their inverse squares overflow.
@example(seed=111275, center=(23.0, 12.0), spoil=1e308, amount=0.06749278704726658)
@given(
    seed=st.integers(0, 10**6),
    center=st.tuples(st.floats(-30, 90), st.floats(-30, 90)) | st.just((np.nan, 1.0)),
    spoil=st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e308, -1e300, 1e-300]),
    amount=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_no_number_is_nan_without_its_flag(seed, center, spoil, amount):
    rng = np.random.default_rng(seed)
    shape = (2, 25, 30)
    flux, variance = 10 * rng.normal(size=shape), rng.uniform(0.5, 2, size=shape)
    flux[rng.random(shape) < amount / 2] = spoil
    variance[rng.random(shape) < amount / 2] = spoil
    share = rng.random(shape)
    share[rng.random(shape) < amount / 4] = rng.choice([0.0, np.nan])
    box, frame = Box((5, 8), shape[1:]), Box((0, 0), (40, 50))
    pixels = ObjectPixels(box, frame, flux, variance, rng.random(shape) < amount / 3, share)
    found = measure_child(pixels, [GaussianPsf(1.5), None], center, CONFIG)
    for values, errors, flag in all_sets(found):
        for array in (values, errors):
            broken = ~np.isfinite(array.reshape(len(flag), -1)).all(axis=1)
            assert not (broken & ~flag).any()


@given(dy=st.integers(-200, 200), dx=st.integers(-200, 200), scale=st.floats(1e-3, 1e4))
@settings(max_examples=20, deadline=None)
def test_place_and_unit_do_not_matter(dy, dx, scale):
    psf, rng = GaussianPsf(1.8), np.random.default_rng(3)
    stamp, _ = psf.image(0.3, -0.4)
    cube = np.pad(2000 * stamp, 10)[None] + rng.normal(size=(1, *(n + 20 for n in stamp.shape)))
    box = Box((10, 12), cube.shape[1:])
    middle = tuple(round(c) for c in box.center)

    def measured(pixel_box, factor, center):
        bad = np.zeros(cube.shape, dtype=bool)
        pixels = ObjectPixels(pixel_box, pixel_box.grow(5), factor * cube, np.full(cube.shape, factor**2), bad)
        return measure_child(pixels, [psf], center, CONFIG)

    one = measured(box, 1.0, middle)
    other = measured(box.shift(dy, dx), scale, (middle[0] + dy, middle[1] + dx))
    np.testing.assert_allclose(other.fluxes.psf.flux, scale * one.fluxes.psf.flux, rtol=1e-8)
    np.testing.assert_allclose(other.fluxes.psf.error, scale * one.fluxes.psf.error, rtol=1e-8)
    for a, b in zip(other.fluxes.apertures, one.fluxes.apertures, strict=True):
        np.testing.assert_allclose(a.flux, scale * b.flux, rtol=1e-8)
    np.testing.assert_allclose(other.centroid.y - dy, one.centroid.y, atol=1e-8)
    np.testing.assert_allclose(other.centroid.x - dx, one.centroid.x, atol=1e-8)
    np.testing.assert_allclose(other.shape.moments, one.shape.moments, atol=1e-7)
