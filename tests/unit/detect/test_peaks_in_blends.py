"""Peaks on the shoulders of others, confirmed by all bands, in honest units of noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, special

from meas_deblend.detect import DetectConfig, detect_band, detect_bands, merge_detections
from meas_deblend.detect.contrast import Disc, contrast_reach, local_contrast
from meas_deblend.detect.joint import _is_needed
from meas_deblend.detect.noise import combined_significance, gaussian_deviation, noise_ratio
from meas_deblend.detect.peaks import Maxima, find_maxima, prominent_maxima, thinned
from meas_deblend.detect.significance import gaussian_kernel
from meas_deblend.detect.tiling import TilePixels, padded
from meas_deblend.geometry import Box
from meas_deblend.image import MultibandExposure, PsfStamp

CONFIG = DetectConfig()
SIGMA = 1.8
FWHM = 2.3548 * SIGMA
PSF = gaussian_kernel(SIGMA)
EVERYWHERE = np.ones((200, 200), dtype=bool)
SN1 = 2 * np.sqrt(np.pi) * SIGMA
"""Flux of a point source of S/N 1 in noise of unit variance."""


def star(shape, y, x, sn):
    yy, xx = np.indices(shape)
    return sn * SN1 / (2 * np.pi * SIGMA**2) * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / SIGMA**2)


def contrast(image, variance, usable, radius=0.9 * FWHM, where=None):
    where = np.ones(image.shape, dtype=bool) if where is None else where
    box = Box((0, 0), image.shape).grow(contrast_reach(radius))
    planes = (np.where(usable, image, 0), np.where(usable, variance, 0), usable)
    return local_contrast(TilePixels(*(padded(plane, box) for plane in planes)), Disc.of(PSF, radius), where)


class FixedPsf:
    def image(self, y, x):
        return PsfStamp(PSF, (round(y), round(x)))


def found_in(images, config=CONFIG, mask=None):
    mask = np.zeros(images.shape, dtype=np.int32) if mask is None else mask
    bands = tuple("ugrizy"[: len(images)])
    exposure = MultibandExposure(bands, images, np.ones(images.shape), mask, (FixedPsf(),) * len(images))
    parents = merge_detections(detect_bands(exposure, config), config, lambda n: n).parents
    return [p for parent in parents for p in parent.footprint.peaks]


def separated(peaks, *truth, radius=2.0):
    """Whether every true position has one peak of its own, and there are no others."""
    near = [[np.hypot(p.center[0] - y, p.center[1] - x) < radius for p in peaks] for y, x in truth]
    return len(peaks) == len(truth) and all(sum(row) == 1 for row in near)


@pytest.mark.parametrize("radius", [0.6 * FWHM, 0.9 * FWHM, 1.5 * FWHM])
def test_contrast_of_noise_has_unit_variance_with_masks_and_varying_depth(radius):
    rng = np.random.default_rng(3)
    variance = np.ones((200, 200))
    variance[:, 100:] = 25
    usable = rng.random((200, 200)) > 0.1
    image = np.where(usable, rng.normal(0, np.sqrt(variance)), np.nan)
    value, seen = contrast(image, variance, usable, radius)
    # Of ≥ 980 independent values per half the rms is good to 2–3 %.
    assert value[:, :90][seen[:, :90]].std() == pytest.approx(1, abs=0.08)
    assert value[:, 110:][seen[:, 110:]].std() == pytest.approx(1, abs=0.08)


def test_contrast_is_blind_to_what_is_smooth_and_keeps_a_known_share_of_the_signal():
    yy, xx = np.indices((61, 61), dtype=float)
    plane = 500 + 7 * yy - 3 * xx
    flat = np.ones_like(plane)
    usable = np.ones(plane.shape, dtype=bool)
    value, seen = contrast(plane, flat, usable)
    inner = (slice(5, -5),) * 2  # at the edges a disc is one-sided, and a slope is not odd there
    assert seen[inner].all()
    assert np.abs(value[inner]).max() < 1e-6 * plane.max()
    usable[25:27, 20] = False
    value, _ = contrast(np.where(usable, 500.0, 1e30), flat, usable)
    assert np.abs(value).max() < 1e-6 * 500
    # The signal-to-noise ratio of a + b in the disc, by its two-by-two Fisher matrix.
    disc = (yy - 30) ** 2 + (xx - 30) ** 2 <= (0.9 * FWHM) ** 2
    p = star(plane.shape, 30, 30, 20)[disc]
    expected = np.sqrt(np.sum(p**2) - p.sum() ** 2 / p.size)
    value, _ = contrast(star(plane.shape, 30, 30, 20), flat, np.ones(plane.shape, dtype=bool))
    assert value[30, 30] == pytest.approx(expected, rel=1e-4)


def test_contrast_is_computed_where_it_is_asked_for():
    image = np.random.default_rng(0).normal(size=(80, 90))
    usable = np.ones(image.shape, dtype=bool)
    everywhere, _ = contrast(image, np.ones_like(image), usable)
    where = np.random.default_rng(1).random(image.shape) < 0.1
    some, seen = contrast(image, np.ones_like(image), usable, where=where)
    assert not seen[~where].any()
    assert np.allclose(some[seen], everywhere[seen], rtol=1e-6)  # float32, whatever the order of the sums


@pytest.mark.parametrize("bands", [1, 2, 5])
def test_combined_significance_of_noise_is_exceeded_as_often_as_a_gaussian(bands):
    planes = np.random.default_rng(bands).normal(size=(bands, 600, 600))
    z = combined_significance([(plane, np.ones((600, 600), dtype=bool)) for plane in planes], (600, 600))
    for level in (1.0, 2.0, 3.0):
        expected = special.ndtr(-level)
        # Five standard deviations of a count of independent pixels.
        assert (z > level).mean() == pytest.approx(expected, abs=5 * np.sqrt(expected / z.size))


def test_combined_significance_far_out_and_with_missing_bands():
    root = np.array([0.0, 5.0, 50.0, 1e3, 1e6])
    assert np.allclose(gaussian_deviation(root, 1), root, rtol=1e-6)
    five = gaussian_deviation(root, 5)
    assert np.all(np.diff(five) > 0)
    assert np.all(five <= root)
    assert five[-1] == pytest.approx(1e6, rel=1e-6)
    one = np.full((2, 3), 7.0)
    seen = np.zeros((2, 3), dtype=bool)
    seen[0] = True
    z = combined_significance([(one, seen), (np.full((2, 3), -9.0), ~seen & False)], (2, 3))
    assert z[0] == pytest.approx(7.0)  # a band that does not see costs nothing
    assert not z[1].any()


@settings(deadline=None, max_examples=30)
@given(values=st.lists(st.floats(-10, 1e4), min_size=1, max_size=6))
def test_combined_significance_grows_with_every_band_and_is_below_the_quadratic_sum(values):
    def z(v):
        return combined_significance([(np.full((1, 1), x), np.ones((1, 1), dtype=bool)) for x in v], (1, 1))[0, 0]

    assert z(values) <= np.sqrt(np.sum(np.maximum(values, 0) ** 2)) + 1e-9
    assert z([values[0] + 1, *values[1:]]) >= z(values) - 1e-9


def test_pair_that_the_smoothed_image_does_not_resolve():
    # At 1.1 FWHM and a flux ratio of 4 the PSF-smoothed image has one maximum.
    shape, apart = (81, 81), 1.1 * FWHM
    image = star(shape, 40, 40, 800) + star(shape, 40, 40 + apart, 200)
    smooth = ndimage.gaussian_filter(image, SIGMA)[40]
    assert (np.diff(np.sign(np.diff(smooth[30:60]))) < 0).sum() == 1
    image += np.random.default_rng(2).normal(size=shape)
    found = detect_band(image, np.ones(shape), image > np.inf, PSF, CONFIG)
    assert separated(found.peaks, (40, 40), (40, 40 + apart))


@pytest.mark.parametrize("sn", [30, 300, 3000])
def test_smooth_galaxy_is_one_peak(sn):
    yy, xx = np.indices((151, 151)) - 75.0
    r = np.hypot(0.6 * xx + 0.8 * yy, (0.8 * xx - 0.6 * yy) / 0.4)
    model = ndimage.gaussian_filter(np.exp(-r / 8), SIGMA)
    model *= sn / np.sqrt(np.sum(model**2))
    rng = np.random.default_rng(sn)
    peaks = found_in(model + rng.normal(size=(5, 151, 151)))
    assert separated(peaks, (75, 75), radius=3.0)


def test_noise_on_the_wing_of_a_galaxy_is_no_peak():
    # Everywhere on the disc the matched filter is above 5σ, so each maximum of the noise used to be a peak.
    yy, xx = np.indices((161, 161)) - 80.0
    model = 8 * np.exp(-np.hypot(yy, xx) / 25)
    image = model + np.random.default_rng(7).normal(size=model.shape)
    found = detect_band(image, np.ones(model.shape), image > np.inf, PSF, CONFIG)
    far = [p for p in found.peaks if np.hypot(p.y - 80, p.x - 80) > 8]
    assert found.footprint.sum() > 4000
    assert far == []


def test_galaxy_of_low_surface_brightness_is_one_peak():
    yy, xx = np.indices((161, 161)) - 80.0
    model = 0.9 * np.exp(-0.5 * (yy**2 + xx**2) / 12**2)
    peaks = found_in(model + np.random.default_rng(8).normal(size=(3, 161, 161)))
    assert len(peaks) == 1
    assert np.hypot(peaks[0].y - 80, peaks[0].x - 80) < 12


def test_faint_peak_of_one_band_is_confirmed_by_all():
    images = np.random.default_rng(9).normal(size=(5, 81, 81))
    images[:, 20:61, 20:61] = 0
    images[2] += star((81, 81), 40, 40, 5.3)
    assert found_in(images) == []  # 5.3σ in one band, and nothing in four more
    images[2] += star((81, 81), 40, 40, 3)
    assert separated(found_in(images), (40, 40))
    assert found_in(images)[0].bands == ("r",)


def test_a_peak_has_one_position_in_all_bands_and_their_own_values():
    images = np.random.default_rng(10).normal(size=(3, 61, 61))
    for k, sn in enumerate((30, 60, 2)):
        images[k] += star((61, 61), 30.3, 29.6, sn)
    exposure = MultibandExposure(
        ("g", "r", "i"), images, np.ones(images.shape), np.zeros(images.shape, dtype=np.int32), (FixedPsf(),) * 3
    )
    found = detect_bands(exposure, CONFIG)
    assert [len(d.peaks) for d in found.values()] == [1, 1, 0]
    g, r = found["g"].peaks[0], found["r"].peaks[0]
    assert g.center == r.center == pytest.approx((30.3, 29.6), abs=0.2)
    assert (g.value, r.value) == (pytest.approx(30, abs=4), pytest.approx(60, abs=4))


def test_band_that_is_masked_on_the_core_leaves_the_star_one_peak():
    shape = (101, 101)
    images = np.stack([star(shape, 50, 50, 3000)] * 3) + np.random.default_rng(11).normal(size=(3, *shape))
    mask = np.zeros(images.shape, dtype=np.int32)
    yy, xx = np.indices(shape)
    mask[1, np.hypot(yy - 50, xx - 50) < 5] = 1
    mask[2, :, 49:51] = 1
    assert separated(found_in(images, mask=mask), (50, 50))


def correlated(rng, shape, width=0.7):
    """Noise of unit variance per pixel, smoothed as by resampling, and the factor by which a matched filter errs."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), (0,) * (len(shape) - 2) + (width, width))
    noise /= noise.std()
    filtered = ndimage.gaussian_filter(noise, (0,) * (len(shape) - 2) + (SIGMA, SIGMA))
    return noise, float(filtered.std() * SN1)


