"""The fit: what it reaches, when it stops, and what it returns."""

from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, DeconvolveConfig, FitConfig, deblend_blend
from meas_deblend.scarlet.arguments import make_observation
from meas_deblend.scarlet.component import scene
from meas_deblend.scarlet.fit import fit, is_converged


def test_five_components_are_recovered(five):
    images = five.images + np.random.default_rng(1).normal(0, 0.01, five.images.shape)
    blend = deblend_blend(images, five.variance, five.psfs, five.centers, weights=np.ones_like(images))
    assert np.abs(blend.model() - five.images).max() < 0.15
    assert blend.iterations <= 100
    # Half the number of pixels times the noise's variance is 0.18.
    assert -0.5 < blend.logL < -0.1


def test_likelihood_is_that_of_the_returned_model(pair):
    data = pair()
    weights = 1 / data.variance
    weights[:, :4] = 0
    for config in (FitConfig(max_iter=12), FitConfig.production()):
        blend = deblend_blend(data.images, data.variance, data.psfs, data.centers, weights=weights, config=config)
        expected = -0.5 * np.sum(weights * (blend.model() - data.images) ** 2)
        assert blend.logL == pytest.approx(expected, rel=1e-10)
        assert len(blend.loss) == blend.iterations


def test_best_iterate_is_returned(pair):
    data = pair()
    arguments = (data.images, data.variance, data.psfs, data.centers)
    plain = FitConfig(precondition=0, e_rel=0, max_iter=40)
    every = deblend_blend(*arguments, config=plain)
    # Entry i of the loss belongs to the iterate after i updates; the first guess is no candidate.
    assert every.logL >= max(every.loss[1:])
    last = deblend_blend(*arguments, config=plain.model_copy(update={"keep_best": False}))
    assert last.loss == every.loss
    assert last.logL <= every.logL


def test_finer_steps_only_improve_on_the_preconditioned_ones(pair):
    data = pair()
    arguments = (data.images, data.variance, data.psfs, data.centers)
    near = deblend_blend(*arguments, config=FitConfig(precondition=20, e_rel=0, max_iter=20))
    both = deblend_blend(*arguments, config=FitConfig(precondition=20, e_rel=0, max_iter=60))
    assert both.loss[:20] == near.loss
    assert both.logL >= near.logL


def test_no_iterations_return_the_first_guess(pair):
    data = pair()
    blend = deblend_blend(data.images, data.variance, data.psfs, data.centers, config=FitConfig(max_iter=0))
    assert (blend.iterations, blend.loss, blend.stop_reason) == (0, (), "max_iter")
    assert np.isfinite(blend.logL)


WINDOW = FitConfig(min_iter=3, window=4, e_rel=1e-2)
LAST_TWO = FitConfig(min_iter=3, stop="last_two", e_rel=1e-2)


def test_turning_point_fools_the_last_two_but_not_the_window():
    # Rising, with a turning point in entries 5 and 6.
    loss = [-500.0, -400, -300, -250, -220, -200, -200.5, -190, -150]
    assert [is_converged(loss[:n], LAST_TWO) for n in range(1, 10)] == [False] * 6 + [True, False, False]
    assert not any(is_converged(loss[:n], WINDOW) for n in range(1, 10))


def test_window_sees_that_an_oscillation_gains_nothing():
    loss = [-500.0, -100, *[-90.0, -80.0] * 5]
    assert not is_converged(loss, LAST_TWO)
    assert is_converged(loss, WINDOW)


def test_first_guess_does_not_count_in_the_window():
    # It may be better than every iterate that meets the constraints.
    loss = [-10.0, -100, -90, -80, -70, -60, -50, -40]
    assert not is_converged(loss, WINDOW)


@pytest.mark.parametrize("config", [WINDOW, LAST_TWO])
def test_convergence_is_not_judged_before_the_least_number_of_updates(config):
    assert not is_converged([-1.0] * config.min_iter, config)
    assert is_converged([-1.0] * 20, config)


def one(box, peak=(15, 15), value=1.0):
    morph = np.zeros(box.shape)
    morph[peak[0] - box.origin[0], peak[1] - box.origin[1]] = value
    return Component(peak, box, np.ones(3), morph)


