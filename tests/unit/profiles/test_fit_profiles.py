"""The joint fit on scenes with truth, and on data that are damaged."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profile_scenes import CALIBRATION, positions, scene

from meas_deblend.profiles import ProfileFitConfig, ProfilePriors, fit_profiles
from meas_deblend.profiles.groups import group_sources

STOPS = {"converged", "max_iter", "no_better_step", "no_data"}
FLAT = ProfileFitConfig(priors=ProfilePriors(kind="flat"))


def fit(images, centers, config=None, weights=None, width=0.02):
    weights = np.ones(images.shape) if weights is None else weights
    return fit_profiles(images, weights, positions(centers, width), config or ProfileFitConfig(), CALIBRATION)


PAIR = [
    ((30.2, 26.4), 2.2, 0.6, 0.4, 1.0, (900.0, 1400.0, 2000.0)),
    ((34.1, 33.3), 1.5, 0.8, 2.0, 1.0, (700.0, 500.0, 300.0)),
]


@pytest.fixture(scope="module")
def pair():
    images, truth = scene(PAIR)
    return images, truth, fit(images, [s[0] for s in PAIR])


def test_fluxes_of_a_blend_within_their_errors(pair):
    _, _, found = pair
    errors = np.sqrt(np.stack([np.diag(c) for c in found.flux_covariance[0]]))
    for k, source in enumerate(found.sources):
        # 12 numbers: none beyond 4 σ.
        assert np.all(np.abs(source.fluxes - PAIR[k][5]) < 4 * errors[:, k])
    # What is shared out wrongly between neighbours is anticorrelated.
    assert (found.flux_covariance[0][:, 0, 1] < 0).all()
    assert found.stop_reasons == ("converged",)


def test_shapes_of_a_blend(pair):
    _, _, found = pair
    source = found.sources[0]
    (disc, *_) = source.profiles
    assert disc.radius == pytest.approx(2.2, rel=0.05)
    # A bulge is fitted too, and takes some of the centre.
    assert disc.index == pytest.approx(1.0, abs=0.35)
    g = (1 - 0.6) / (1 + 0.6)
    np.testing.assert_allclose(disc.ellipticity, [g * np.cos(0.8), g * np.sin(0.8)], atol=0.04)
    assert source.center == pytest.approx((30.2, 26.4), abs=0.05)


def test_residual_is_noise(pair):
    found = pair[2]
    assert found.residual.std() == pytest.approx(1.0, abs=0.03)
    assert np.abs(found.sky[0]).max() < 0.05


def test_index_is_found_where_there_is_signal():
    galaxy = ((32.3, 31.8), 3.0, 0.7, 1.0, 1.8, (4e4, 5e4, 6e4))
    images, _ = scene([galaxy])
    config = ProfileFitConfig(bulge_min_snr=1e9, model_error=0.0, priors=ProfilePriors(kind="flat"))
    (disc,) = fit(images, [galaxy[0]], config).sources[0].profiles
    assert disc.index == pytest.approx(1.8, abs=0.05)
    assert disc.radius == pytest.approx(3.0, rel=0.02)


def test_bulge_is_found_where_there_is_signal():
    disc = ((32.3, 31.8), 4.0, 0.7, 1.0, 1.0, (2e4, 2e4, 2e4))
    bulge = ((32.3, 31.8), 1.5, 0.7**0.4, 1.0, 4.0, (2e4, 2e4, 2e4))
    images, _ = scene([disc, bulge])
    config = ProfileFitConfig(index_min_snr=1e9, model_error=0.0)
    found = fit(images, [disc[0]], config).sources[0]
    share = np.array(found.profiles[1].fluxes) / found.fluxes
    # A de Vaucouleurs bulge and the centre of a disc are hard to tell apart.
    assert share[0] == pytest.approx(0.5, abs=0.07)
    assert found.fluxes[0] == pytest.approx(4e4, rel=0.02)


RED = (2e4, 3e4, 6e4)


def disc_and_bulge(fluxes):
    """Two concentric profiles with these fluxes in the disc, and others in the bulge."""
    disc = ((32.3, 31.8), 4.0, 0.7, 1.0, 1.0, fluxes)
    return [disc, ((32.3, 31.8), 1.5, 0.7**0.4, 1.0, 4.0, RED)]


def test_disc_and_bulge_have_spectra_of_their_own_where_they_differ():
    both = disc_and_bulge((6e4, 5e4, 4e4))
    images, _ = scene(both)
    config = ProfileFitConfig(index_min_snr=1e9, model_error=0.0)
    found = fit(images, [both[0][0]], config)
    (source,) = found.sources
    assert source.has_gradient
    disc, bulge = (np.array(part.fluxes) for part in source.profiles)
    colors = [disc[2] / disc[0], bulge[2] / bulge[0]]
    # They are 4 times as far apart; the prior, and what is hard to tell of a cusp, take some of it.
    assert colors == pytest.approx([2 / 3, 3.0], rel=0.15)
    np.testing.assert_allclose(source.fluxes, disc + bulge, rtol=1e-12)
    np.testing.assert_allclose(source.fluxes, np.add(both[0][5], both[1][5]), rtol=0.01)
    assert (np.diag(source.covariance)[8:] > 0).all()
    one = fit(images, [both[0][0]], config.model_copy(update={"gradient_min_snr": 1e9}))
    assert not one.sources[0].has_gradient
    assert (one.residual**2).mean() > 1.05 * (found.residual**2).mean()


def test_disc_and_bulge_of_one_colour_have_one_spectrum():
    both = disc_and_bulge(RED)
    images, _ = scene(both)
    config = ProfileFitConfig(index_min_snr=1e9, model_error=0.0)
    (source,) = fit(images, [both[0][0]], config).sources
    assert source.has_bulge
    assert not source.has_gradient


def test_points_are_told_from_discs():
    sources = [((20.3, 20.1), 0.0, 1.0, 0.0, 1.0, (2e3, 2e3, 2e3)), ((43.2, 41.6), 1.2, 0.8, 0.0, 1.0, (2e3, 2e3, 2e3))]
    images, _ = scene(sources)
    star, galaxy = fit(images, [s[0] for s in sources]).sources
    assert star.is_point
    assert star.profiles == ()
    assert not galaxy.is_point
    np.testing.assert_allclose(star.fluxes, 2e3, rtol=0.03)
    assert not fit(images, [s[0] for s in sources], ProfileFitConfig(point_odds=0)).sources[0].is_point


def test_contrast_of_ten_thousand():
    sources = [
        ((30.2, 26.4), 2.5, 0.6, 0.4, 1.0, (2e6, 2e6, 2e6)),
        ((40.1, 39.3), 1.0, 0.9, 0.0, 1.0, (200.0, 200.0, 200.0)),
    ]
    images, _ = scene(sources)
    # The bright one lies within single precision of its model: no error of the model is to be allowed for.
    found = fit(images, [s[0] for s in sources], ProfileFitConfig(model_error=0.0))
    errors = np.sqrt(np.stack([np.diag(c) for c in found.flux_covariance[0]]))
    assert np.all(np.abs(found.sources[1].fluxes - 200) < 4 * errors[:, 1])


def test_sky_is_fitted_under_the_sources(pair):
    images, _, _ = pair
    raised = images + 0.1
    with_sky = fit(raised, [s[0] for s in PAIR])
    np.testing.assert_allclose(with_sky.sky[0], 0.1, atol=0.06)
    without = fit(raised, [s[0] for s in PAIR], ProfileFitConfig(sky="none"))
    assert (without.sky == 0).all()
    assert without.sources[0].fluxes.sum() > with_sky.sources[0].fluxes.sum()


def test_masked_pixels_and_missing_bands_take_nothing_away(pair):
    images, _, _ = pair
    weights = np.ones(images.shape)
    weights[:, 28:31, 24:29] = 0
    weights[2] = 0
    damaged = np.where(weights > 0, images, np.nan)
    found = fit(damaged, [s[0] for s in PAIR], weights=weights)
    errors = np.sqrt(np.stack([np.diag(c) for c in found.flux_covariance[0]]))
    for k, source in enumerate(found.sources):
        assert np.all(np.abs(source.fluxes - PAIR[k][5])[:2] < 4 * errors[:2, k])
        assert source.fluxes[2] == 0
    assert (found.flux_covariance[0][2] == 0).all()


LISTED = ((30.2, 26.4), 2.2, 0.6, 0.4, 1.0, (900.0, 1400.0, 2000.0))
FORGOTTEN = ((38.3, 35.1), 1.2, 0.8, 2.0, 1.0, (150.0, 230.0, 330.0))


def test_a_source_that_nobody_listed_is_added():
    images, _ = scene([LISTED, FORGOTTEN])
    found = fit(images, [LISTED[0]])
    (added,) = found.added
    assert added.center == pytest.approx(FORGOTTEN[0], abs=0.5)
    assert len(found.sources) == 1
    assert found.flux_covariance[0].shape == (3, 1, 1)
    without = fit(images, [LISTED[0]], ProfileFitConfig(add_min_snr=0))
    assert without.added == ()
    truth = np.array(LISTED[5])
    errors = np.sqrt(found.flux_covariance[0][:, 0, 0])
    assert np.all(np.abs(found.sources[0].fluxes - truth) < 4 * errors)
    assert np.abs(without.sources[0].fluxes - truth).sum() > np.abs(found.sources[0].fluxes - truth).sum()


def test_none_is_added_where_all_are_listed(pair):
    assert pair[2].added == ()


def test_no_more_are_added_than_is_allowed():
    # Noise that is ten times what the weights say is full of peaks.
    images = 10 * np.random.default_rng(5).normal(size=(3, 64, 64))
    found = fit(images, [(30.0, 30.0)], ProfileFitConfig(add_most=2, max_iter=3))
    assert len(found.added) == 2


def test_groups_fitted_in_turn_agree_with_all_at_once(pair):
    images, _, whole = pair
    parts = fit(images, [s[0] for s in PAIR], ProfileFitConfig(group_size=1))
    assert len(parts.stop_reasons) == 2
    errors = np.sqrt(np.stack([np.diag(c) for c in whole.flux_covariance[0]]))
    for k in range(2):
        # Turns leave some of the light with whoever came first: at this distance, 2 FWHM, about an error.
        assert np.all(np.abs(parts.sources[k].fluxes - whole.sources[k].fluxes) < 1.5 * errors[:, k])


def test_all_turns_but_the_first_take_few_steps(pair):
    # With no tolerance to speak of, each turn takes as many steps as it may, or until rounding ends it.
    images, _, _ = pair
    config = ProfileFitConfig(group_size=1, turns=5, max_iter=6, tolerance=1e-12, add_min_snr=0)
    many, few = (
        fit(images, [s[0] for s in PAIR], config.model_copy(update={"turn_iter": steps})).iterations for steps in (6, 1)
    )
    assert (np.array(few) <= 2 * 6 + 4 * 1).all()
    assert (np.array(few) >= 1 + 5).all()
    assert sum(few) < sum(many)


def test_same_answer_twice(pair):
    images, _, found = pair
    again = fit(images, [s[0] for s in PAIR])
    for one, other in zip(found.sources, again.sources, strict=True):
        np.testing.assert_array_equal(one.parameters, other.parameters)
        np.testing.assert_array_equal(one.fluxes, other.fluxes)


def test_input_is_only_read(pair):
    images, _, _ = pair
    before = images.copy()
    fit(images, [s[0] for s in PAIR])
    np.testing.assert_array_equal(images, before)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    places=st.lists(st.tuples(st.floats(-3, 43), st.floats(-3, 43)), min_size=1, max_size=4),
    twice=st.booleans(),
    level=st.sampled_from([0.0, 1.0, 1e6]),
    masked=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_whatever_the_data_are_the_answer_is_finite(shape, places, twice, level, masked, seed):
    rng = np.random.default_rng(seed)
    images = level * rng.normal(size=(3, *shape))
    weights = np.where(rng.uniform(size=images.shape) < masked, 0.0, 1.0)
    images[weights == 0] = np.nan
    centers = places + places[:1] if twice else places
    found = fit(images, centers, ProfileFitConfig(max_iter=4), weights)
    assert len(found.sources) == len(centers)
    assert set(found.stop_reasons) <= STOPS
    for source in found.sources:
        assert np.isfinite(source.fluxes).all()
        assert (source.fluxes >= 0).all()
        assert np.isfinite(source.covariance).all()
        assert np.isfinite(source.center).all()
    for covariance in found.flux_covariance.values():
        assert np.isfinite(covariance).all()


def test_no_source_is_no_fit():
    found = fit(np.zeros((3, 9, 9)), [])
    assert found.sources == ()
    assert found.stop_reasons == ()


def test_what_does_not_fit_is_said():
    images = np.zeros((3, 9, 9))
    with pytest.raises(ValueError, match=r"one shape \(band, y, x\), got \(3, 9, 9\) and \(3, 9, 8\)"):
        fit_profiles(images, np.ones((3, 9, 8)), positions([(4, 4)]), ProfileFitConfig(), CALIBRATION)
    with pytest.raises(ValueError, match="weights must be finite and at least 0"):
        fit(images, [(4, 4)], weights=-np.ones(images.shape))
    with pytest.raises(ValueError, match="images must be finite where weights are not 0"):
        fit(images + np.nan, [(4, 4)])
    with pytest.raises(ValueError, match="finite pairs"):
        fit(images, [(4, np.nan)])


def test_groups():
    line = np.stack([np.zeros(9), 10.0 * np.arange(9)], axis=1)
    assert [len(g) for g in group_sources(line, 11.0, 40)] == [9]
    assert [len(g) for g in group_sources(line, 9.0, 40)] == [1] * 9
    parts = group_sources(line, 11.0, 3)
    assert max(len(g) for g in parts) <= 3
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(9))
    assert group_sources(np.zeros((0, 2)), 1.0, 1) == ()


def test_what_is_known_from_the_stage_before_changes_nothing(pair, monkeypatch):
    images, _, found = pair
    monkeypatch.setattr("meas_deblend.profiles.parts._MOST_KEPT", 0)
    again = fit(images, [s[0] for s in PAIR])
    errors = np.sqrt(np.stack([np.diag(c) for c in found.flux_covariance[0]]))
    for k in range(2):
        # Derivatives are taken a fraction of an error elsewhere: covariances differ a little, fluxes do not.
        np.testing.assert_allclose(again.sources[k].fluxes, found.sources[k].fluxes, rtol=1e-5)
        np.testing.assert_allclose(np.sqrt(again.flux_covariance[0][:, k, k]), errors[:, k], rtol=0.03)


def test_a_source_that_is_listed_twice_is_fitted_once(pair):
    images, _, found = pair
    centers = [s[0] for s in PAIR]
    twice = fit(images, [*centers, (centers[0][0] + 0.3, centers[0][1] - 0.4)], width=0.3)
    (gone,) = np.flatnonzero(twice.merged >= 0)
    assert {int(gone), int(twice.merged[gone])} == {0, 2}
    assert twice.sources[gone].group == -1
    assert not twice.sources[gone].fluxes.any()
    kept = twice.sources[twice.merged[gone]]
    errors = np.sqrt(found.flux_covariance[0][:, 0, 0])
    # The centre is free to move by 0.3 px here.
    assert np.all(np.abs(kept.fluxes - found.sources[0].fluxes) < 0.7 * errors)
    assert twice.flux_covariance[0].shape == (3, 2, 2)
    # Otherwise they share its light.
    both = fit(images, [*centers, (centers[0][0] + 0.3, centers[0][1] - 0.4)], ProfileFitConfig(merge_distance=0))
    assert (both.merged < 0).all()


def test_two_sources_that_are_two_are_kept(pair):
    images, _, _ = pair
    found = fit(images, [s[0] for s in PAIR], ProfileFitConfig(merge_distance=20))
    assert (found.merged < 0).all()
    assert found.merged.shape == (2,)