def test_correlated_noise_is_measured():
    images, factor = correlated(np.random.default_rng(12), (4, 250, 250))
    assert factor > 1.4
    raw = found_in(images, DetectConfig(calibrate_noise=False))
    calibrated = found_in(images)
    assert len(raw) > 5
    assert len(calibrated) <= 1
    images += star((250, 250), 120, 130, 12 * factor)
    (peak,) = found_in(images)
    assert peak.value == pytest.approx(12, abs=3)


def test_ratio_of_white_noise_is_one_and_sources_hardly_change_it():
    rng = np.random.default_rng(13)
    white = rng.normal(size=20_000)
    assert noise_ratio(white, 20_000) == pytest.approx(1, abs=0.03)
    assert noise_ratio(0.5 * white, 20_000) == 1
    assert noise_ratio(1.5 * white, 20_000) == pytest.approx(1.5, rel=0.03)
    assert noise_ratio(np.where(rng.random(20_000) < 0.05, 30, white), 20_000) < 1.08
    assert noise_ratio(1.5 * white[:200], 12) == 1  # 12 independent values do not tell 1.5 from 1
    assert noise_ratio(5 * white[:200], 9) == 1
    assert noise_ratio(np.zeros(0), 100) == 1


def test_a_dip_separates_peaks_and_a_ridge_does_not():
    ridge = np.full((9, 60), 0.0)
    ridge[4] = 20
    ridge[4, [10, 30, 50]] = 30, 21.5, 24
    ridge[4, 40] = 17
    maxima = find_maxima(ridge, 20.5)
    found = prominent_maxima(maxima, ridge, 2)
    assert (found.x.tolist(), found.value.tolist()) == ([10, 50], [30, 24])
    assert prominent_maxima(maxima, ridge, 1).x.tolist() == [10, 50, 30]
    assert prominent_maxima(maxima, ridge, 0).x.tolist() == maxima.x.tolist()
    assert prominent_maxima(maxima, ridge, 8).x.tolist() == [10]  # the highest of all stays
    # Who is not asked for is higher all the same.
    lower = np.array([False, True, True])
    assert prominent_maxima(maxima, ridge, 2, lower).x.tolist() == [50]
    assert prominent_maxima(maxima, ridge, 0, lower).x.tolist() == [50, 30]
    assert len(prominent_maxima(maxima, ridge, 2, np.zeros(3, dtype=bool))) == 0


