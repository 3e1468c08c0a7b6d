"""Templates at the edge of the exposure: patched from the data, ramped, or cut."""

import numpy as np
import pytest

from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box
from meas_deblend.sdss import ParentInput, SingleBandConfig, TemplateConfig, build_templates, deblend_parent


@pytest.fixture(scope="module")
def two_blobs(sky):
    """Two galaxies whose right parts are off the image: pixels, footprint, peaks and the exposure's edge."""
    image = sum(sky.blob((50, x), (15, 45), 201) for x in (50, 90))
    edge = np.ones(image.shape, dtype=bool)
    edge[5:-5, 5:-5] = False
    return image, image >= 10, [(50, 52), (50, 88)], edge


def templates_of(sky, two_blobs, config, edge=None):
    image, footprint, peaks, _ = two_blobs
    given = ParentInput(
        image, np.ones_like(image), sky.GaussianPsf(5, 21), peaks, footprint, None, 5.0, 1.0, (0, 0), edge
    )
    return build_templates(given, config)


BARE = {"fit_psfs": False, "median_smooth_template": False, "monotonic_template": False}


@pytest.mark.parametrize("where", ["given", "border"])
def test_a_patched_template_takes_over_the_data_without_a_mirror(sky, two_blobs, where):
    image, _, _, edge = two_blobs
    config = TemplateConfig(edge_handling="noclip", **BARE)
    both = templates_of(sky, two_blobs, config, edge if where == "given" else None)
    assert all("patched_template" in t.flags for t in both)
    row = both[1].image.project(Box((50, 0), (1, 100))).array[0]
    # The mirror of x about 88 lies beyond the last column up to x = 76.
    np.testing.assert_array_equal(row[:77], image[50, :77])
    assert np.all(row > 0)


def test_without_a_patch_nothing_is_there(sky, two_blobs):
    config = TemplateConfig(edge_handling="clip", **BARE)
    row = templates_of(sky, two_blobs, config)[1].image.project(Box((50, 0), (1, 100))).array[0]
    assert not row[:77].any()
    assert row[77] > 0


@pytest.mark.parametrize(
    ("options", "first_zero", "rising"),
    [({"edge_handling": "ramp"}, 64, (60, 81)), ({"patch_edges": True}, 0, (0, 86))],
    ids=["ramp", "patch"],
)
def test_a_finished_template_rises_towards_its_peak(sky, two_blobs, options, first_zero, rising):
    config = SingleBandConfig.core(fit_psfs=False, **options)
    row = templates_of(sky, two_blobs, config, two_blobs[3])[1].image.project(Box((50, 0), (1, 100))).array[0]
    assert not row[:first_zero].any()
    assert row[65:74].any()
    assert np.all(np.diff(row[slice(*rising)]) >= 0)


def test_a_ramp_is_patched_too_if_asked(sky, two_blobs):
    config = TemplateConfig(edge_handling="ramp", patch_edges=True, **BARE)
    template = templates_of(sky, two_blobs, config)[1]
    assert {"ramped_template", "patched_template"} <= template.flags
    row = template.image.project(Box((50, 0), (1, 100))).array[0]
    np.testing.assert_array_equal(row[:77], two_blobs[0][50, :77])


def test_patched_children_lose_nothing(sky, two_blobs):
    image, footprint, peaks, edge = two_blobs
    config = SingleBandConfig(edge_handling="noclip", stray_flux_rule="r-to-peak", fit_psfs=False)
    result = deblend_parent(
        image, np.ones_like(image), sky.GaussianPsf(5, 21), peaks, footprint=footprint, edge=edge, config=config
    )
    total = sum(c.flux for c in result.children) + result.unassigned
    np.testing.assert_allclose(total, np.where(footprint, image, 0), rtol=1e-12, atol=1e-9)
    assert not result.unassigned.any()


def test_a_template_inside_the_exposure_is_not_patched(sky):
    image = sky.blob((30, 30), (3, 5), 61, shape=(61, 61))
    config = TemplateConfig(edge_handling="noclip", **BARE)
    footprint = image > 1
    (template,) = build_templates(ParentInput(image, np.ones_like(image), None, [(30, 28)], footprint), config)
    assert "patched_template" not in template.flags


def test_missing_data_are_not_patched_in():
    image = np.ones((9, 9))
    image[4, 0] = np.nan
    config = TemplateConfig(edge_handling="noclip", **BARE)
    (template,) = build_templates(ParentInput(image, np.ones_like(image), None, [(4, 6)]), config)
    assert "patched_template" in template.flags
    assert template.image.array[4, 0] == 0
    assert template.image.array[4, 1] == 1


def test_the_edge_must_fit_the_image():
    with pytest.raises(InputError, match=r"edge must have the shape of image, \(9, 9\), got \(3, 3\)"):
        deblend_parent(np.ones((9, 9)), np.ones((9, 9)), None, [(4, 4)], edge=np.zeros((3, 3), dtype=bool))
