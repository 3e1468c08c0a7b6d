"""Point sources that are recognised before the fit."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import (
    Component,
    Convolver,
    FitConfig,
    SersicShape,
    deblend_blend,
    match_psfs,
    matched_kernels,
    model_psf,
)
from meas_deblend.scarlet.arguments import make_observation
from meas_deblend.scarlet.component import PointComponent
from meas_deblend.scarlet.deconvolution import deconvolve
from meas_deblend.scarlet.fit import fit
from meas_deblend.scarlet.initialize import initialize
from meas_deblend.scarlet.late_points import with_late_points
from meas_deblend.scarlet.profiles import Resolution, point_images, sersic_images

FRAME = Box((0, 0), (61, 61))
PSFS = np.stack([model_psf(sigma, 31) for sigma in (1.5, 1.7, 1.9)])
NOISE = np.array([1.0, 2.0, 1.5])


def observed(center, radius=0.0):
    """Draw a source of unit flux in every band: a point, or an exponential disc of a half-light radius in pixels."""
    match = match_psfs(PSFS)
    resolution = Resolution(match.sigma)
    if radius:
        image, _ = sersic_images(SersicShape(center, radius, (0.1, 0.0), 1.0), FRAME, resolution)
    else:
        image, _ = point_images(np.array(center), FRAME, resolution)
    convolver = Convolver(matched_kernels(PSFS), FRAME.shape)
    return convolver.render(np.repeat(image[None], 3, axis=0))


def with_snr(source, snr):
    """Scale a source to a total signal-to-noise ratio; returns it and its flux."""
    flux = snr / np.sqrt(np.sum((source / NOISE[:, None, None]) ** 2))
    return flux * source, flux


def run(image, centers, seed=0, **options):
    rng = np.random.default_rng(seed)
    variance = np.broadcast_to(NOISE[:, None, None] ** 2, image.shape)
    noisy = image + rng.normal(size=image.shape) * NOISE[:, None, None]
    return deblend_blend(noisy, variance, PSFS, centers, config=FitConfig(**options))


def is_point(blend, k=0):
    return [type(component) for component in blend.sources[k].components] == [PointComponent]


@pytest.mark.parametrize("snr", [200, 1000, 10000])
def test_stars_beside_a_galaxy_are_points_at_their_positions(snr):
    star, flux = with_snr(observed((30.31, 29.8)), snr)
    galaxy, _ = with_snr(observed((33.0, 39.0), 2.0), 60)
    blend = run(star + galaxy, [(30.31, 29.8), (33, 39)])
    assert is_point(blend)
    assert not is_point(blend, 1)
    source = blend.sources[0]
    # 6 errors of a centroid, FWHM / (2.35 S/N), and of a flux.
    assert np.hypot(*np.subtract(source.components[0].position, (30.31, 29.8))) < 6 * 1.7 / snr
    assert source.flux == pytest.approx(flux, rel=6 * np.sqrt(3) / snr)
    # The errors know that only the brightness and the position of a point source are fitted.
    white = np.sqrt(np.sum((star / NOISE[:, None, None]) ** 2, axis=(1, 2)))
    assert source.flux_error * white / flux == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("radius", [0.6, 1.5])
def test_compact_galaxies_are_not_points(radius):
    galaxy, _ = with_snr(observed((30.3, 29.8), radius), 300)
    assert not is_point(run(galaxy, [(30.3, 29.8)]))


def test_faint_sources_and_those_of_other_options_are_not_points():
    star, _ = with_snr(observed((30.3, 29.8)), 60)
    assert not is_point(run(star, [(30, 30)]))
    star, _ = with_snr(observed((30.3, 29.8)), 300)
    assert not is_point(run(star, [(30, 30)], point_source_snr=None))
    assert not is_point(run(star, [(30, 30)], point_source_snr=1000))


def looked_at_again(image, seed):
    """Fit two sources pixel by pixel, and look for point sources among them afterwards: both results."""
    rng = np.random.default_rng(seed)
    noisy = image + rng.normal(size=image.shape) * NOISE[:, None, None]
    variance = np.broadcast_to(NOISE[:, None, None] ** 2, image.shape)
    free, points = FitConfig(point_source_snr=None), FitConfig(point_source_snr=25, late_points=True)
    observation = make_observation(noisy, variance, PSFS, weights=None, footprint=None, config=free)
    start = deconvolve(noisy, observation.noise, observation.convolver.kernels).images.sum(axis=0)
    sources = initialize(observation, [(30, 30), (33, 37)], start, free, [(30.31, 29.8), (33.0, 37.0)])
    result = fit(observation, [component for source in sources for component in source], free)
    return (sources, result), with_late_points(observation, sources, result, points)


def flux_of_first(found):
    sources, result = found
    return sum(component.flux for component in result.components[: len(sources[0])])


def test_stars_are_recognised_beside_fitted_galaxies():
    star, flux = with_snr(observed((30.31, 29.8)), 60)
    galaxy, _ = with_snr(observed((33.0, 37.0), 2.0), 80)
    before, after = [], []
    for seed in range(1, 9):
        free, points = looked_at_again(star + galaxy, seed)
        if isinstance(points[1].components[0], PointComponent):
            assert len(points[0][0]) == 1
            assert len(points[1].components) == sum(len(source) for source in points[0])
            assert points[1].loss[: len(free[1].loss)] == free[1].loss
            before.append(flux_of_first(free).sum() / flux / 3 - 1)
            after.append(flux_of_first(points).sum() / flux / 3 - 1)
        assert not any(isinstance(component, PointComponent) for component in points[1].components[len(points[0][0]) :])
    # Its width may be 1.8 standard deviations above the PSF's, so one in 28 is missed by chance.
    assert len(after) >= 6
    # The unweighted sum of the fluxes is known to 2 / S/N: three errors of the mean of six.
    assert abs(np.mean(after)) < 3 * 2 / 60 / np.sqrt(6)
    assert np.mean(before) > np.mean(after) + 0.05


@pytest.mark.parametrize("radius", [1.0, 2.0])
def test_galaxies_beside_fitted_galaxies_are_left_as_they_are(radius):
    faint, _ = with_snr(observed((30.31, 29.8), radius), 60)
    galaxy, _ = with_snr(observed((33.0, 37.0), 2.0), 80)
    for seed in range(3):
        free, points = looked_at_again(faint + galaxy, seed)
        assert points[0] is free[0]
        assert points[1] is free[1]


@pytest.mark.parametrize("optimizer", ["amsgrad", "adam", "fista"])
def test_a_point_keeps_its_shape_in_the_fit(optimizer):
    star, _ = with_snr(observed((30.3, 29.8)), 500)
    galaxy, _ = with_snr(observed((36.0, 34.0), 2.0), 60)
    blend = run(star + galaxy, [(30.3, 29.8), (36, 34)], optimizer=optimizer)
    (point,) = blend.sources[0].components
    image, _ = point_images(np.array(point.position), point.box, Resolution(match_psfs(PSFS).sigma))
    # The width of the model PSF is read from its stamp, to 1e-5.
    assert point.morph == pytest.approx(image / image.max(), abs=1e-5)
    assert point.tangents().shape == (2, *point.box.shape)


def test_neighbours_of_a_very_bright_star_keep_their_fluxes():
    # Galaxies of S/N 20, 12 pixels from a star whose peak is 10⁴ times as high, with its photon noise in the variance.
    rng = np.random.default_rng(3)
    places = [(30 + 12 * np.sin(a), 30 + 12 * np.cos(a)) for a in (0.5, 2.6, 4.7)]
    galaxies, fluxes = zip(*(with_snr(observed(place, 1.8), 20) for place in places), strict=True)
    star = observed((30, 30))
    star *= 1e4 * galaxies[0].max() / star.max()
    image = star + sum(galaxies)
    variance = NOISE[:, None, None] ** 2 + 0.2 * image.clip(0)
    found, alone = [], []
    for _ in range(8):
        noise = rng.normal(size=image.shape) * np.sqrt(variance)
        blend = deblend_blend(image + noise, variance, PSFS, [(30, 30), *places])
        assert is_point(blend)
        assert all(type(c) is Component for source in blend.sources[1:] for c in source.components)
        found.append([source.flux.mean() / flux for source, flux in zip(blend.sources[1:], fluxes, strict=True)])
        without = deblend_blend(image - star + noise, variance, PSFS, places)
        alone.append([source.flux.mean() / flux for source, flux in zip(without.sources, fluxes, strict=True)])
    # Each is uncertain by 7 %, their mean by 1.4 %. Wings that are lost in the noise cost 3 % without any star.
    assert np.mean(found) == pytest.approx(np.mean(alone), abs=0.05)
    assert np.mean(found) == pytest.approx(1, abs=0.08)
