"""Errors of what sizes its own aperture, and of shapes, against realisations of the noise."""

import numpy as np
import pytest
from single_apertures import area_change, common_ellipse

from meas_deblend.geometry import Box
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure
from meas_deblend.measure import (
    MeasureConfig,
    NoiseCorrelation,
    PsfShapes,
    Scene,
    Target,
    Window,
    half_light_radii,
    kron_radius,
    measure_sky,
    noise_field,
)
from meas_deblend.measure.aperture_errors import MeasuredAperture, _influences, aperture_error_terms
from meas_deblend.measure.child import shape_set
from meas_deblend.measure.ellipses import Ellipse
from meas_deblend.measure.moments import adaptive_moments

SIDE, CENTER, BANDS = 81, (40.3, 39.8), 2
PSFS = tuple(GaussianPsf(1.7) for _ in range(BANDS))
CONFIG, N = MeasureConfig(), 60
KERNEL = np.exp(-0.5 * (np.hypot(*np.mgrid[-4:5, -4:5]) / 0.9) ** 2)
NOISES = {
    "white": NoiseCorrelation.white(BANDS),
    "correlated": NoiseCorrelation(np.stack([KERNEL] * BANDS), np.ones(BANDS), np.ones(BANDS, dtype=np.int64)),
}


def galaxy(radius=3.0, axes=0.6):
    """Elliptical exponential, blurred by hand with its core: wings fall slower than those of a Gaussian (y, x)."""
    y, x = (axis - c for axis, c in zip(np.mgrid[:SIDE, :SIDE], CENTER, strict=True))
    along, across = (x + y) / np.sqrt(2), (x - y) / np.sqrt(2) / axes
    image = np.exp(-np.hypot(np.hypot(along, across), 1.5) / radius * 1.68)
    return image / np.sqrt((image**2).sum())


def measured(image, noise):
    planes = image.astype(np.float32), np.ones(image.shape, np.float32), np.zeros(image.shape, np.int32)
    exposure = MultibandExposure(("r", "i"), *planes, PSFS, MaskPlanes())
    scene = Scene(exposure, np.zeros(image.shape[1:], dtype=bool), noise)
    return measure_sky(scene, Target(CENTER, 1), PsfShapes(PSFS, CONFIG), CONFIG).flavors["reapportioned"]


def numbers(found):
    """Values and errors (k, B): elliptical and Kron flux, half-light radius, T = Ixx + Iyy and size, centroid."""
    ones = np.ones((BANDS, 1))
    sums = found.shape.error_of(ones * [1.0, 0.0, 1.0])
    rows = [
        *zip(found.fluxes.flux[-4:-2], found.fluxes.error[-4:-2], strict=True),
        (found.half_light.radius, found.half_light.error),
        (found.shape.moments[:, 0] + found.shape.moments[:, 2], sums),
        (found.sizes.excess, found.sizes.error),
        (found.centroid.x, found.centroid.x_error),
    ]
    return np.array(rows)


@pytest.mark.parametrize("kind", list(NOISES))
@pytest.mark.parametrize("snr", [10, 30, 100, 300])
def test_errors_are_the_scatter_of_realisations(kind, snr):
    image, noise = np.stack([snr * galaxy()] * BANDS), NOISES[kind]
    truth = numbers(measured(image, noise))[:, 0]
    rows = [numbers(measured(image + noise_field(noise, (SIDE, SIDE), (snr, k)), noise)) for k in range(N)]
    pulls = np.array([(row[:, 0] - truth) / row[:, 1] for row in rows])
    low, high = np.nanpercentile(pulls, (15.87, 84.13), axis=(0, 2))
    # Half the 68 % interval of 120 pulls, which two bands share in part, has a scatter of 8 to 11 %: ± 2.5 of that
    # around the bounds 0.9 and 1.15; the expansion of first order is less good at S/N 10.
    assert ((high - low) / 2 > 0.68).all()
    assert ((high - low) / 2 < (1.5 if snr == 10 else 1.4)).all()
    # 0.1, and three errors of the mean.
    assert (np.abs(np.nanmean(pulls, axis=(0, 2)))[:2] < 0.1 + 3 / np.sqrt(N)).all()


