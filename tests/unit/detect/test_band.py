"""Detection in one band, on skies drawn here."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.detect import DetectConfig, detect_band, dilate_disc, psf_sigma
from meas_deblend.detect.peaks import find_maxima, local_maxima
from meas_deblend.detect.significance import gaussian_kernel, matched_filter
from meas_deblend.detect.stencils import Stencils
from meas_deblend.detect.tiling import TilePixels, padded
from meas_deblend.geometry import Box

CONFIG = DetectConfig()
SIGMA = 1.8
PSF = gaussian_kernel(SIGMA)
NOISE = 2.0
UNIT_SN_FLUX = NOISE / np.sqrt(np.sum(PSF**2))
"""Flux of a point source whose matched-filter S/N is 1."""


def significance_of(image, weights, kernel=PSF, min_coverage=0.1):
    """Matched filter of a whole image, as one tile."""
    stencils = Stencils.of([kernel, kernel**2], image.shape)
    box = Box((0, 0), image.shape).grow(stencils.reach)
    usable = weights > 0
    variance = np.where(usable, 1 / np.where(usable, weights, 1), 0)
    pixels = TilePixels(*(padded(a, box) for a in (np.where(usable, image, 0), variance, usable)))
    significance = matched_filter(pixels, stencils, float(variance[usable].min()), min_coverage)
    return np.nan_to_num(significance), np.isfinite(significance)


def draw_star(image, y, x, flux, sigma=SIGMA):
    yy, xx = np.indices(image.shape)
    image += flux / (2 * np.pi * sigma**2) * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2)


def sky(shape, seed=0, noise=NOISE):
    image = np.random.default_rng(seed).normal(0, noise, shape)
    return image, np.full(shape, noise**2), np.zeros(shape, dtype=bool)


def test_width_of_a_sampled_gaussian():
    # Sampling at pixel centres keeps Σ P² to 1e-6 for σ ≥ 1.
    assert psf_sigma(gaussian_kernel(2.5)) == pytest.approx(2.5, rel=1e-3)
    assert psf_sigma(7 * gaussian_kernel(2.5)) == pytest.approx(2.5, rel=1e-3)


def test_significance_is_the_expected_signal_to_noise():
    image, variance, _ = sky((61, 61), noise=NOISE)
    image[:] = 0
    draw_star(image, 30, 30, 20 * UNIT_SN_FLUX)
    significance, seen = significance_of(image, 1 / variance)
    assert seen.all()
    assert significance[30, 30] == pytest.approx(20, rel=1e-3)  # the stamp ends at 4 σ


def test_significance_of_noise_has_unit_variance_also_where_depth_varies():
    rng = np.random.default_rng(3)
    variance = np.ones((200, 200))
    variance[:, 100:] = 25
    weights = 1 / variance
    weights[rng.random((200, 200)) < 0.2] = 0
    significance, _ = significance_of(rng.normal(0, np.sqrt(variance)), weights)
    # ~200²/(4π σ²) ≈ 980 independent pixels: the sample rms is good to 2–3 %.
    assert significance[:, :90].std() == pytest.approx(1, abs=0.08)
    assert significance[:, 110:].std() == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("smoothing", ["psf", "gaussian"])
def test_stars_are_found_where_they_are(smoothing):
    image, variance, bad = sky((90, 120))
    truth = [(20.3, 30.0, 60), (60.0, 85.4, 25), (45.2, 44.8, 12)]
    for y, x, sn in truth:
        draw_star(image, y, x, sn * UNIT_SN_FLUX)
    found = detect_band(image, variance, bad, PSF, DetectConfig(smoothing=smoothing))
    assert len(found.peaks) == 3
    for peak, (y, x, sn) in zip(found.peaks, truth, strict=True):
        # Position error of a matched filter is σ √2 / SN; five of those, plus the parabola's bias.
        assert peak.center == pytest.approx((y, x), abs=5 * 1.4 * SIGMA / sn + 0.03)
        assert peak.value == pytest.approx(sn, abs=4 + 0.03 * sn)
        assert found.footprint[peak.y, peak.x]
    assert [p.value for p in found.peaks] == sorted((p.value for p in found.peaks), reverse=True)
    assert found.fwhm == pytest.approx(2.3548 * SIGMA, rel=1e-3)


def test_completeness_and_purity_of_a_made_field():
    # 64 stars of S/N 8 on a grid: 3σ of noise away from the threshold, so none may be missed but by a 0.1 % chance.
    image, variance, bad = sky((240, 240), seed=11)
    truth = np.array([(y, x) for y in range(15, 240, 30) for x in range(15, 240, 30)], dtype=float)
    truth += np.random.default_rng(12).uniform(-0.5, 0.5, truth.shape)
    for y, x in truth:
        draw_star(image, y, x, 8.5 * UNIT_SN_FLUX)
    found = detect_band(image, variance, bad, PSF, CONFIG)
    where = np.array([p.center for p in found.peaks])
    distance = np.hypot(*(where[:, None] - truth[None]).transpose(2, 0, 1))
    assert (distance.min(axis=0) < 2).mean() >= 62 / 64
    assert (distance.min(axis=1) > 2).sum() == 0


def test_masked_pixels_have_no_influence():
    image, variance, bad = sky((80, 80))
    draw_star(image, 40, 40, 80 * UNIT_SN_FLUX)
    bad[38:40, 38:44] = True
    bad[10, 10] = True
    poisoned = image.copy()
    poisoned[bad] = np.nan
    spiked = image.copy()
    spiked[bad] = 1e9
    results = [detect_band(i, variance, bad, PSF, CONFIG) for i in (image, poisoned, spiked)]
    for other in results[1:]:
        assert other.peaks == results[0].peaks
        assert np.array_equal(other.footprint, results[0].footprint)
    assert len(results[0].peaks) == 1


def test_saturated_core_is_one_peak_in_its_middle():
    image, variance, bad = sky((101, 101))
    draw_star(image, 50, 52, 1e5 * UNIT_SN_FLUX)
    yy, xx = np.indices(image.shape)
    bad |= np.hypot(yy - 50, xx - 52) < 6.2
    image[bad] = np.nan
    found = detect_band(image, variance, bad, PSF, CONFIG)
    assert len(found.peaks) == 1
    assert abs(found.peaks[0].y - 50) <= 1
    assert abs(found.peaks[0].x - 52) <= 1
    assert found.footprint[50, 52]


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e6, np.nan, np.inf])
def test_images_without_contrast_have_no_detections(value):
    _, variance, bad = sky((40, 50))
    found = detect_band(np.full((40, 50), value), variance, bad, PSF, CONFIG)
    assert found.peaks == ()
    assert not found.footprint.any()


def test_unusable_bands_have_no_detections():
    image, variance, bad = sky((40, 50))
    draw_star(image, 20, 20, 100 * UNIT_SN_FLUX)
    for v, b in ((variance, ~bad), (0 * variance, bad), (np.full_like(variance, np.nan), bad), (-variance, bad)):
        found = detect_band(image, v, b, PSF, CONFIG)
        assert found.peaks == ()
        assert not found.footprint.any()


def test_sources_at_edges_and_stamps_larger_than_the_image():
    image, variance, bad = sky((25, 31))
    draw_star(image, 0, 0, 60 * UNIT_SN_FLUX)
    draw_star(image, 24, 30, 60 * UNIT_SN_FLUX)
    found = detect_band(image, variance, bad, np.pad(PSF, 20), CONFIG)
    assert {(p.y, p.x) for p in found.peaks} == {(0, 0), (24, 30)}


def test_band_without_psf_is_filtered_with_a_gaussian():
    image, variance, bad = sky((60, 60))
    draw_star(image, 30, 30, 40 * UNIT_SN_FLUX)
    for stamp in (None, np.full((9, 9), np.nan), np.zeros((9, 9))):
        found = detect_band(image, variance, bad, stamp, DetectConfig(default_fwhm=5.0))
        assert len(found.peaks) == 1
        assert found.fwhm == pytest.approx(5.0, rel=1e-3)


def test_small_detections_are_dropped_and_footprints_grow_by_a_disc():
    image, variance, bad = sky((60, 60))
    image[:] = 0
    image[5, 5] = 0.1
    draw_star(image, 30, 30, 20 * UNIT_SN_FLUX)
    ungrown = detect_band(image, variance, bad, PSF, DetectConfig(grow=0))
    area = int(ungrown.footprint.sum())
    assert detect_band(image, variance, bad, PSF, DetectConfig(min_area=area)).peaks
    assert not detect_band(image, variance, bad, PSF, DetectConfig(min_area=area + 1)).peaks
    grown = detect_band(image, variance, bad, PSF, DetectConfig(grow=2.4))
    assert np.array_equal(grown.footprint, dilate_disc(ungrown.footprint, round(2.4 * SIGMA)))


def test_wrong_input_is_named():
    image, variance, bad = sky((20, 20))
    with pytest.raises(ValueError, match=r"odd sides, got shape \(8, 9\)"):
        detect_band(image, variance, bad, np.ones((8, 9)), CONFIG)
    with pytest.raises(ValueError, match=r"one shape \(y, x\); got \(20, 20\), \(19, 20\) and \(20, 20\)"):
        detect_band(image, variance[1:], bad, PSF, CONFIG)
    with pytest.raises(ValueError, match="threshold"):
        DetectConfig(threshold=0)


def test_inputs_are_not_changed():
    image, variance, bad = sky((40, 40))
    image[3, 3] = np.nan
    copies = image.copy(), variance.copy(), bad.copy(), PSF.copy()
    detect_band(image, variance, bad, PSF, CONFIG)
    for now, before in zip((image, variance, bad, PSF), copies, strict=True):
        assert np.array_equal(now, before, equal_nan=True)


def test_plateaus():
    image = np.zeros((9, 12))
    image[2:5, 2:5] = 3  # one maximum, in the middle
    image[6:8, 6:10] = 2
    image[7, 10] = 4  # the plateau of 2 goes on uphill: no maximum of its own
    assert local_maxima(image, 1).tolist() == [[3, 3], [7, 10]]
    even = np.zeros((6, 6))
    even[2:4, 2:4] = 1  # four pixels are equally near: the first in raster order
    assert local_maxima(even, 0.5).tolist() == [[2, 2]]
    assert len(find_maxima(np.zeros((5, 5)), 0.0)) == 0


def test_equal_peaks_are_ordered_by_x_then_y():
    image = np.zeros((12, 12))
    for y, x in ((8, 2), (2, 8), (2, 2)):
        image[y, x] = 5.0
    found = find_maxima(image, 1)
    assert list(zip(found.y, found.x, strict=True)) == [(2, 2), (8, 2), (2, 8)]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), levels=st.integers(2, 6), shape=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_maxima_agree_with_their_definition(seed, levels, shape):
    image = np.random.default_rng(seed).integers(0, levels, shape).astype(float)
    found = {tuple(p) for p in local_maxima(image, 0)}
    expected = 0
    todo = {tuple(p) for p in np.argwhere(image > 0)}
    while todo:  # flood each plateau and look at what touches it
        stack, plateau, top = [todo.pop()], set(), True
        value = image[stack[0]]
        while stack:
            y, x = stack.pop()
            plateau.add((y, x))
            for v in range(max(y - 1, 0), min(y + 2, shape[0])):
                for u in range(max(x - 1, 0), min(x + 2, shape[1])):
                    top &= image[v, u] <= value
                    if image[v, u] == value and (v, u) not in plateau:
                        todo.discard((v, u))
                        stack.append((v, u))
        assert len(plateau & found) == int(top)
        expected += int(top)
    assert len(found) == expected


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), radius=st.integers(0, 9), shape=st.tuples(st.integers(1, 15), st.integers(1, 15)))
def test_disc_dilation_agrees_with_distances(seed, radius, shape):
    mask = np.random.default_rng(seed).random(shape) < 0.1
    yy, xx = np.indices(shape)
    expected = np.zeros(shape, dtype=bool)
    for y, x in np.argwhere(mask):
        expected |= (yy - y) ** 2 + (xx - x) ** 2 <= radius**2
    assert np.array_equal(dilate_disc(mask, radius), expected)


def test_time_grows_with_area():
    def seconds(side):
        image, variance, bad = sky((side, side))
        for k in range(side // 20):
            draw_star(image[:40], 20, 20 * k + 10, 30 * UNIT_SN_FLUX)
        start = time.perf_counter()
        detect_band(image, variance, bad, PSF, CONFIG)
        return time.perf_counter() - start

    seconds(64)
    small = min(seconds(256) for _ in range(3))
    # 16 times the area; a factor 2.5 on top is left for the cache and for a busy machine.
    assert min(seconds(1024) for _ in range(2)) < 40 * small
