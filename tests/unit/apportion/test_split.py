"""Sharing pixels out: hand arithmetic, and the account that must always balance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.apportion import ApportionConfig, apportion
from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box, Footprint, Image

FRAME = Box((5, -3), (9, 11))


def line(*values):
    """One-band, one-row cube at the origin."""
    array = np.array([[values]], dtype=float)
    return Image(array, Box((0, 0), array.shape[1:]))


def split_line(data, templates, **kwargs):
    """Share out one row of pixels with every pixel in the footprint and none bad."""
    cube = line(*data)
    bad = kwargs.pop("bad", np.zeros(cube.array.shape, dtype=bool))
    return apportion(cube.array, Footprint.from_box(cube.box), templates, bad, cube.box, **kwargs)


def random_case(seed, n, *, negative=True, holes=True):
    """Random images, footprint, templates on boxes that may leave the frame, and bad pixels."""
    rng = np.random.default_rng(seed)
    images = rng.normal(1, 3, (2, *FRAME.shape)).astype(np.float32)
    bad = rng.random(images.shape) < 0.1 if holes else np.zeros(images.shape, dtype=bool)
    if holes:
        images[rng.random(images.shape) < 0.05] = np.nan
    mask = rng.random(FRAME.shape) < 0.8
    mask[2, 2] = True
    templates = []
    for _ in range(n):
        shape = tuple(rng.integers(1, 9, 2))
        origin = tuple(np.array(FRAME.origin) + rng.integers(-4, 9, 2))
        cube = rng.normal(0.5, 1, (2, *shape)) * 10.0 ** rng.integers(-300, 300, (2, *shape))
        cube[rng.random(cube.shape) < 0.05] = np.nan
        templates.append(Image(cube if negative else np.abs(cube), Box(origin, shape)))
    return images, Footprint.from_mask(mask, FRAME.origin), templates, bad


def test_toy_with_clipping():
    # Flux-conserving split with identity kernels: the last pixel has no template and belongs to nobody.
    result = split_line([2, 4, 4, 5], [line(1, 2, 3, 0), line(0, 2, 1, 0)])
    np.testing.assert_array_equal(result.children[0].flux[0, 0], [2, 2, 3, 0])
    np.testing.assert_array_equal(result.children[1].flux[0, 0], [0, 2, 1, 0])
    np.testing.assert_array_equal(result.unassigned.array[0, 0], [0, 0, 0, 5])
    (row,) = result.ledger
    assert (row.data, row.children, row.unassigned, row.masked, row.outside) == (15, 10, 5, 0, 0)


def test_negative_templates_are_clipped_before_shares_are_formed():
    result = split_line([8, 8, 5, 6], [line(4, 2, 0, -1), line(0, 2, 0, 3)])
    np.testing.assert_array_equal(result.children[0].flux[0, 0], [8, 4, 0, 0])
    np.testing.assert_array_equal(result.children[1].flux[0, 0], [0, 4, 0, 6])
    np.testing.assert_array_equal(result.unassigned.array[0, 0], [0, 0, 5, 0])


def test_negative_pixels_are_split_in_the_same_proportions():
    result = split_line([8, -8], [line(4, 2), line(0, 2)])
    assert result.children[0].flux[0, 0, 1] == result.children[1].flux[0, 0, 1] == -4


def test_bad_and_missing_pixels_go_to_nobody_and_are_accounted_for():
    bad = np.array([[[False, True, False]]])
    result = split_line([1, 7, np.nan], [line(1, 1, 1), line(1, 1, 1)], bad=bad)
    np.testing.assert_array_equal(result.children[0].flux[0, 0], [0.5, 0, 0])
    np.testing.assert_array_equal(result.children[0].share[0, 0], [0.5, 0, 0])
    (row,) = result.ledger
    assert (row.data, row.masked, row.not_finite) == (8, 7, 1)
    assert row.imbalance == 0


def test_an_only_child_keeps_every_pixel_of_its_footprint():
    result = split_line([3, -1, 2], [line(0, 1, -5)])
    np.testing.assert_array_equal(result.children[0].flux[0, 0], [3, -1, 2])
    strict = split_line([3, -1, 2], [line(0, 1, -5)], config=ApportionConfig(single_takes_all=False))
    np.testing.assert_array_equal(strict.children[0].flux[0, 0], [0, -1, 0])


def test_flux_outside_the_footprint_is_listed_apart():
    cube = line(1, 2, 4)
    inner = Footprint.from_box(Box((0, 0), (1, 2)))
    bad = np.zeros(cube.array.shape, dtype=bool)
    templates = [line(1, 1, 1), line(1, 1, 0)]
    cut = apportion(cube.array, inner, templates, bad, cube.box)
    assert cut.children[0].box == inner.box
    assert cut.ledger[0].outside == 0
    kept = apportion(cube.array, inner, templates, bad, cube.box, config=ApportionConfig(keep_outside=True))
    np.testing.assert_array_equal(kept.children[0].flux[0, 0], [0.5, 1, 4])
    assert (kept.ledger[0].data, kept.ledger[0].children, kept.ledger[0].outside) == (3, 3, 4)


def test_a_template_outside_the_frame_gives_an_empty_child():
    away = Image(np.ones((1, 2, 2)), Box((50, 50), (2, 2)))
    result = split_line([1, 2], [line(1, 1), away])
    assert result.children[1].flux.shape == (1, 0, 0)
    assert result.children[1].footprint.area == 0
    assert result.ledger[0].children == 3


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e300])
def test_shares_sum_to_one_however_faint_or_bright_the_templates(scale):
    result = split_line([1, 1], [line(scale, 3 * scale), line(scale, scale)])
    total = result.children[0].share + result.children[1].share
    np.testing.assert_allclose(total, 1, rtol=1e-15)
    np.testing.assert_allclose(result.children[0].share[0, 0], [0.5, 0.75], rtol=1e-15)


def test_two_dimensional_arrays_give_two_dimensional_children():
    image = np.arange(6.0).reshape(2, 3)
    box = Box((0, 0), (2, 3))
    result = apportion(image, Footprint.from_box(box), [Image(image, box)] * 2, image < -1, box)
    np.testing.assert_array_equal(result.children[1].flux, image / 2)
    assert result.unassigned.array.shape == (2, 3)
    assert result.children[0].heavy().area == 5


def test_heavy_footprint_holds_the_child():
    result = split_line([2, 4, 4, 5], [line(1, 2, 3, 0), line(0, 2, 1, 0)])
    heavy = result.children[1].heavy(0)
    np.testing.assert_array_equal(heavy.pixels, [2, 1])
    np.testing.assert_array_equal(heavy.to_image().array, result.children[1].flux[0])


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 4), keep=st.booleans(), single=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_count_is_accounted_for(seed, n, keep, single):
    images, footprint, templates, bad = random_case(seed, n)
    config = ApportionConfig(keep_outside=keep, single_takes_all=single)
    result = apportion(images, footprint, templates, bad, FRAME, parent_id=7, bands="gr", config=config)
    inside = footprint.on(FRAME)
    for row, image in zip(result.ledger, images, strict=True):
        # Shares sum to 1 within a few roundings of float64.
        assert abs(row.imbalance) <= 1e-14 * np.nansum(np.abs(image))
        assert row.data == pytest.approx(np.nansum(image[inside].astype(float)), rel=1e-12, abs=1e-12)
        assert row.not_finite == np.isnan(image[inside]).sum()
        assert row.parent_id == 7
    # Pixel by pixel, in the float32 that is handed on.
    total = result.total().project(FRAME).array
    rest = result.unassigned.project(FRAME).array + result.masked.project(FRAME).array
    expected = np.where(inside, np.nan_to_num(images), 0)
    np.testing.assert_allclose((total + rest)[:, inside], expected[:, inside], rtol=5e-7, atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_a_child_has_the_sign_of_the_data_and_never_more_than_it(seed, n):
    images, footprint, templates, bad = random_case(seed, n)
    for child in apportion(images, footprint, templates, bad, FRAME).children:
        data = np.nan_to_num(images[(slice(None), *child.box.slices_in(FRAME))])
        assert child.flux.dtype == child.share.dtype == np.float32
        assert np.all((child.share >= 0) & (child.share <= 1))
        assert np.all(np.abs(child.flux) <= np.abs(data))
        assert np.all(child.flux * data >= 0)


@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(4)))
@settings(max_examples=30, deadline=None)
def test_permuting_the_templates_permutes_the_children(seed, order):
    images, footprint, templates, bad = random_case(seed, 4)
    straight = apportion(images, footprint, templates, bad, FRAME).children
    permuted = apportion(images, footprint, [templates[k] for k in order], bad, FRAME).children
    for k, child in zip(order, permuted, strict=True):
        # The order of a float64 sum changes its last bit.
        np.testing.assert_allclose(child.flux, straight[k].flux, rtol=1e-6)


def test_inputs_are_left_alone():
    images, footprint, templates, bad = random_case(3, 2)
    before = (images.copy(), bad.copy(), [t.array.copy() for t in templates])
    apportion(images, footprint, templates, bad, FRAME)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(bad, before[1])
    for template, copy in zip(templates, before[2], strict=True):
        np.testing.assert_array_equal(template.array, copy)


def test_errors_say_what_was_given():
    images, footprint, templates, bad = random_case(1, 2)
    with pytest.raises(InputError, match=r"leaves the frame"):
        apportion(images, Footprint.from_box(FRAME.grow(1)), templates, bad, FRAME)
    with pytest.raises(InputError, match=r"images must be \(y, x\) or \(band, y, x\).*got shape \(2, 3, 3\)"):
        apportion(images[:, :3, :3], footprint, templates, bad, FRAME)
    with pytest.raises(InputError, match=r"bad must have the shape of images, \(2, 9, 11\)"):
        apportion(images, footprint, templates, bad[:1], FRAME)
    with pytest.raises(InputError, match=r"template 0 has shape"):
        apportion(images[:1], footprint, templates, bad[:1], FRAME)
    with pytest.raises(InputError, match=r"3 band names for images with 2 bands"):
        apportion(images, footprint, templates, bad, FRAME, bands="gri")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_are_the_templates_over_their_sum(dtype):
    rng = np.random.default_rng(11)
    box, boxes = Box((4, 7), (12, 15)), [Box((2, 9), (9, 8)), Box((6, 5), (20, 12)), Box((4, 7), (12, 15))]
    templates = [Image(rng.normal(size=(2, *one.shape)).astype(dtype), one) for one in boxes]
    templates[1].array[0, 4, 5] = np.inf
    images, bad = rng.normal(size=(2, *box.shape)), rng.random((2, *box.shape)) < 0.1
    footprint = Footprint.from_mask(rng.random(box.shape) < 0.8, box.origin)
    result = apportion(images, footprint, templates, bad, box)
    light = np.stack([t.project(footprint.box).array.astype(np.float64) for t in templates])
    light = np.where(np.isfinite(light) & (light > 0) & footprint.mask, light, 0)
    total = light.sum(axis=0)
    share = np.divide(light, total, out=np.zeros_like(light), where=total > 0)
    cut = (slice(None), *footprint.box.slices_in(box))
    for child, part in zip(result.children, share, strict=True):
        here = np.where(bad[cut], 0, part)
        np.testing.assert_allclose(Image(child.share, child.box).project(footprint.box).array, here, rtol=1e-14)
        flux = Image(child.flux, child.box).project(footprint.box).array
        np.testing.assert_allclose(flux, here * images[cut], rtol=1e-14, atol=1e-300)
        masked = Image(child.masked, child.box).project(footprint.box).array
        np.testing.assert_array_equal(masked, (part > 0) & bad[cut])
