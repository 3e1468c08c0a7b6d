"""Models drawn in the observed seeing, re-apportioned, and compared with the data."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.apportion import ApportionConfig, model_chi2, reapportion_parent, render_templates
from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.models import BlendModel, FactorizedComponent, ParentModel, SourceModel, TemplateComponent
from meas_deblend.scarlet import prepare_kernels, render_source

SHAPE = (40, 50)
SIGMAS = (1.5, 1.9)
MODEL_SIGMA = 0.8


def gaussian(shape, center, sigma):
    y, x = np.mgrid[: shape[0], : shape[1]]
    r2 = (y - center[0]) ** 2 + (x - center[1]) ** 2
    return np.exp(-0.5 * r2 / sigma**2) / (2 * np.pi * sigma**2)


PSFS = np.stack([gaussian((21, 21), (10, 10), s) for s in SIGMAS]).astype(np.float32)
MODEL_PSF = gaussian((15, 15), (7, 7), MODEL_SIGMA).astype(np.float32)
STARS = {0: ((18, 20), (400.0, 100.0)), 1: ((20, 26), (100.0, 300.0))}


def source(k, components):
    (y, x), _ = STARS[k]
    return SourceModel(100 + k, Peak(k, y, x), components)


def star_component(k):
    """A point source as the engine models it: the model PSF, normalised to 1 at its peak."""
    (y, x), flux = STARS[k]
    morph = MODEL_PSF / MODEL_PSF.max()
    spectrum = np.array(flux, dtype=np.float32) * MODEL_PSF.max()
    return FactorizedComponent(Box((y - 7, x - 7), (15, 15)), spectrum, morph)


BOX = Box((5, 5), (30, 40))


def parent_of(sources, box=BOX, **kwargs):
    footprint = Footprint.from_box(box, tuple(s.peak for s in sources))
    # Sources are stored by blend, in another order than the peaks.
    blends = tuple(BlendModel(k, box, (s,)) for k, s in enumerate(reversed(sources)))
    return ParentModel(7, footprint, blends, **{"psfs": PSFS, "model_psf": MODEL_PSF, **kwargs})


@pytest.fixture
def parent():
    return parent_of([source(k, (star_component(k),)) for k in STARS])


@pytest.fixture
def exposure():
    """The two stars of the model in noise of 1, with a missing and a masked pixel."""
    truth = [sum(f[b] * gaussian(SHAPE, c, s) for c, f in STARS.values()) for b, s in enumerate(SIGMAS)]
    images = (np.stack(truth) + np.random.default_rng(4).normal(size=(2, *SHAPE))).astype(np.float32)
    images[0, 18, 23] = np.nan
    mask = np.zeros(images.shape, dtype=np.int32)
    mask[1, 20, 20] = 1
    images[1, 20, 20] = 5e4
    planes = MaskPlanes({"BAD": 0}, ("BAD",))
    return MultibandExposure(("g", "r"), images, np.ones_like(images), mask, (None, None), planes)


def test_stars_are_drawn_in_the_seeing_of_each_band(parent):
    frame = Box((0, 0), SHAPE)
    for k, template in enumerate(render_templates(parent, frame)):
        center, flux = STARS[k]
        for b, sigma in enumerate(SIGMAS):
            truth = flux[b] * gaussian(SHAPE, center, sigma)
            # Difference kernels cut to the PSF's stamp reproduce it to a few 1e-5 of the flux.
            np.testing.assert_allclose(template.project(frame).array[b], truth, atol=1e-4 * max(flux))


def test_templates_are_zero_beyond_the_reach_of_the_kernel(parent):
    frame = Box((0, 0), (60, 80))
    template = render_templates(parent, frame)[0]
    (y, x), _ = STARS[0]
    assert template.box == Box.from_bounds(y - 17, y + 18, x - 17, x + 18) & frame
    assert template.array.shape == (2, *template.box.shape)


def test_shares_in_the_faint_wings_are_those_of_the_models(parent):
    frame = Box((0, 0), SHAPE)
    near, far = (t.project(frame).array[0, 19] for t in render_templates(parent, frame))
    # Nine pixels out a template has 1.5e-8 of its peak: below the rounding of single precision.
    assert near[20 - 9] / near[20] == pytest.approx(np.exp(-0.5 * 81 / 1.5**2), rel=0.3)
    assert far[26 + 9] / far[26] == pytest.approx(np.exp(-0.5 * 81 / 1.5**2), rel=0.3)


def test_templates_are_cut_to_the_frame(parent):
    whole = render_templates(parent, Box((-50, -50), (200, 200)))
    frame = Box((10, 15), (7, 9))
    for cut, full in zip(render_templates(parent, frame), whole, strict=True):
        assert frame.encloses(cut.box)
        np.testing.assert_allclose(cut.project(frame).array, full.project(frame).array, atol=1e-5)


def test_observed_templates_are_not_convolved_again():
    cube = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    observed = TemplateComponent(Box((10, 12), (2, 3)), cube)
    one, both, none = render_templates(
        parent_of([
            SourceModel(0, Peak(0, 10, 12), (observed,)),
            SourceModel(1, Peak(1, 18, 20), (observed, star_component(0))),
            SourceModel(2, Peak(2, 30, 30), ()),
        ]),
        Box((0, 0), SHAPE),
    )  # fmt: skip
    np.testing.assert_array_equal(one.array, cube)
    assert one.box == observed.box
    assert one.array.dtype == np.float32
    assert both.array.sum() == pytest.approx(cube.sum() + 500, rel=1e-3)
    assert none.box.is_empty
    assert none.array.shape == (2, 0, 0)


def test_a_band_without_psf_is_drawn_in_the_resolution_of_the_model():
    psfs = PSFS.copy()
    psfs[1] = np.nan
    template = render_templates(parent_of([source(0, (star_component(0),))], psfs=psfs), Box((0, 0), SHAPE))[0]
    truth = 100 * gaussian(SHAPE, (18, 20), MODEL_SIGMA)
    np.testing.assert_allclose(template.project(Box((0, 0), SHAPE)).array[1], truth, atol=1e-3)


def test_factorized_components_need_a_model_psf():
    with pytest.raises(ModelError, match="parent 7 has factorized components but no model PSF"):
        render_templates(parent_of([source(0, (star_component(0),))], model_psf=None), Box((0, 0), SHAPE))


def test_reapportioned_pixels_close_and_follow_the_stars(exposure, parent):
    result = reapportion_parent(exposure, parent)
    assert [row.band for row in result.ledger] == ["g", "r"]
    for row in result.ledger:
        assert row.parent_id == 7
        assert abs(row.imbalance) < 1e-10 * abs(row.data)
    assert result.ledger[0].not_finite == 1
    assert result.ledger[1].masked == 5e4
    flux = np.array([child.flux.sum(axis=(1, 2)) for child in result.children])
    # Noise of 1 in about 900 pixels, and one lost pixel each.
    np.testing.assert_allclose(flux, [STARS[0][1], STARS[1][1]], atol=60)
    again = reapportion_parent(exposure, parent)
    for a, b in zip(result.children, again.children, strict=True):
        np.testing.assert_array_equal(a.flux, b.flux)


def test_an_isolated_object_keeps_its_footprint(exposure):
    alone = parent_of([source(0, (star_component(0),))], box=Box((10, 10), (12, 14)))
    (child,) = reapportion_parent(exposure, alone).children
    part = exposure.images[:, 10:22, 10:24]
    expected = np.where(np.isfinite(part) & (part < 5e4), part, 0)
    np.testing.assert_array_equal(child.flux, expected)
    # Nor does it need a model.
    bare = parent_of([source(0, ())], box=Box((10, 10), (12, 14)))
    np.testing.assert_array_equal(reapportion_parent(exposure, bare).children[0].flux, expected)


def test_flux_outside_the_footprint_can_be_kept(exposure, parent):
    small = parent_of(list(parent.sources), box=Box((15, 15), (9, 15)))
    kept = reapportion_parent(exposure, small, ApportionConfig(keep_outside=True))
    assert kept.children[0].box == Box.from_bounds(1, 36, 3, 38)
    cut = reapportion_parent(exposure, small)
    for with_outside, without in zip(kept.ledger, cut.ledger, strict=True):
        assert with_outside.outside != 0
        assert without.outside == 0
        assert with_outside.children == pytest.approx(without.children, rel=1e-4)


def test_what_does_not_fit_is_refused(exposure, parent):
    with pytest.raises(InputError, match=r"modelled in 2 bands; the exposure has 1 \(r\)"):
        reapportion_parent(exposure.select(["r"]), parent)
    with pytest.raises(InputError, match=r"parent 7 .* leaves the exposure"):
        reapportion_parent(exposure, parent_of(list(parent.sources), box=Box((30, 30), (20, 30))))


def test_chi2_of_the_true_model_is_one(exposure, parent):
    quality = model_chi2(exposure, parent)
    # 2 × 270 pixels carry the stars' models: χ²/n scatters by 0.06.
    assert quality.parent == pytest.approx(1, abs=0.2)
    np.testing.assert_allclose(quality.sources, 1, atol=0.25)


def test_chi2_shows_a_missing_source_to_its_neighbour(exposure, parent):
    quality = model_chi2(exposure, parent_of([parent.sources[0], source(1, ())]))
    assert quality.sources[0] > 5
    assert np.isnan(quality.sources[1])
    assert np.isnan(model_chi2(exposure, parent_of([source(1, ())])).parent)


def test_models_are_drawn_with_the_kernels_that_they_were_fitted_with(parent):
    floored = replace(parent, kernel_floor=0.2)
    kernels = prepare_kernels(PSFS.astype(np.float64), MODEL_PSF, floor=0.2)
    frame = Box((0, 0), SHAPE)
    for drawn, exact, one in zip(
        render_templates(floored, frame), render_templates(parent, frame), parent.sources, strict=True
    ):
        box, expected = render_source(one.components, kernels, frame)
        np.testing.assert_allclose(drawn.project(box).array, expected, atol=1e-9)
        assert np.abs(drawn.array - exact.project(drawn.box).array).max() > 1e-3 * exact.array.max()