def test_boxes_grow_and_shrink_and_stay_inside(pair):
    data = pair(centers=((15, 15),), sigmas=(2.5,), spectra=((600, 300, 200),))
    observation = make_observation(data.images, data.variance, data.psfs)
    config = FitConfig(max_iter=40, e_rel=0, resize_padding=3, bg_thresh=1)
    small, large = one(Box((14, 14), (3, 3))), one(Box((0, 0), (31, 31)))
    grown = fit(observation, [small], config).components[0]
    assert grown.box.area > small.box.area
    assert Box((0, 0), (31, 31)).encloses(grown.box)
    faint = make_observation(np.full_like(data.images, 0.01), data.variance, data.psfs)
    shrunk = fit(faint, [large], config).components[0]
    assert shrunk.box == Box((12, 12), (7, 7))


@pytest.mark.parametrize("optimizer", ["amsgrad", "adam", "nadam", "adamx", "padam", "radam", "fista"])
def test_every_optimizer_improves_the_model(pair, optimizer):
    data = pair(spectra=((30, 20, 10), (10, 20, 30)))
    # Spectra of 1 are far off, so that there is something to gain; weights are 1 / variance = 400.
    observation = make_observation(data.images, data.variance, data.psfs)
    start = [replace(c, spectrum=np.full(3, 100.0), morph=c.morph / c.morph.max()) for c in data.components]
    before = observation.log_likelihood(scene(start, data.images.shape, np.dtype(np.float64)))
    steps = {"morph_step": 0.5, "spectrum_step": 0.5} if optimizer == "fista" else {}
    result = fit(observation, start, FitConfig(optimizer=optimizer, max_iter=60, e_rel=0, **steps))
    assert result.log_likelihood > 0.2 * before
    assert result.stop_reason == "max_iter"


def test_constraints_hold_for_the_result(pair):
    data = pair()
    config = FitConfig(symmetric=True, max_iter=20)
    blend = deblend_blend(data.images, data.variance, data.psfs, data.centers, config=config)
    for source in blend.sources:
        for c in source.components:
            assert c.morph.max() == 1
            assert c.morph.min() >= 0
            assert np.isfinite(c.morph).all()
            assert (c.spectrum >= 1e-20).all()
            y, x = c.peak
            r, q = min(y, c.morph.shape[0] - 1 - y), min(x, c.morph.shape[1] - 1 - x)
            inner = c.morph[y - r : y + r + 1, x - q : x + q + 1]
            assert np.array_equal(inner, inner[::-1, ::-1])


def test_without_monotonicity_a_ring_is_kept(pair):
    y, x = np.mgrid[:31, :31] - 15
    ring = np.exp(-((np.hypot(y, x) - 6) ** 2) / 4) + 0.2 * np.exp(-(y**2 + x**2) / 8)
    data = pair(centers=((15, 15),), sigmas=(1.0,), spectra=((1, 1, 1),))
    observation = make_observation(100 * np.stack([ring] * 3), data.variance, data.psfs)
    start = [Component((15, 15), Box((3, 3), (25, 25)), np.full(3, 100.0), ring[3:28, 3:28] / ring.max())]
    free, tied = (fit(observation, start, FitConfig(monotonic=m, max_iter=40)) for m in (False, True))
    assert free.log_likelihood > tied.log_likelihood


def test_divergence_is_reported_and_the_result_stays_finite(pair):
    data = pair()
    observation = make_observation(data.images, data.variance, data.psfs)
    start = list(data.components)
    result = fit(observation, start, FitConfig(spectrum_step=1e300, e_rel=0))
    assert result.stop_reason in ("diverged", "max_iter")
    assert np.isfinite(result.log_likelihood)


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="must be odd"):
        FitConfig(model_psf_size=14)
    with pytest.raises(ValueError, match="max_components"):
        FitConfig(max_components=3)
    with pytest.raises(ValueError, match="optimizer"):
        FitConfig(optimizer="newton")
    with pytest.raises(ValueError, match="maxiter"):
        FitConfig(maxiter=3)


def test_every_option_is_read():
    """A field that no module looks up would be a promise that is not kept."""
    files = [
        p for p in resources.files("meas_deblend.scarlet").iterdir() if p.name.endswith(".py") and p.name != "config.py"
    ]
    source = "\n".join(p.read_text() for p in files)
    for config in (FitConfig, DeconvolveConfig):
        for name in config.model_fields:
            assert f"config.{name}" in source, name
