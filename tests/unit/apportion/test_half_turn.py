"""Templates beneath their neighbours are completed from the opposite side."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.apportion import ApportionConfig, reapportion_parent, render_templates
from meas_deblend.apportion.half_turn import seen_from_both_sides
from meas_deblend.geometry import Box, Footprint, Image, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.models import BlendModel, FactorizedComponent, ParentModel, PointComponent, SourceModel

SIDE = 48
FRAME = Box((0, 0), (SIDE, SIDE))
CENTERS = ((23.3, 15.8), (24.1, 25.6))


def gaussian(center, sigma):
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.exp(-0.5 * ((y - center[0]) ** 2 + (x - center[1]) ** 2) / sigma**2)


GALAXY, STAR = 40 * gaussian(CENTERS[0], 6.0), 200 * gaussian(CENTERS[1], 1.6)
# What the first source has too little beneath the second one, the second has too much.
STOLEN = 0.6 * GALAXY * gaussian(CENTERS[1], 1.6)


def cubes(*planes):
    return [Image(np.stack([plane, 0.5 * plane]), FRAME) for plane in planes]


def share(templates, k):
    positive = [np.maximum(t.project(FRAME).array, 0) for t in templates]
    return positive[k] / sum(positive)


def test_light_beneath_a_neighbour_comes_back():
    wrong = cubes(GALAXY - STOLEN, STAR + STOLEN)
    right = share(cubes(GALAXY, STAR), 0)
    mended = share(seen_from_both_sides(wrong, CENTERS, FRAME), 0)
    core = np.s_[:, 22:27, 24:28]
    light = (GALAXY + STAR)[core[1:]] * np.array([1, 0.5])[:, None, None]
    before, after = (abs(((s - right)[core] * light).sum()) for s in (share(wrong, 0), mended))
    # The template itself counts by its share, which is a tenth here, and so much of what was stolen stays; as much
    # again because the sum of the templates is larger than the data by what came back.
    assert after < 0.2 * before


def test_symmetric_templates_stay():
    templates = cubes(GALAXY, STAR)
    mended = seen_from_both_sides(templates, CENTERS, FRAME)
    for one, other in zip(mended, templates, strict=True):
        peak = other.array.max()
        # Linear interpolation of a Gaussian of 1.6 pixels is off by 1/8 σ⁻² of its peak, but there its share is 0.8.
        np.testing.assert_allclose(one.project(FRAME).array, other.array, atol=0.02 * peak)


def test_what_is_known_or_alone_is_the_same_object():
    templates = cubes(GALAXY, STAR)
    known = seen_from_both_sides(templates, (CENTERS[0], None), FRAME)
    assert known[1] is templates[1]
    assert known[0] is not templates[0]
    assert seen_from_both_sides(templates, (None, None), FRAME) == tuple(templates)
    assert seen_from_both_sides(templates[:1], CENTERS[:1], FRAME) == tuple(templates[:1])
    apart = [Image(np.ones((2, 5, 5)), Box((y, 3), (5, 5))) for y in (3, 20)]
    assert seen_from_both_sides(apart, ((5, 5), (22, 5)), FRAME) == tuple(apart)
    empty = Image(np.zeros((2, 0, 0)), Box((4, 4), (0, 0)))
    assert seen_from_both_sides([*templates, empty], (*CENTERS, (4, 4)), FRAME)[2] is empty


@pytest.mark.parametrize("center", [(10, 10), (10.5, 9.25)])
def test_boxes_grow_to_the_other_side(center):
    """A template that ends at its peak gets the other side where a neighbour covers it, within the frame."""
    half = Image(np.full((1, 5, 4), 2.0), Box((8, 10), (5, 4)))
    neighbour = Image(np.full((1, 20, 9), 2.0), Box((2, 1), (20, 9)))
    (grown, same) = seen_from_both_sides([half, neighbour], (center, None), FRAME)
    assert same is neighbour
    assert grown.box.encloses(half.box)
    beneath = grown.project(Box((9, 7), (3, 2))).array
    np.testing.assert_allclose(beneath, 2.0)
    (cut, _) = seen_from_both_sides([half, neighbour], (center, None), half.box)
    assert cut.box == half.box


def test_values_that_are_not_finite_count_as_nothing():
    bad = cubes(GALAXY, STAR)
    bad[0].array[0, 20, 20] = np.nan
    bad[1].array[1, 20, 22] = np.inf
    bad[1].array[0] *= 1e300
    bad[1].array[0, 3, 3] = -5
    for template in seen_from_both_sides(bad, CENTERS, FRAME):
        assert np.isfinite(template.array).all()
        assert (template.array >= 0).all()


MODEL_PSF = np.pad([[1.0]], 7).astype(np.float32)


def parent_of(second):
    peaks = [Peak(k, round(y), round(x), position=(y, x)) for k, (y, x) in enumerate(CENTERS)]
    first = FactorizedComponent(FRAME, np.array([1, 0.5], np.float32), (GALAXY - STOLEN).astype(np.float32))
    sources = tuple(SourceModel(k, p, (c,)) for k, (p, c) in enumerate(zip(peaks, (first, second), strict=True)))
    return ParentModel(
        1,
        Footprint.from_box(FRAME, tuple(peaks)),
        (BlendModel(0, FRAME, sources),),
        np.stack([MODEL_PSF] * 2),
        model_psf=MODEL_PSF,
    )


@pytest.fixture
def exposure():
    images = np.stack([GALAXY + STAR, 0.5 * (GALAXY + STAR)]).astype(np.float32)
    planes = MaskPlanes({"BAD": 0}, ("BAD",))
    return MultibandExposure(
        ("g", "r"), images, np.ones_like(images), np.zeros(images.shape, np.int32), (None, None), planes
    )


def test_children_are_shared_out_so_and_models_stay(exposure):
    star = FactorizedComponent(FRAME, np.array([1, 0.5], np.float32), (STAR + STOLEN).astype(np.float32))
    parent = parent_of(star)
    plain = reapportion_parent(exposure, parent, ApportionConfig(half_turn=False))
    shared = reapportion_parent(exposure, parent)
    wrong, right = (
        np.abs(s.children[0].flux[0, 22:27, 24:28] - GALAXY[22:27, 24:28]).sum() / STOLEN[22:27, 24:28].sum()
        for s in (plain, shared)
    )
    assert wrong == pytest.approx(1, abs=0.02)
    assert right < 0.2
    for drawn, kept in zip(render_templates(parent, FRAME), shared.templates, strict=True):
        np.testing.assert_array_equal(kept.array, drawn.array)
    np.testing.assert_allclose(shared.total().array, exposure.images, rtol=1e-6)


def test_points_are_known(exposure):
    """A point source has its own template; that of its neighbour is completed."""
    point = PointComponent(FRAME, np.array([500.0, 250.0], np.float32), CENTERS[1])
    stamps = [gaussian((24, 24), sigma)[16:33, 16:33] for sigma in (0.8, 1.6)]
    model_psf, psf = (stamp.astype(np.float32) / stamp.sum() for stamp in stamps)
    parent = replace(parent_of(point), psfs=np.stack([psf, psf]), model_psf=model_psf)
    drawn = render_templates(parent, FRAME)
    shared = reapportion_parent(exposure, parent)
    galaxy, star = (c.share for c in shared.children)
    known = np.maximum(drawn[1].array, 0)
    where = (known > 0) & (star > 0)
    # From its share, and its own template, follows that of the neighbour.
    other = known[where] * (galaxy[where] / star[where])
    turned = seen_from_both_sides(drawn, (CENTERS[0], None), FRAME)[0].project(FRAME).array
    np.testing.assert_allclose(other, turned[where], rtol=1e-3, atol=1e-3)


def test_stores_of_before_were_shared_out_without_it():
    assert ApportionConfig.recorded({}) == ApportionConfig(half_turn=False)
    kept = ApportionConfig(keep_outside=True)
    assert ApportionConfig.recorded(kept.model_dump()) == kept
    with pytest.raises(ValueError, match="quarter_turn"):
        ApportionConfig.recorded({"quarter_turn": True})


def test_nothing_given_is_changed():
    templates = cubes(GALAXY - STOLEN, STAR + STOLEN)
    copies = [replace(t, array=t.array.copy()) for t in templates]
    seen_from_both_sides(templates, CENTERS, FRAME)
    for one, other in zip(templates, copies, strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_what_comes_back_holds_on_to_nothing_else(monkeypatch):
    wrong = cubes(GALAXY - STOLEN, STAR + STOLEN)
    exact = seen_from_both_sides(wrong, CENTERS, FRAME)
    assert all(template.array.base is None and template.array.dtype == np.float64 for template in exact)
    # Of very many values only single precision is kept, half an ulp of which is 6e-8 down to 1e-38.
    monkeypatch.setattr("meas_deblend.apportion._precision.LARGE", wrong[0].array.size)
    for template, rounded in zip(exact, seen_from_both_sides(wrong, CENTERS, FRAME), strict=True):
        assert rounded.array.dtype == np.float32
        assert rounded.box == template.box
        np.testing.assert_allclose(rounded.array, template.array, rtol=1e-7, atol=1e-37)
