"""Coadds gone through in tiles: the same result for any tile, PSFs that vary, bounded memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.detect import (
    DeconvolveConfig,
    DetectConfig,
    deconvolve_exposure,
    detect_bands,
    merge_detections,
)
from meas_deblend.detect.significance import gaussian_kernel
from meas_deblend.detect.tile_psfs import stamp_difference, tile_psfs
from meas_deblend.detect.tiling import padded, row_strips, tiles
from meas_deblend.geometry import Box
from meas_deblend.image import MaskPlanes, MultibandExposure, PsfStamp


class GrowingPsf:
    """Gaussian whose width grows along x, by ``slope`` pixels per pixel."""

    def __init__(self, sigma, slope=0.0, missing_beyond=np.inf):
        self.sigma, self.slope, self.missing_beyond = sigma, slope, missing_beyond

    def at(self, x):
        return self.sigma + self.slope * x

    def image(self, y, x):
        if x > self.missing_beyond:
            raise RuntimeError("no input image here")
        stamp = np.zeros((25, 25))
        kernel = gaussian_kernel(self.at(x))
        half = min(12, kernel.shape[0] // 2)
        middle = kernel.shape[0] // 2
        cut = slice(middle - half, middle + half + 1)
        stamp[12 - half : 13 + half, 12 - half : 13 + half] = kernel[cut, cut]
        return PsfStamp(stamp, (round(y), round(x)))


def observed(shape, stars, psfs, noise=1.0, seed=0):
    """Exposure of stars (y, x, flux), each with the PSF at its place."""
    yy, xx = np.indices(shape)
    images = np.random.default_rng(seed).normal(0, noise, (len(psfs), *shape))
    for k, psf in enumerate(psfs):
        for y, x, flux in stars:
            s = psf.at(x)
            images[k] += flux / (2 * np.pi * s**2) * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / s**2)
    mask = np.zeros(images.shape, dtype=np.int32)
    return MultibandExposure(
        tuple("griz"[: len(psfs)]),
        images.astype(np.float32),
        np.full(images.shape, noise**2, dtype=np.float32),
        mask,
        tuple(psfs),
        MaskPlanes({"BAD": 0}, ("BAD",)),
    )


def crowded(shape=(230, 260), number=70, seed=4):
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 1, (number, 2)) * shape
    stars = [(y, x, flux) for (y, x), flux in zip(places, 60 * rng.pareto(0.8, number) + 40, strict=True)]
    exposure = observed(shape, stars, (GrowingPsf(1.6), GrowingPsf(1.8), GrowingPsf(1.7)))
    mask, images, variance = exposure.mask.copy(), exposure.images.copy(), exposure.variance.copy()
    mask[:, :, 127:129] = 1  # a bad column along a seam
    mask[0][rng.random(shape) < 0.01] = 1
    mask[1, 100:112, 60:75] = 1
    images[2, :40, 200:] = np.nan
    variance[:, :, 180:] *= 4
    return replace(exposure, mask=mask, images=images, variance=variance)


def detected(exposure, **settings):
    return detect_bands(exposure, DetectConfig(**settings))


@pytest.mark.parametrize("settings", [{}, {"min_area": 5, "peak_scales": (0.9,), "calibrate_noise": False}])
def test_detection_does_not_depend_on_the_tiles(settings):
    exposure = crowded()
    whole = detected(exposure, tile_size=1024, **settings)
    assert sum(len(found.peaks) for found in whole.values()) > 120
    for side in (64, 128, 200):
        parts = detected(exposure, tile_size=side, **settings)
        for band, one in whole.items():
            other = parts[band]
            assert np.array_equal(one.footprint, other.footprint)
            assert [(p.y, p.x) for p in one.peaks] == [(p.y, p.x) for p in other.peaks]
            # Transforms of other lengths round otherwise, before the result is rounded to float32.
            assert np.allclose([p.value for p in one.peaks], [p.value for p in other.peaks], rtol=1e-6)
            assert np.allclose([p.center for p in one.peaks], [p.center for p in other.peaks], atol=1e-4)


def test_deconvolution_does_not_depend_on_the_tiles():
    exposure = crowded()
    parents = merge_detections(detected(exposure), DetectConfig(), int).parents
    whole = deconvolve_exposure(exposure, parents, DeconvolveConfig(tile_size=1024))
    for side in (64, 100):
        parts = deconvolve_exposure(exposure, parents, DeconvolveConfig(tile_size=side))
        assert parts.iterations == whole.iterations
        largest = whole.detect_image.array.max()
        assert np.abs(parts.detect_image.array - whole.detect_image.array).max() < 1e-5 * largest
        assert np.abs(parts.significance - whole.significance).max() < 1e-5 * whole.significance.max()


def test_a_star_on_a_seam_is_deconvolved_like_one_in_a_tile():
    # Without noise, and with a PSF that is the same everywhere, both are the same star.
    exposure = observed((128, 192), [(32, 96, 2000), (96, 128, 2000)], (GrowingPsf(1.7),), noise=0.02)
    parents = merge_detections(detected(exposure), DetectConfig(), int).parents
    image = deconvolve_exposure(exposure, parents, DeconvolveConfig(tile_size=64)).detect_image.array
    # The noise differs: 0.02 of each of two pixels, raised by the deconvolution.
    assert image[26:39, 90:103] == pytest.approx(image[90:103, 122:135], abs=0.02 * 8)


SLOPE = 0.6 / 600
"""The PSF's width grows by 40 % over the field: far more than in any coadd."""
STARS = tuple((30.0 + 5 * (k % 2), 20.0 + 20 * k, 3000.0) for k in range(29))


