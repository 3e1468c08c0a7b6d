"""Errors of templates' amplitudes in parents of many."""

import tracemalloc

import numpy as np

from meas_deblend.geometry import Box, Image
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.measure import NoiseCorrelation, Scene
from meas_deblend.measure.shares import template_errors
from meas_deblend.simulate import correlation_kernel

SHAPE = (120, 130)


def scene_of(xi=None):
    images = np.zeros((2, *SHAPE))
    exposure = MultibandExposure(
        ("g", "r"), images, images + 4.0, images.astype(np.int32), (None, None), MaskPlanes({"BAD": 0}, ("BAD",))
    )
    noise = (
        NoiseCorrelation.white(2) if xi is None else NoiseCorrelation(np.stack([xi] * 2), np.ones(2), np.ones(2, int))
    )
    return Scene(exposure, np.zeros(SHAPE, dtype=bool), noise)


def gaussians(count, rng):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for center in rng.uniform(20, 100, (count, 2)):
        template = np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / 8)
        yield Image(np.stack([template, 3 * template]).astype(np.float32), Box((0, 0), SHAPE))


def test_amplitudes_are_known_as_least_squares_know_them():
    kernel = correlation_kernel(2.0)
    reach = 2 * (kernel.shape[0] // 2)
    spectrum = np.abs(np.fft.fft2(kernel, SHAPE)) ** 2
    xi = np.roll(np.fft.ifft2(spectrum).real, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    xi = xi / xi[reach, reach]
    templates = list(gaussians(3, np.random.default_rng(1)))
    found = template_errors(scene_of(xi), templates, Box((0, 0), SHAPE))
    design = np.stack([t.array[0].astype(np.float64) / 2 for t in templates])
    periodic = np.fft.fft2(np.roll(np.pad(xi, [(0, n - len(xi)) for n in SHAPE]), (-reach, -reach), axis=(0, 1)))
    smooth = np.fft.ifft2(np.fft.fft2(design) * periodic).real
    inverse = np.linalg.inv(np.einsum("kyx,lyx->kl", design, design))
    expected = inverse @ np.einsum("kyx,lyx->kl", design, smooth) @ inverse
    np.testing.assert_allclose(found.amplitudes[0], expected, rtol=1e-6, atol=1e-9 * expected.max())
    np.testing.assert_allclose(found.amplitudes[1], found.amplitudes[0] / 9, rtol=1e-6, atol=1e-9 * expected.max())


def test_memory_does_not_grow_with_the_number_of_templates():
    one = next(gaussians(1, np.random.default_rng(1)))
    scene, box = scene_of(), Box((0, 0), SHAPE)
    peaks = []
    for count in (2, 60):
        tracemalloc.start()
        template_errors(scene, [one] * count, box)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Matrices of 60 × 60 in two bands take 58 kB each; an image of two bands takes 250 kB.
    assert peaks[1] < peaks[0] + 1_000_000
