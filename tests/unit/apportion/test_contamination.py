"""How much of an object is its neighbours', by hand arithmetic, and how well a model is told to describe its pixels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest

from meas_deblend.apportion import (
    ApportionConfig,
    ModelOverlap,
    apportion,
    handed_on,
    model_chi2,
    model_overlap,
    model_quality,
    reapportion_parent,
    render_templates,
)
from meas_deblend.geometry import Box, Footprint, Image, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.models import BlendModel, ParentModel, SourceModel, TemplateComponent

A = np.array([[[4.0, 2.0], [0.0, 0.0]]])
B = np.array([[[0.0, 1.0], [3.0, 0.0]]])
#: maxOverlap, fluxOverlap, fluxOverlapFraction, blendedness.
TOY = {"A": (A, (1, 1, 1 / 6, 1 / 11)), "B": (B, (2, 2, 1 / 2, 1 / 6))}


def numbers(overlap):
    return overlap.maximum, overlap.flux, overlap.fraction, overlap.bands


@pytest.mark.parametrize("name", TOY)
def test_overlap_of_two_toys(name):
    model, expected = TOY[name]
    found = numbers(model_overlap(model, A + B))
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-12)


def test_pixels_count_where_the_model_is_in_any_band():
    # In the second band A has no flux: its pixels are those of the first, and B holds flux on one of them.
    first, second = np.concatenate([A, 0 * A]), np.concatenate([B, 10 * B])
    overlap = model_overlap(first, first + second)
    np.testing.assert_allclose(overlap.maximum, [1, 10])
    np.testing.assert_allclose(overlap.flux, [1, 10])
    np.testing.assert_array_equal(overlap.fraction, [1 / 6, 0])
    np.testing.assert_allclose(overlap.bands, [1 / 11, np.nan])
    assert overlap.joint == pytest.approx(1 / 11)


def test_a_source_without_a_model_has_no_overlap_to_tell():
    for overlap in (model_overlap(0 * A, A), model_overlap(np.zeros((2, 0, 0)), np.zeros((2, 0, 0)))):
        assert all(np.isnan(values).all() for values in numbers(overlap))
        assert np.isnan(overlap.joint)
    assert len(ModelOverlap.unknown(3).flux) == 3


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6))
def test_overlap_is_none_alone_and_grows_with_the_neighbour(seed, scale):
    rng = np.random.default_rng(seed)
    mine, other = rng.random((2, 3, 5, 6)) * (rng.random((2, 3, 5, 6)) < 0.7)
    alone = model_overlap(mine, mine)
    np.testing.assert_allclose(alone.flux, 0, atol=1e-12)
    np.testing.assert_allclose(alone.bands, 0, atol=1e-12)
    near, far = model_overlap(mine, mine + 0.5 * scale * other), model_overlap(mine, mine + scale * other)
    assert (far.maximum >= near.maximum).all()
    assert (near.maximum <= near.flux + 1e-12 * scale).all()
    np.testing.assert_allclose(far.flux, 2 * near.flux, rtol=1e-6, atol=1e-9)
    assert ((near.bands >= -1e-12) & (near.bands <= 1)).all()
    # Units cancel in what has none.
    dim = model_overlap(1e-3 * mine, 1e-3 * (mine + scale * other))
    np.testing.assert_allclose(dim.fraction, far.fraction, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(dim.bands, far.bands, rtol=1e-6, atol=1e-9)


PLANES = MaskPlanes({"BAD": 0, "NO_DATA": 1, "EDGE": 2}, bad=("BAD", "NO_DATA", "EDGE"))
SHAPE = (9, 9)


def exposure_of(images, mask=None, planes=PLANES, psfs=None):
    images = np.asarray(images, dtype=np.float32)
    return MultibandExposure(
        bands=tuple("gri"[: len(images)]),
        images=images,
        variance=np.ones_like(images),
        mask=np.zeros(images.shape, dtype=np.int64) if mask is None else mask,
        psfs=psfs or (None,) * len(images),
        mask_planes=planes,
    )


def child_of(exposure, box, weights=(1.0, 3.0)):
    """First of two children that share a box's pixels."""
    cut = (slice(None), *box.slices_in(exposure.box))
    templates = [Image(np.full((len(exposure.bands), *box.shape), w), box) for w in weights]
    shared = apportion(exposure.images[cut], Footprint.from_box(box), templates, exposure.bad[cut], box)
    return shared.children[0]


BOX, PEAK = Box((3, 4), (2, 2)), Peak(0, 3, 5)


def test_one_pixel_in_four_without_data():
    mask = np.zeros((2, *SHAPE), dtype=np.int64)
    mask[0, 4, 4] = 2
    exposure = exposure_of(np.arange(2 * 81).reshape(2, *SHAPE), mask)
    found = handed_on(exposure, child_of(exposure, BOX), PEAK)
    np.testing.assert_array_equal(found.coverage, [0.75, 1])
    np.testing.assert_array_equal(found.peak_flux, exposure.images[:, 3, 5] / 4)
    assert not found.at_edge


