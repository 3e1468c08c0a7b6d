"""Three in a row: what symmetry alone makes of the middle one, and templates built against the neighbours'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.sdss import ParentInput, SingleBandConfig, build_templates, deblend_parent

FLUXES = (1e5, 1e4, 1e5)


def row(sky, sigma, spacing, noise=0.0):
    """Bright, faint, bright on a line: image (61, 101) and the peaks, brightest first."""
    places = [(30, 50 - spacing), (30, 50), (30, 50 + spacing)]
    image = sum(
        f * sky.gaussian((61, 101), *p, sigma) / (2 * np.pi * sigma**2) for f, p in zip(FLUXES, places, strict=True)
    )
    image += np.random.default_rng(6).normal(scale=noise, size=image.shape) if noise else 0
    return image, [places[0], places[2], places[1]]


def fluxes(sky, image, peaks, noise=1.0, **options):
    variance = np.full_like(image, noise**2)
    config = SingleBandConfig(**options)
    return [
        c.flux.sum() for c in deblend_parent(image, variance, sky.GaussianPsf(2, 21), peaks, config=config).children
    ]


def test_the_middle_of_three_keeps_nearly_what_is_its_own(sky):
    image, peaks = row(sky, 3, 20)
    left, right, middle = fluxes(sky, image, peaks)
    assert middle < 1.35e4
    assert left == pytest.approx(right, rel=1e-9)


def test_without_the_monotone_projection_the_middle_takes_everything_its_mirror_shows(sky):
    image, peaks = row(sky, 3, 20)
    bare = {"monotonic_template": False, "median_smooth_template": False, "fit_psfs": False, "edge_handling": "clip"}
    _, _, middle = fluxes(sky, image, peaks, **bare)
    # Its template equals the data everywhere, so it has half of each neighbour's pixels.
    assert middle > 1e5


@pytest.mark.parametrize(
    ("smooth", "weights"), [(False, (0, 0, 1)), (True, (1.156, 1.156, 1.142))], ids=["symmetric only", "smoothed"]
)
def test_weights_of_three_in_a_row(sky, smooth, weights):
    image, peaks = row(sky, 3, 20)
    footprint = image >= 0.1
    assert image[footprint].sum() == pytest.approx(209988, abs=1)
    maxima = []
    for weigh in (False, True):
        config = SingleBandConfig(
            fit_psfs=False,
            edge_handling="clip",
            median_smooth_template=smooth,
            monotonic_template=smooth,
            weight_templates=weigh,
        )
        made = build_templates(ParentInput(image, np.ones_like(image), None, peaks, footprint), config)
        maxima.append([t.image.array.max() for t in made])
    np.testing.assert_allclose(np.divide(*maxima[::-1]), weights, atol=2e-3)


def test_the_limit_of_symmetry(sky):
    # At less than about six σ the wings of the neighbours reach the middle, and a template that decreases outwards
    # from the faint peak cannot tell them from its own light.
    assert fluxes(sky, *row(sky, 3, 14))[2] > 3e4
    assert fluxes(sky, *row(sky, 3, 10))[2] > 5e4


@pytest.mark.parametrize(
    ("sigma", "spacing", "most"), [(3, 20, 1.02e4), (3, 14, 1.05e4), (3, 10, 1.5e4), (4, 12, 1.3e4)]
)
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_templates_against_the_neighbours_free_the_middle(sky, sigma, spacing, most, noise):
    image, peaks = row(sky, sigma, spacing, noise)
    left, right, middle = fluxes(sky, image, peaks, max(noise, 1.0), iterate_templates=3)
    # Noise of 3 on the 500 pixels of a source is a flux of 70.
    assert 0.95e4 < middle < most
    assert left == pytest.approx(1e5, rel=0.03)
    assert right == pytest.approx(1e5, rel=0.03)


def test_sources_that_do_not_touch_change_little(sky):
    image = 1e4 * sky.gaussian((61, 121), 30, 30, 2.5) + 5e3 * sky.gaussian((61, 121), 30, 90, 3)
    peaks = [(30, 30), (30, 90)]
    before, after = (fluxes(sky, image, peaks, iterate_templates=n) for n in (0, 5))
    np.testing.assert_allclose(after, before, rtol=1e-3)


def test_a_single_peak_and_stars_stay_as_they_are(sky):
    psf = sky.GaussianPsf(2, 25)
    image = sky.star(1000, 30, 20, psf) + sky.star(400, 30, 32, psf)
    for peaks in ([(30, 20)], [(30, 20), (30, 32)]):
        given_ = ParentInput(image, np.ones_like(image), psf, peaks, psf_fwhm=4.7)
        before, after = (build_templates(given_, SingleBandConfig(iterate_templates=n)) for n in (0, 5))
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one.image.array, other.image.array)


def test_peaks_without_a_template_do_not_disturb(sky):
    image, peaks = row(sky, 3, 14)
    options = {"iterate_templates": 5, "fit_psfs": False}
    with_lost = fluxes(sky, image, [*peaks, (70, 5)], **options)
    assert with_lost[3] == 0
    np.testing.assert_allclose(with_lost[:3], fluxes(sky, image, peaks, **options), rtol=1e-9)


SEEDS = st.integers(0, 2**32 - 1)


def crowd(seed):
    rng = np.random.default_rng(seed)
    peaks = rng.integers(4, 27, (4, 2))
    y, x = np.mgrid[:31, :33]
    image = rng.normal(size=(31, 33))
    for k, (py, px) in enumerate(peaks):
        image += rng.uniform(20, 300) * np.exp(-0.5 * ((y - py) ** 2 + (x - px) ** 2) / (1.5 + 0.7 * k) ** 2)
    return image, peaks


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_templates_are_positive_symmetric_and_scale(seed):
    image, peaks = crowd(seed)
    config = SingleBandConfig(
        iterate_templates=4, fit_psfs=False, edge_handling="clip", clip_footprint_to_nonzero=False
    )
    one, four = (
        build_templates(ParentInput(f * image, np.full_like(image, f**2), None, peaks), config) for f in (1.0, 4.0)
    )
    for t, scaled in zip(one, four, strict=True):
        assert np.all(t.image.array >= 0)
        np.testing.assert_allclose(t.image.array, t.image.array[::-1, ::-1], rtol=1e-12)
        np.testing.assert_allclose(scaled.image.array, 4 * t.image.array, rtol=1e-7, atol=1e-7)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_every_pixel_is_still_accounted_for(seed):
    image, peaks = crowd(seed)
    image[3, 4] = np.nan
    psf = np.exp(-0.5 * (np.arange(-7, 8)[:, None] ** 2 + np.arange(-7, 8) ** 2) / 1.6**2)
    result = deblend_parent(image, np.ones_like(image), psf, peaks, config=SingleBandConfig(iterate_templates=4))
    total = sum(c.flux for c in result.children) + result.unassigned + result.masked
    np.testing.assert_allclose(total, np.nan_to_num(image), rtol=1e-12, atol=1e-12)
