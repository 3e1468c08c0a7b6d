"""All measurements of one place together, whatever its pixels hold."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure
from meas_deblend.measure import (
    CentroidSet,
    FlagReason,
    MeasureConfig,
    NoiseCorrelation,
    PsfShapes,
    Scene,
    Target,
    measure_sky,
)
from meas_deblend.measure.child import joint_centroid

CONFIG = MeasureConfig()
PSF, POSITION, START = GaussianPsf(1.8), (30.3, 34.6), (30.0, 35.0)
SHAPE = (61, 71)


def star(flux, position=POSITION):
    stamp, middle = PSF.image(*position)
    y0, x0 = (m - n // 2 for m, n in zip(middle, stamp.shape, strict=True))
    out = np.zeros(SHAPE)
    out[y0 : y0 + stamp.shape[0], x0 : x0 + stamp.shape[1]] = flux * stamp
    return out


def measure(cube, psfs, center, config=CONFIG, variance=1.0, mask=False, detected=False):
    """Measure on an image of which nothing, or ``detected``, belongs to objects."""
    cube = np.asarray(cube, dtype=np.float64)
    planes = [np.broadcast_to(v, cube.shape).copy() for v in (variance, np.asarray(mask, np.int32))]
    bands = tuple("grizy"[: len(cube)])
    exposure = MultibandExposure(bands, cube, *planes, tuple(psfs), MaskPlanes({"BAD": 0}, ("BAD",)))
    scene = Scene(exposure, np.broadcast_to(detected, cube.shape[1:]), NoiseCorrelation.white(len(cube)))
    return measure_sky(scene, Target(center, 1), PsfShapes(exposure.psfs, config), config)


def all_sets(found):
    """(values, errors, flag) of everything that is measured."""
    for table in (*(flavor.fluxes for flavor in found.flavors.values()), found.undeblended):
        yield table.flux.ravel(), table.error.ravel(), table.flag.ravel()
    for one in found.flavors.values():
        c = one.centroid
        yield np.stack([c.y, c.x], axis=1), np.stack([c.y_error, c.x_error], axis=1), c.flag
        yield one.peak.center, one.peak.error, one.peak.reasons != 0
        yield one.shape.moments, one.shape.errors, one.shape.flag
        yield one.half_light.radius, one.half_light.error, one.half_light.flag
        yield one.sizes.excess, one.sizes.error, one.sizes.flag
        yield np.array([one.kron.value]), np.array([one.kron.error]), np.array([one.kron.flag])


def test_an_isolated_star_in_three_bands():
    rng = np.random.default_rng(2)
    cube = np.stack([star(f) for f in (2000.0, 3000.0, 0.0)]) + rng.normal(size=(3, *SHAPE))
    found = measure(cube, [PSF] * 3, START)
    own = found.flavors["reapportioned"]
    np.testing.assert_allclose(found.position, POSITION, atol=0.02)
    pull = (own.fluxes.flux[-2] - (2000.0, 3000.0, 0.0)) / own.fluxes.error[-2]
    assert np.abs(pull).max() < 3.5
    assert not own.fluxes.flag[-2].any()
    assert list(own.centroid.flag[:2]) == [False, False]
    # Pixel integration adds 1/12 to the variance of the Gaussian.
    np.testing.assert_allclose(own.shape.moments[:2, [0, 2]], 1.8**2 + 1 / 12, rtol=0.03)
    np.testing.assert_allclose(own.psf_shape.moments[:, [0, 2]], 1.8**2 + 1 / 12, rtol=1e-3)
    np.testing.assert_allclose(own.psf_shape.moments[:, 1], 0, atol=1e-3)
    assert not own.psf_shape.flag.any()


def test_an_uncertain_centroid_is_not_followed():
    cube = star(40.0)[None]
    assert measure(cube, [PSF], START, MeasureConfig(max_position_error=0.01)).position == START
    assert measure(cube, [PSF], START, MeasureConfig(max_position_error=10)).position != START
    assert measure(cube, [PSF], START, MeasureConfig(max_position_error=10, position="given")).position == START


def test_a_band_without_psf_still_has_centroid_and_shape():
    own = measure(np.stack([star(2000.0)] * 2), [None, PSF], START).flavors["reapportioned"]
    assert list(own.psf_shape.reasons) == [FlagReason.NO_PSF, 0]
    assert np.isnan(own.psf_shape.moments[0]).all()
    assert not own.centroid.flag.any()
    assert not own.shape.flag.any()
    np.testing.assert_allclose(own.shape.moments[0], own.shape.moments[1], rtol=1e-4, atol=1e-5)


def test_nothing_at_all():
    found = measure(np.zeros((2, *SHAPE)), [None, None], START)
    own = found.flavors["reapportioned"]
    assert list(own.centroid.reasons) == [FlagReason.NO_FLUX] * 2
    assert list(own.shape.reasons) == [FlagReason.NO_FLUX] * 2
    assert (own.centroid.y[0], own.centroid.x[0]) == START
    assert np.isnan(own.centroid.y_error).all()
    assert found.position == START
    assert np.isnan(found.masked_fraction).all()


def test_tiny_errors_do_not_overflow():
    values, errors = np.array([3.0, 5.0]), np.array([1e-200, 3e-200])
    found = joint_centroid(CentroidSet(values, values, errors, errors, np.zeros(2, dtype=np.int64)), (0.0, 0.0))
    np.testing.assert_allclose(found.y, (9 * 3 + 5) / 10)
    np.testing.assert_allclose(found.y_error, 1e-200 * np.sqrt(0.9))


@example(seed=2, center=(20.0, 25.0), spoil=1e308, amount=0.01)
@given(
    seed=st.integers(0, 10**6),
    center=st.tuples(st.floats(-30, 90), st.floats(-30, 90)) | st.just((np.nan, 1.0)),
    spoil=st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e308, -1e300, 1e-300]),
    amount=st.floats(0, 1),
)
@settings(max_examples=40, deadline=None)
def test_no_number_is_nan_without_its_flag(seed, center, spoil, amount):
    rng = np.random.default_rng(seed)
    shape = (2, 40, 50)
    flux, variance = 10 * rng.normal(size=shape), rng.uniform(0.5, 2, size=shape)
    flux[rng.random(shape) < amount / 2] = spoil
    variance[rng.random(shape) < amount / 2] = spoil
    mask, detected = rng.random(shape) < amount / 3, rng.random(shape[1:]) < amount / 4
    found = measure(flux, [GaussianPsf(1.5), None], center, variance=variance, mask=mask, detected=detected)
    for values, errors, flag in all_sets(found):
        for array in (values, errors):
            broken = ~np.isfinite(array.reshape(len(flag), -1)).all(axis=1)
            assert not (broken & ~flag).any()


@given(dy=st.integers(-15, 15), dx=st.integers(-15, 15), scale=st.floats(1e-3, 1e4))
@settings(max_examples=20, deadline=None)
def test_place_and_unit_do_not_matter(dy, dx, scale):
    cube = np.zeros((1, 141, 151))
    cube[0, 40:101, 40:111] = star(2000.0)
    cube[0] += np.random.default_rng(3).normal(size=cube.shape[1:])
    center = (70, 75)
    one = measure(cube, [PSF], center)
    other = measure(scale * np.roll(cube, (dy, dx), axis=(1, 2)), [PSF], (70 + dy, 75 + dx), variance=scale**2)
    one, other = (found.flavors["reapportioned"] for found in (one, other))
    np.testing.assert_allclose(other.fluxes.flux, scale * one.fluxes.flux, rtol=1e-7)
    np.testing.assert_allclose(other.fluxes.error, scale * one.fluxes.error, rtol=1e-7)
    np.testing.assert_allclose(other.centroid.y - dy, one.centroid.y, atol=1e-8)
    np.testing.assert_allclose(other.centroid.x - dx, one.centroid.x, atol=1e-8)
    np.testing.assert_allclose(other.shape.moments, one.shape.moments, atol=1e-7)
