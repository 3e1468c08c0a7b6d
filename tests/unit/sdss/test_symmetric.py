"""Symmetric templates, their edges and the trimming of their footprints."""

import numpy as np
import pytest

from meas_deblend.geometry import Box, Footprint, Image
from meas_deblend.sdss import ParentInput, SingleBandConfig, build_templates
from meas_deblend.sdss.symmetric import clip_to_nonzero, symmetric_template


def bare(**options):
    """Symmetric templates alone."""
    base = {
        "fit_psfs": False,
        "edge_handling": "clip",
        "median_smooth_template": False,
        "monotonic_template": False,
        "clip_footprint_to_nonzero": False,
    }
    return SingleBandConfig(**{**base, **options})


@pytest.mark.parametrize(("sky_level", "total"), [(0, 514), (20, 74)])
def test_smaller_of_each_pair(sky_level, total):
    image = np.fromfunction(lambda y, x: 10 * y + x, (7, 7)) - sky_level
    (template,) = build_templates(ParentInput(image, np.ones((7, 7)), None, [(3, 2)]), bare())
    assert template.footprint.box == Box((0, 0), (7, 5))
    assert template.footprint.area == 35
    v = np.fromfunction(lambda y, x: 10 * y + x, (7, 5)) - sky_level
    np.testing.assert_array_equal(template.image.array, np.clip(np.minimum(v, 64 - 2 * sky_level - v), 0, None))
    assert template.image.array.sum() == total


def test_bias_on_pure_noise():
    noise = np.random.default_rng(2).normal(size=(801, 801))
    (template,) = build_templates(ParentInput(noise, np.ones_like(noise), None, [(400, 400)]), bare())
    t = template.image.array
    # E max(0, min(a, b)) for two normal deviates, by quadrature; both are above 0 in a quarter of the pairs.
    assert t.mean() == pytest.approx(0.11685, abs=0.002)
    assert (t > 0).mean() == pytest.approx(0.25, abs=0.002)


def test_missing_values_give_zero_at_both_pixels_of_a_pair():
    image = np.ones((5, 5))
    image[1, 1], image[0, 2] = np.nan, np.inf
    template, _ = symmetric_template(Image(image, Box((0, 0), (5, 5))), Footprint.from_box(Box((0, 0), (5, 5))), (2, 2))
    expected = np.ones((5, 5))
    expected[1, 1] = expected[3, 3] = 0
    np.testing.assert_array_equal(template.array, expected)


def test_a_lopsided_footprint_is_cut_to_its_symmetric_part():
    mask = np.ones((6, 8), dtype=bool)
    mask[1, 2] = False
    whole = Footprint.from_mask(mask, (10, 20))
    _, part = symmetric_template(Image(np.ones((6, 8)), whole.box), whole, (12, 23))
    assert part.box == Box((10, 20), (5, 7))
    holes = {tuple(h) for h in np.argwhere(~part.mask)}
    assert holes == {(1, 2), (3, 4)}


def test_trimming_to_values_other_than_zero():
    frame = Box((-2, -2), (20, 20))
    image = np.zeros(frame.shape)
    image[3:14, 3:14] = 20
    image[8, 8] = 0
    image[12] *= -1
    footprint = Footprint.from_box(Box((0, 0), (13, 13)))
    trimmed, clipped = clip_to_nonzero(Image(image, frame).project(footprint.box), footprint)
    assert clipped.box == Box((1, 1), (11, 11))
    assert clipped.mask.all()
    np.testing.assert_array_equal(trimmed.array, image[3:14, 3:14])


def test_runs_of_a_row_are_trimmed_apart():
    row = np.array([[0, 1, 0, 2, 0, 9, 0, 0, 3]], dtype=float)
    member = np.array([[1, 1, 1, 1, 1, 0, 1, 1, 1]], dtype=bool)
    trimmed, clipped = clip_to_nonzero(Image(row, Box((0, 0), (1, 9))), Footprint(Box((0, 0), (1, 9)), member))
    assert clipped.spans().tolist() == [[0, 1, 4], [0, 8, 9]]
    assert trimmed.box == Box((0, 1), (1, 8))


@pytest.fixture(scope="module")
def at_the_border():
    """One galaxy whose right part is off the image."""
    y, x = np.mgrid[:101, :101]
    return 1000 * np.exp(-((x - 95) ** 2 + (y - 50) ** 2) / 18)


def template_at_the_border(sky, image, edge_handling):
    config = bare(edge_handling=edge_handling)
    psf = sky.GaussianPsf(3, 41)
    given = ParentInput(image, np.ones_like(image), psf, [(50, 95)], footprint=image >= 1, psf_fwhm=7.05, sigma1=1.0)
    (template,) = build_templates(given, config)
    return template


def test_a_cut_template_stays_cut_without_a_ramp(sky, at_the_border):
    template = template_at_the_border(sky, at_the_border, "clip")
    assert template.footprint.box == Box((39, 90), (23, 11))
    assert template.footprint.area == 233
    assert template.image.array[template.footprint.edge()].max() == pytest.approx(249.35, abs=0.005)
    assert "ramped_template" not in template.flags


def test_a_ramp_continues_a_template_behind_the_mirror_of_the_border(sky, at_the_border):
    template = template_at_the_border(sky, at_the_border, "ramp")
    assert "ramped_template" in template.flags
    assert template.footprint.box == Box((28, 79), (45, 22))
    assert template.footprint.area == 862
    row = template.image.array[50 - 28]
    np.testing.assert_allclose(row, at_the_border[50, 79:101], rtol=1e-12)


def test_a_ramp_follows_the_profile_of_the_psf(sky):
    image = sum(sky.blob((50, x), (15, 45), 201) for x in (50, 90))
    footprint = image >= 10
    assert footprint.sum() == 9603
    found = {}
    for edge in ("clip", "ramp"):
        found[edge] = (
            build_templates(
                ParentInput(
                    image,
                    np.ones_like(image),
                    sky.GaussianPsf(5, 21),
                    [(50, 52), (50, 88)],
                    footprint=footprint,
                    psf_fwhm=5.0,
                    sigma1=1.0,
                ),
                bare(edge_handling=edge),
            )[1]
            .image.project(Box((50, 0), (1, 100)))
            .array[0]
        )
    assert not found["clip"][:77].any()
    assert found["clip"][77] == pytest.approx(498.865, abs=0.0005)
    k = np.arange(1, 10)
    np.testing.assert_allclose(found["ramp"][77 - k], 498.865 * np.exp(-(k**2) / 50), rtol=2e-6)
    assert not found["ramp"][:68].any()


def test_a_faint_edge_is_not_ramped(sky, at_the_border):
    psf = sky.GaussianPsf(3, 41)
    given = ParentInput(at_the_border, np.ones((101, 101)), psf, [(50, 95)], psf_fwhm=7.05, sigma1=100)
    (template,) = build_templates(given, bare(edge_handling="ramp"))
    assert "ramped_template" not in template.flags
