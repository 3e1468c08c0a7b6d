"""Deconvolution of an exposure, and the split of its parents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.detect import (
    DeconvolveConfig,
    Deconvolved,
    DetectConfig,
    HierarchyConfig,
    deconvolve_exposure,
    detect_bands,
    detection_significance,
    mend,
    merge_detections,
    split_parents,
)
from meas_deblend.detect.mend import _sums_at, _sums_everywhere
from meas_deblend.detect.significance import gaussian_kernel
from meas_deblend.geometry import Box, Footprint, Image, Parent, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure, PsfStamp
from meas_deblend.scarlet import PsfMatch

CONFIG = HierarchyConfig()
MATCH = PsfMatch(0.8, 0.0, np.zeros(1), np.zeros(1))


def deconvolved(cube, noise):
    """What deconvolution to a cube (band, y, x) would have made of images with that noise."""
    noise = np.array(noise)
    weighted = (cube / noise[:, None, None]).sum(axis=0)
    return Deconvolved(Image(cube.sum(axis=0), Box((0, 0), cube.shape[1:])), weighted, noise, MATCH, {})


class FixedPsf:
    def __init__(self, sigma):
        self.stamp = gaussian_kernel(sigma)

    def image(self, y, x):
        return PsfStamp(self.stamp, (round(y), round(x)))


class BrokenPsf:
    def image(self, y, x):
        raise RuntimeError("no input image here")


def stars(shape, truth, sigmas=(1.5, 1.7), noise=1.0, seed=0):
    """Exposure of stars (y, x, flux)."""
    yy, xx = np.indices(shape)
    images = np.random.default_rng(seed).normal(0, noise, (len(sigmas), *shape))
    for b, sigma in enumerate(sigmas):
        for y, x, flux in truth:
            images[b] += flux / (2 * np.pi * sigma**2) * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2)
    return MultibandExposure(
        tuple("gr"[: len(sigmas)]),
        images.astype(np.float32),
        np.full(images.shape, noise**2, dtype=np.float32),
        np.zeros(images.shape, dtype=np.int32),
        tuple(FixedPsf(s) for s in sigmas),
        MaskPlanes({"BAD": 0}, ("BAD",)),
    )


def test_deconvolution_is_positive_confined_and_keeps_the_flux():
    exposure = stars((61, 71), [(30, 30, 3000)])
    found = merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int)
    result = deconvolve_exposure(exposure, found.parents)
    footprint = found.parents[0].footprint.on(exposure.box)
    image = result.detect_image.array
    assert (image >= 0).all()
    assert (image[~footprint] == 0).all()
    assert np.array_equal(result.significance, image)  # the noise of both bands is 1
    # Positivity keeps noise peaks: up to 12 % of flux more than there is for a source of this S/N.
    assert image.sum() == pytest.approx(2 * 3000, rel=0.12)
    # Sharper than the images: the peak of a deconvolved star is higher.
    assert image.max() > 1.5 * exposure.images.sum(axis=0).max()
    assert result.match.meets_rule
    assert result.iterations == {"g": 12, "r": 12}


def test_overlapping_stars_are_split_where_deconvolution_separates_them():
    # 3 stars: the seeing (FWHM 4) joins all of them; deconvolved, only the close pair stays together.
    truth = [(30, 19, 4000), (30, 37, 4000), (30, 43, 3500)]
    exposure = stars((60, 70), truth)
    found = merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int)
    (parent,) = found.parents
    assert len(parent.footprint.peaks) == 3
    deconvolved = deconvolve_exposure(exposure, found.parents)
    (split,) = split_parents(found.parents, deconvolved, CONFIG)
    assert sorted(sorted(p.x for p in b.peaks) for b in split.blends) == [[19], [37, 43]]
    assert split.detect_image.box == parent.footprint.box
    inside = parent.footprint.on(exposure.box)
    for blend in split.blends:
        assert not (blend.on(exposure.box) & ~inside).any()


def test_single_peaks_are_not_split():
    exposure = stars((50, 50), [(25, 25, 3000)])
    found = merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int)
    (parent,) = split_parents(found.parents, deconvolve_exposure(exposure, found.parents), CONFIG)
    assert parent.blends == ()
    assert parent.detect_image is not None


def test_bands_without_psf_or_pixels_are_left_out():
    exposure = stars((50, 50), [(25, 25, 3000)])
    found = merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int)
    broken = MultibandExposure(
        exposure.bands, exposure.images, exposure.variance, exposure.mask, (BrokenPsf(), exposure.psfs[1])
    )
    result = deconvolve_exposure(broken, found.parents)
    assert result.iterations["g"] == 0
    assert result.iterations["r"] > 0
    only = deconvolve_exposure(broken.select(["r"]), found.parents)
    assert np.array_equal(result.detect_image.array, only.detect_image.array)
    assert np.isnan(result.noise_rms[0])
    assert "g: no PSF: RuntimeError at (y, x) = (25, 25): no input image here" in result.warnings
    split = split_parents(found.parents, result, CONFIG)
    assert len(split) == 1
    none = MultibandExposure(("g",), np.full((1, 9, 9), np.nan), np.ones((1, 9, 9)), np.zeros((1, 9, 9), int), (None,))
    empty = deconvolve_exposure(none, ())
    assert not empty.detect_image.array.any()
    assert split_parents((), empty, CONFIG) == ()


def test_bad_pixels_do_not_split_a_star():
    exposure = stars((50, 50), [(25, 25, 5000)])
    images, mask = exposure.images.copy(), exposure.mask.copy()
    mask[:, :, 25] = 1  # a bad column through its middle
    images[:, :, 25] = 1e7
    damaged = MultibandExposure(exposure.bands, images, exposure.variance, mask, exposure.psfs, exposure.mask_planes)
    footprint = merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int).parents[0].footprint
    pair = (Peak(0, 25, 24), Peak(1, 25, 26))
    parent = Parent(1, footprint.with_peaks(pair))
    result = deconvolve_exposure(damaged, (parent,))
    assert result.detect_image.array.max() < 5 * exposure.images.sum(axis=0).max()
    (split,) = split_parents((parent,), result, CONFIG)
    assert len(split.blends) == 1


def test_interpolation_over_bad_pixels():
    image = np.add.outer(np.arange(20.0), np.arange(20.0))
    bad = np.zeros((20, 20), dtype=bool)
    bad[10, 8:11] = True
    holed = np.where(bad, np.nan, image)
    mended = mend(holed, bad, gaussian_kernel(1.5))
    assert np.abs(mended - image)[10, 9] < 0.05  # the neighbourhood of the middle is symmetric: a plane is exact
    assert np.allclose(mended, image, atol=0.8)
    assert np.array_equal(mended[~bad], image[~bad].astype(np.float32))
    assert not mend(np.full((5, 5), np.nan), np.ones((5, 5), dtype=bool), gaussian_kernel(1.0)).any()
    left = np.zeros((5, 60), dtype=bool)
    left[:, 5:] = True
    assert mend(np.ones((5, 60)), left, gaussian_kernel(1.0))[2, 50] == 0


def test_significance_removes_noise_and_keeps_islands():
    cube = np.zeros((1, 64, 64), dtype=np.float32)
    cube[0, 30:35, 30:35] = 12
    cube[0, 10, 10] = 3  # a single pixel: 1.5 σ, smoothed to less than 0.2 σ
    result = deconvolved(cube, [2.0])
    significance = detection_significance(result)
    assert significance[32, 32] > 2.5
    assert significance[10, 10] < 0.2
    assert not significance[50:, 50:].any()


def test_two_islands_of_one_parent_and_a_neighbour():
    # Acceptance: peaks 2 + 1 in one parent with two deconvolved islands, and another parent with one peak.
    cube = np.zeros((1, 60, 60), dtype=np.float32)
    cube[0, 20:27, 10:17] = 40
    cube[0, 20:27, 26:33] = 40
    cube[0, 45:50, 45:50] = 40
    peaks = (Peak(0, 22, 12, 9.0), Peak(1, 23, 29, 8.0), Peak(2, 24, 15, 7.0))
    wide = Parent(1, Footprint.from_box(Box((16, 6), (15, 32)), peaks))
    alone = Parent(2, Footprint.from_box(Box((43, 43), (9, 9)), (Peak(0, 47, 47, 9.0),)))
    result = deconvolved(cube, [1.0])
    first, second = split_parents((wide, alone), result, CONFIG)
    assert [tuple(p.id for p in b.peaks) for b in first.blends] == [(0, 2), (1,)]
    assert second.blends == ()
    assert first.id == 1
    # threshold, then a disc of 2 pixels: an island of 7 × 7 reaches at least 2 pixels beyond itself
    assert first.blends[0].contains(18, 13)


def test_a_peak_off_its_parent_is_refused():
    cube = np.zeros((1, 20, 20), dtype=np.float32)
    result = deconvolved(cube, [1.0])
    parent = Parent(7, Footprint.from_box(Box((2, 2), (4, 4)), (Peak(0, 3, 3), Peak(1, 9, 9))))
    with pytest.raises(ValueError, match=r"peak 1 at \(y, x\) = \(9, 9\) is outside parent 7"):
        split_parents((parent,), result, CONFIG)
    with pytest.raises(ValueError, match="must be odd"):
        DeconvolveConfig(model_psf_size=14)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), peaks=st.integers(1, 8), threshold=st.floats(0.1, 20))
def test_every_peak_is_in_exactly_one_blend(seed, peaks, threshold):
    rng = np.random.default_rng(seed)
    frame = Box((0, 0), (40, 40))
    cube = (rng.random((2, 40, 40)) ** 4 * rng.choice([0, 1, 30], (1, 40, 40))).astype(np.float32)
    mask = rng.random((25, 30)) < 0.8
    where = rng.permutation(np.argwhere(mask))[:peaks]
    footprint = Footprint.from_mask(
        mask, (5, 5), tuple(Peak(k, int(y) + 5, int(x) + 5, float(peaks - k)) for k, (y, x) in enumerate(where))
    )
    result = deconvolved(cube, [1.0, np.inf])
    config = HierarchyConfig(footprint_snr_thresh=threshold, min_deconvolved_area=1 + seed % 9, grow_size=seed % 3)
    (split,) = split_parents((Parent(1, footprint),), result, config)
    if peaks == 1:
        assert split.blends == ()
        return
    ids = [p.id for blend in split.blends for p in blend.peaks]
    assert sorted(ids) == list(range(len(where)))
    union = np.zeros((40, 40), dtype=int)
    for blend in split.blends:
        assert all(blend.contains(p.y, p.x) for p in blend.peaks)
        assert [p.id for p in blend.peaks] == sorted(p.id for p in blend.peaks)
        union += blend.on(frame)
    assert union.max() == 1
    assert not (union.astype(bool) & ~footprint.on(frame)).any()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31), shape=st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_few_and_many_bad_pixels_are_mended_alike(seed, shape):
    rng = np.random.default_rng(seed)
    image, bad = rng.normal(size=shape).astype(np.float32), rng.random(shape) < 0.1
    kernel = rng.random((7, 5))
    one, many = (sums(image, bad, kernel, np.nonzero(bad)) for sums in (_sums_at, _sums_everywhere))
    assert np.allclose(one, many, atol=1e-9)
