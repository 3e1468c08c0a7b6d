"""Options against each other: whatever is chosen, every pixel is accounted for; and the SDSS's own options."""

import numpy as np
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.image import GaussianPsf
from meas_deblend.sdss import ParentInput, SingleBandConfig, TemplateConfig, build_templates, deblend_parent

PSF = GaussianPsf(1.6)


def scene(seed, n=4, shape=(31, 35)):
    """Galaxies and stars in noise, some at the border; a ragged footprint, bad pixels, and the peaks."""
    rng = np.random.default_rng(seed)
    peaks = np.stack([rng.integers(0, s, n) for s in shape], axis=1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(size=shape)
    for k, (py, px) in enumerate(peaks):
        image += rng.uniform(5, 300) * np.exp(-0.5 * ((y - py) ** 2 + (x - px) ** 2) / (1.6 + 0.8 * k) ** 2)
    footprint = image > 1.5
    footprint[tuple(peaks[: n - 1].T)] = True
    mask = rng.random(shape) < 0.03
    image[rng.random(shape) < 0.02] = np.nan
    return image, footprint, mask, peaks


OPTIONS = st.fixed_dictionaries(
    {
        "fit_psfs": st.booleans(),
        "psf_chisq1": st.sampled_from([0.0, 1.5, 100.0]),
        "min_peak_spacing": st.sampled_from([0.0, 2.0, 6.0]),
        "template_bias": st.booleans(),
        "edge_handling": st.sampled_from(["ramp", "clip", "noclip"]),
        "patch_edges": st.booleans(),
        "median_smooth_template": st.booleans(),
        "median_filter_halfsize": st.sampled_from([1, 2, 3]),
        "monotonic_template": st.booleans(),
        "clip_footprint_to_nonzero": st.booleans(),
        "weight_templates": st.booleans(),
        "remove_degenerate_templates": st.booleans(),
        "max_temp_dot_prod": st.sampled_from([0.0, 0.5, 1.0]),
        "assign_stray_flux": st.booleans(),
        "stray_flux_rule": st.sampled_from(["r-to-peak", "r-to-footprint", "nearest-footprint", "trim"]),
        "stray_flux_to_point_sources": st.sampled_from(["necessary", "always", "never"]),
        "clip_stray_flux_fraction": st.sampled_from([0.0, 0.001, 0.3]),
    }
)


@given(seed=st.integers(0, 2**32 - 1), options=OPTIONS, whole=st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_every_pixel_is_accounted_for_with_any_options(seed, options, whole):
    image, footprint, mask, peaks = scene(seed)
    result = deblend_parent(
        image,
        np.ones_like(image),
        PSF,
        peaks,
        footprint=None if whole else footprint,
        mask=mask,
        config=SingleBandConfig(**options),
    )
    inside = np.ones_like(footprint) if whole else footprint
    data = np.nan_to_num(image)
    total = sum(c.flux for c in result.children)
    rest = result.unassigned + result.masked
    # Sums of at most a few shares of a pixel in float64.
    np.testing.assert_allclose((total + rest)[inside], data[inside], rtol=1e-12, atol=1e-12)
    outside = result.footprint & ~inside
    np.testing.assert_allclose(total[outside], data[outside], rtol=1e-12, atol=1e-12)
    assert not total[~inside & ~result.footprint].any()
    assert not rest[~inside].any()
    for child in result.children:
        assert np.all(result.footprint[child.footprint])
        assert not child.flux[~child.footprint].any()
        assert child.status == "ok" or not (child.flux.any() or child.template.any() or child.footprint.any())


def test_the_bias_of_the_smaller_pixel_is_taken_out():
    # Far above the noise nothing is clipped at 0: the template of a flat field in noise has the field's mean.
    image = 100 + np.random.default_rng(5).normal(scale=2.0, size=(401, 401))
    bare = {"fit_psfs": False, "edge_handling": "clip", "median_smooth_template": False, "monotonic_template": False}
    means = {}
    for bias in (False, True):
        given = ParentInput(image, np.full_like(image, 4.0), None, [(200, 200)])
        (template,) = build_templates(given, TemplateConfig(template_bias=bias, **bare))
        means[bias] = template.image.array.mean()
        assert template.image.array[200, 200] == image[200, 200]
    # 80 000 pairs with a scatter of 0.83 σ: the mean is good to 0.006.
    assert means[False] == pytest.approx(100 - 2 / np.sqrt(np.pi), abs=0.02)
    assert means[True] == pytest.approx(100, abs=0.02)


def test_peaks_that_are_too_close_are_merged_with_the_first(sky):
    image = sky.gaussian((41, 41), 20, 15, 3) + sky.gaussian((41, 41), 20, 28, 3)
    peaks = [(20, 15), (20, 28), (21, 16), (20, 26)]
    config = SingleBandConfig.core(fit_psfs=False, min_peak_spacing=2)
    children = deblend_parent(image, np.ones_like(image), None, peaks, config=config).children
    # (20, 26) is exactly 2 pixels away, and stays.
    assert [c.status for c in children] == ["ok", "ok", "degenerate", "ok"]
    assert children[2].flags == {"merged_peak"}
    alone = deblend_parent(image, np.ones_like(image), None, [p for k, p in enumerate(peaks) if k != 2], config=config)
    for child, same in zip([children[0], children[1], children[3]], alone.children, strict=True):
        np.testing.assert_array_equal(child.flux, same.flux)


def test_a_peak_that_is_given_twice_is_flagged_and_shares_alike(sky):
    image = 100 * sky.gaussian((31, 31), 15, 15, 3)
    config = SingleBandConfig.core(fit_psfs=False)
    once, twice = deblend_parent(image, np.ones_like(image), None, [(15, 15), (15.2, 14.9)], config=config).children
    assert twice.flags == {"duplicate_peak"}
    assert not once.flags
    np.testing.assert_array_equal(once.flux, twice.flux)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8])