@pytest.mark.parametrize("radius", [0.0, 1.0, 2.5, 40.0])
@pytest.mark.parametrize("number", [0, 1, 2, 120])
def test_of_close_maxima_of_a_group_the_first_stays(radius, number):
    rng = np.random.default_rng(3)
    y, x = rng.integers(0, 30, (2, number))
    groups = rng.integers(0, 3, number)
    maxima = Maxima(y, x, np.arange(number, 0.0, -1), np.stack([y, x], axis=1).astype(float))
    kept = []
    for n in range(number):
        near = (k for k in kept if groups[k] == groups[n] and np.hypot(y[k] - y[n], x[k] - x[n]) <= radius)
        if next(near, None) is None:
            kept.append(n)
    assert thinned(maxima, groups, radius).value.tolist() == maxima.value[kept].tolist()


def test_where_nothing_is_known_and_where_nothing_else_is_other_maxima_take_part():
    seen = np.array([True, True, True, True, True, False, False])
    # Of the second footprint the first, which is the highest; of the first, which has a peak, what is not known.
    needed = _is_needed(np.array([1, 1]), np.array([1, 2, 2, 1, 3, 1, 2]), seen)
    assert needed.tolist() == [False, True, False, False, True, True, True]
    assert _is_needed(np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0, dtype=bool)).tolist() == []


