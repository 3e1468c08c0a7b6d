"""Sums over the neighbourhoods of pixels: by transforms of blocks, and compiled over discs."""

import numpy as np
import pytest
from scipy import ndimage

from meas_deblend.detect.contrast import Disc, contrast_at, local_contrast
from meas_deblend.detect.significance import gaussian_kernel
from meas_deblend.detect.stencils import LENGTH, Stencils
from meas_deblend.detect.tiling import TilePixels

PSF = gaussian_kernel(1.9)


def tile(shape, rng, unusable=0.0):
    usable = rng.random(shape) >= unusable
    image, variance = rng.normal(5, 30, shape), rng.uniform(0.5, 2, shape)
    return TilePixels(np.where(usable, image, 0.0), np.where(usable, variance, 0.0), usable)


@pytest.mark.parametrize("inner", [(30, 41), (LENGTH + 60, 200), (2 * LENGTH + 1, 17)])
@pytest.mark.parametrize("side", [(15, 15), (31, 9)])
def test_sums_by_blocks_are_those_over_neighbourhoods(inner, side):
    rng = np.random.default_rng(1)
    stencil = rng.normal(size=side)
    made = Stencils.of([stencil**2, stencil], inner)
    image = rng.normal(size=made.shape)
    oracle = ndimage.correlate(image, stencil, mode="constant")
    (ry, rx), (ny, nx) = made.reach, made.shape
    # Rounding of double precision, of sums over some hundred values.
    np.testing.assert_allclose(made.sums(image, 1), oracle[ry : ny - ry, rx : nx - rx], rtol=0, atol=1e-11)


def test_blocks_that_nobody_wants_cost_nothing_and_change_no_others():
    rng = np.random.default_rng(2)
    made = Stencils.of([PSF], (2 * LENGTH, 2 * LENGTH), np.float32)
    image = rng.normal(size=made.shape).astype(np.float32)
    wanted = np.zeros((2 * LENGTH, 2 * LENGTH), dtype=bool)
    wanted[3, -5] = True
    some, whole = made.sums(image, 0, wanted), made.sums(image, 0)
    assert some.dtype == np.float32
    assert some[3, -5] == whole[3, -5] != 0
    assert not some[-1].any()


@pytest.mark.parametrize("radius", [1.0, 2.7, 4.4, 6.0, 7.3])
@pytest.mark.parametrize("width", [5, 31, 32, 70])
def test_contrast_of_whole_discs_is_the_fit_at_each_pixel(radius, width):
    """Where nothing is masked, two independent formulas must agree: one stencil for all, and normal equations."""
    rng = np.random.default_rng(3)
    disc = Disc.of(PSF, radius)
    pixels = tile((20 + 2 * disc.reach, width + 2 * disc.reach), rng)
    everywhere = np.indices((20, width)).reshape(2, -1)
    value, seen = local_contrast(pixels, disc, np.ones((20, width), dtype=bool))
    expected, known = contrast_at(pixels, disc, tuple(everywhere))
    assert known.all()
    assert seen.all()
    # Values of some thousand are rounded to single precision.
    np.testing.assert_allclose(value.ravel(), expected, rtol=1e-6, atol=1e-6)


def test_contrast_of_masked_discs_is_the_fit_at_each_pixel_and_wider_margins_do_not_matter():
    rng = np.random.default_rng(4)
    disc = Disc.of(PSF, 4.4)
    wide = tile((60 + 2 * disc.reach + 6, 80 + 2 * disc.reach + 6), rng, unusable=0.02)
    where = rng.random((60, 80)) < 0.3
    value, seen = local_contrast(wide, disc, where)
    again, seen_again = local_contrast(wide.cut(3), disc, where)
    np.testing.assert_array_equal(value, again)
    np.testing.assert_array_equal(seen, seen_again)
    expected, known = contrast_at(wide.cut(3), disc, np.nonzero(where))
    np.testing.assert_array_equal(seen[where], known)
    np.testing.assert_allclose(value[where], np.where(known, expected, 0), rtol=1e-6, atol=1e-6)
    assert not seen[~where].any()
    assert not value[~where].any()


def test_a_disc_is_round_and_holds_the_eight_neighbours():
    assert Disc.of(PSF, 0.5).area == 9
    assert Disc.of(PSF, 2.9).half.tolist() == [2] * 5
    disc = Disc.of(PSF, 4.4)
    dy, dx = np.indices(disc.psf.shape) - disc.reach
    assert disc.area == np.count_nonzero(dy**2 + dx**2 <= 4.4**2)
    stencil = disc.stencil()
    # It does not see a constant, and nothing outside of the disc.
    assert abs(stencil.sum()) < 1e-9 * np.abs(stencil).sum()
    assert not stencil[dy**2 + dx**2 > 4.4**2].any()
