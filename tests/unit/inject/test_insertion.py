"""What is added to an image is exactly what was asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.inject import inject_sources
from meas_deblend.simulate import PointSource, Sersic, SimulatedComponent, SimulatedSource

from .conftest import blank_exposure

RNG = np.random.default_rng


def star(y=40.3, x=50.7, flux=(1000.0, 2000.0), k=0):
    return SimulatedSource(k, y, x, (SimulatedComponent(PointSource(), flux),), True)


def galaxy(y=20.2, x=30.6, flux=(300.0, 500.0), k=1):
    return SimulatedSource(k, y, x, (SimulatedComponent(Sersic(4.0, 1.0, 0.6, 30.0), flux),))


def summed(truths, exposure):
    total = np.zeros(exposure.images.shape)
    for image in truths:
        total += image.project(exposure.box).array
    return total


def test_the_difference_of_the_images_is_the_truth(blank):
    exposure = blank()
    before = exposure.images.copy()
    injected, truths = inject_sources(exposure, [star(), galaxy()], rng=RNG(1))
    difference = injected.images.astype(float) - exposure.images
    # Images are float32: their rounding is 6e-8 of the brightest pixel.
    assert np.abs(difference - summed(truths, exposure)).max() < 1e-6 * injected.images.max()
    assert injected.variance is exposure.variance
    assert np.array_equal(exposure.images, before)
    assert injected.images.dtype == np.float32


def test_a_star_brings_its_flux_in_every_band(blank):
    exposure = blank(noise=False)
    injected, (truth,) = inject_sources(exposure, [star()], rng=RNG(1))
    # The stamp of a Gaussian PSF, 5 σ wide, holds all but 4e-6 of the flux; float32 sums add 1e-6.
    assert injected.images.sum(axis=(1, 2), dtype=float) == pytest.approx([1000, 2000], rel=1e-5)
    assert truth.array.sum(axis=(1, 2)) == pytest.approx([1000, 2000], rel=1e-5)


def test_with_a_gain_the_added_light_brings_its_photon_noise(blank):
    exposure = blank()
    sources = [star(y=15 + 12 * (k // 8), x=8 + 12 * (k % 8), k=k) for k in range(40)]
    gain = {"g": 0.5, "r": 2.0}
    injected, truths = inject_sources(exposure, sources, gain=gain, rng=RNG(3))
    truth = summed(truths, exposure)
    gains = np.array([0.5, 2.0])[:, None, None]
    added = injected.images.astype(float) - exposure.images
    assert np.allclose(injected.variance, exposure.variance + np.maximum(truth, 0) / gains, rtol=1e-5)
    # Every value is a whole number of electrons.
    assert np.abs(added * gains - np.round(added * gains)).max() < 1e-3
    bright = truth * gains > 20
    pulls = ((added - truth) / np.sqrt(np.maximum(truth, 1e-9) / gains))[bright]
    # 5 standard errors of mean and standard deviation.
    assert abs(pulls.mean()) < 5 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 5 / np.sqrt(2 * pulls.size)


def test_the_same_generator_gives_the_same_noise(blank):
    first, second, other = (inject_sources(blank(), [star()], gain=1.0, rng=RNG(seed))[0].images for seed in (7, 7, 8))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_masked_and_missing_pixels_stay_so(blank):
    exposure = blank()
    exposure.images[0, 40, 50] = np.nan
    exposure.mask[1, 41, 51] = 1
    injected, _ = inject_sources(exposure, [star()], gain=1.0, rng=RNG(1))
    assert np.isnan(injected.images[0, 40, 50])
    assert np.array_equal(injected.mask, exposure.mask)
    assert np.array_equal(injected.bad, exposure.bad)


@settings(max_examples=15, deadline=None)
@given(st.floats(-20, 110), st.floats(-20, 120))
def test_sources_add_up_wherever_they_are(y, x):
    exposure = blank_exposure(noise=False)
    both, _ = inject_sources(exposure, [star(y, x), galaxy()], rng=RNG(1))
    first, _ = inject_sources(exposure, [star(y, x)], rng=RNG(1))
    second, _ = inject_sources(first, [galaxy()], rng=RNG(1))
    assert np.allclose(both.images, second.images, rtol=1e-5, atol=1e-4)


def test_a_band_without_psf_is_refused(blank):
    exposure = blank(psfs=(None, blank().psfs[1]))
    with pytest.raises(InputError, match="no PSF for band g: sources are drawn through the exposure's own PSF"):
        inject_sources(exposure, [star()], rng=RNG(1))


def test_a_source_with_other_bands_is_refused(blank):
    with pytest.raises(InputError, match="source 0 has 3 fluxes; expected one each for g, r"):
        inject_sources(blank(), [star(flux=(1.0, 2.0, 3.0))], rng=RNG(1))


@pytest.mark.parametrize(
    ("gain", "message"),
    [
        ({"g": 1.0}, "no gain for band r; it is given for g"),
        ([1.0, 2.0, 3.0], "3 gains for the 2 bands g, r"),
        ([1.0], "1 gains for the 2 bands g, r"),
        (0.0, "a gain must be above 0 photo-electrons per image unit, got 0.0"),
        ([1.0, np.nan], "got 1.0, nan"),
    ],
)
def test_wrong_gains_are_refused(blank, gain, message):
    with pytest.raises(InputError, match=message):
        inject_sources(blank(), [star()], gain=gain, rng=RNG(1))
