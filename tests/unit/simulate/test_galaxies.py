"""Random galaxies: the published distributions, and what the given fields have."""

import numpy as np
import pytest

from meas_deblend.simulate import LSST_10Y, draw_catalog, free_galaxy, galaxy_density
from meas_deblend.simulate.galaxies import projected_axis_ratio
from meas_deblend.simulate.spectra import galaxy_magnitudes, igm_transmission

BANDS = LSST_10Y.names
N = 20000


@pytest.fixture(scope="module")
def catalog():
    return draw_catalog(np.random.default_rng(1), N, (18.0, 26.0), BANDS)


def test_counts_rise_as_published(catalog):
    assert galaxy_density(25.0) == 46
    i = catalog.columns["i_draw"]
    measured = np.log10((i < 26).sum() / (i < 24).sum()) / 2
    # 4800 galaxies are brighter than 24: 1.3 % in their number, 0.003 in the slope.
    assert measured == pytest.approx(0.31, abs=0.012)


def test_redshifts_follow_their_magnitudes(catalog):
    i, z = catalog.columns["i_draw"], catalog.columns["redshift"]
    near = np.abs(i - 25) < 0.1
    # The mean of z² exp(−z/z0) is 3 z0.
    assert z[near].mean() == pytest.approx(3 * (0.0417 * 25 - 0.744), rel=0.05)
    assert np.median(z[i < 22]) < 0.7 * np.median(z[near])


def test_bulges(catalog):
    fraction = catalog.bulge_fraction()
    assert (fraction > 0.9).mean() == pytest.approx(0.1, abs=0.01)
    assert np.median(fraction) < 0.05
    np.testing.assert_array_equal(catalog.columns["a_d"] > 0, fraction < 1)
    np.testing.assert_array_equal(catalog.columns["a_b"] > 0, fraction > 0)


def test_sizes_shrink_with_magnitude(catalog):
    i, a = catalog.columns["i_draw"], catalog.columns["a_d"]
    for magnitude in (22.5, 25.0):
        near = (np.abs(i - magnitude) < 0.1) & (a > 0)
        scale = np.median(a[near]) / 1.678
        assert scale == pytest.approx(np.exp(-1.145 - 0.269 * (magnitude - 23)), rel=0.06)


def test_discs_are_seen_from_all_sides():
    cosine = np.linspace(0, 1, 1001)
    q = projected_axis_ratio(np.full(1001, 0.2), cosine)
    assert q[0] == pytest.approx(0.2)
    assert q[-1] == pytest.approx(1)
    # Nearly uniform between the thickness and 1.
    assert np.median(q) == pytest.approx(0.53, abs=0.03)


def test_what_is_detected_resembles_the_given_fields(catalog, data_dir):
    a, b, _ = catalog.ellipse()
    seen = LSST_10Y.signal_to_noise("r", catalog.columns["r_ab"], (a, b)) >= 10
    given = {}
    for path in sorted((data_dir / "fields" / "test").glob("*.npz")):
        field = np.load(path)
        for name in ("a", "b", "redshift", *(f"{b}_ab" for b in BANDS)):
            given.setdefault(name, []).append(field[name])
    given = {name: np.concatenate(parts) for name, parts in given.items()}
    median = {name: np.median(catalog.columns[name][seen]) for name in catalog.columns}
    # Other distributions than CatSim's, from other surveys: equal to a tenth or two, not equal.
    assert median["r_ab"] == pytest.approx(np.median(given["r_ab"]), abs=0.2)
    assert np.median(a[seen]) / 0.2 == pytest.approx(np.median(given["a"]), rel=0.25)
    for first, second in ("ug", "gr", "ri", "iz", "zy"):
        ours = np.median((catalog.columns[f"{first}_ab"] - catalog.columns[f"{second}_ab"])[seen])
        theirs = np.median(given[f"{first}_ab"] - given[f"{second}_ab"])
        assert ours == pytest.approx(theirs, abs=0.2)


def test_breaks_move_through_the_bands():
    z = np.array([0.0, 0.4, 0.9])
    old = galaxy_magnitudes(BANDS, z, np.zeros(3))
    color = {b: old[:, k] - old[:, k + 1] for k, b in enumerate(BANDS[:-1])}
    # The 4000 Å break lies in g at redshift 0.4 and in r at 0.9.
    assert color["g"][1] > color["g"][0]
    assert color["r"][2] > color["r"][1] > color["r"][0]
    assert color["r"][2] > 1
    np.testing.assert_array_equal(old[:, BANDS.index("i")], 0)
    # The Lyman limit has passed through u at redshift 4, and the forest dims g.
    young = galaxy_magnitudes(("u", "g", "r"), np.array([1.0, 4.0]), np.full(2, 2.0))
    assert young[1, 0] - young[1, 2] > 5
    assert young[1, 1] - young[1, 2] > 0.8
    assert abs(young[0]).max() < 0.3


def test_types_mix_between_templates():
    z = np.full(5, 0.5)
    magnitudes = galaxy_magnitudes(("g",), z, np.array([0.0, 0.5, 1.0, 1.5, 2.0]))[:, 0]
    assert (np.diff(magnitudes) < 0).all()


def test_hydrogen_absorbs_only_below_lyman_alpha():
    assert igm_transmission(np.array([1217.0]) * 4, np.array([3.0]))[0] == 1
    # Madau (1995), figure 3: the mean transmission between Lyman β and α is about 0.7 at redshift 3.
    assert igm_transmission(np.array([1150.0]) * 4, np.array([3.0]))[0] == pytest.approx(0.7, abs=0.1)
    assert igm_transmission(np.array([880.0]) * 4, np.array([3.0]))[0] < 0.5


def test_free_galaxies_keep_light_and_size(catalog):
    rng = np.random.default_rng(3)
    a, _, _ = catalog.ellipse()
    gradients, knots, twists = [], 0, []
    for row in range(60):
        galaxy = free_galaxy(catalog, row, LSST_10Y, (10.0, 20.0), rng)
        np.testing.assert_allclose(galaxy.flux, LSST_10Y.electrons(catalog.magnitudes()[row]), rtol=1e-9)
        assert galaxy.half_light_radius(2) * 0.2 == pytest.approx(a[row], rel=1e-6)
        assert all(f >= 0 for c in galaxy.components for f in c.flux)
        outer, inner = galaxy.components[:2]
        assert inner.profile.half_light_radius < outer.profile.half_light_radius
        ratio = np.array(inner.flux) / np.array(outer.flux)
        gradients.append(2.5 * np.log10(ratio[3] / ratio[1]))
        twists.append((inner.profile.position_angle - outer.profile.position_angle + 90) % 180 - 90)
        knots += len(galaxy.components) > 2
    # g − i is redder inside, by a few tenths of a magnitude.
    assert 0.15 < np.mean(gradients) < 0.5
    assert 10 < knots < 40
    assert 15 < np.std(twists) < 45


def test_galaxies_are_reproducible():
    first, second = (draw_catalog(np.random.default_rng(2), 5, (20.0, 25.0), BANDS) for _ in range(2))
    for name, values in first.columns.items():
        np.testing.assert_array_equal(values, second.columns[name])
