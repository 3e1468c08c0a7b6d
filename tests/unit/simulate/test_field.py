"""Simulated fields: what presets promise, the noise, the truth, the defects."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from meas_deblend.exceptions import InputError
from meas_deblend.parsers import SIMULATE_PRESETS
from meas_deblend.simulate import (
    LSST_10Y,
    PRESETS,
    FieldConfig,
    SurveyConditions,
    VaryingPsf,
    preset,
    render_with_galsim,
    simulate_field,
)
from meas_deblend.simulate.defects import saturate
from meas_deblend.simulate.field import DrawnImages


@pytest.fixture(scope="module")
def field():
    return simulate_field(preset("field", seed=3))


def pull(field):
    return (field.exposure.images - field.noiseless()) / np.sqrt(field.exposure.variance)


def test_the_madness_field(field):
    exposure, truth = field.exposure, field.truth
    assert exposure.images.shape == (6, 205, 205)
    assert exposure.bands == tuple("ugrizy")
    assert exposure.images.dtype == exposure.variance.dtype == np.float32
    assert (exposure.pixel_scale, exposure.units) == (0.2, "electron")
    assert 12 <= len(field.sources) <= 20
    assert truth["r_band_snr"].min() >= 10
    for name in "xy":
        assert truth[name].min() >= 27
        assert truth[name].max() < 177
    assert len({(round(y), round(x)) for y, x in zip(truth["y"], truth["x"], strict=True)}) == len(field.sources)
    assert not exposure.bad.any()
    assert not truth["is_star"].any()
    np.testing.assert_array_equal(field.noise_correlation, [[1.0]])


def test_the_number_of_galaxies_covers_its_range():
    numbers = {len(simulate_field(preset("postage", seed=1, index=k)).sources) for k in range(12)}
    assert numbers == {1, 2, 3}


def test_truth_is_in_electrons_of_the_stated_magnitudes(field):
    for k, band in enumerate(field.exposure.bands):
        expected = LSST_10Y.band(band).electrons(field.truth[f"{band}_ab"])
        np.testing.assert_allclose(field.truth[f"{band}_flux"], expected)
        zeropoint = field.exposure.zeropoints[k]
        np.testing.assert_allclose(-2.5 * np.log10(expected) + zeropoint, field.truth[f"{band}_ab"])
        drawn = np.array([image.array[k].sum(dtype=float) for image in field.images])
        seen = expected > 20 * np.sqrt(LSST_10Y.sky[k])
        # Wings below 1e-4 of the noise per pixel are cut: most for the faintest.
        np.testing.assert_allclose(drawn[seen], expected[seen], rtol=0.02)


def test_noise_is_that_of_sky_and_sources(field):
    variance = field.exposure.variance
    expected = LSST_10Y.sky[:, None, None] + field.noiseless()
    np.testing.assert_allclose(variance, expected, rtol=1e-5)
    # 42 000 pixels: a mean is known to 0.005, a width to 0.0035.
    np.testing.assert_allclose(pull(field).mean(axis=(1, 2)), 0, atol=0.025)
    np.testing.assert_allclose(pull(field).std(axis=(1, 2)), 1, atol=0.02)


def test_source_images_add_up(field):
    total = sum(field.source_image(k).astype(float) for k in range(len(field.sources)))
    np.testing.assert_allclose(total, field.noiseless(), rtol=1e-5, atol=1e-3)


def test_the_same_seed_gives_the_same_field(field):
    again = simulate_field(preset("field", seed=3))
    np.testing.assert_array_equal(again.exposure.images, field.exposure.images)
    other = simulate_field(preset("field", seed=3, index=1))
    assert not np.array_equal(other.exposure.images, field.exposure.images)


def test_faint_galaxies_are_on_the_image_but_not_in_the_truth(field):
    faint = simulate_field(preset("faint", seed=3))
    np.testing.assert_array_equal(faint.truth["x"], field.truth["x"])
    assert len(faint.undetected) > 30
    excess = (faint.exposure.images - faint.noiseless())[2].mean()
    # A mean of 42 000 pixels is known to 1.7 electrons.
    assert 8 < excess < 60


def test_correlated_noise_is_stated_in_the_truth():
    field = simulate_field(preset("correlated", seed=3))
    assert field.noise_correlation.shape == (5, 5)
    assert field.noise_correlation.sum() == pytest.approx(2)
    residual = pull(field)
    np.testing.assert_allclose((residual**2).mean(axis=(1, 2)), 1, atol=0.03)
    neighbours = (residual[:, :, 1:] * residual[:, :, :-1]).mean(axis=(1, 2))
    np.testing.assert_allclose(neighbours, field.noise_correlation[2, 3], atol=0.03)


def test_three_in_a_row():
    field = simulate_field(preset("three-in-a-row"))
    assert field.exposure.images.shape == (6, 81, 101)
    y, x = field.truth["y"], field.truth["x"]
    np.testing.assert_allclose([np.diff(y, 2), np.diff(x, 2)], 0, atol=1e-9)
    assert 6 <= np.hypot(y[1] - y[0], x[1] - x[0]) <= 10


def test_the_bright_star_is_saturated():
    field = simulate_field(preset("bright-star", shape=(201, 201), region=150, n_galaxies=(5, 5), max_radius=100))
    star = field.sources[-1]
    assert star.is_star
    assert (len(field.sources), field.truth["a"][-1]) == (6, 0)
    assert {d.kind for d in field.defects} == {"saturated"}
    band = field.exposure.band_index(field.defects[0].band)
    saturated = field.exposure.mask_planes.any_set(field.exposure.mask[band], ["SAT"])
    assert saturated[round(star.y), round(star.x)]
    level = 100_000 * LSST_10Y.bands[band].visits
    np.testing.assert_allclose(field.exposure.images[band][saturated], level)


def test_a_patch_has_a_hundred_galaxies_per_square_arcminute():
    field = simulate_field(preset("patch", shape=(300, 300)))
    galaxies = ~field.truth["is_star"]
    # One square arcminute; counts scatter by √100, three times of which are allowed.
    assert 70 < galaxies.sum() < 130
    assert 26.5 < field.truth["r_ab"][galaxies].max() <= 27.5
    assert all(0.7 <= band.fwhm <= 0.9 for band in field.config.conditions.bands)
    assert field.truth["x"].min() < 15
    assert any(len(s.components) > 2 for s in field.sources)


def test_the_skys_own_counts():
    field = simulate_field(preset("patch", shape=(300, 300), galaxy_density=None, faintest=None, magnitudes=(16, 25)))
    # One square arcminute to i = 25: 46 galaxies, ± 3 √46.
    assert 25 < (~field.truth["is_star"]).sum() < 67


def test_images_of_a_patch_are_drawn_when_they_are_asked_for():
    small = {"shape": (120, 120), "seed": 2}
    lazy, kept = (simulate_field(preset("patch", kept_images=k, **small)) for k in (False, True))
    assert isinstance(lazy.images, DrawnImages)
    assert isinstance(kept.images, tuple)
    np.testing.assert_array_equal(lazy.exposure.images, kept.exposure.images)
    np.testing.assert_array_equal(lazy.source_image(3), kept.source_image(3))
    assert len(lazy.images) == len(lazy.sources)
    np.testing.assert_array_equal(lazy.images[2:5][1].array, kept.images[3].array)


def test_a_patch_does_not_keep_its_sources_in_memory():
    def peak(**options):
        tracemalloc.start()
        field = simulate_field(preset("patch", shape=(300, 300), seed=3, **options))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest, field

    peak()  # tables are made
    (kept, field), (lazy, _) = peak(kept_images=True), peak()
    assert kept - lazy > 0.7 * sum(image.array.nbytes for image in field.images)


def test_a_crowded_field():
    field = simulate_field(preset("crowded", shape=(300, 300), n_galaxies=(80, 80), cut_level=0.05))
    assert len(field.sources) == 80


POISONED = {"shape": (240, 240), "seed": 2, "giant_radius": 3.0, "cluster_members": 40, "cluster_spacing": 6.0}


def test_a_poisoned_field_says_what_is_wrong():
    field = simulate_field(preset("poisoned", **POISONED))
    exposure = field.exposure
    found = {d.kind: d for d in field.defects}
    assert set(found) == {
        "saturated", "bleed", "nan_columns", "missing", "variance_scaled", "variance_zero", "psf_missing",
    }  # fmt: skip
    for defect in field.defects:
        k, (y0, y1, x0, x1) = exposure.band_index(defect.band), defect.box
        part = (k, slice(y0, y1), slice(x0, x1))
        if defect.kind in ("nan_columns", "missing"):
            assert np.isnan(exposure.images[part]).all()
            assert bool(exposure.mask[part].all()) is defect.flagged
        if defect.kind == "variance_zero":
            assert not np.nan_to_num(exposure.variance[part]).any()
    missing = [d for d in field.defects if d.kind == "missing"]
    assert [d.box for d in missing] == [(0, 240, 0, 120), (0, 120, 0, 120)]
    assert [k for k, psf in enumerate(exposure.psfs) if psf is None] == [exposure.band_index(found["psf_missing"].band)]
    bleed, core = found["bleed"].box, found["saturated"].box
    assert bleed[1] - bleed[0] > core[1] - core[0]
    scaled = exposure.band_index(found["variance_scaled"].band)
    good = np.isfinite(exposure.images[scaled]) & (exposure.mask[scaled] == 0)
    residual = (exposure.images[scaled] - field.noiseless()[scaled])[good]
    assert np.mean(residual**2 / exposure.variance[scaled][good]) == pytest.approx(4, rel=0.05)


def test_a_poisoned_field_has_a_giant_and_a_cluster():
    field = simulate_field(preset("poisoned", **POISONED))
    truth, galaxies = field.truth, ~field.truth["is_star"]
    giant = int(np.argmax(truth["a"]))
    assert truth["a"][giant] == pytest.approx(3.0 / 0.2)
    # 21.5 mag/arcsec² within an ellipse of 3″ × 1.8″ that holds half of the light.
    assert truth["i_ab"][giant] == pytest.approx(21.5 - 2.5 * np.log10(2 * np.pi * 0.6 * 9), abs=1e-6)
    y, x = (truth[name][galaxies][-40:] for name in "yx")
    distance = np.hypot(y - 0.72 * 240, x - 0.3 * 240)
    edge = 6 * np.sqrt(40 / np.pi)
    assert distance.max() < edge + 1
    # Within a third of the edge are log10(2) = 30 % of them.
    assert 3 <= (distance < edge / 3).sum() <= 21


def test_a_cluster_alone():
    field = simulate_field(preset("field", n_galaxies=(0, 0), cluster_members=5, cluster_spacing=20.0))
    assert len(field.sources) == 5


def test_saturation_does_not_change_its_input(field):
    before = field.exposure.images.copy()
    model = field.noiseless()
    spoiled, defects = saturate(field.exposure, model, np.full(6, model.max() / 3), bleed=True)
    np.testing.assert_array_equal(field.exposure.images, before)
    assert defects
    assert (spoiled.mask != 0).any()


def test_the_psf_may_vary():
    field = simulate_field(preset("postage", psf_variation=0.2))
    assert isinstance(field.exposure.psfs[0], VaryingPsf)
    middle, corner = (field.exposure.psfs[2].image(c, c).stamp.max() for c in (22.0, 0.0))
    assert corner < middle


def test_a_moffat_psf():
    field = simulate_field(preset("postage", psf="moffat", psf_beta=3.5))
    assert field.exposure.psfs[0].beta == 3.5


def test_other_conditions_have_other_bands():
    two = SurveyConditions(**{**LSST_10Y.model_dump(), "bands": LSST_10Y.bands[3:5]})
    field = simulate_field(preset("field", conditions=two))
    assert field.exposure.bands == ("i", "z")
    assert field.truth["i_band_snr"].min() >= 10


def test_an_empty_field_is_noise():
    field = simulate_field(preset("field", n_galaxies=(0, 0)))
    assert field.sources == ()
    assert field.truth["x"].shape == (0,)
    assert field.truth["r_ab"].shape == (0,)
    np.testing.assert_allclose(pull(field).std(), 1, atol=0.01)


def test_galsim_renders_the_same_field():
    pytest.importorskip("galsim", reason="needs the extra sim")
    config = preset("postage", seed=5, morphology="free")
    ours, theirs = simulate_field(config), simulate_field(config, render=render_with_galsim)
    for one, other in zip(ours.images, theirs.images, strict=True):
        peak = other.array.max(axis=(1, 2), keepdims=True)
        assert (np.abs(one.array - other.array) / peak).max() < 1e-3


def test_presets_are_those_of_the_command_line():
    assert tuple(PRESETS) == SIMULATE_PRESETS
    for name in PRESETS:
        assert isinstance(preset(name), FieldConfig)
        assert name in preset.__doc__


def test_every_option_is_described():
    for name, info in FieldConfig.model_fields.items():
        assert info.description, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (8, 205)}, "preset field: shape.0: Input should be greater than or equal to 16"),
        ({"region": 300}, r"region of 300 px is larger than the image of shape \(205, 205\)"),
        ({"magnitudes": (25.0, 20.0)}, r"magnitudes must be \(low, high\) with low ≤ high, got \(25.0, 20.0\)"),
        ({"noise_sum": 0.5}, "noise_sum: Input should be greater than or equal to 1"),
        ({"placement": "row", "n_galaxies": None}, "placement 'row' needs n_galaxies"),
        ({"giant_radius": 0}, "giant_radius: Input should be greater than 0"),
        ({"colour": 3}, "colour: Extra inputs are not permitted"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        preset("field", **options)


def test_unknown_presets():
    with pytest.raises(InputError, match="no preset 'fields'; there are field, postage, faint, patch"):
        preset("fields")


def test_options_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        preset("field").seed = 3


def test_galaxies_that_are_never_bright_enough():
    with pytest.raises(InputError, match=r"galaxies of i = 29 … 30 hardly ever have a signal to noise of 10 in r"):
        simulate_field(preset("field", magnitudes=(29.0, 30.0)))


def test_more_sources_than_pixels():
    with pytest.raises(InputError, match="300 sources do not fit into 400 pixels"):
        simulate_field(preset("postage", n_galaxies=(300, 300)))


def test_fields_are_values(field):
    assert replace(field.exposure, bands=field.exposure.bands).bands == field.exposure.bands
    with pytest.raises(AttributeError):
        field.sources = ()
