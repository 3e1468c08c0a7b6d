"""Every metric where its value is known: the true models, no model, a shifted model, a model of half the flux."""

import importlib.util

import numpy as np
import pytest

from meas_deblend.evaluate import (
    Deblended,
    FieldResult,
    SourceImages,
    make_card,
    models_from_array,
    open_fields,
    score_field,
)
from meas_deblend.evaluate.metrics import Apertures, cosine, ellipticity, ssim, stamp
from meas_deblend.exceptions import InputError

needs_galsim = pytest.mark.skipif(not importlib.util.find_spec("galsim"), reason="GalSim measures the shapes")
needs_skimage = pytest.mark.skipif(not importlib.util.find_spec("skimage"), reason="scikit-image measures the SSIM")


def score(field, models, children=None):
    children = None if children is None else models_from_array(children, field)
    return score_field(field, Deblended(models_from_array(models, field), children))


def test_true_models_are_perfect(field):
    scores = score(field, field.truth, field.truth)
    # Only rounding: the images are stored in single precision.
    np.testing.assert_allclose(scores.field_error, 0, atol=1e-6)
    np.testing.assert_allclose(scores.model_error, 0, atol=1e-12)
    np.testing.assert_allclose(scores.child_error, 0, atol=1e-12)
    np.testing.assert_allclose(scores.cos, 1, rtol=1e-12)
    assert scores.modelled.all()
    assert (scores.index == np.arange(4)).all()


@needs_skimage
def test_true_models_have_similarity_one(field):
    scores = score(field, field.truth)
    np.testing.assert_allclose(scores.ssim, 1, atol=1e-6)
    np.testing.assert_allclose(scores.ssim_stamp, 1, atol=1e-6)


@needs_galsim
def test_true_models_have_the_true_shapes(field):
    scores = score(field, field.truth, field.truth)
    np.testing.assert_array_equal(scores.e, scores.e_true)
    np.testing.assert_array_equal(scores.e_child, scores.e_true)
    np.testing.assert_allclose(scores.e_true, 0, atol=1e-3)  # they are round


def test_no_models_leave_the_contamination(field):
    scores = score_field(field, Deblended(SourceImages.nothing(field)))
    np.testing.assert_allclose(scores.field_error, scores.kappa, atol=1e-12)
    np.testing.assert_allclose(scores.model_error, -1, atol=1e-12)
    np.testing.assert_array_equal(scores.cos, 0)
    assert not scores.modelled.any()
    assert np.isnan(scores.e).all()
    assert np.isnan(scores.child_error).all()


def test_blendedness_and_contamination_of_a_pair(make_folder, arrays_of):
    # Two equal Gaussians of width s at a distance d: S·S' / S·S = exp(−d² / 4s²), so β = q / (1 + q).
    arrays = arrays_of([(45, 42, 1e5, 0.0), (45, 48, 1e5, 0.0), (15, 15, 1e5, 0.0)], noise=0)
    field = open_fields(make_folder([arrays], "pair")).read(0)
    scores = score_field(field, Deblended(SourceImages.nothing(field)))
    for b, fwhm in enumerate(field.setting.fwhm):
        q = np.exp(-(6.0**2) / 4 / (fwhm / 2.3548) ** 2)
        # The images are stored in single precision.
        np.testing.assert_allclose(scores.beta[:2, b], q / (1 + q), rtol=1e-5)
    np.testing.assert_allclose(scores.beta[2], 0, atol=1e-6)
    assert scores.kappa[0, 1] > 0
    np.testing.assert_allclose(scores.kappa[2], 0, atol=1e-6)
    # Without noise F is the flux of a Gaussian within 2 × (FWHM / 2) = FWHM: 1 − exp(−FWHM² / 2 s²) = 1 − 2⁻⁴;
    # to 1 %, since the pixels at the rim are cut as if they were evenly bright.
    np.testing.assert_allclose(scores.F[2], 1e5 * np.array([0.6, 1, 1.4]) * (1 - 2**-4), rtol=1e-2)


def test_half_of_a_neighbour_is_left(field):
    models = field.truth.copy()
    models[1] *= 0.5
    scores = score(field, models)
    apertures = Apertures.of(field, 1)
    expected = 0.5 * apertures[0].sums(field.truth[1, 1])[0] / scores.F[0, 1]
    assert scores.field_error[0, 1] == pytest.approx(expected, abs=1e-7)
    assert scores.field_error[1, 1] == pytest.approx(0, abs=1e-7)
    assert scores.model_error[1, 1] == pytest.approx(-0.5, abs=1e-12)


