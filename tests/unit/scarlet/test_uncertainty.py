"""Covariances of fluxes: against explicit matrices, against simulations, and where data say nothing."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, Convolver, FitConfig, deblend_blend, model_psf, prepare_kernels
from meas_deblend.scarlet.cells import MAX_CELLS, MAX_POINTS, make_cells
from meas_deblend.scarlet.component import scene
from meas_deblend.scarlet.monotone import monotonic
from meas_deblend.scarlet.observation import Observation, mean_noise
from meas_deblend.scarlet.parametric import point_source, sersic_source
from meas_deblend.scarlet.profiles import Resolution, SersicShape, sersic_images
from meas_deblend.scarlet.response import make_response
from meas_deblend.scarlet.sky import SkyComponent
from meas_deblend.scarlet.uncertainty import DIVISION, UNCONSTRAINED, Uncertainty

SHAPE = (3, 41, 41)
SIGMAS = (1.5, 1.7, 1.9)


def source(center, radius, spectrum, cut=0.01):
    """A source of the model's own family: monotonic, in the resolution of the model PSF, cut where it is faint."""
    box = Box((center[0] - 12, center[1] - 12), (25, 25)) & Box((0, 0), SHAPE[1:])
    image, _ = sersic_images(SersicShape(center, radius, (0.1, 0.1)), box, Resolution(0.8))
    image /= image.max()
    peak = (center[0] - box.origin[0], center[1] - box.origin[1])
    return Component(center, box, np.array(spectrum, dtype=float), monotonic(np.where(image < cut, 0, image), peak))


@pytest.fixture(scope="module")
def kernels():
    return prepare_kernels(np.stack([model_psf(sigma, 25) for sigma in SIGMAS]))


@pytest.fixture(scope="module")
def observation(kernels):
    """Unit noise everywhere, and no data."""
    one = np.ones(SHAPE)
    return Observation(np.zeros(SHAPE), one, one, Convolver(kernels, SHAPE[1:]), mean_noise(one))


@pytest.fixture(scope="module")
def pair():
    """Two sources 7 pixels apart, with a contamination of about 0.3."""
    return [source((20, 17), 1.4, (30, 45, 60)), source((21, 24), 1.8, (40, 35, 30))]


def explicit_gram(components, observation):
    """Weighted products of rendered unit templates (band, component, component)."""
    shape = observation.weights.shape
    images = [observation.render(scene([replace(c, spectrum=np.ones(3))], shape, np.dtype(float))) for c in components]
    return np.einsum("kbyx,byx,lbyx->bkl", images, observation.weights, images)


def test_conditional_covariance_is_the_inverse_fisher_matrix(observation, pair):
    weights = np.random.default_rng(0).uniform(0.5, 1.5, SHAPE)
    uneven = replace(observation, weights=weights)
    area = np.array([c.morph.sum() for c in pair])
    expected = np.linalg.inv(explicit_gram(pair, uneven)) * np.outer(area, area)
    found = Uncertainty(uneven, [(c,) for c in pair]).covariance("conditional").values
    assert found == pytest.approx(np.moveaxis(expected, 0, 2), rel=1e-6)


def test_components_of_a_source_are_added_with_their_covariance(observation, pair):
    apart = Uncertainty(observation, [(c,) for c in pair]).covariance("conditional").values
    together = Uncertainty(observation, [tuple(pair)]).covariance("conditional").values
    assert together[0, 0] == pytest.approx(apart.sum(axis=(0, 1)))


def test_the_response_of_cells_is_that_of_rendered_templates(observation, pair):
    response = make_response(observation)
    cells = [response.place(make_cells(c)) for c in pair]
    gram = explicit_gram(pair, observation)
    for k in range(2):
        for j in range(2):
            # Light is taken as uniform inside faint cells.
            drawn = cells[k].total @ response.overlap(cells[k], cells[j]) @ cells[j].total
            assert drawn == pytest.approx(gram[:, k, j], rel=0.02)


def test_uneven_weights_act_where_the_light_is(observation, pair):
    weights = np.ones(SHAPE)
    weights[:, :, :18] = 0  # most of the first source is masked
    uneven = replace(observation, weights=weights)
    response = make_response(uneven)
    cells = response.place(make_cells(pair[0]))
    gram = explicit_gram(pair, uneven)[:, 0, 0]
    # Each pixel alone meets what it should; two of them share the pixels that they reach by the roots of their weights,
    # which is too little where most of a source is seen in its wings alone.
    assert cells.total @ response.overlap(cells, cells) @ cells.total == pytest.approx(gram, rel=0.15)