def test_images_of_integers_are_deblended_like_floats(sky, dtype):
    image = np.round(100 * sky.gaussian((31, 31), 15, 12, 3)).astype(dtype)
    one = deblend_parent(image, np.ones((31, 31), dtype=dtype), PSF, [(15, 12), (15, 20)])
    same = deblend_parent(image.astype(float), np.ones((31, 31)), PSF, [(15, 12), (15, 20)])
    for child, other in zip(one.children, same.children, strict=True):
        assert child.flux.dtype == np.float64
        np.testing.assert_array_equal(child.flux, other.flux)


def test_a_psf_larger_than_the_image_is_used_as_far_as_it_reaches(sky):
    stamp = sky.GaussianPsf(1.6, 91).image(0.0, 0.0).stamp
    image = 1000 * stamp[45 - 10 : 45 + 11, 45 - 12 : 45 + 9]
    (child,) = deblend_parent(image, np.ones_like(image), stamp, [(10, 12)]).children
    assert child.is_psf
    assert child.psf_flux == pytest.approx(1000, rel=1e-6)


def test_pixels_without_variance_do_not_take_part_in_the_psf_fit(sky):
    psf = sky.GaussianPsf(2, 25)
    image = sky.star(1000, 30, 30, psf)
    image[30, 31] += 1e6
    variance = np.ones_like(image)
    variance[30, 31] = 0
    (child,) = deblend_parent(image, variance, psf, [(30, 30)], psf_fwhm=4.7).children
    assert child.is_psf
    assert child.psf_flux == pytest.approx(1000, rel=1e-6)


def test_without_any_variance_a_peak_is_flagged_not_raised(sky):
    image = sky.star(1000, 30, 30, sky.GaussianPsf(2, 25))
    (child,) = deblend_parent(image, np.zeros_like(image), sky.GaussianPsf(2, 25), [(30, 30)], psf_fwhm=4.7).children
    assert child.status == "failed"
    assert child.flags == {"no_valid_pixels"}


@pytest.mark.parametrize("peak", [(0, 0), (30, 34), (0, 17), (15, 34)])
def test_a_peak_on_the_edge_of_the_image_is_deblended(peak):
    y, x = np.mgrid[:31, :35]
    image = 200 * np.exp(-0.5 * ((y - peak[0]) ** 2 + (x - peak[1]) ** 2) / 9)
    result = deblend_parent(image, np.ones_like(image), PSF, [peak, (15, 17)])
    assert result.children[0].status == "ok"
    assert result.children[0].flux.sum() > 0.5 * image.sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": np.full((9, 9), 4)}, "mask must be bool, got int64 with values other than 0 and 1"),
        ({"footprint": np.full((9, 9), 7)}, "footprint must be bool, got int64"),
        ({"sigma1": 0.0}, "sigma1 must be above 0, got 0.0"),
        ({"image": np.ones((9, 9), dtype=complex)}, "image must hold real numbers, got an array of complex128"),
        ({"variance": np.ones((9, 9), dtype="<U3")}, "variance must hold real numbers"),
        ({"psf": np.ones((4, 4))}, "odd"),
        ({"psf": np.zeros((5, 5))}, "a PSF array must have a finite sum above 0"),
        ({"peaks": [1, 2]}, r"peaks must be one \(y, x\) per row and at least one, got shape \(2,\)"),
    ],
)
def test_mistakes_of_the_caller_are_named(change, message):
    given = {"image": np.ones((9, 9)), "variance": np.ones((9, 9)), "psf": PSF, "peaks": [(4, 4)], **change}
    with pytest.raises(InputError, match=message):
        deblend_parent(given.pop("image"), given.pop("variance"), given.pop("psf"), given.pop("peaks"), **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ci_deblend_child_range": (5, 2)}, "fewest ≤ most"),
        ({"min_footprint_axis_ratio": 1.5}, "less than or equal to 1"),
        ({"mask_limits": {"SAT": 2}}, "less than or equal to 1"),
        ({"not_deblended_mask": ""}, "at least 1 character"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SingleBandConfig(**options)


def test_defaults_are_those_of_the_task_and_of_the_bare_algorithm():
    task, core = SingleBandConfig(), SingleBandConfig.core()
    assert (task.edge_handling, task.stray_flux_rule) == ("ramp", "trim")
    assert (core.edge_handling, core.stray_flux_rule) == ("clip", "r-to-peak")
    assert task.model_copy(update={"edge_handling": "clip", "stray_flux_rule": "r-to-peak"}) == core
    assert SingleBandConfig.core(remove_degenerate_templates=True).remove_degenerate_templates
    expected = {
        "max_number_of_peaks": 0,
        "max_footprint_area": 10000,
        "max_footprint_size": 0,
        "min_footprint_axis_ratio": 0.0,
        "not_deblended_mask": "NOT_DEBLENDED",
        "propagate_all_peaks": False,
        "catch_failures": True,
        "mask_planes": ("SAT", "INTRP", "NO_DATA"),
        "mask_limits": {"NO_DATA": 0.25},
        "use_ci_limits": False,
        "ci_deblend_child_range": (2, 10),
        "ci_num_parents_to_deblend": 10,
    }
    assert {name: getattr(task, name) for name in expected} == expected
