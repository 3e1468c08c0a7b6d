"""Point-source fits: exact data have exact answers, and a shift is found on the side where the star is."""

import numpy as np
import pytest

from meas_deblend.sdss import ParentInput, SingleBandConfig, build_templates, deblend_parent

SHAPE = (61, 61)
VARIANCE = np.ones(SHAPE)


@pytest.fixture(scope="module")
def psf(sky):
    return sky.GaussianPsf(2, 25)


def fit(image, psf, peaks=((30, 30),), **kwargs):
    return deblend_parent(image, kwargs.pop("variance", VARIANCE), psf, peaks, psf_fwhm=4.7, sigma1=1.0, **kwargs)


def test_a_star_on_a_sloping_sky_is_measured_exactly(sky, psf):
    y, x = np.mgrid[:61, :61]
    (child,) = fit(sky.star(1000, 30, 30, psf) + 3 + 0.1 * (x - 30) - 0.05 * (y - 30), psf).children
    assert child.is_psf
    assert child.status == "ok"
    assert child.psf_flux == pytest.approx(1000, rel=1e-11)
    assert child.psf_chisq["fit1"] < 1e-20
    np.testing.assert_allclose(child.psf_center, (30, 30), atol=1e-10)
    # The sky under the star is none of its template.
    assert child.template.sum() == pytest.approx(1000, rel=1e-9)


def test_a_listed_neighbour_is_fitted_along(sky, psf):
    image = sky.star(1000, 30, 30, psf) + sky.star(400, 33, 36, psf)
    both = fit(image, psf, [(30, 30), (33, 36)]).children
    assert [c.is_psf for c in both] == [True, True]
    np.testing.assert_allclose([c.psf_flux for c in both], [1000, 400], rtol=1e-10)
    (alone,) = fit(image, psf).children
    assert not alone.is_psf
    assert alone.psf_flux == pytest.approx(941.89, abs=0.005)
    assert alone.psf_chisq["fit1"] == pytest.approx(4.986, abs=0.0005)


def test_reduced_chisq_of_noise_is_one(sky, psf):
    rng = np.random.default_rng(5)
    clean = sky.star(300, 30, 30, psf)
    config = SingleBandConfig(psf_chisq2=0)  # the unshifted fit alone
    trials = [fit(clean + rng.normal(size=SHAPE), psf, config=config).children[0] for _ in range(200)]
    q = np.array([t.psf_chisq["fit1"] for t in trials])
    flux = np.array([t.psf_flux for t in trials])
    # 131 degrees of freedom scatter by 0.11 (the weights fall off) and the flux by 8.7; 200 trials divide by 14.
    assert abs(q.mean() - 1) < 0.03
    assert 0.09 < q.std() < 0.13
    assert abs(flux.mean() - 300) < 2.5
    assert 7.4 < flux.std() < 10
    assert all(t.is_psf for t in trials)


@pytest.mark.parametrize(
    ("flux", "q1", "q3", "fitted"),
    [(1000, 1.8597, 0.0128, 1000.39), (500, 0.46492, 0.0032, 500.19), (5000, 46.492, 0.3202, 5001.94)],
)
def test_a_displaced_star_is_found_where_it_is(sky, psf, flux, q1, q3, fitted):
    (child,) = fit(sky.star(flux, 29.8, 30.3, psf), psf).children
    assert child.is_psf
    assert "psf_fit_with_decenter" in child.flags
    assert child.psf_flux == pytest.approx(fitted, abs=0.01)
    np.testing.assert_allclose(child.psf_center, (29.7835, 30.3247), atol=1e-4)
    np.testing.assert_allclose([child.psf_chisq["fit1"], child.psf_chisq["fit3"]], [q1, q3], rtol=5e-3)
    # Fit 2 is linear in the flux, so its χ² follows fit 1's.
    assert child.psf_chisq["fit2"] / child.psf_chisq["fit1"] == pytest.approx(0.0188 / 1.8597, rel=5e-3)