def test_significance_is_right_where_the_psf_varies():
    psf = GrowingPsf(1.5, SLOPE)
    exposure = observed((64, 600), STARS, (psf,), noise=1.0)
    found = detected(exposure, tile_size=64)["g"]
    best = {x: 3000 / np.sqrt(4 * np.pi * psf.at(x) ** 2) for _, x, _ in STARS}
    peaks = {min(best, key=lambda x, p=p: abs(x - p.x)): p for p in found.peaks}
    assert len(found.peaks) == len(peaks) == len(STARS)
    for x, peak in peaks.items():
        # One value of noise, and what is lost between the middle of a tile and its edges.
        assert peak.value == pytest.approx(best[x], abs=4, rel=0.003)
    middle = detected(replace(exposure, psfs=(GrowingPsf(psf.at(300)),)), tile_size=64)["g"]
    # A filter of 80 or 120 % of the width: 2 ab / (a² + b²) of the signal.
    ends = [min(middle.peaks, key=lambda p, x=x: abs(p.x - x)).value / best[x] for x in (20.0, 580.0)]
    assert ends == pytest.approx([0.983, 0.987], abs=0.015)


def concentrations(psf, psfs):
    """Share of their flux that stars keep within 3 × 3 pixels when they are seen with one PSF and others are taken."""
    exposure = observed((64, 600), STARS, (psf,), noise=0.3)
    parents = merge_detections(detected(exposure, tile_size=64), DetectConfig(), int).parents
    config = DeconvolveConfig(tile_size=64, model_psf_sigma=0.8)
    image = deconvolve_exposure(replace(exposure, psfs=psfs), parents, config).detect_image.array
    return np.array([image[y - 1 : y + 2, x - 1 : x + 2].sum() / 3000 for y, x, _ in np.rint(STARS).astype(int)])


def test_stars_are_deconvolved_with_the_psf_at_their_place():
    # 13 % over the field, thrice as much as in coadds; 1.4 % from the one to the other side of a tile.
    psf = GrowingPsf(1.5, SLOPE / 3)
    local, middle = concentrations(psf, (psf,)), concentrations(psf, (GrowingPsf(psf.at(300)),))
    # Seams lie at multiples of 64, stars at multiples of 20: one that a seam cuts does not stick out. Three kinds of
    # sub-pixel noise remain, and two rows of stars.
    place = np.arange(len(STARS)) / len(STARS)
    trend = np.polyval(np.polyfit(place, local, 2), place)
    assert np.abs(local - trend).max() < 0.015
    for k, x in ((1, 40.0), (14, 300.0), (27, 560.0)):
        alone = GrowingPsf(psf.at(x))
        expected = concentrations(alone, (alone,)).mean()
        assert trend[k] == pytest.approx(expected, abs=0.015)
        if k != 14:
            assert abs(middle[k] - expected) > 0.05


def test_tiles_share_psfs_that_hardly_differ():
    middle = GrowingPsf(1.5).image(0, 0).stamp
    same = tile_psfs(GrowingPsf(1.5), middle, (200, 300), 64, 1e-6)
    assert same.others == {}
    assert same.on(Box((64, 128), (64, 64))) is middle
    varying = GrowingPsf(1.5, SLOPE)
    local = tile_psfs(varying, varying.image(100, 150).stamp, (200, 300), 64, 0.02)
    # One PSF per column of tiles, shared by its rows: that in the middle belongs to no column.
    assert len({id(stamp) for stamp in local.others.values()}) == 4
    assert len(local.others) == 16
    assert len({id(local.others[y, 64]) for y in (0, 64, 128, 192)}) == 1
    assert np.array_equal(local.others[0, 64], varying.image(0, 96).stamp)