def test_every_setting_of_peaks_is_read():
    shape, apart = (81, 81), 1.1 * FWHM
    image = star(shape, 40, 40, 800) + star(shape, 40, 40 + apart, 200) + np.random.default_rng(2).normal(size=shape)

    def number(**options):
        return len(detect_band(image, np.ones(shape), image > np.inf, PSF, DetectConfig(**options)).peaks)

    assert number() == 2
    for options in ({"peak_threshold": 200}, {"peak_scales": (3,)}, {"roughness": 1}, {"prominence": 500}):
        assert number(**options) == 1, options
    assert number(min_separation=2) == 1


def test_faint_extended_galaxy_within_the_footprint_of_a_bright_star():
    # Within a disc of 0.9 FWHM it hardly stands out from itself; its footprint has a peak already, the star's.
    yy, xx = np.indices((81, 101))
    galaxy = np.exp(-0.5 * ((yy - 40) ** 2 + (xx - 62) ** 2) / 4.5**2)
    galaxy *= 15 / np.sqrt(np.sum(galaxy**2))
    images = np.random.default_rng(21).normal(size=(5, 81, 101)) + star((81, 101), 40, 40, 500) + galaxy
    assert separated(found_in(images, DetectConfig(peak_scales=(0.9, 0.6))), (40, 40))
    assert separated(found_in(images), (40, 40), (40, 62), radius=3.0)