def terms(image, noise=1.0):
    """Terms of an image in a Window, and its apertures without noise."""
    usable = np.ones(image.shape, dtype=bool)
    window = Window(Box((0, 0), (SIDE, SIDE)), image, np.full(image.shape, noise), usable, usable[0])
    shape = shape_set(adaptive_moments(window, CENTER, np.full(len(image), 2.0), CONFIG))
    ellipse = common_ellipse(shape, shape, 30.0)
    kron = kron_radius(window, CENTER, ellipse)
    return window, MeasuredAperture(CENTER, ellipse, kron, shape, area_change(shape, 30.0))


def area(measured_aperture):
    """Logarithms of the areas of both apertures."""
    ellipse, kron = measured_aperture.ellipse, measured_aperture.kron
    factor = max(CONFIG.kron_factor * kron.value, CONFIG.kron_minimum)
    return np.log(ellipse.a * ellipse.b) + 2 * np.log([CONFIG.ellipse_scale, factor])


@pytest.mark.parametrize("radius", [1.0, 6.0])
def test_influence_is_the_derivative_of_the_area(radius):
    image = np.stack([300 * galaxy(radius), 200 * galaxy(radius)])
    window, before = terms(image)
    by_moments, by_radius = _influences(window, before)
    change = noise_field(NOISES["white"], (SIDE, SIDE), (5,))
    _, after = terms(image + 1e-3 * change)
    expected = (area(after) - area(before)) / 1e-3
    # Differences over 1e-3 of the noise are first order to 1e-2; the end of the sum over r < 6, which jumps from pixel
    # to pixel, is not part of the derivative of R.
    assert (by_moments * change).sum() == pytest.approx(expected[0], rel=0.02)
    decides = before.kron.value * CONFIG.kron_factor > CONFIG.kron_minimum
    kron = by_radius if decides else by_moments
    assert (kron * change).sum() == pytest.approx(expected[1], rel=0.15, abs=1e-3)


def test_apertures_of_known_size_have_no_such_term():
    image = np.stack([300 * galaxy(), 200 * galaxy()])
    window, before = terms(image)
    nothing = shape_set(adaptive_moments(window, (np.nan, np.nan), np.full(2, 2.0), CONFIG))
    kron = kron_radius(Window(window.box, -image, window.noise, window.usable, window.observed), CENTER, before.ellipse)
    assert kron.flag
    given = MeasuredAperture(CENTER, Ellipse(3.0, 2.0, 0.3), kron, nothing, area_change(nothing, 30.0))
    areas = np.ones((2, SIDE, SIDE))
    assert (aperture_error_terms((window,), areas, given, NOISES["white"], CONFIG) == 0).all()


def test_correlated_noise_enters_errors_of_radii():
    image = np.stack([300 * galaxy(), 200 * galaxy()])
    window, before = terms(image)
    white, correlated = (kron_radius(window, CENTER, before.ellipse, noise).error for noise in NOISES.values())
    # Noise that is correlated over less than the weights reach has Σξ times the variance on smooth weights.
    assert correlated / white == pytest.approx(np.sqrt(KERNEL.sum()), rel=0.2)
    white, correlated = (half_light_radii(window, CENTER, 20.0, noise).error for noise in NOISES.values())
    assert correlated / white == pytest.approx(np.sqrt(KERNEL.sum()), rel=0.2)


def test_errors_of_hardly_known_sizes_have_a_bound():
    """No noise makes an error many times the scatter: sizes move between limits, about the centres of the moments."""
    image, noise = np.stack([8 * galaxy()] * BANDS), NOISES["white"]
    found = [measured(image + noise_field(noise, (SIDE, SIDE), (8, k)), noise) for k in range(140, 180)]
    fluxes = np.array([one.fluxes.flux[-4:-2] for one in found])
    errors = np.array([one.fluxes.error[-4:-2] for one in found])
    # In 200 such realisations the largest errors are 2.3 and 3.0 times the scatter; terms about the position
    # of the flux gave 200 times the scatter for one of these.
    assert (errors.max(axis=(0, 2)) < 4 * fluxes.std(axis=(0, 2))).all()
    # Axes of a galaxy at S/N 8 are known to a half or not, as the noise will have it.
    assert 0 < np.mean([one.ellipse_flag for one in found]) < 1
