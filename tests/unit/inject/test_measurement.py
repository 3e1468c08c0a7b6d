"""Apertures on injected sources, and which object is whose."""

import numpy as np
import pytest

from meas_deblend.evaluate.metrics import Apertures
from meas_deblend.inject import InjectionConfig
from meas_deblend.inject.checks import fwhm_of
from meas_deblend.inject.matching import given_sources, match_by_distance, match_by_name
from meas_deblend.inject.measurement import CatalogFluxes, aperture_fluxes
from meas_deblend.inject.realizations import make_realizations
from meas_deblend.inject.sky import objects_of
from meas_deblend.measure import MeasureConfig

ONE = InjectionConfig(density=None, realizations=1)


def realization_of(exposure, catalog):
    (realization,) = make_realizations(exposure, catalog, ONE)
    return realization


def test_a_perfect_child_has_the_flux_of_the_truth(blank, stars, oracle):
    exposure = blank(noise=False)
    realization = realization_of(exposure, stars([(40.3, 50.7)]))
    result = oracle(radius=15)(realization.exposure, given_sources(np.zeros((0, 2)), [(40.3, 50.7)]))
    (found,) = objects_of(result)
    fwhm = fwhm_of(exposure)
    fluxes = aperture_fluxes(realization.exposure, realization.sources[0], realization.truths[0], found, fwhm)
    assert fluxes.child == pytest.approx(fluxes.truth, rel=1e-6)
    assert fluxes.blend == pytest.approx(fluxes.truth, rel=1e-6)
    assert fluxes.kappa == pytest.approx([0, 0], abs=1e-6)
    assert fluxes.usable == pytest.approx([1, 1])
    # A circle of radius FWHM holds 15/16 of a Gaussian, 1 − exp(−4 ln 2); pixels on its edge count as evenly bright.
    assert fluxes.truth / realization.sources[0].flux == pytest.approx([15 / 16] * 2, abs=8e-3)
    area = np.pi * fwhm**2
    assert fluxes.error == pytest.approx(np.sqrt(area * np.array([0.05, 0.08]) ** 2), rel=5e-3)
    measured = CatalogFluxes(realization.exposure, result, MeasureConfig())(found)
    assert measured.model == pytest.approx(realization.sources[0].flux, rel=1e-4)
    assert measured.psf == pytest.approx(realization.sources[0].flux, rel=1e-4)


def test_apertures_are_those_of_the_evaluation(blank, stars):
    exposure = blank(noise=False)
    shape = {"is_star": False, "half_light_radius": 0.9, "axis_ratio": 0.5, "position_angle": 120.0}
    catalog = stars([(40.3, 50.7)], **{k: np.array([v]) for k, v in shape.items()})
    realization = realization_of(exposure, catalog)
    fwhm = fwhm_of(exposure)
    fluxes = aperture_fluxes(realization.exposure, realization.sources[0], realization.truths[0], None, fwhm)
    half = fwhm[1] / 2
    a, b = np.hypot([4.5], half), np.hypot([2.25], half)
    expected = Apertures(np.array([50.7]), np.array([40.3]), a, b, np.deg2rad([-60.0]))
    assert fluxes.truth[1] == pytest.approx(expected.sums(realization.truths[0].project(exposure.box).array[1])[0])
    assert np.isnan(fluxes.child).all()


def test_neighbours_are_contamination(blank, stars):
    realization = realization_of(blank(noise=False), stars([(40.0, 50.0), (40.0, 50.0)]))
    source, truth = realization.sources[0], realization.truths[0]
    fluxes = aperture_fluxes(realization.exposure, source, truth, None, np.array([4.0, 4.0]))
    assert fluxes.kappa == pytest.approx([1, 1], rel=1e-5)


def test_masked_pixels_and_the_edge_are_in_no_sum(blank, stars):
    exposure = blank(noise=False)
    exposure.mask[0, :, 50:] = 1
    realization = realization_of(exposure, stars([(40.0, 50.0)]))
    fluxes = aperture_fluxes(
        realization.exposure, realization.sources[0], realization.truths[0], None, fwhm_of(exposure)
    )
    assert 0.3 < fluxes.usable[0] < 0.5  # the pixel in the middle is masked too
    assert fluxes.usable[1] == pytest.approx(1)
    assert fluxes.blend == pytest.approx(fluxes.truth, rel=1e-6)
    at_edge = realization_of(blank(noise=False), stars([(-0.4, 50.0)]))
    fluxes = aperture_fluxes(at_edge.exposure, at_edge.sources[0], at_edge.truths[0], None, np.array([4.0, 4.0]))
    # The pixels' rows start half a pixel below 0: 0.1 px more than half of the circle is on the image.
    assert fluxes.usable == pytest.approx([0.51, 0.51], abs=0.02)


def test_given_positions_are_known_by_their_names():
    table = given_sources(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    assert table == {"id": ["known0", "injected0", "injected1"], "x": [2, 4, 6], "y": [1, 3, 5]}
    names = ["injected1", "other", "known0"]
    assert match_by_name(names, "injected", 3).tolist() == [-1, 0, -1]
    assert match_by_name(names, "known", 1).tolist() == [2]


def test_what_is_merged_with_an_object_is_not_found():
    known, injected = [10.0, 10.0], [10.0, 12.0]
    merged = np.array([[10.0, 10.5]])
    assert match_by_distance(np.array([known, injected]), merged, 3).tolist() == [0, -1]
    apart = np.array([[10.0, 12.2], [10.0, 9.9]])
    assert match_by_distance(np.array([known, injected]), apart, 3).tolist() == [1, 0]
    assert match_by_distance(np.array([known]), np.array([[10.0, 14.0]]), 3).tolist() == [-1]
    assert match_by_distance(np.zeros((0, 2)), apart, 3).tolist() == []
    assert match_by_distance(np.array([known]), np.zeros((0, 2)), 3).tolist() == [-1]