def test_a_tile_without_psf_has_that_of_the_middle():
    psf = GrowingPsf(1.5, SLOPE, missing_beyond=210)
    local = tile_psfs(psf, psf.image(0, 150).stamp, (64, 320), 64, 1e-3)
    # The tile from 192 to 256 has a PSF in the middle of its first quarters only, that from 256 none.
    assert np.array_equal(local.others[0, 192], psf.image(0, 208).stamp)
    assert (0, 256) not in local.others


def test_difference_of_stamps_of_different_sizes():
    small, large = np.zeros((3, 5)), np.zeros((7, 5))
    small[1, 2] = large[3, 2] = 2.0
    large[0, 0] = 0.5
    assert stamp_difference(small, large) == stamp_difference(large, small) == 0.25


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (65, 130), (3, 700)])
def test_tiles_cover_every_pixel_once(shape):
    count = np.zeros(shape, dtype=int)
    for tile in tiles(shape, 64):
        count[tile.slices_in(Box((0, 0), shape))] += 1
        assert max(tile.shape) <= 64
    assert (count == 1).all()
    rows = np.concatenate([np.arange(shape[0])[strip] for strip in row_strips(shape)])
    assert np.array_equal(rows, np.arange(shape[0]))


def test_what_lies_off_the_image_is_zero():
    array = np.arange(12.0).reshape(3, 4)
    out = padded(array, Box((-1, 2), (3, 4)))
    assert out.tolist() == [[0, 0, 0, 0], [2, 3, 0, 0], [6, 7, 0, 0]]
    assert not padded(array, Box((10, 10), (2, 2))).any()


def planes(action, side):
    """Return what an action allocates at most, in float32 images of one band."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / (4 * side**2)
    finally:
        tracemalloc.stop()


def test_memory_is_a_few_planes_of_one_band():
    side = 768
    rng = np.random.default_rng(0)
    stars = [(y, x, 400.0) for y, x in rng.uniform(10, side - 10, (60, 2))]
    psfs = tuple(GrowingPsf(sigma) for sigma in (1.5, 1.7))
    exposure = observed((side, side), [], psfs)
    images = exposure.images.copy()
    for y, x, flux in stars:
        v, u = int(y), int(x)
        images[:, v - 8 : v + 9, u - 8 : u + 9] += flux * gaussian_kernel(2.0)
    exposure = replace(exposure, images=images)
    config, sharp = DetectConfig(tile_size=128), DeconvolveConfig(tile_size=128, max_iter=1)
    parents = merge_detections(detect_bands(exposure, config), config, int).parents
    assert len(parents) > 40
    # Two footprints, one byte per pixel, are half a plane of what is returned; two more are the sum over bands and one
    # band's significance.
    assert planes(lambda: detect_bands(exposure, config), side) < 6
    # Two planes are returned; three are the model, where it is ahead, and the residual.
    assert planes(lambda: deconvolve_exposure(exposure, parents, sharp), side) < 7.5


def test_a_bright_star_changes_nothing_far_away():
    stars = [(40.0, 40.0, 600.0), (90.0, 60.0, 500.0), (50.0, 100.0, 700.0)]
    faint = observed((128, 400), stars, (GrowingPsf(1.6),))
    bright = observed((128, 400), [*stars, (64.0, 330.0, 1e6)], (GrowingPsf(1.6),))
    parents = merge_detections(detected(bright), DetectConfig(), int).parents
    one, other = (deconvolve_exposure(e, parents).detect_image.array[:, :200] for e in (faint, bright))
    # The kernels reach 12 pixels, and twice twelve times that in twelve updates, with hardly any weight; what is left
    # is the rounding of transforms that hold a peak of 6e4.
    assert np.abs(one - other).max() < 0.1
    assert one.max() > 50
    part = faint.images[:, :, :200]
    alone = replace(faint, images=part, variance=faint.variance[:, :, :200], mask=faint.mask[:, :, :200])
    left = [parent for parent in parents if parent.footprint.box.stop[1] <= 200]
    assert len(left) == 3
    cut = deconvolve_exposure(alone, left).detect_image.array
    assert np.abs(cut - one).max() < 1e-3


def test_a_relative_change_may_end_it():
    exposure = crowded()
    parents = merge_detections(detected(exposure), DetectConfig(), int).parents
    ended = deconvolve_exposure(exposure, parents, DeconvolveConfig(e_rel=0.2, min_iter=4)).iterations
    assert all(4 < n < 16 for n in ended.values())