def test_a_psf_array_is_shifted_by_interpolation(sky, psf):
    (child,) = fit(sky.star(1000, 29.8, 30.3, psf), psf.image(0, 0).stamp).children
    assert child.is_psf
    # A Gaussian of σ = 2 pixels is well sampled: interpolation is as good as drawing it.
    assert child.psf_flux == pytest.approx(1000.39, abs=0.01)


def test_a_shift_beyond_a_pixel_is_not_followed(sky, psf):
    (child,) = fit(sky.star(100, 30, 31.5, psf), psf).children
    assert child.is_psf
    assert "psf_fit_big_decenter" in child.flags
    assert child.psf_flux == pytest.approx(80.08, abs=0.005)
    assert child.psf_chisq["fit1"] == pytest.approx(0.263, abs=0.0005)
    assert child.psf_center == (30, 30)


def test_a_negative_star_is_not_a_point_source(sky, psf):
    (child,) = fit(sky.star(-500, 29.8, 30.3, psf), psf).children
    assert not child.is_psf
    assert child.psf_flux < 0
    assert child.status == "failed"
    assert "empty_template" in child.flags


def test_a_neighbour_that_touches_no_pixel_of_the_fit_does_no_harm(sky, psf):
    footprint = np.ones(SHAPE, dtype=bool)
    footprint[:, 35:60] = False
    child = fit(sky.star(1000, 30, 30, psf), psf, [(30, 30), (30, 49)], footprint=footprint).children[0]
    assert child.is_psf
    assert child.psf_flux == pytest.approx(1000, rel=1e-10)
    assert not child.template[~footprint].any()


def test_unusable_pixels_take_no_part(sky, psf):
    image = sky.star(1000, 30, 30, psf)
    variance, mask = VARIANCE.copy(), np.zeros(SHAPE, dtype=bool)
    image[29, 31], image[33, 30], image[28, 28], variance[31, 31] = np.nan, 1e6, -1e6, 0
    mask[33, 30] = mask[28, 28] = True
    image[31, 31] = 1e9
    (child,) = fit(image, psf, variance=variance, mask=mask).children
    assert child.is_psf
    assert child.psf_flux == pytest.approx(1000, rel=1e-9)


def test_peaks_that_cannot_be_fitted_are_kept_with_a_status(sky, psf):
    image = sky.star(1000, 30, 30, psf)
    footprint = np.zeros(SHAPE, dtype=bool)
    footprint[29:31] = True
    tiny, away = fit(image, psf, [(30, 30), (55, 30)], footprint=footprint).children
    assert (tiny.status, away.status) == ("tiny", "out_of_bounds")
    assert not tiny.flux.any()
    assert tiny.footprint.sum() == 0
    (blind,) = fit(image, psf, variance=0 * VARIANCE).children
    assert blind.status == "failed"
    assert "no_valid_pixels" in blind.flags


def test_too_few_pixels_leave_no_degrees_of_freedom(sky, psf):
    footprint = np.zeros(SHAPE, dtype=bool)
    footprint[29:32, 29:32] = True
    footprint[::60, ::60] = True
    given = ParentInput(
        sky.star(1000, 30, 30, psf),
        VARIANCE,
        psf,
        [(30, 30)],
        footprint=footprint & (np.add.outer(np.arange(61), np.arange(61)) % 2 == 0),
        psf_fwhm=4.7,
    )
    (template,) = build_templates(given)
    assert "psf_fit_bad_dof" in template.flags
    assert template.status == "ok"


def test_cuts_of_zero_accept_nothing(sky, psf):
    config = SingleBandConfig(psf_chisq1=0, psf_chisq2=0)
    (child,) = fit(sky.star(1000, 30, 30, psf), psf, config=config).children
    assert not child.is_psf
    assert child.status == "ok"
