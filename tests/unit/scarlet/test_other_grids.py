"""The fit sees data only through `render` and `adjoint`: images on a grid twice as fine as the model's."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import fft

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, FitConfig, model_psf
from meas_deblend.scarlet.component import scene
from meas_deblend.scarlet.fit import fit
from meas_deblend.scarlet.uncertainty import Uncertainty

MODEL, SIGMAS = (2, 25, 27), (2.2, 2.6)


@dataclass(frozen=True)
class Oversampled:
    """Data on a grid with half the pixel side: model pixels are spread by kernels that are sampled on the fine grid."""

    images: np.ndarray
    weights: np.ndarray
    kernels: np.ndarray

    @property
    def frame(self):
        ny, nx = self.images.shape[1:]
        return Box((0, 0), (ny // 2, nx // 2))

    @property
    def noise(self):
        """Per pixel of the model, of which there are a quarter as many."""
        return (1 / np.sqrt(self.weights.mean(axis=(1, 2)))).astype(self.weights.dtype)

    def render(self, model):
        fine = np.zeros((len(model), 2 * model.shape[1], 2 * model.shape[2]), dtype=model.dtype)
        fine[:, ::2, ::2] = model
        return self._filter(fine, conjugate=False)

    def adjoint(self, residual):
        return np.ascontiguousarray(self._filter(residual, conjugate=True)[:, ::2, ::2])

    def _filter(self, cube, conjugate):
        ny, nx = cube.shape[1:]
        radius = self.kernels.shape[-1] // 2
        lengths = (ny + radius, nx + radius)
        padded = np.zeros((len(cube), *lengths), dtype=cube.dtype)
        taps = np.arange(-radius, radius + 1)
        padded[:, taps[:, None], taps] = self.kernels
        transform = fft.rfft2(padded)
        product = fft.rfft2(cube, s=lengths) * (transform.conj() if conjugate else transform)
        return fft.irfft2(product, s=lengths)[:, :ny, :nx]

    def log_likelihood(self, model):
        return float(-0.5 * np.sum(self.weights * (self.render(model) - self.images) ** 2))

    def gradient(self, model):
        residual = self.render(model) - self.images
        value = float(-0.5 * np.sum(self.weights * residual**2))
        return value, self.adjoint(self.weights * residual)


def source(center, sigma, spectrum):
    box = Box((center[0] - 7, center[1] - 7), (15, 15))
    morph = model_psf(sigma, 15)
    return Component(center, box, np.array(spectrum, dtype=float), morph / morph.max())


@pytest.fixture(scope="module")
def truth():
    return [source((11, 10), 1.2, (40, 20)), source((12, 17), 1.6, (15, 30))]


def observe(truth, dtype=np.float64, noise=0.1):
    kernels = np.stack([model_psf(sigma, 17) for sigma in SIGMAS]).astype(dtype)
    shape = (MODEL[0], 2 * MODEL[1], 2 * MODEL[2])
    weights = np.full(shape, noise**-2, dtype=dtype)
    clean = Oversampled(np.zeros(shape, dtype), weights, kernels).render(scene(truth, MODEL, np.dtype(dtype)))
    images = clean + np.random.default_rng(5).normal(0, noise, shape).astype(dtype)
    return Oversampled(images, weights, kernels)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_the_adjoint_is_exact(truth, dtype, tolerance):
    toy, rng = observe(truth, dtype), np.random.default_rng(1)
    a, b = rng.normal(size=MODEL).astype(dtype), rng.normal(size=toy.images.shape).astype(dtype)
    left = np.sum(toy.render(a).astype(float) * b)
    right = np.sum(a * toy.adjoint(b).astype(float))
    scale = np.sqrt(np.sum(a.astype(float) ** 2) * np.sum(b.astype(float) ** 2))
    assert abs(left - right) <= tolerance * scale


def test_a_blend_on_another_grid_is_fitted(truth):
    toy = observe(truth)
    start = [source(c.center, 1.4, (25, 25)) for c in truth]
    result = fit(toy, start, FitConfig(max_iter=200))
    assert toy.log_likelihood(scene(result.components, MODEL, np.dtype(float))) == pytest.approx(result.log_likelihood)
    # As good as noise leaves it: half of the number of data, to 3 times its standard deviation.
    expected, sd = toy.images.size / 2, np.sqrt(toy.images.size / 2)
    assert result.log_likelihood > -expected - 3 * sd
    for found, known in zip(result.components, truth, strict=True):
        assert found.flux == pytest.approx(known.flux, rel=0.05)


def test_errors_of_fluxes_come_from_the_same_two_operators(truth):
    toy = observe(truth)
    uncertainty = Uncertainty(toy, [(c,) for c in truth])
    images = np.array([toy.render(scene([c], MODEL, np.dtype(float))) for c in truth])
    gram = np.einsum("kbyx,byx,lbyx->bkl", images, toy.weights, images)
    flux = np.array([c.flux for c in truth])
    expected = np.sqrt(np.einsum("bkk->kb", np.linalg.inv(gram))) * flux
    assert uncertainty.conditional.errors == pytest.approx(expected, rel=1e-6)
    assert np.all(uncertainty.marginal.errors > expected)
