"""Normal equations against differences of χ², and sums over stamps against plain sums."""

import numpy as np
import pytest
from profile_scenes import CALIBRATION, psfs

from meas_deblend.profiles.config import ProfilePriors
from meas_deblend.profiles.normal import Memory, normal_equations
from meas_deblend.profiles.priors import FLATTEST, expected_size, shape_priors
from meas_deblend.profiles.scene import Data, Sources, residual_of, solve_fluxes


@pytest.fixture(scope="module")
def problem():
    """Two sources that overlap, one of them beyond the frame's edge, in data that they do not fit."""
    rng = np.random.default_rng(2)
    images = rng.normal(0.3, 1, (3, 60, 56)).astype(np.float32)
    images[:, 20:40, 20:40] += 5
    weights = rng.uniform(0.5, 1.5, images.shape).astype(np.float32)
    weights[1, 30:34, 20:30] = 0
    parameters = np.array(
        [
            [28.3, 24.6, 1.6, 0.3, -0.2, -1.0, 0.5, 0.1, 0.2, -0.3, 0.1],
            [36.1, 33.2, 0.9, -0.1, 0.4, -np.inf, 0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    free = np.ones((2, 11), dtype=bool)
    free[1, 5:] = False
    sizes = np.array([48, 32])
    origins = np.floor(parameters[:, :2] + 0.5).astype(int) - sizes[:, None] // 2
    sources = Sources(parameters, free, origins, sizes, (psfs(),) * 2)
    data = Data(images, weights, np.ones(3), np.full(3, 4.0))
    return sources, data


def test_fluxes_are_those_of_plain_least_squares(problem):
    sources, data = problem
    drawn = solve_fluxes(sources, data)
    frame = np.zeros((2, 3, 140, 140))
    for k, unit in enumerate(drawn.units):
        y, x = np.array(sources.origin(k)) + 40
        frame[k, :, y : y + unit.shape[1], x : x + unit.shape[2]] = unit
    cut = frame[:, :, 40:100, 40:96]
    for band in range(3):
        design = np.stack([*cut[:, band].reshape(2, -1), np.ones(60 * 56)])
        root = np.sqrt(data.weights[band].ravel().astype(float))
        extended = np.vstack([(design * root).T, [0, 0, 2.0]])
        expected = np.linalg.lstsq(extended, np.append(root * data.images[band].ravel(), 0), rcond=None)[0]
        np.testing.assert_allclose([*drawn.fluxes[:, band], drawn.sky[band]], expected, rtol=2e-4)


def test_gradient_and_curvature_against_differences(problem):
    sources, data = problem
    drawn = solve_fluxes(sources, data)
    equations = normal_equations(sources, drawn, data)

    def chi2(parameters):
        moved = sources.moved(parameters)
        units = solve_fluxes(moved, data).units
        residual = residual_of(moved, units, drawn.fluxes, drawn.sky, data).astype(float)
        return (data.weights * residual**2).sum()

    for k in range(2):
        place = equations.layout.place(k)
        for n, parameter in enumerate(np.flatnonzero(sources.free[k])):
            step = np.zeros((2, 11))
            step[k, parameter] = 1e-2
            slope = (chi2(sources.parameters + step) - chi2(sources.parameters - step)) / 2e-2
            scale = np.sqrt(equations.matrix[place, place][n, n])
            # A difference of sums of 1e4 pixels in single precision.
            assert equations.right[place][n] == pytest.approx(-slope / 2, abs=0.02 * scale + 0.02 * abs(slope))
    np.testing.assert_allclose(equations.matrix, equations.matrix.T)
    assert np.linalg.eigvalsh(equations.matrix).min() > -1e-3 * np.diag(equations.matrix).max()
    # Fluxes are at their best already.
    np.testing.assert_allclose(equations.right[equations.layout.fluxes], 0, atol=1e-2)


def test_derivatives_are_used_again_until_a_source_moves(problem):
    sources, data = problem
    drawn, memory = solve_fluxes(sources, data), Memory.of(sources, 3)
    first = normal_equations(sources, drawn, data, memory)
    kept = memory.parameters[1].copy()
    moved = sources.parameters.copy()
    moved[0, 2] += 0.4
    moved[1, 2] += 1e-4
    there = sources.moved(moved)
    again = normal_equations(there, solve_fluxes(there, data), data, memory)
    np.testing.assert_array_equal(memory.parameters[1], kept)
    assert not np.allclose(first.matrix[:11, :11], again.matrix[:11, :11])
    fresh = normal_equations(there, solve_fluxes(there, data), data)
    np.testing.assert_allclose(again.matrix[:11, :11], fresh.matrix[:11, :11], rtol=1e-5)


def test_negative_fluxes_are_set_to_nothing_where_asked(problem):
    sources, data = problem
    dark = Data(data.images - 8, data.weights, data.noise, data.sky_precision * 1e6)
    assert (solve_fluxes(sources, dark).fluxes < 0).any()
    assert (solve_fluxes(sources, dark, nonnegative=True).fluxes >= 0).all()


def test_prior_terms_against_differences():
    rng = np.random.default_rng(4)
    priors = shape_priors(np.full((2, 3), 500.0), np.zeros((2, 2)), np.full(2, 0.1), ProfilePriors(), CALIBRATION)
    parameters, free = rng.normal(0, 0.5, (2, 11)), np.ones((2, 11), dtype=bool)
    gradient, curvature = priors.terms(parameters, free)
    for n in range(11):
        step = np.zeros((2, 11))
        step[0, n] = 1e-4
        up, down = (priors.cost(parameters + sign * step, free) for sign in (1, -1))
        assert gradient[0, n] == pytest.approx(-(up - down) / 4e-4, rel=1e-6, abs=1e-6)
        change = priors.terms(parameters + step, free)[0][0] - gradient[0]
        np.testing.assert_allclose(curvature[0, n], -change / 1e-4, atol=1e-5)


def test_expected_size_follows_the_published_relation():
    # Miller et al. (2013): ln r_d = −1.145 − 0.269 (i − 23), r_d in arcsec; r = 1.678 r_d.
    flux = 10 ** (0.4 * (30 - 24.5))
    radius = np.exp(expected_size(np.full((1, 3), flux), ProfilePriors(), CALIBRATION) / 2)
    assert radius[0] == pytest.approx(1.678 * np.exp(-1.145 - 0.269 * 1.5) / 0.2, rel=1e-6)


def test_sizes_and_flattening_end_where_published_ones_do():
    priors = shape_priors(np.full((1, 3), 500.0), np.zeros((1, 2)), np.ones(1), ProfilePriors(), CALIBRATION)
    wild = np.array([0, 0, 9.0, 5.0, 0, 0, 0, 0, 9.0, 0, 0])
    allowed = priors.allowed(wild[None])[0]
    assert allowed[2] == pytest.approx(priors.means[0, 2] + 3 * priors.widths[0, 2])
    assert np.hypot(*allowed[3:5]) == pytest.approx(FLATTEST)
    assert allowed[8] == 4.0
    flat = shape_priors(np.full((1, 3), 500.0), np.zeros((1, 2)), np.ones(1), ProfilePriors(kind="flat"), CALIBRATION)
    assert flat.allowed(wild[None])[0, 2] == 9.0