def test_a_shifted_model_is_less_alike(field):
    shifted = np.roll(field.truth, 2, axis=3)
    scores = score(field, shifted)
    sigma = np.hypot(field.setting.fwhm[1] / 2.3548, 2.0 / 1.1774)
    # Gaussians of width s, shifted by d: cosine exp(−d² / 4s²).
    assert scores.cos[0, 1] == pytest.approx(np.exp(-(2.0**2) / 4 / sigma**2), abs=1e-6)
    if importlib.util.find_spec("skimage"):
        assert (scores.ssim[:, 1] < 1).all()
        assert (scores.ssim_stamp[:, 1] < scores.ssim[:, 1]).all()


def test_objects_that_belong_to_nobody_are_subtracted_too(field):
    models = models_from_array(np.where(np.arange(4)[:, None, None, None] == 1, 0, field.truth), field)
    missing = score_field(field, Deblended(models))
    with_rest = score_field(field, Deblended(models, rest=field.truth[1]))
    assert missing.field_error[0, 1] > 0.004
    assert with_rest.field_error[0, 1] == pytest.approx(0, abs=1e-6)


def test_errors_of_fluxes(field):
    scores = score_field(field, Deblended(SourceImages.nothing(field)))
    area = np.pi * 4 * (field.a**2 + (field.setting.fwhm[1] / 2) ** 2)
    # The aperture's pixels all have the sky's variance, and the sources' photons in addition.
    assert (scores.sigma[:, 1] > np.sqrt(area * 400.0) * 0.99).all()
    np.testing.assert_allclose(scores.Ferr[:, 1], np.sqrt(area * 400.0), rtol=0.1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 3, 91, 91), r"= \(4, 3, 91, 91\), got \(3, 3, 91, 91\); a source that was not modelled has a model that"),
        ((3, 4, 91, 91), "the axes seem to be in another order"),
        ((4, 91, 91, 3), "the axes seem to be in another order"),
        ((4, 3, 45, 45), r"got \(4, 3, 45, 45\)$"),
    ],
)
def test_models_of_another_shape(field, shape, message):
    with pytest.raises(InputError, match=message):
        models_from_array(np.zeros(shape), field)


def test_models_in_another_order(field):
    with pytest.raises(InputError, match=r"another order than the field's x and y \(model 0 at source 3"):
        models_from_array(field.truth[::-1], field)


def test_two_exchanged_models_are_a_bad_deblender_not_another_order(field):
    models = field.truth[[1, 0, 2, 3]]
    assert len(models_from_array(models, field)) == 4


def test_models_that_are_not_finite(field):
    models = field.truth.copy()
    models[2, 0, 5, 5] = np.nan
    with pytest.raises(InputError, match="models of sources 2 are not finite"):
        models_from_array(models, field)


def test_images_of_another_field(field, folder):
    other = open_fields(folder).read(1)
    with pytest.raises(InputError, match=r"3 models for 4 sources; one each is expected, in the order"):
        score_field(field, Deblended(SourceImages.nothing(other)))


def test_plain_metrics():
    image = np.random.default_rng(2).normal(size=(20, 20)) ** 2
    assert cosine(image, 3 * image) == pytest.approx(1)
    assert cosine(image, 0 * image) == 0
    assert ssim(0 * image, image) == 0 or np.isnan(ssim(0 * image, image))
    assert np.isnan(ellipticity(0 * image, 10, 10)).all()


def test_stamps_are_filled_with_zeros_beyond_the_image():
    image = np.ones((50, 60))
    assert stamp(image, 25.2, 29.6).sum() == 45 * 45
    assert stamp(image, 0, 0).sum() == 23 * 23
    assert stamp(image, 0, 0)[22:, 22:].sum() == 23 * 23
    assert stamp(image, -100, 0).sum() == 0


def test_without_the_optional_libraries_metrics_are_nan_and_the_card_says_so(field, monkeypatch):
    find_spec = importlib.util.find_spec
    hidden = ("galsim", "skimage")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else find_spec(name))
    scores = score(field, field.truth)
    assert np.isnan(scores.ssim).all()
    assert np.isnan(scores.e).all()
    assert np.isnan(scores.e_true).all()
    np.testing.assert_allclose(scores.cos, 1, rtol=1e-12)
    card = make_card([FieldResult(field.name, scores)], field.setting, {"deblender": "mine"})
    assert card["summary"]["ssim"] is None
    assert card["summary"]["sd_e1"] is None
    assert card["summary"]["failed_shapes"] is None
    assert set(card["missing"]) == {"ssim", "shapes"}
    assert "GalSim is not installed (pip install 'meas_deblend[sim]')" in card["missing"]["shapes"]