@pytest.mark.parametrize("side", [13, 21, 29])
def test_small_frames_do_not_change_the_overlaps_of_what_they_hold(observation, side):
    """Kernels reach beyond a small frame, where nothing is measured."""
    small = observation.crop(Box((20 - side // 2, 20 - side // 2), (side, side)))
    whole = source((20, 20), 1.2, (30, 45, 60), cut=0.02)
    box = Box((side // 2, side // 2), (1, 1)).grow(6)
    component = replace(whole, center=(side // 2, side // 2), box=box, morph=whole.morph[6:-6, 6:-6])
    response = make_response(small)
    cells = response.place(make_cells(component))
    gram = explicit_gram([component], small)[:, 0, 0]
    assert cells.total @ response.overlap(cells, cells) @ cells.total == pytest.approx(gram, rel=0.02)


def test_held_pixels_follow_and_the_peak_stays():
    morph = np.zeros((7, 7))
    morph[3, 3], morph[3, 4], morph[3, 5], morph[2, 3] = 1.0, 1.0, 0.4, 0.5
    cells = make_cells(Component((13, 13), Box((10, 10), (7, 7)), np.ones(1), morph))
    # Points of one pixel: each cell is the first point of its layer.
    row = {
        tuple(layer.corners[layer.starts[k]].tolist()): cells.basis[k]
        for layer in cells.layers
        for k in np.flatnonzero(np.diff(layer.starts))
    }
    assert not row[13, 13].any()
    # As bright as the peak: held by it, and as fixed.
    assert not row[13, 14].any()
    assert row[13, 15].sum() == row[12, 13].sum() == 1
    assert len(cells.width) == len(cells.total) - 2


def test_large_morphologies_are_described_in_blocks(observation):
    large = source((20, 20), 4.0, (30, 45, 60), cut=0.005)
    y, x = np.mgrid[-30:31, -30:31]
    huge = replace(large, box=Box((-10, -10), (61, 61)), morph=np.exp(-np.hypot(y, x) / 9))
    for component, sides in ((large, (2, 4)), (huge, (4, 8))):
        cells = make_cells(component)
        assert tuple(layer.side for layer in cells.layers) == sides
        assert len(cells.layers[0].corners) <= 4 * MAX_POINTS
        assert np.count_nonzero(cells.total) <= MAX_CELLS
        assert cells.flux == pytest.approx(component.morph.sum())
        shares = sum(np.diff(np.concatenate([[0], np.cumsum(p.share)])[p.starts]) for p in cells.layers)
        assert shares == pytest.approx(np.ones(len(cells.total)))


def test_marginal_errors_exceed_conditional_ones(observation, pair):
    uncertainty = Uncertainty(observation, [(c,) for c in pair])
    assert np.all(uncertainty.marginal.errors > uncertainty.conditional.errors)
    assert not uncertainty.marginal.undetermined.any()


def test_many_sources_are_solved_with_their_neighbours(observation, pair, monkeypatch):
    crowd = [*pair, source((9, 9), 1.5, (50, 50, 50)), source((32, 10), 1.2, (40, 40, 40))]
    whole = Uncertainty(observation, [(c,) for c in crowd]).marginal
    monkeypatch.setattr("meas_deblend.scarlet.uncertainty.MAX_SYSTEM", 130)
    parts = Uncertainty(observation, [(c,) for c in crowd]).marginal
    assert parts.errors == pytest.approx(whole.errors, rel=0.03)
    assert parts.values == pytest.approx(np.swapaxes(parts.values, 0, 1))


@pytest.mark.parametrize("kind", ["marginal", "conditional"])
def test_one_source_given_twice_is_flagged_and_finite(observation, pair, kind):
    found = Uncertainty(observation, [(pair[0],), (pair[0],), (pair[1],)]).covariance(kind)
    alone = Uncertainty(observation, [(pair[0],), (pair[1],)]).covariance(kind)
    assert np.isfinite(found.values).all()
    assert found.undetermined[:2].all()
    assert not found.undetermined[2].any()
    assert np.all(found.errors[:2] > 20 * alone.errors[0])
    # Twice as much light beside it, of which a part may be its own.
    assert found.errors[2] == pytest.approx(alone.errors[1], rel=0.1)


def test_light_that_constraints_divide_moves_between_sources_and_is_not_lost(observation, pair, monkeypatch):
    with_division = Uncertainty(observation, [(c,) for c in pair]).marginal.values
    monkeypatch.setattr("meas_deblend.scarlet.uncertainty.DIVISION", 0.0)
    moved = with_division - Uncertainty(observation, [(c,) for c in pair]).marginal.values
    assert moved.sum(axis=1) == pytest.approx(0, abs=1e-8 * moved.max())
    flux = np.array([c.flux for c in pair])
    gram = explicit_gram(pair, observation)
    overlap = gram[:, 0, 1] / np.sqrt(gram[:, 0, 0] * gram[:, 1, 1])
    # Cells are blocks of pixels where a source is faint: overlaps are good to a few per cent.
    assert moved[0, 0] == pytest.approx(DIVISION**2 * flux[0] * flux[1] * overlap, rel=0.05)


@pytest.mark.parametrize("kind", ["marginal", "conditional"])
def test_a_band_without_weight_is_flagged_and_finite(observation, pair, kind):
    weights = np.ones(SHAPE)
    weights[1] = 0
    found = Uncertainty(replace(observation, weights=weights), [(c,) for c in pair]).covariance(kind)
    assert found.undetermined.tolist() == [[False, True, False]] * 2
    assert found.values[0, 0, 1] == UNCONSTRAINED
    assert found.values[0, 1, 1] == 0
    assert np.all(found.errors[:, [0, 2]] < 100)


def test_errors_scale_with_images_and_noise(observation, pair):
    plain = Uncertainty(observation, [(c,) for c in pair]).marginal.errors
    bright = [replace(c, spectrum=1e6 * c.spectrum) for c in pair]
    scaled = replace(observation, weights=observation.weights / 1e12)
    assert Uncertainty(scaled, [(c,) for c in bright]).marginal.errors == pytest.approx(1e6 * plain, rel=1e-6)


def test_shaped_components_have_the_freedom_of_their_parameters(observation):
    frame, flux = Box((0, 0), SHAPE[1:]), np.array([900.0, 800.0, 700.0])
    held = point_source((20.3, 19.8), flux, frame, fit_position=False)
    found = Uncertainty(observation, [(held,)])
    assert found.marginal.errors == pytest.approx(found.conditional.errors, rel=1e-3)
    # An isolated point's position does not correlate with its flux; the shape of a profile does.
    free = point_source((20.3, 19.8), flux, frame)
    assert Uncertainty(observation, [(free,)]).marginal.errors == pytest.approx(found.marginal.errors, rel=1e-3)
    galaxy = sersic_source(SersicShape((20.3, 19.8), 1.5), flux, frame)
    known = Uncertainty(observation, [(galaxy,)])
    assert np.all(known.marginal.errors > 1.1 * known.conditional.errors)


@pytest.mark.parametrize("kind", ["marginal", "conditional"])
def test_a_fitted_sky_adds_to_the_errors(observation, pair, kind):
    sky = SkyComponent.start(Box((0, 0), SHAPE[1:]), 3, np.dtype(float))
    plain = Uncertainty(observation, [(c,) for c in pair]).covariance(kind)
    found = Uncertainty(observation, [(c,) for c in pair], [sky]).covariance(kind)
    assert found.values.shape == plain.values.shape
    assert np.all(found.errors > plain.errors)
    assert np.all(found.errors < 1.3 * plain.errors)


def test_no_sources_have_an_empty_covariance(observation):
    assert Uncertainty(observation, []).covariance("marginal").values.shape == (0, 0, 3)
    assert Uncertainty(observation, []).covariance("conditional").values.shape == (0, 0, 3)


def test_other_kinds_are_errors(observation, pair):
    with pytest.raises(ValueError, match="kind of covariance 'joint' does not exist, expected 'marginal' or 'cond"):
        Uncertainty(observation, [(pair[0],)]).covariance("joint")


def draw(seed):
    """Two sources 6 to 10 pixels apart, S/N about 50 to 150."""
    rng = np.random.default_rng(seed)
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(3, 5)
    offset = distance * np.array([np.sin(angle), np.cos(angle)])
    centers = [(round(20 + s * offset[0]), round(20 + s * offset[1])) for s in (-1, 1)]
    return [source(c, rng.uniform(1, 2), rng.uniform(20, 100, 3) / rng.uniform(1, 2)) for c in centers]


def test_errors_of_fits_are_the_scatter_of_fits(kernels):
    """Pulls against truth over blends and noise."""
    single, convolver, pulls = kernels.astype(np.dtype(np.float32)), Convolver(kernels, SHAPE[1:]), []
    for seed in range(40):
        components = draw(seed)
        clean = convolver.render(scene(components, SHAPE, np.dtype(float)))
        truth = np.array([c.flux for c in components])
        images = (clean + np.random.default_rng((seed, 1)).normal(size=SHAPE)).astype(np.float32)
        config = FitConfig(max_components=1)
        blend = deblend_blend(images, np.ones_like(images), single, [c.center for c in components], config=config)
        errors = np.array([s.flux_error for s in blend.sources])
        assert errors == pytest.approx(np.sqrt(np.einsum("ssb->sb", blend.flux_covariance())), rel=1e-5)
        pulls.append((np.array([s.flux for s in blend.sources]) - truth) / errors)
    # 80 sources, whose bands are correlated: the width is known to 8 %.
    assert 0.85 < np.std(np.concatenate(pulls)) < 1.2
    assert abs(np.mean(np.concatenate(pulls))) < 0.4
