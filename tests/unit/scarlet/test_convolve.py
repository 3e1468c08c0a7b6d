"""Convolution with the difference kernels, on frames and on sources' own boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from meas_deblend.geometry import Box
from meas_deblend.scarlet import (
    Component,
    Convolver,
    Kernels,
    kernel_support,
    model_psf,
    prepare_kernels,
    render_source,
)
from meas_deblend.scarlet.convolve import central_values

PSFS = np.stack([model_psf(sigma, 15) for sigma in (1.05, 0.9, 1.2)])


def random_kernels(rng, bands, h, w):
    stamps = rng.normal(size=(bands, h, w))
    return Kernels(np.abs(stamps), model_psf(), stamps)


def direct(cube, stamps):
    """Sum over kernel taps, zero outside."""
    return np.stack([ndimage.convolve(image, kernel, mode="constant") for image, kernel in zip(cube, stamps)])


# Frames smaller than the kernel, of either parity, and longer ones.
@pytest.mark.parametrize("shape", [(40, 33), (7, 50), (1, 1), (3, 2), (16, 15)])
def test_render_is_the_sum_over_kernel_taps(shape):
    rng = np.random.default_rng(1)
    kernels = random_kernels(rng, 2, 15, 11)
    cube = rng.normal(size=(2, *shape))
    assert Convolver(kernels, shape).render(cube) == pytest.approx(direct(cube, kernels.stamps), abs=1e-12)


def test_single_precision_stays_single_and_close():
    rng = np.random.default_rng(2)
    kernels = prepare_kernels(PSFS.astype(np.float32))
    cube = rng.normal(size=(3, 150, 120)).astype(np.float32)
    rendered = Convolver(kernels, (150, 120)).render(cube)
    assert rendered.dtype == np.float32
    # Rounding of a transform of 150 x 120 values of order 1.
    expected = direct(cube.astype(float), kernels.stamps.astype(float))
    np.testing.assert_allclose(rendered, expected, rtol=1e-6, atol=5e-6)


@given(ny=st.integers(1, 30), nx=st.integers(1, 30), k=st.integers(0, 9), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_adjoint_is_the_transpose(ny, nx, k, seed):
    rng = np.random.default_rng(seed)
    convolver = Convolver(random_kernels(rng, 2, 2 * k + 1, 7), (ny, nx))
    a, b = rng.normal(size=(2, 2, ny, nx))
    left, right = np.vdot(convolver.render(a), b), np.vdot(a, convolver.adjoint(b))
    scale = np.linalg.norm(convolver.render(a)) * np.linalg.norm(b)
    assert abs(left - right) <= 1e-10 * scale


def test_flux_far_from_edges_scales_with_the_kernel():
    kernels = prepare_kernels(PSFS)
    cube = np.zeros((3, 61, 61))
    cube[:, 28:33, 25:31] = np.random.default_rng(4).random((5, 6))
    rendered = Convolver(kernels, (61, 61)).render(cube)
    expected = cube.sum(axis=(1, 2)) * kernels.stamps.sum(axis=(1, 2))
    assert rendered.sum(axis=(1, 2)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("center", [(20, 20), (0, 0), (3, 39), (39, 1)])
def test_central_values_are_those_of_the_whole_convolution(center):
    rng = np.random.default_rng(5)
    kernels = random_kernels(rng, 3, 15, 9)
    image = rng.random((40, 40))
    whole = Convolver(kernels, (40, 40)).render(np.stack([image] * 3))
    assert central_values(image, center, kernels.stamps) == pytest.approx(whole[:, center[0], center[1]], rel=1e-10)


def one_source(rng, box):
    morph = rng.random(box.shape)
    morph[rng.random(box.shape) < 0.3] = 0
    return Component((box.origin[0], box.origin[1]), box, rng.random(3) + 0.1, morph)


def test_source_rendered_on_its_box_equals_the_frame():
    rng = np.random.default_rng(6)
    frame = Box((0, 0), (60, 50))
    kernels = prepare_kernels(PSFS)
    parts = [one_source(rng, Box((2, 30), (9, 12))), one_source(rng, Box((5, 28), (11, 7)))]
    box, cube = render_source(parts, kernels, frame)
    assert box == (Box((2, 28), (14, 14)).grow(7) & frame)
    model = np.zeros((3, 60, 50))
    for part in parts:
        model[:, *part.box.slices_in(frame)] += part.cube
    expected = direct(model, kernels.stamps)
    whole = np.zeros_like(expected)
    whole[:, *box.slices_in(frame)] = cube
    assert whole == pytest.approx(expected, abs=1e-12)


def test_rendered_source_is_exactly_zero_beyond_the_reach_of_the_kernel():
    kernels = prepare_kernels(PSFS)
    morph = np.zeros((30, 30))
    morph[10, 5:8] = 1.0
    box, cube = render_source([Component((10, 6), Box((100, 200), (30, 30)), np.ones(3), morph)], kernels)
    assert box == Box((93, 193), (44, 44))
    expected = np.zeros((44, 44), dtype=bool)
    expected[10:25, 5:22] = True
    assert np.array_equal(cube.any(axis=0), expected)
    assert np.array_equal(kernel_support(morph > 0, (7, 7)), expected)


def test_source_without_components_renders_to_nothing():
    box, cube = render_source([], prepare_kernels(PSFS), Box((0, 0), (9, 9)))
    assert box.is_empty
    assert cube.shape == (3, 0, 0)


def test_spectrum_of_other_bands_is_refused():
    part = Component((1, 1), Box((0, 0), (3, 3)), np.ones(2), np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"spectrum has shape \(2,\), expected \(3,\), one per kernel"):
        render_source([part], prepare_kernels(PSFS))
