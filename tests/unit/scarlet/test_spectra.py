"""Spectra of given morphologies."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.scarlet import FitConfig
from meas_deblend.scarlet.arguments import make_observation
from meas_deblend.scarlet.component import scene
from meas_deblend.scarlet.spectra import solve_spectra

# The scene was drawn with exact kernels.
EXACT = FitConfig(model_psf_sigma=0.8, kernel_floor=0.0)


def shapes_of(scene):
    return [(c.box, c.morph) for c in scene.components]


@pytest.mark.parametrize("method", ["nonnegative", "least_squares"])
def test_true_spectra_are_recovered(five, method):
    observation = make_observation(five.images, five.variance, five.psfs, config=EXACT)
    spectra = solve_spectra(shapes_of(five), observation, method)
    assert spectra == pytest.approx(np.array([c.spectrum for c in five.components]), abs=1e-7)


def test_single_precision(five):
    observation = make_observation(five.images.astype(np.float32), five.variance, five.psfs, config=EXACT)
    shapes = [(box, morph.astype(np.float32)) for box, morph in shapes_of(five)]
    spectra = solve_spectra(shapes, observation)
    # The concentric pair is nearly degenerate, which amplifies the data's rounding.
    assert spectra == pytest.approx(np.array([c.spectrum for c in five.components]), abs=2e-3)


def test_only_weighted_pixels_count(five):
    images = five.images.copy()
    images[:, 18:23, 21:26] += 100.0
    footprint = np.ones(images.shape[1:], dtype=bool)
    footprint[18:23, 21:26] = False
    observation = make_observation(images, five.variance, five.psfs, footprint=footprint, config=EXACT)
    truth = np.array([c.spectrum for c in five.components])
    assert solve_spectra(shapes_of(five), observation) == pytest.approx(truth, abs=1e-6)
    assert np.abs(solve_spectra(shapes_of(five), observation, "least_squares") - truth).max() > 10


@pytest.mark.parametrize("method", ["nonnegative", "least_squares"])
def test_identical_morphologies_share_the_flux(five, method):
    observation = make_observation(five.images, five.variance, five.psfs, config=EXACT)
    shapes = shapes_of(five)
    spectra = solve_spectra([*shapes, shapes[-1]], observation, method)
    total = spectra[-1] + spectra[-2]
    assert total == pytest.approx(five.components[-1].spectrum, abs=1e-5)


def test_negative_solutions_are_excluded_jointly(five):
    images = five.images.copy()
    images[0] -= 0.5 * images[2]  # a band in which the last source is negative
    observation = make_observation(images, five.variance, five.psfs, config=EXACT)

    def chi2(spectra):
        parts = [replace(c, spectrum=s) for c, s in zip(five.components, spectra, strict=True)]
        return -observation.log_likelihood(scene(parts, images.shape, np.dtype(np.float64)))

    joint = solve_spectra(shapes_of(five), observation)
    clipped = solve_spectra(shapes_of(five), observation, "least_squares")
    assert (joint >= 0).all()
    assert chi2(joint) < chi2(clipped)


def test_source_without_weight_gets_no_flux(five):
    weights = 1 / five.variance
    weights[1] = 0
    observation = make_observation(five.images, five.variance, five.psfs, weights=weights, config=EXACT)
    spectra = solve_spectra(shapes_of(five), observation)
    assert not spectra[:, 1].any()
    assert spectra[:, 0] == pytest.approx([c.spectrum[0] for c in five.components], abs=1e-7)


def test_no_sources(five):
    observation = make_observation(five.images, five.variance, five.psfs, config=EXACT)
    assert solve_spectra([], observation).shape == (0, 3)


@pytest.mark.parametrize("method", ["nonnegative", "least_squares"])
def test_groups_that_nothing_connects_are_solved_alike(five, method):
    # Two copies of the scene, farther apart than any kernel reaches.
    gap = 60
    wide = np.concatenate([five.images, np.zeros((*five.images.shape[:2], gap)), five.images], axis=2)
    observation = make_observation(wide, np.ones_like(wide), five.psfs, config=EXACT)
    single = make_observation(five.images, np.ones_like(five.images), five.psfs, config=EXACT)
    step = five.images.shape[2] + gap
    far = [(box.shift(0, step), morph) for box, morph in shapes_of(five)]
    spectra = solve_spectra([*shapes_of(five), *far], observation, method)
    alone = solve_spectra(shapes_of(five), single, method)
    assert spectra[:5] == pytest.approx(alone, abs=1e-6)
    assert spectra[5:] == pytest.approx(alone, abs=1e-6)


def test_eigenvalues_are_found_when_the_fast_way_fails(five, monkeypatch):
    observation = make_observation(five.images, five.variance, five.psfs, config=EXACT)
    expected = solve_spectra(shapes_of(five), observation)

    def fail(matrices):
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    monkeypatch.setattr(np.linalg, "eigh", fail)
    assert solve_spectra(shapes_of(five), observation) == pytest.approx(expected, rel=1e-9)
