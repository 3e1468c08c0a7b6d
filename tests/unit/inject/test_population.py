"""Random sources: in their ranges, beside what is there, the same for the same seed."""

import numpy as np
import pytest
from pydantic import ValidationError

from meas_deblend.exceptions import InputError
from meas_deblend.inject import InjectionConfig, KnownObjects, RandomConfig, faintest_magnitude, random_catalog
from meas_deblend.inject.realizations import make_realizations, spread_sources
from meas_deblend.measure import MeasureConfig, image_pixels, measure_fluxes

NOBODY = KnownObjects(np.zeros(0), np.zeros(0), np.zeros((0, 2)))
KNOWN = KnownObjects(np.array([45.0, 30.0]), np.array([50.0, 70.0]), np.array([[50.0, 100.0], [100.0, 400.0]]))


def test_sources_anywhere(blank):
    config = RandomConfig(magnitudes=(20.0, 24.0), margin=10, star_fraction=0.4)
    catalog = random_catalog(blank(), NOBODY, 300, config, rng=np.random.default_rng(1))
    # The edge is half a pixel beyond the centre of the first pixel.
    assert 9.5 <= catalog.y.min() <= catalog.y.max() <= 79.5
    assert 9.5 <= catalog.x.min() <= catalog.x.max() <= 89.5
    r = catalog.magnitudes[:, 1]
    assert 20 <= r.min() <= r.max() <= 24
    # Uniform: the mean has the standard error 4 / √12 / √300; four of them.
    assert abs(r.mean() - 22) < 4 * 4 / np.sqrt(12 * 300)
    assert abs(catalog.is_star.mean() - 0.4) < 4 * np.sqrt(0.24 / 300)
    galaxies = ~catalog.is_star
    assert (catalog.half_light_radius[galaxies] > 0).all()
    assert set(catalog.sersic_index[galaxies]) == {1.0, 4.0}
    assert (catalog.half_light_radius[~galaxies] == 0).all()
    # Most galaxies and stars are redder than an AB spectrum.
    assert np.median(catalog.magnitudes[:, 0] - r) > 0.2


def test_pairs_keep_separation_and_contrast(blank):
    config = RandomConfig(magnitudes=(18, 27), pairs=1, separations=(0.8, 1.2), contrasts=(0.3, 0.6), margin=0)
    exposure = blank()
    catalog = random_catalog(exposure, KNOWN, 100, config, rng=np.random.default_rng(2))
    distance = 0.2 * np.hypot(catalog.y[:, None] - KNOWN.y, catalog.x[:, None] - KNOWN.x)
    nearest = distance.argmin(axis=1)
    assert set(nearest) == {0, 1}
    assert 0.8 <= distance.min(axis=1).min() <= distance.min(axis=1).max() <= 1.2
    flux = np.array([source.flux[1] for source in catalog.sources(exposure)])
    contrast = flux / KNOWN.flux[nearest, 1]
    assert contrast.min() >= 0.3 * (1 - 1e-9)
    assert contrast.max() <= 0.6 * (1 + 1e-9)


def test_pairs_are_not_forced_beside_what_is_too_faint(blank):
    faint = KnownObjects(np.array([45.0]), np.array([50.0]), np.array([[0.0, -1.0]]))
    catalog = random_catalog(blank(), faint, 20, RandomConfig(pairs=1), rng=np.random.default_rng(2))
    assert len(catalog) == 20


def test_the_faintest_star_has_the_signal_to_noise_that_was_asked_for(blank):
    exposure = blank(noise=False)
    magnitude = faintest_magnitude(exposure, 1, 10.0)
    flux = 10 ** (-0.4 * (magnitude - 26.5))
    measured = measure_fluxes(
        image_pixels(exposure, exposure.box), exposure.psfs, (44.0, 49.0), MeasureConfig(aperture_radii=(3.0,))
    )
    assert flux / measured.psf.error[1] == pytest.approx(10, rel=0.02)
    catalog = random_catalog(exposure, NOBODY, 200, RandomConfig(), rng=np.random.default_rng(1))
    assert magnitude - 4 <= catalog.magnitudes[:, 1].min() < catalog.magnitudes[:, 1].max() <= magnitude


def test_unusable_pixels_are_avoided(blank):
    exposure = blank()
    exposure.mask[0, :, :60] = 1
    catalog = random_catalog(exposure, NOBODY, 50, RandomConfig(), rng=np.random.default_rng(1))
    assert catalog.x.min() >= 59.5
    exposure.mask[0] = 1
    with pytest.raises(InputError, match="no room for a source: of 200 random places none"):
        random_catalog(exposure, NOBODY, 1, RandomConfig(magnitudes=(20, 22)), rng=np.random.default_rng(1))


def test_the_same_generator_gives_the_same_catalog(blank):
    first, second = (random_catalog(blank(), KNOWN, 20, RandomConfig(), rng=np.random.default_rng(5)) for _ in "ab")
    for name, values in first.columns().items():
        assert np.array_equal(values, second.columns()[name])


def test_bands_without_known_colours(blank):
    with pytest.raises(InputError, match=r"no colours are known for band VIS: .* give a catalog"):
        random_catalog(blank(bands=("VIS", "r")), NOBODY, 1, RandomConfig(), rng=np.random.default_rng(1))


def test_ranges_are_checked():
    with pytest.raises(ValidationError, match=r"separations must be \(low, high\) with low ≤ high"):
        RandomConfig(separations=(3, 1))
    with pytest.raises(ValidationError, match="star_fraction"):
        RandomConfig(star_fraction=2)


@pytest.mark.parametrize(
    ("options", "n", "copies", "most"),
    [
        ({"density": None}, 30, 8, 4),
        ({"density": 10.0}, 30, 30, 1),  # 0.1 arcmin²
        ({"density": 40.0}, 30, 8, 4),
        ({"density": 40.0, "realizations": 20}, 30, 20, 2),
        ({"density": None, "realizations": 50}, 30, 30, 1),
        ({"density": None, "realizations": 1}, 30, 1, 30),
    ],
)
def test_every_source_goes_into_one_realization(blank, options, n, copies, most):
    parts = spread_sources(blank(), n, InjectionConfig(**options))
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert len(parts) == copies
    assert max(map(len, parts)) == most


def test_realizations_that_are_too_few(blank):
    with pytest.raises(
        InputError, match=r"30 sources do not fit into 3 realizations with at most 1 each \(density 10 per"
    ):
        spread_sources(blank(), 30, InjectionConfig(realizations=3))
    with pytest.raises(InputError, match="the pixel scale is not known"):
        spread_sources(blank(pixel_scale=None), 30, InjectionConfig())


def test_realizations_are_the_same_for_the_same_seed(blank, stars):
    exposure, catalog = blank(), stars([(20, 20), (40, 40), (60, 60)])
    config = InjectionConfig(density=None, realizations=2, gain=1.0)
    first, second = (list(make_realizations(exposure, catalog, config)) for _ in "ab")
    for a, b in zip(first, second, strict=True):
        assert [s.id for s in a.sources] == [s.id for s in b.sources]
        assert np.array_equal(a.exposure.images, b.exposure.images)
    assert sorted(s.id for r in first for s in r.sources) == [0, 1, 2]
