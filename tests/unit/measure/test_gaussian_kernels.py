"""Sums under Gaussian weights by compiled loops, against sums over all pixels."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.measure._gaussian_kernels import weighted_loss, weighted_monomials
from meas_deblend.measure.pixels import Window

BOX = Box((-20, 30), (41, 51))
ORIGIN = np.array(BOX.origin, dtype=np.float64)
#: Round, long along the diagonal, narrower than a pixel, with a centre off the image.
WEIGHTS = np.array(
    [
        [0.3, 55.2, 4.0, 0.0, 4.0],
        [-2.1, 50.7, 9.0, 7.9, 8.0],
        [1.4, 60.0, 0.2, 0.01, 0.3],
        [-25.0, 90.0, 30.0, -9.0, 12.0],
    ]
)


def window(seed=1):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(len(WEIGHTS), *BOX.shape))
    usable = rng.random(images.shape) > 0.2
    observed = np.ones(BOX.shape, dtype=bool)
    observed[:5] = False
    return Window(BOX, images, np.ones_like(images), usable & observed, observed)


def weights_of_all_pixels():
    """Weights (n, h, w), and the offsets of rows (n, h) and columns (n, w)."""
    dy, dx = (o + np.arange(n) - c[:, None] for o, n, c in zip(ORIGIN, BOX.shape, WEIGHTS.T[:2], strict=True))
    out = []
    for y, x, (iyy, iyx, ixx) in zip(dy, dx, WEIGHTS[:, 2:], strict=True):
        inverse = np.linalg.inv([[iyy, iyx], [iyx, ixx]])
        offset = np.stack(np.broadcast_arrays(y[:, None], x))
        out.append(np.exp(-0.5 * np.einsum("iyx,ij,jyx->yx", offset, inverse, offset)))
    return np.stack(out), dy, dx


@pytest.mark.parametrize("degree", [2, 4])
def test_monomials_are_those_of_all_pixels(degree):
    given, index = window(), np.arange(len(WEIGHTS))
    found = weighted_monomials(given.flux, ORIGIN, WEIGHTS, index, degree)
    weight, dy, dx = weights_of_all_pixels()
    for i in range(5):
        for j in range(5):
            terms = weight * given.flux * dy[:, :, None] ** i * dx[:, None, :] ** j
            expected = terms.sum(axis=(1, 2)) if i + j <= degree else 0
            # Rounding of the largest term; weights below e⁻⁴⁰ are left out, which is less.
            np.testing.assert_allclose(found[:, i, j], expected, atol=1e-12 * np.abs(terms).max() + 1e-14)


def test_chosen_images_go_with_their_weights():
    given = window()
    some = np.array([2, 0])
    every = weighted_monomials(given.flux, ORIGIN, WEIGHTS, np.arange(len(WEIGHTS)), 2)
    np.testing.assert_array_equal(weighted_monomials(given.flux, ORIGIN, WEIGHTS[some], some, 2), every[some])


def test_what_is_lost_under_a_weight():
    given = window()
    found = weighted_loss(given.usable, given.observed, ORIGIN, WEIGHTS, np.arange(len(WEIGHTS)))
    weight, _, _ = weights_of_all_pixels()
    masks = (np.ones_like(given.usable), np.broadcast_to(~given.observed, given.usable.shape), ~given.usable)
    for k, mask in enumerate(masks):
        np.testing.assert_allclose(found[:, k], (weight * mask).sum(axis=(1, 2)), rtol=1e-11, atol=1e-13)
