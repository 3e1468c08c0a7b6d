"""Simulated skies: reproducible, consistent with their truth, full of blends."""

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from meas_deblend.measure import MeasureConfig, image_pixels, measure_fluxes
from meas_deblend.simulate import (
    HSC_WIDE,
    BandConfig,
    PointSource,
    Sersic,
    SimulatedComponent,
    SimulatedSource,
    SkyConfig,
    draw_sources,
    observe,
    simulate_sky,
    star_field,
    three_in_a_row,
    truth_columns,
    two_galaxies,
)
from meas_deblend.simulate.colors import BANDS, galaxy_colors, star_colors
from meas_deblend.simulate.population import draw_magnitudes


@pytest.fixture(scope="module")
def sky():
    return simulate_sky(SkyConfig())


def test_the_default_sky(sky):
    exposure = sky.exposure
    assert exposure.bands == ("g", "r", "i", "z", "y")
    assert exposure.images.shape == exposure.variance.shape == exposure.mask.shape == (5, 300, 300)
    assert exposure.images.dtype == exposure.variance.dtype == np.float32
    assert 40 <= len(sky.sources) <= 60
    assert sky.truth["is_star"].sum() == 6
    assert not exposure.bad.any()
    assert exposure.pixel_scale == 0.168
    assert exposure.zeropoints == (27.0,) * 5


def test_a_good_part_are_blends(sky):
    position = np.stack([sky.truth["y"], sky.truth["x"]], axis=1)
    distance = np.hypot(*(position[:, None] - position[None]).T)
    np.fill_diagonal(distance, np.inf)
    arcsec = distance.min(axis=1) * 0.168
    assert (arcsec < 2.5).mean() > 0.4
    assert arcsec.min() >= 0.6


def test_image_is_truth_plus_the_stated_noise(sky):
    pull = (sky.exposure.images - sky.noiseless()) / np.sqrt(sky.exposure.variance)
    # 90 000 pixels per band: a mean is known to 0.0033, a width to 0.0024.
    np.testing.assert_allclose(pull.mean(axis=(1, 2)), 0, atol=0.015)
    np.testing.assert_allclose(pull.std(axis=(1, 2)), 1, atol=0.012)
    gain = 2500.0
    sky_only = sky.exposure.variance - np.maximum(sky.noiseless(), 0) / gain
    assert (sky_only.std(axis=(1, 2)) < 1e-4 * sky_only.mean(axis=(1, 2))).all()


def test_the_depth_is_that_of_a_five_sigma_star():
    config = SkyConfig()
    faint = star_field(np.array([[150.0, 150.0]]), 40.0, config).exposure
    fluxes = measure_fluxes(image_pixels(faint, faint.box), faint.psfs, (150.0, 150.0), MeasureConfig())
    limit = 10 ** (-0.4 * (np.array([b.depth for b in HSC_WIDE]) - config.zeropoint))
    np.testing.assert_allclose(5 * fluxes.psf.error, limit, rtol=1e-3)


def test_the_same_config_gives_the_same_sky_and_another_seed_another():
    config = SkyConfig(shape=(80, 90), n_galaxies=5, n_stars=1)
    one, two = simulate_sky(config), simulate_sky(config)
    np.testing.assert_array_equal(one.exposure.images, two.exposure.images)
    other = simulate_sky(config.model_copy(update={"seed": 2}))
    assert not np.array_equal(one.truth["x"], other.truth["x"])


def test_other_noise_on_the_same_sources():
    config = SkyConfig(shape=(80, 90), n_galaxies=5, n_stars=1)
    sources = simulate_sky(config).sources
    one, two = observe(sources, config), observe(sources, config.model_copy(update={"seed": 9}))
    np.testing.assert_array_equal(one.noiseless(), two.noiseless())
    assert not np.array_equal(one.exposure.images, two.exposure.images)


def test_truth_columns(sky):
    truth, wcs = sky.truth, sky.exposure.wcs
    assert {len(c) for c in truth.values()} == {51}
    np.testing.assert_array_equal(truth["id"], np.arange(51) + 1)
    back = wcs.world_to_pixel_values(truth["ra"], truth["dec"])
    np.testing.assert_allclose(back, (truth["x"], truth["y"]), atol=1e-6)
    # East is left, north is up.
    assert np.corrcoef(truth["x"], truth["ra"])[0, 1] < -0.99
    assert np.corrcoef(truth["y"], truth["dec"])[0, 1] > 0.99
    np.testing.assert_allclose(truth["r_flux"], [s.flux[1] for s in sky.sources])
    stars = truth["is_star"]
    assert (truth["i_half_light_radius"][stars] == 0).all()
    assert (truth["i_half_light_radius"][~stars] > 0.04).all()
    assert set(np.round(truth["i_bulge_fraction"][~stars], 3)) >= {1.0}
    assert (truth["i_bulge_fraction"] <= 1).all()


def test_truth_without_wcs_or_sources():
    columns = truth_columns((), ("g",), pixel_scale=0.2)
    assert all(len(c) == 0 for c in columns.values())
    star = SimulatedSource(3, 1.0, 2.0, (SimulatedComponent(PointSource(), (5.0,)),), is_star=True)
    columns = truth_columns((star,), ("g",), pixel_scale=0.2)
    assert np.isnan(columns["ra"]).all()
    assert columns["axis_ratio"][0] == 1


