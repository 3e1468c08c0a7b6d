"""Centres end at so many widths from their positions: a faint source beside a bright one stays where it is."""

import numpy as np
import pytest
from profile_scenes import CALIBRATION, positions, scene

from meas_deblend.profiles import ProfileFitConfig, ProfilePriors, fit_profiles
from meas_deblend.profiles.planes import N_PARAMETERS
from meas_deblend.profiles.priors import Priors

#: Of a position that was detected, pixels.
WIDTH = 0.3
BRIGHT = ((30.0, 28.0), 3.0, 0.6, 0.3, (2e4, 3e4, 4e4))


def pair(index, flux, distance):
    """Draw a bright galaxy of a Sérsic index that discs cannot follow, and a faint one beside it."""
    center, radius, ratio, angle, fluxes = BRIGHT
    beside = tuple(c + distance / np.sqrt(2) for c in center)
    return [(center, radius, ratio, angle, index, fluxes), (beside, 1.2, 0.8, 0.0, 1.0, (flux,) * 3)]


def fit(sources, limit):
    images, _ = scene(sources)
    # Nothing is added where the residual asks for it: the two are all there is.
    config = ProfileFitConfig(priors=ProfilePriors(center_truncation=limit), add_min_snr=0)
    where = positions([source[0] for source in sources], WIDTH)
    return fit_profiles(images, np.ones(images.shape), where, config, CALIBRATION).sources


@pytest.mark.parametrize(("index", "flux", "distance"), [(4.0, 1000.0, 4.0), (2.5, 600.0, 3.5)])
def test_a_faint_source_does_not_move_onto_its_bright_neighbour(index, flux, distance):
    sources = pair(index, flux, distance)
    place = np.array(sources[1][0])
    # Without the limit it runs to the centre of the other, whose cusp no disc holds, and ends there without light.
    lost = fit(sources, 100.0)[1]
    assert np.hypot(*(lost.center - place)) > 3
    assert lost.fluxes == pytest.approx(0)
    bright, faint = fit(sources, 5.0)
    assert np.hypot(*(faint.center - place)) < 0.5
    # The wing of the other is known to some per cent of its light there, which is as bright as the faint one.
    assert faint.fluxes == pytest.approx(np.full(3, flux), rel=0.3)
    assert bright.fluxes == pytest.approx(sources[0][5], rel=0.02)


@pytest.mark.parametrize("limit", [0.5, 5.0])
def test_centers_end_at_the_limit_along_each_axis(limit):
    means, widths = np.zeros((2, N_PARAMETERS)), np.ones((2, N_PARAMETERS))
    means[:, :2], widths[:, :2] = [[10, 20], [30, 40]], [[0.3, 0.3], [0.02, 0.02]]
    priors = Priors(means, widths, np.inf, limit)
    moved = means.copy()
    moved[:, :2] += [[9.0, -9.0], [0.4 * limit * 0.02, 1.0]]
    np.testing.assert_allclose(
        priors.allowed(moved)[:, :2],
        [[10 + 0.3 * limit, 20 - 0.3 * limit], [30 + 0.4 * limit * 0.02, 40 + 0.02 * limit]],
    )
    np.testing.assert_array_equal(Priors(means, widths, np.inf).allowed(moved)[:, :2], moved[:, :2])


def test_a_source_that_wants_to_leave_stops_at_the_limit():
    """The light is 2.5 px from where it is listed: it goes as far as it may, along that axis alone."""
    images, _ = scene([((30.0, 32.5), 1.5, 0.8, 0.0, 1.0, (3e3, 3e3, 3e3))])
    for limit, reached in ((2.0, 0.6), (5.0, 1.5), (20.0, 2.5)):
        config = ProfileFitConfig(priors=ProfilePriors(center_truncation=limit), add_min_snr=0)
        (found,) = fit_profiles(
            images, np.ones(images.shape), positions([(30.0, 30.0)], WIDTH), config, CALIBRATION
        ).sources
        assert found.center[1] - 30 == pytest.approx(reached, abs=0.05)
        assert abs(found.center[0] - 30) < 0.05
