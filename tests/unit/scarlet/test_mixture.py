"""Blends with a sky, with point sources at float positions, and with components of several kinds."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import (
    Component,
    Convolver,
    FitConfig,
    Observation,
    deblend_blend,
    mean_noise,
    model_psf,
    prepare_kernels,
)
from meas_deblend.scarlet.component import scene
from meas_deblend.scarlet.fit import fit
from meas_deblend.scarlet.freeform import CubeComponent
from meas_deblend.scarlet.mixture import draw_components
from meas_deblend.scarlet.parametric import point_source
from meas_deblend.scarlet.sky import SkyComponent

SHAPE = (3, 37, 39)
FRAME = Box((0, 0), SHAPE[1:])


@pytest.fixture(scope="module")
def convolver():
    return Convolver(prepare_kernels(np.stack([model_psf(sigma, 25) for sigma in (1.4, 1.6, 1.9)])), SHAPE[1:])


def images_of(components, convolver, noise=1.0, seed=0):
    model = np.zeros(SHAPE)
    for component in components:
        cube = component.cube if isinstance(component, Component) else component.model()
        model[:, *component.box.slices_in(FRAME)] += cube
    return convolver.render(model) + np.random.default_rng(seed).normal(0, noise, SHAPE)


def galaxy(center, sigma, spectrum):
    morph = model_psf(sigma, 15)
    box = Box((center[0] - 7, center[1] - 7), (15, 15))
    return Component(center, box, np.array(spectrum, dtype=float), morph / morph.max())


def test_point_sources_find_their_positions(convolver):
    truth = [
        point_source((18.3, 14.6), [900.0, 1200, 800], FRAME),
        point_source((20.6, 22.2), [700.0, 500, 900], FRAME),
    ]
    images = images_of(truth, convolver)
    config = FitConfig(max_components=0, fit_positions=True)
    blend = deblend_blend(images, np.ones(SHAPE), convolver.kernels, [(18, 15), (21, 22)], config=config)
    for source, known in zip(blend.sources, truth, strict=True):
        # Position errors expected from the noise are 0.01 … 0.02 pixels.
        assert source.center == pytest.approx(known.center, abs=0.06)
        assert np.all(np.abs(source.flux - known.flux) < 4 * source.flux_error)
    assert blend.logL > -images.size / 2 - 3 * np.sqrt(images.size / 2)
    assert blend.logL == pytest.approx(-0.5 * np.sum((blend.model() - images) ** 2))


def test_without_it_positions_stay(convolver):
    images = images_of([point_source((18.3, 14.6), [900.0, 1200, 800], FRAME)], convolver)
    blend = deblend_blend(
        images, np.ones(SHAPE), convolver.kernels, [(18, 15)], config=FitConfig(max_components=0, max_iter=5)
    )
    assert blend.sources[0].center == (18, 15)
    assert blend.sky is None


def test_a_sky_is_fitted_with_the_sources(convolver):
    level = np.array([0.3, -0.2, 0.0])
    truth = [galaxy((18, 14), 1.3, (40, 60, 50)), galaxy((19, 23), 1.6, (40, 30, 60))]
    flat = convolver.render(np.ones(SHAPE)) * level[:, None, None]
    images = images_of(truth, convolver) + flat
    with_sky = deblend_blend(
        images, np.ones(SHAPE), convolver.kernels, [c.center for c in truth], config=FitConfig(sky=True)
    )
    # A level's error is about 1 / √1443 pixels = 0.03; sources take some of it with them.
    assert with_sky.sky == pytest.approx(level, abs=0.12)
    assert with_sky.logL == pytest.approx(-0.5 * np.sum((with_sky.model() - images) ** 2))
    parts = sum(with_sky.source_model(k) for k in range(2)) + convolver.render(
        np.broadcast_to(with_sky.sky[:, None, None], SHAPE).copy()
    )
    assert with_sky.model() == pytest.approx(parts, abs=1e-9)
    plain = deblend_blend(images, np.ones(SHAPE), convolver.kernels, [c.center for c in truth])
    assert with_sky.logL > plain.logL


def test_a_fit_takes_components_of_all_kinds(convolver):
    star = point_source((24.4, 9.7), [2000.0, 1500, 1000], FRAME)
    truth = [galaxy((12, 26), 1.5, (50, 40, 60)), star]
    images = images_of(truth, convolver)
    one = np.ones(SHAPE)
    observation = Observation(images, one, one, convolver, mean_noise(one))
    start = [
        point_source((24, 10), [1500.0, 1500, 1500], FRAME),
        galaxy((12, 26), 1.3, (60, 60, 60)),
        SkyComponent.start(FRAME, 3, np.dtype(float)),
        CubeComponent((30, 30), Box((29, 29), (3, 3)), np.full((3, 3, 3), 0.1)),
    ]
    result = fit(observation, start, FitConfig())
    assert [type(a) for a in result.components] == [type(a) for a in start]
    assert result.components[0].center == pytest.approx(star.center, abs=0.05)
    assert result.components[0].flux == pytest.approx(star.flux, rel=0.06)
    assert result.components[1].flux == pytest.approx(truth[0].flux, rel=0.1)
    assert result.log_likelihood > -images.size / 2 - 3 * np.sqrt(images.size / 2)


def test_a_sky_alone_is_a_fit(convolver):
    images = np.full(SHAPE, 0.5) + np.random.default_rng(1).normal(0, 1, SHAPE)
    blend = deblend_blend(images, np.ones(SHAPE), convolver.kernels, np.zeros((0, 2)), config=FitConfig(sky=True))
    assert blend.sources == ()
    assert blend.sky == pytest.approx(np.full(3, 0.5), abs=0.12)


def test_scene_and_drawing_agree(convolver):
    parts = [galaxy((12, 26), 1.5, (50, 40, 60)), galaxy((20, 20), 1.2, (10, 20, 30))]
    one = np.ones(SHAPE)
    observation = Observation(one, one, one, convolver, mean_noise(one))
    assert draw_components(parts, observation) == pytest.approx(scene(parts, SHAPE, np.dtype(float)))