def test_half_light_radius_of_disc_and_bulge():
    disc, bulge = Sersic(4.0, 1.0, 0.5, 10.0), Sersic(2.0, 4.0, 0.5, 10.0)
    both = SimulatedSource(
        1, 0, 0, (SimulatedComponent(disc, (3.0, 1.0, 0.0)), SimulatedComponent(bulge, (1.0, 1.0, 1.0)))
    )
    for band, (a, b) in enumerate([(3, 1), (1, 1)]):
        radius = both.half_light_radius(band)
        assert a * disc.enclosed(radius) + b * bulge.enclosed(radius) == pytest.approx((a + b) / 2)
    assert both.half_light_radius(2) == pytest.approx(2.0)
    nucleus = SimulatedComponent(PointSource(), (9.0, 0.5, 0.0))
    active = SimulatedSource(1, 0, 0, (both.components[0], nucleus))
    assert active.half_light_radius(0) == 0
    assert disc.enclosed(active.half_light_radius(1)) + 0.5 == pytest.approx(0.75)


def test_components_must_agree_in_bands():
    parts = (SimulatedComponent(PointSource(), (1.0,)), SimulatedComponent(PointSource(), (1.0, 2.0)))
    with pytest.raises(ValueError, match=r"source 7: components need one flux per band each, got lengths \[1, 2\]"):
        SimulatedSource(7, 0.0, 0.0, parts)


def test_counts_rise_with_the_given_slope():
    magnitudes = draw_magnitudes(np.random.default_rng(3), 200_000, (19.0, 25.0), 0.3)
    counts, _ = np.histogram(magnitudes, bins=np.arange(19, 25.5))
    slope = np.polyfit(np.arange(counts.size), np.log10(counts), 1, w=np.sqrt(counts))[0]
    assert slope == pytest.approx(0.3, abs=0.005)
    flat = draw_magnitudes(np.random.default_rng(3), 1000, (19.0, 25.0), 0.0)
    assert flat.mean() == pytest.approx(22, abs=0.2)


def test_a_large_population_looks_like_the_published_relations():
    sources = draw_sources(SkyConfig(shape=(2000, 2000), n_galaxies=3000, n_stars=300), np.random.default_rng(5))
    galaxies = [s for s in sources if not s.is_star]
    magnitude = np.array([27 - 2.5 * np.log10(s.flux[2]) for s in galaxies])
    red = np.array([len(s.components) == 1 for s in galaxies])
    assert red.mean() == pytest.approx(0.2, abs=0.03)
    size = np.log([s.components[0].profile.half_light_radius * 0.168 for s in galaxies])
    disc = np.exp(np.median(size[~red] + 0.269 * (magnitude[~red] - 23)))
    assert disc == pytest.approx(1.678 * np.exp(-1.145), rel=0.03)
    q = np.array([s.components[0].profile.axis_ratio for s in galaxies])
    # Thin discs at random inclination spread over all axis ratios; spheroids are rounder.
    assert np.median(q[~red]) == pytest.approx(0.54, abs=0.04)
    assert q[red].mean() > q[~red].mean() + 0.1
    color = np.array([-2.5 * np.log10(s.flux[0] / s.flux[2]) for s in galaxies])
    assert np.median(color[red]) - np.median(color[~red]) > 1.0


def test_colours():
    for red in (True, False):
        colors = galaxy_colors(BANDS, red=red, stretch=1.0)
        assert (np.diff(colors) < 0).all()
        assert colors[BANDS.index("i")] == 0
    assert star_colors(("g", "i"), 1.3)[0] == pytest.approx(1.3)
    assert (star_colors(("r",), 3.0) > star_colors(("r",), 0.5)).all()


def test_positions_keep_the_margin_even_where_there_is_no_room():
    config = SkyConfig(shape=(40, 40), n_galaxies=60, n_stars=0, min_separation=5.0, margin=15)
    sources = draw_sources(config, np.random.default_rng(1))
    assert len(sources) == 60
    assert all(15 <= s.y <= 24 and 15 <= s.x <= 24 for s in sources)


def test_blends_with_known_answers():
    pair = two_galaxies(6.0)
    assert pair.truth["x"][1] - pair.truth["x"][0] == 6
    color = pair.truth["g_flux"] / pair.truth["i_flux"]
    assert color[0] < color[1] / 2
    row = three_in_a_row(5.0)
    np.testing.assert_allclose(np.diff(row.truth["x"]), 5)
    assert len(row.images) == 3
    noiseless = row.noiseless()[2]
    np.testing.assert_allclose(noiseless[:, ::-1], noiseless, atol=1e-10)


def test_an_empty_sky():
    sky = simulate_sky(SkyConfig(shape=(32, 40), n_galaxies=0, n_stars=0, margin=2))
    assert sky.sources == ()
    assert (sky.noiseless() == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"galaxy_magnitudes": (25, 19)},
            r"galaxy_magnitudes must be \(low, high\) with low < high, got \(25.0, 19.0\)",
        ),
        ({"bands": HSC_WIDE[:1] * 2}, "bands must be named once each, got g, g"),
        ({"shape": (20, 300)}, r"margin of 12.0 px leaves no room in an image of shape \(20, 300\)"),
        ({"n_galaxy": 3}, "Extra inputs are not permitted"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_options_are_checked_at_the_door(options, message):
    with pytest.raises(ValidationError, match=message):
        SkyConfig(**options)


def test_bands_without_colours_are_refused():
    with pytest.raises(ValidationError, match="no colours are known for band 'J'; there are u, g, r, i, z, y"):
        BandConfig(name="J", seeing=0.7, depth=25)


def test_importing_loads_no_heavy_package():
    code = (
        "import sys, meas_deblend.simulate;"
        "print([m for m in ('astropy', 'numba', 'matplotlib', 'pyarrow') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the command is above
    assert out.stdout.strip() == "[]"