@pytest.mark.parametrize(("plane", "coverage"), [(1, 1.0), (2, 0.75), (4, 1.0)])
def test_data_that_cannot_be_used_are_data(plane, coverage):
    mask = np.zeros((1, *SHAPE), dtype=np.int64)
    mask[0, 4, 4] = plane
    exposure = exposure_of(np.ones((1, *SHAPE)), mask)
    assert handed_on(exposure, child_of(exposure, BOX), PEAK).coverage == coverage


@pytest.mark.parametrize("name", ["images", "variance"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_without_a_value_are_no_data(name, value):
    exposure = exposure_of(np.ones((1, *SHAPE)))
    array = getattr(exposure, name).copy()
    array[0, 3, 4] = value
    exposure = replace(exposure, **{name: array}, mask_planes=MaskPlanes())
    assert handed_on(exposure, child_of(exposure, BOX), PEAK).coverage == 0.75


def test_the_peak_is_the_heavy_pixel_there():
    rng = np.random.default_rng(1)
    exposure = exposure_of(rng.normal(5, 1, (2, *SHAPE)))
    child = child_of(exposure, BOX)
    for k in range(2):
        assert handed_on(exposure, child, PEAK).peak_flux[k] == child.heavy(k).to_image().array[0, 1]
    # Off its box, and on a pixel that nobody may have.
    assert np.isnan(handed_on(exposure, child, Peak(0, 8, 8)).peak_flux).all()
    mask = np.zeros((2, *SHAPE), dtype=np.int64)
    mask[1, 3, 5] = 1
    damaged = replace(exposure, mask=mask)
    assert np.isfinite(handed_on(damaged, child_of(damaged, BOX), PEAK).peak_flux).tolist() == [True, False]


def test_a_child_without_flux_has_one_pixel_at_its_peak():
    exposure = exposure_of(np.ones((2, *SHAPE)))
    child = child_of(exposure, BOX, weights=(0.0, 1.0))
    found = handed_on(exposure, child, PEAK)
    np.testing.assert_array_equal(found.coverage, 0)
    assert np.isnan(found.peak_flux).all()
    assert not found.at_edge
    heavy = child.heavy(0, PEAK)
    assert (heavy.box, heavy.pixels.tolist()) == (Box((3, 5), (1, 1)), [0])
    assert child.heavy(0).area == 0


@pytest.mark.parametrize(
    ("box", "at_edge"),
    [
        (Box((0, 3), (2, 2)), True),
        (Box((3, 0), (2, 2)), True),
        (Box((7, 3), (2, 2)), True),
        (Box((3, 7), (2, 2)), True),
        (Box((1, 1), (7, 7)), False),
    ],
)
def test_the_edge_of_the_image_is_told(box, at_edge):
    exposure = exposure_of(np.ones((1, *SHAPE)))
    assert handed_on(exposure, child_of(exposure, box), PEAK).at_edge is at_edge


def test_the_plane_of_edges_is_told():
    mask = np.zeros((2, *SHAPE), dtype=np.int64)
    mask[1, 4, 4] = 4
    exposure = exposure_of(np.ones((2, *SHAPE)), mask)
    assert handed_on(exposure, child_of(exposure, BOX), PEAK).at_edge
    assert not handed_on(exposure, child_of(exposure, BOX.shift(-2, -2)), PEAK).at_edge
    unnamed = replace(exposure, mask_planes=MaskPlanes({"BAD": 0}, bad=("BAD",)))
    assert not handed_on(unnamed, child_of(unnamed, BOX), PEAK).at_edge


SIDE = 110


def noise_only_parent(bands=3, side=SIDE):
    """Two templates as seen, on a footprint that is the whole image."""
    box = Box((0, 0), (side, side))
    y, x = np.mgrid[:side, :side]
    cubes = [
        np.array([(1 + k) * np.exp(-0.5 * ((y - side / 2) ** 2 + (x - at * side) ** 2) / 8.0**2) for k in range(bands)])
        for at in (0.4, 0.6)
    ]
    cubes = [(cube + 1e-3).astype(np.float32) for cube in cubes]
    peaks = [Peak(k, side // 2, int(at * side)) for k, at in enumerate((0.4, 0.6))]
    sources = tuple(
        SourceModel(k + 1, peak, (TemplateComponent(box, cube),)) for k, (peak, cube) in enumerate(zip(peaks, cubes))
    )
    footprint = Footprint.from_box(box, tuple(peaks))
    return ParentModel(9, footprint, (BlendModel(5, box, sources),), np.ones((bands, 1, 1), np.float32)), sum(cubes)


def test_a_perfect_model_has_a_reduced_chi2_of_one_in_every_band_and_over_all():
    """12 100 pixels in each of three bands; the reference divides by the number of bands once more, and has 1/3."""
    parent, truth = noise_only_parent()
    noise = np.random.default_rng(3).standard_normal(truth.shape)
    chi2 = model_chi2(exposure_of(truth + noise), parent)
    # χ²/n of n pixels scatters by √(2/n): 1.3 % in a band, 0.7 % over three.
    assert chi2.parent == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(chi2.parent_bands, 1, atol=0.05)
    np.testing.assert_allclose(chi2.sources, 1, atol=0.03)
    np.testing.assert_allclose(chi2.source_bands, 1, atol=0.05)
    assert chi2.source_bands.shape == (2, 3)


def test_bands_add_up_to_the_whole():
    parent, truth = noise_only_parent(side=20)
    exposure = exposure_of(truth + np.random.default_rng(3).standard_normal(truth.shape))
    exposure.mask[1, :5] = 1
    chi2 = model_chi2(exposure, parent)
    count = np.array([400, 300, 400])
    assert chi2.parent == pytest.approx((chi2.parent_bands * count).sum() / count.sum(), rel=1e-12)
    assert chi2.sources[0] == pytest.approx((chi2.source_bands[0] * count).sum() / count.sum(), rel=1e-12)
    exposure.mask[1] = 1
    lost = model_chi2(exposure, parent)
    assert np.isnan(lost.parent_bands).tolist() == [False, True, False]
    assert lost.parent == pytest.approx(lost.parent_bands[[0, 2]].mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.8])
def test_the_residual_of_noise_scatters_as_it_says(smoothing):
    """Mean 1, and (score − 1) / error a unit Gaussian, tails included, for white and for correlated noise."""
    parent, truth = noise_only_parent(bands=1, side=60)
    rng = np.random.default_rng(8)
    delta = np.zeros((61, 61))
    delta[30, 30] = 1
    kernel = gaussian_filter(delta, smoothing, mode="wrap") if smoothing else delta
    power = np.fft.fft2(np.fft.ifftshift(kernel))
    xi = np.fft.ifft2(np.abs(power) ** 2).real
    noise_power = np.array([((xi / xi[0, 0]) ** 2).sum()])
    templates = render_templates(parent, parent.footprint.box)
    pulls = []
    for _ in range(300):
        noise = rng.standard_normal(truth.shape)
        if smoothing:
            noise = gaussian_filter(noise, (0, smoothing, smoothing), mode="wrap") / np.sqrt(xi[0, 0])
        exposure = exposure_of(truth + noise)
        children = reapportion_parent(exposure, parent).children
        quality = model_quality(exposure, parent, children, templates, noise_power)
        pulls += [(score.joint - 1) / score.joint_error for score in quality.scores]
        assert quality.scores[0].joint == pytest.approx(quality.scores[0].bands[0])
        assert quality.scores[0].joint_error == pytest.approx(quality.scores[0].errors[0])
    pulls = np.array(pulls)
    # 300 independent images: the mean to 0.06, the width to 4 %.
    assert abs(pulls.mean()) < 0.2
    assert pulls.std() == pytest.approx(1, abs=0.12)
    assert kstest(pulls[::2], "norm").pvalue > 0.01
    assert np.mean(np.abs(pulls) > 3) < 0.02


def test_the_residual_is_that_of_the_childs_own_pixels():
    """A model that fails under one child only: its score rises, that of the other does not."""
    parent, truth = noise_only_parent(bands=2, side=60)
    exposure = exposure_of(truth + np.random.default_rng(2).standard_normal(truth.shape))
    exposure.images[:, 26:36, 40:52] += 3
    children = reapportion_parent(exposure, parent).children
    templates = render_templates(parent, parent.footprint.box)
    scores = model_quality(exposure, parent, children, templates, np.ones(2)).scores
    assert scores[1].joint - 1 > 10 * scores[1].joint_error
    assert abs(scores[0].joint - 1) < 4 * scores[0].joint_error


def test_a_child_without_pixels_has_no_residual():
    parent, truth = noise_only_parent(side=12)
    nothing = SourceModel(1, parent.sources[0].peak, ())
    parent = replace(parent, blends=(BlendModel(5, parent.footprint.box, (nothing, parent.sources[1])),))
    exposure = exposure_of(truth)
    children = reapportion_parent(exposure, parent, ApportionConfig()).children
    quality = model_quality(exposure, parent, children, render_templates(parent, exposure.box), np.ones(3))
    assert np.isnan(quality.scores[0].bands).all()
    assert np.isnan([quality.scores[0].joint, quality.scores[0].joint_error]).all()
    assert np.isnan(quality.chi2.source_bands[0]).all()
    assert np.isfinite(quality.scores[1].bands).all()
