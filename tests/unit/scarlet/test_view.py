"""What the fit works on: cropped views, local convolution, priors of components; and that results are finite."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, FitConfig, GaussianPrior, deblend_blend, model_psf, prepare_kernels
from meas_deblend.scarlet.arguments import make_observation
from meas_deblend.scarlet.component import scene
from meas_deblend.scarlet.convolve import full_convolution
from meas_deblend.scarlet.fit import fit
from meas_deblend.scarlet.mixture import make_state
from meas_deblend.scarlet.monotone import monotonic
from meas_deblend.scarlet.render import render_morph
from meas_deblend.scarlet.view import view_around

REASONS = {"converged", "max_iter", "no_sources", "no_data", "diverged"}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("margin", [0, 4, 9])
def test_cropped_view_sees_what_the_whole_observation_sees(pair, dtype, tolerance, margin):
    data = pair()
    footprint = np.zeros((31, 31), dtype=bool)
    footprint[margin : 31 - margin, margin + 1 : 30 - margin] = True
    arrays = (a.astype(dtype) for a in (data.images, data.variance, data.psfs))
    observation = make_observation(*arrays, footprint=footprint)
    parts = [replace(c, spectrum=c.spectrum.astype(dtype), morph=c.morph.astype(dtype)) for c in data.components]
    state = make_state(parts, observation, FitConfig())
    view = view_around(observation, state.extent)
    state.add_to(view.cube, view.box)
    value, gradient = view.gradient()
    expected, whole = observation.gradient(scene(parts, data.images.shape, np.dtype(dtype)))
    assert value == pytest.approx(expected, rel=tolerance)
    assert view.log_likelihood() == pytest.approx(expected, rel=tolerance)
    here = gradient[:, :, : view.box.shape[1]]
    assert np.abs(here - whole[:, *view.box.slices_in(observation.frame)]).max() < tolerance * np.abs(whole).max()


@given(seed=st.integers(0, 500), radius=st.sampled_from([(3, 3), (10, 10), (2, 7)]))
@settings(max_examples=60, deadline=None)
def test_local_convolution_is_that_of_the_whole_plane(seed, radius):
    rng = np.random.default_rng(seed)
    kernels = prepare_kernels(rng.random((2, 2 * radius[0] + 1, 2 * radius[1] + 1)))
    shape = tuple(rng.integers(1, 40, 2))
    origin = tuple(int(rng.integers(n)) for n in shape)
    box = Box(origin, tuple(int(rng.integers(1, n - o + 1)) for n, o in zip(shape, origin, strict=True)))
    frame, morph = Box((0, 0), shape), rng.random(box.shape)
    found, cube = render_morph(morph, box, kernels, frame)
    grown = box.grow(kernels.radius)
    expected = full_convolution(morph, kernels)[:, *grown.overlap_slices(frame)[0]]
    assert found == grown & frame
    np.testing.assert_allclose(cube, expected, rtol=1e-6, atol=1e-10 * np.abs(expected).max())


# Computed from the definition for 0 ... 24 on 5 x 5 pixels with the peak in the middle.
ROWS = {
    "nearest": [[10, 11, 12, 12, 12], [11, 12, 12, 12, 12], [12, 12, 12, 12, 12]],
    "flat": [
        [9.555555556, 11, 12, 12, 10.666666667],
        [10.740740741, 11.666666667, 12, 12, 11.555555556],
        [11.419753086, 11.851851852, 11.888888889, 11.962962963, 11.839506173],
    ],
}


@pytest.mark.parametrize("kind", ROWS)
def test_other_weights_of_the_monotonicity(kind):
    image = np.arange(25.0).reshape(5, 5)
    assert monotonic(image, (2, 2), fit_radius=0, kind=kind)[2:] == pytest.approx(np.array(ROWS[kind]), abs=1e-8)


def test_mean_and_minimum_of_symmetric_pairs(pair):
    data = pair()
    for symmetry in ("minimum", "mean"):
        for optimizer in ("amsgrad", "adam"):
            config = FitConfig(symmetric=True, symmetry=symmetry, optimizer=optimizer, max_iter=12, monotonic=False)
            observation = make_observation(data.images, data.variance, data.psfs)
            for c in fit(observation, data.components, config).components:
                (y, x), (h, w) = c.peak, c.morph.shape
                r = min(y, h - 1 - y, x, w - 1 - x)
                inner = c.morph[y - r : y + r + 1, x - r : x + r + 1]
                assert inner == pytest.approx(inner[::-1, ::-1], abs=1e-12)


@pytest.mark.parametrize("kind", ["sum", "spectrum"])
def test_normalisation_changes_the_factors_only(pair, kind):
    data = pair()
    runs = [
        deblend_blend(data.images, data.variance, data.psfs, data.centers, config=FitConfig(normalization=n))
        for n in ("max", kind)
    ]
    assert runs[1].model() == pytest.approx(runs[0].model(), abs=1e-9)
    for c in runs[1].sources[0].components:
        assert (c.morph if kind == "sum" else c.spectrum).sum() == pytest.approx(1)


def test_prior_and_constraint_of_one_component(pair):
    data = pair()
    observation = make_observation(data.images, data.variance, data.psfs)
    # Steps long enough to come to where the prior is.
    config = FitConfig(max_iter=300, e_rel=0, precondition=0, spectrum_step=2e-2, morph_step=1e-2)
    start = [replace(c, spectrum=c.spectrum * c.morph.max(), morph=c.morph / c.morph.max()) for c in data.components]
    plain = fit(observation, start, config).components
    wanted = plain[0].spectrum * 0.5
    tied = replace(start[0], priors=(GaussianPrior(wanted, 1e-2 * wanted), None))
    cut = replace(start[1], constraints=(lambda morph: np.minimum(morph, 0.5 * morph.max()),))
    found = fit(observation, (tied, start[1]), config).components[0]
    # The prior is narrower than what the data say.
    assert np.abs(found.spectrum / wanted - 1).max() < 0.3
    found = fit(observation, (start[0], cut), config).components[1]
    assert np.count_nonzero(found.morph == 1) > np.count_nonzero(plain[1].morph == 1)


@dataclass(frozen=True)
class Plain:
    """Data without any seeing, seen through the protocol alone."""

    images: np.ndarray
    weights: np.ndarray

    @property
    def frame(self):
        return Box((0, 0), self.images.shape[1:])

    @property
    def noise(self):
        return np.full(len(self.images), 0.05)

    def render(self, model):
        return model

    def adjoint(self, residual):
        return residual


@pytest.mark.parametrize("optimizer", ["fista", "amsgrad", "adam"])
def test_data_that_only_render_are_fitted_by_any_optimizer(pair, optimizer):
    data = pair()
    truth = [replace(c, spectrum=c.spectrum * c.morph.max(), morph=c.morph / c.morph.max()) for c in data.components]
    images = scene(truth, data.images.shape, np.dtype(float))
    observation = Plain(images, np.full(images.shape, 400.0))
    start = [replace(c, spectrum=0.5 * c.spectrum) for c in truth]
    steps = {"morph_step": 1.0, "spectrum_step": 1.0} if optimizer == "fista" else {"spectrum_step": 1e-2}
    config = FitConfig(optimizer=optimizer, max_iter=60, e_rel=0, precondition=0, **steps)
    result = fit(observation, start, config)
    # Schemes with steps of fixed length are on their way after so few.
    assert result.log_likelihood > (1e-3 if optimizer == "fista" else 0.3) * result.loss[0]
    # Steps no longer than the inverse curvature do not overshoot.
    if optimizer == "fista":
        assert min(result.loss[1:]) > result.loss[0]


def noisy(rng, shape=(3, 21, 23)):
    return rng.normal(0, 1, shape)


@given(
    seed=st.integers(0, 10_000),
    trouble=st.sampled_from(["band", "center", "twice", "border", "pixel", "constant", "negative", "nothing", "zero"]),
    production=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=examples(30), deadline=None)
def test_trouble_gives_finite_results_and_a_reason(seed, trouble, production, dtype):
    rng = np.random.default_rng(seed)
    images = noisy(rng)
    psfs = np.stack([model_psf(s, 15) for s in (1.2, 1.4, 1.7)])
    centers = [(10, 8), (11, 15)]
    for (y, x), flux in zip(centers, (60, 90), strict=True):
        images[:, y - 7 : y + 8, x - 7 : x + 8] += flux * psfs[:, :, : 23 - x + 7]
    weights, footprint = np.ones_like(images), np.ones(images.shape[1:], dtype=bool)
    if trouble == "band":
        weights[1] = 0
    elif trouble == "center":
        weights[:, 10, 8] = 0
    elif trouble == "twice":
        centers += centers
    elif trouble == "border":
        centers += [(0, 0), (20, 22), (0, 11)]
    elif trouble == "pixel":
        footprint[:] = False
        footprint[10, 8] = True
    elif trouble == "constant":
        images[:] = 3.0
    elif trouble == "negative":
        images -= 50
    elif trouble == "nothing":
        weights[:] = 0
    elif trouble == "zero":
        images[:] = 0
    config = FitConfig.production() if production else FitConfig()
    blend = deblend_blend(
        images.astype(dtype),
        np.ones(images.shape, dtype),
        psfs.astype(dtype),
        centers,
        weights=weights.astype(dtype),
        footprint=footprint,
        detect=images.sum(axis=0).astype(dtype),
        config=config,
    )
    model = blend.model(convolved=False)
    assert blend.stop_reason in REASONS
    assert np.isfinite(blend.logL)
    assert np.isfinite(model).all()
    assert model.min() >= 0
    total = sum(blend.source_model(k, convolved=False) for k in range(len(centers)))
    np.testing.assert_allclose(total, model, rtol=1e-5, atol=1e-6 * (1 + float(model.max())))
    assert all(np.isfinite(source.flux).all() for source in blend.sources)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize(("config", "rel"), [(FitConfig(), 1e-4), (FitConfig.production(), 0.1)])
def test_result_scales_with_the_images(pair, scale, config, rel):
    data = pair()
    detect = data.images.sum(axis=0)
    one = deblend_blend(data.images, data.variance, data.psfs, data.centers, detect=detect, config=config)
    other = deblend_blend(
        scale * data.images, scale**2 * data.variance, data.psfs, data.centers, detect=scale * detect, config=config
    )
    assert np.isfinite(other.logL)
    assert other.stop_reason in REASONS
    for a, b in zip(one.sources, other.sources, strict=True):
        # The floor of production's second moments is in image units, and decides how far spectra step.
        assert b.flux == pytest.approx(scale * a.flux, rel=rel)


def test_components_are_not_changed_by_a_fit(pair):
    data = pair()
    before = [(c.spectrum.copy(), c.morph.copy()) for c in data.components]
    observation = make_observation(data.images, data.variance, data.psfs)
    fit(observation, data.components, FitConfig(max_iter=5))
    for c, (spectrum, morph) in zip(data.components, before, strict=True):
        assert isinstance(c, Component)
        assert np.array_equal(c.spectrum, spectrum)
        assert np.array_equal(c.morph, morph)
