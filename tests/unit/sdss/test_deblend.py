"""The whole deblender: known blends, and what must hold for any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box, Footprint, Image
from meas_deblend.sdss import ParentInput, PeakTemplate, PointSource, SingleBandConfig, build_templates, deblend_parent
from meas_deblend.sdss.alike import weigh_templates
from meas_deblend.sdss.arguments import read_parent

RULES = ("r-to-peak", "r-to-footprint", "nearest-footprint", "trim")


def run(blobs, peaks, config, **kwargs):
    return deblend_parent(
        blobs.image, blobs.variance, blobs.psf, peaks, footprint=blobs.footprint, psf_fwhm=3.0, config=config, **kwargs
    )


def test_flux_of_a_missing_peak_goes_to_the_others(three_blobs):
    assert three_blobs.footprint.sum() == 9699
    result = run(three_blobs, three_blobs.peaks[1:], SingleBandConfig.core())
    total = sum(c.flux for c in result.children)
    error = np.abs(total - three_blobs.image * three_blobs.footprint).max()
    assert error < 1e-9 * three_blobs.image.max()
    np.testing.assert_allclose([c.flux.sum() for c in result.children], [1.4518e6, 1.4488e6], rtol=5e-5)
    np.testing.assert_allclose([c.stray.sum() for c in result.children], 2.520e5, rtol=3e-4)
    assert not any(c.is_psf for c in result.children)


def test_three_galaxies_with_the_bare_algorithm(three_blobs):
    children = run(three_blobs, three_blobs.peaks, SingleBandConfig.core()).children
    np.testing.assert_allclose([c.flux.sum() for c in children], [1.0506e6, 9.262e5, 9.236e5], rtol=1e-4)


def test_three_galaxies_with_the_defaults_of_a_survey(three_blobs):
    result = run(three_blobs, three_blobs.peaks, SingleBandConfig(), sigma1=1.0)
    assert all("ramped_template" in c.flags for c in result.children)
    assert result.footprint.sum() == 9944
    totals = [c.flux.sum() for c in result.children]
    np.testing.assert_allclose(totals, [1.0288e6, 9.363e5, 9.361e5], rtol=1e-4)
    # Ramped templates reach outside the detected pixels and get their flux.
    assert sum(totals) == pytest.approx(2.90115e6, rel=2e-6)
    assert three_blobs.image[three_blobs.footprint].sum() == pytest.approx(2.90054e6, rel=2e-6)


def test_templates_that_look_alike_are_dropped(sky):
    centers = ((35, 75), (65, 75), (50, 50))
    image = sum(sky.blob(c, (10, 20), 99) for c in centers)
    peaks = [(y, x) for y, x in ((50, 50), (36, 75), (64, 75))]
    peaks += [(y + 6, x - 10) for y, x in peaks]
    config = SingleBandConfig.core().model_copy(update={"remove_degenerate_templates": True})
    result = deblend_parent(
        image, np.ones_like(image), sky.GaussianPsf(3, 11), peaks, footprint=image >= 5, psf_fwhm=3.0, config=config
    )
    assert [c.status for c in result.children] == ["ok"] * 3 + ["degenerate"] * 3
    np.testing.assert_allclose(sum(c.flux for c in result.children), image * (image >= 5), rtol=1e-9)


def test_weights_scale_the_templates_to_the_data(sky):
    # Templates given with other fluxes than the data's: least squares finds the ratios.
    shape = (80, 100)
    near, far = (sky.gaussian(shape, 40, x, s) for x, s in ((40, 3), (60, 4)))
    near, far = 1e4 * near / near.sum(), 2e4 * far / far.sum()
    config = SingleBandConfig(fit_psfs=False, edge_handling="clip")
    given = ParentInput(2 * near + 0.5 * far, np.ones(shape), None, [(40, 40), (40, 60)], None, None, None, 1.0, (0, 0))
    whole = Footprint.from_box(Box((0, 0), shape))
    templates = [PeakTemplate("ok", Image(t, whole.box), whole, PointSource()) for t in (near, far)]
    failed = PeakTemplate.dropped("failed", PointSource())
    weighed = weigh_templates(read_parent(given, config), [templates[0], failed, templates[1]])
    np.testing.assert_allclose(weighed[0].image.array, 2 * near, rtol=1e-8)
    np.testing.assert_allclose(weighed[2].image.array, 0.5 * far, rtol=1e-8)
    assert weighed[1] is failed


def test_weights_bring_back_what_smoothing_took(sky):
    # Far apart, each template is its galaxy, flattened by the median; the weights restore the flux of both.
    shape = (80, 100)
    a, b = (f * sky.gaussian(shape, 40, x, s) for f, x, s in ((2e4, 30, 3), (1e4, 70, 4)))
    config = SingleBandConfig(fit_psfs=False, edge_handling="clip", weight_templates=True)
    templates = build_templates(ParentInput(a + b, np.ones(shape), None, [(40, 30), (40, 70)]), config)
    np.testing.assert_allclose([t.image.array.sum() for t in templates], [a.sum(), b.sum()], rtol=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_children_have_the_dtype_and_shape_of_the_image(three_blobs, dtype):
    image = three_blobs.image.astype(dtype)
    result = deblend_parent(image, three_blobs.variance, three_blobs.psf, three_blobs.peaks, psf_fwhm=3.0)
    for array in (result.children[0].flux, result.children[0].template, result.unassigned, result.masked):
        assert array.dtype == dtype
        assert array.shape == image.shape


def test_a_failed_peak_keeps_its_place_and_harms_nobody(three_blobs):
    image = three_blobs.image.copy()
    image[5, 5] = -3
    footprint = three_blobs.footprint | (image < 0)
    peaks = [three_blobs.peaks[0], (5, 5), *three_blobs.peaks[1:]]
    result = deblend_parent(
        image, three_blobs.variance, three_blobs.psf, peaks, footprint=footprint, psf_fwhm=3.0, sigma1=1.0
    )
    assert [c.status for c in result.children] == ["ok", "failed", "ok", "ok"]
    assert result.children[1].flags >= {"empty_template"}
    assert result.children[1].box.is_empty


def test_the_parent_is_left_alone_when_no_template_survives():
    image = np.full((6, 9), -1.0)
    config = SingleBandConfig(fit_psfs=False, edge_handling="clip")
    result = deblend_parent(image, np.ones_like(image), None, [(3, 3), (3, 6)], config=config)
    assert [c.status for c in result.children] == ["failed", "failed"]
    assert result.footprint.all()
    np.testing.assert_array_equal(result.unassigned, image)


def test_a_peak_outside_the_footprint_fails():
    image = np.ones((9, 9))
    footprint = np.ones((9, 9), dtype=bool)
    footprint[4, 7] = False
    config = SingleBandConfig(fit_psfs=False, edge_handling="clip")
    result = deblend_parent(image, image, None, [(4, 4), (4, 7), (40, 7)], footprint=footprint, config=config)
    assert [c.status for c in result.children] == ["ok", "failed", "out_of_bounds"]
    assert "peak_outside_footprint" in result.children[1].flags


def scene(seed, n=3, shape=(33, 37)):
    """Random galaxies and stars in noise, a ragged footprint, and their peaks."""
    rng = np.random.default_rng(seed)
    peaks = rng.integers(5, 28, (n, 2))
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(size=shape)
    for k, (py, px) in enumerate(peaks):
        image += rng.uniform(5, 200) * np.exp(-0.5 * ((y - py) ** 2 + (x - px) ** 2) / (1.5 + k) ** 2)
    footprint = (image > 1.5) & (x > 1)
    footprint[tuple(peaks.T)] = True
    return image, footprint, peaks


def gaussian_stamp(sigma=1.6, n=15):
    d = np.arange(n) - n // 2
    stamp = np.exp(-0.5 * (d[:, None] ** 2 + d**2) / sigma**2)
    return stamp / stamp.sum()


PSF = gaussian_stamp()
SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS, rule=st.sampled_from(RULES), edge=st.sampled_from(["ramp", "clip"]), psfs=st.booleans())
@settings(max_examples=30, deadline=None)
def test_every_pixel_of_the_parent_is_accounted_for(seed, rule, edge, psfs):
    image, footprint, peaks = scene(seed)
    mask = np.random.default_rng(seed).random(image.shape) < 0.03
    image[3::7, 5::11] = np.nan
    config = SingleBandConfig(stray_flux_rule=rule, edge_handling=edge, fit_psfs=psfs)
    result = deblend_parent(image, np.ones_like(image), PSF, peaks, footprint=footprint, mask=mask, config=config)
    total = sum(c.flux for c in result.children)
    rest = result.unassigned + result.masked
    np.testing.assert_allclose((total + rest)[footprint], np.nan_to_num(image)[footprint], rtol=1e-12, atol=1e-12)
    assert not rest[~footprint].any()
    data = np.nan_to_num(image)
    for child in result.children:
        assert np.all(child.flux * data >= 0)
        assert np.all(np.abs(child.flux) <= np.abs(data) * (1 + 1e-12))
        assert not child.flux[mask | np.isnan(image)].any()
        assert not child.flux[~child.footprint].any()
        assert np.all(result.footprint[child.footprint])
    if rule == "trim":
        np.testing.assert_array_equal(result.footprint, np.any([c.footprint for c in result.children], axis=0))
    elif any(c.status == "ok" and not c.is_psf for c in result.children):
        assert np.all(result.unassigned <= 0)


@given(seed=SEEDS, rule=st.sampled_from(RULES))
@settings(max_examples=15, deadline=None)
def test_children_scale_with_the_data(seed, rule):
    image, footprint, peaks = scene(seed)
    config = SingleBandConfig(stray_flux_rule=rule)
    one = deblend_parent(image, np.ones_like(image), PSF, peaks, footprint=footprint, config=config)
    four = deblend_parent(4 * image, np.full_like(image, 16), PSF, peaks, footprint=footprint, config=config)
    for a, b in zip(one.children, four.children, strict=True):
        assert (a.status, a.is_psf, a.flags) == (b.status, b.is_psf, b.flags)
        # The least squares of the PSF fit round; all else is exact for powers of two.
        np.testing.assert_allclose(b.flux, 4 * a.flux, rtol=1e-8, atol=1e-8)


@given(seed=SEEDS, shift=st.tuples(st.integers(-60, 60), st.integers(-60, 60)), rule=st.sampled_from(RULES))
@settings(max_examples=15, deadline=None)
def test_children_move_with_the_origin(seed, shift, rule):
    image, footprint, peaks = scene(seed)
    config = SingleBandConfig(stray_flux_rule=rule)
    here = deblend_parent(image, np.ones_like(image), PSF, peaks, footprint=footprint, config=config)
    there = deblend_parent(
        image, np.ones_like(image), PSF, peaks + np.array(shift), footprint=footprint, origin=shift, config=config
    )
    for a, b in zip(here.children, there.children, strict=True):
        np.testing.assert_allclose(b.flux, a.flux, rtol=1e-9, atol=1e-9)


@given(seed=SEEDS, rule=st.sampled_from(RULES[:2] + RULES[3:]))
@settings(max_examples=15, deadline=None)
def test_children_turn_with_the_data(seed, rule):
    image, footprint, peaks = scene(seed)
    config = SingleBandConfig(stray_flux_rule=rule)
    one = deblend_parent(image, np.ones_like(image), PSF, peaks, footprint=footprint, sigma1=1.0, config=config)
    turned = deblend_parent(
        image[::-1, ::-1],
        np.ones_like(image),
        PSF,
        np.array(image.shape) - 1 - peaks,
        footprint=footprint[::-1, ::-1],
        sigma1=1.0,
        config=config,
    )
    for a, b in zip(one.children, turned.children, strict=True):
        np.testing.assert_allclose(b.flux[::-1, ::-1], a.flux, rtol=1e-7, atol=1e-7)


def test_inputs_are_left_alone(three_blobs):
    image = three_blobs.image.copy()
    run(three_blobs, three_blobs.peaks, SingleBandConfig())
    np.testing.assert_array_equal(three_blobs.image, image)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variance": np.ones((3, 3))}, r"variance must have the shape of image, \(9, 9\), got \(3, 3\)"),
        ({"footprint": np.zeros((9, 9), dtype=bool)}, "footprint has no pixel"),
        ({"mask": np.zeros((8, 9), dtype=bool)}, "mask must have the shape of image"),
        ({"peaks": []}, "at least one"),
        ({"peaks": [(1, np.nan)]}, "peaks must be finite"),
        ({"psf": None}, "psf is None: give one, or set fit_psfs=False and edge_handling='clip'"),
        ({"psf_fwhm": float("nan")}, "FWHM must be finite and above 0 pixels, got nan"),
        ({"image": np.ones((2, 9, 9))}, r"image must be \(y, x\), got shape \(2, 9, 9\)"),
    ],
)
def test_errors_say_what_was_given(change, message):
    given = {"image": np.ones((9, 9)), "variance": np.ones((9, 9)), "psf": PSF, "peaks": [(4, 4)], **change}
    with pytest.raises(InputError, match=message):
        deblend_parent(given.pop("image"), given.pop("variance"), given.pop("psf"), given.pop("peaks"), **given)


def test_options_are_checked():
    with pytest.raises(ValueError, match="edge_handling"):
        SingleBandConfig(edge_handling="cut")
    with pytest.raises(ValueError, match="psf_chisq3"):
        SingleBandConfig(psf_chisq3=1)
