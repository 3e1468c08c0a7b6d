"""Components beyond spectrum × monotonic morphology: gradients, projections, and recovery of truth."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Convolver, FitConfig, Observation, mean_noise, model_psf, prepare_kernels
from meas_deblend.scarlet.freeform import CubeComponent, FreeFormComponent, connected_to
from meas_deblend.scarlet.parameters import GaussianPrior, Parameter, bounded, shorter_than
from meas_deblend.scarlet.parametric import point_source, sersic_source
from meas_deblend.scarlet.profiles import SersicShape
from meas_deblend.scarlet.sky import SkyComponent

FRAME = Box((0, 0), (33, 35))
FLUX = np.array([900.0, 1500.0, 600.0])
BANDS = len(FLUX)
SHAPE = SersicShape((15.3, 18.6), 2.3, (0.2, -0.1), 1.4)


def observe(components, noise=0.5, seed=0):
    """Images of the components with noise, as an observation."""
    convolver = Convolver(prepare_kernels(np.stack([model_psf(s, 21) for s in (1.3, 1.5, 1.8)])), FRAME.shape)
    clean = convolver.render(scene(components))
    images = clean + np.random.default_rng(seed).normal(0, noise, clean.shape)
    variance = np.full(clean.shape, noise**2)
    return Observation(images, variance, 1 / variance, convolver, mean_noise(variance))


def scene(components):
    model = np.zeros((BANDS, *FRAME.shape))
    for component in components:
        model[:, *component.box.slices_in(FRAME)] += component.model()
    return model


def refine(components, observation, updates):
    """Fit components through nothing but the interface that they share."""
    config = FitConfig()
    workers = [component.worker(config) for component in components]
    for iteration in range(updates):
        model = np.zeros((BANDS, *FRAME.shape))
        for worker in workers:
            worker.add_to(model)
        _, gradient = observation.gradient(model)
        for worker in workers:
            worker.update(gradient, iteration, observation.noise)
    return [worker.component() for worker in workers]


def numeric(function, x, h):
    """Central differences of a scalar function of an array."""
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        out[index] = (function(up) - function(down)) / (2 * h)
    return out


def replace_value(component, name, value):
    """The same component with another value of a parameter."""
    parameters = dict(component.parameters)
    parameters[name] = replace(parameters[name], value=value)
    return replace(component, parameters=parameters)


@pytest.mark.parametrize(
    ("component", "names"),
    [
        (point_source((15.31, 18.62), FLUX, FRAME), ("spectrum", "center")),
        (sersic_source(SHAPE, FLUX, FRAME), ("spectrum", "center", "radius", "ellipticity", "index")),
        (
            sersic_source(SersicShape((15.31, 18.62), 1.8, (0.0, 0.0), 0.5), FLUX, FRAME, free=()),
            ("spectrum", "center", "radius"),
        ),
    ],
    ids=["point", "sersic", "gaussian"],
)
def test_gradients_of_parameters_agree_with_differences(component, names):
    observation = observe([sersic_source(SersicShape((14.6, 19.4), 3.0), FLUX, FRAME)])
    gradients = component.gradients(observation.gradient(scene([component]))[1][:, *component.box.slices_in(FRAME)])
    for name in names:
        x = component.parameters[name].value

        def loss(value, name=name):
            return -observation.log_likelihood(scene([replace_value(component, name, value)]))

        expected = numeric(loss, x, 1e-5 * max(1.0, float(np.abs(x).max())))
        assert gradients[name] == pytest.approx(expected, rel=1e-6, abs=1e-6 * np.abs(expected).max())


@pytest.fixture
def blob():
    """A positive cube on a box inside the frame, with the gradient that it meets."""
    rng = np.random.default_rng(3)
    box = Box((9, 11), (13, 15))
    cube = rng.uniform(0.1, 2.0, (BANDS, *box.shape))
    return box, cube, observe([sersic_source(SHAPE, FLUX, FRAME)])


def test_the_gradient_of_a_cube_is_the_gradient_of_its_voxels(blob):
    box, cube, observation = blob
    component = CubeComponent((15, 18), box, cube)
    gradient = observation.gradient(scene([component]))[1]
    for voxel in ((0, 3, 4), (2, 12, 0), (1, 7, 9)):

        def loss(value, voxel=voxel):
            other = cube.copy()
            other[voxel] = value[0]
            return -observation.log_likelihood(scene([replace(component, cube=other)]))

        expected = numeric(loss, cube[voxel][None], 1e-2)[0]
        y, x = voxel[1] + box.origin[0], voxel[2] + box.origin[1]
        assert gradient[voxel[0], y, x] == pytest.approx(expected, rel=1e-6)


def test_gradients_of_a_free_form_component_agree_with_differences(blob):
    box, cube, observation = blob
    component = FreeFormComponent((15, 18), box, np.array([0.2, 0.5, 0.3]), cube[0])
    by_spectrum, by_morph = component.gradients(observation.gradient(scene([component]))[1])

    def spectrum_loss(value):
        return -observation.log_likelihood(scene([replace(component, spectrum=value)]))

    def row_loss(value):
        return -observation.log_likelihood(scene([replace(component, morph=np.vstack([value, component.morph[1:]]))]))

    assert by_spectrum == pytest.approx(numeric(spectrum_loss, component.spectrum, 1e-5), rel=1e-6)
    assert by_morph[0] == pytest.approx(numeric(row_loss, component.morph[0], 1e-2), rel=1e-6)


def test_gradients_of_a_sky_agree_with_differences():
    observation = observe([sersic_source(SHAPE, FLUX, FRAME)])
    sky = SkyComponent.start(FRAME, BANDS, np.dtype(np.float64))

    def loss(value):
        return -observation.log_likelihood(scene([replace(sky, level=replace(sky.level, value=value))]))

    expected = numeric(loss, sky.level.value, 1e-3)
    assert sky.gradients(observation.gradient(scene([sky]))[1])["level"] == pytest.approx(expected, rel=1e-6)


def test_a_point_source_finds_its_position_and_flux():
    truth = point_source((15.31, 18.62), FLUX, FRAME)
    observation = observe([truth], noise=1.0)
    (found,) = refine([point_source((15, 19), 0.8 * FLUX, FRAME)], observation, 150)
    # Expected errors: of the position about FWHM / (2 S/N) = 0.01 px; of the flux about 12 (noise over 150 px).
    assert found.center == pytest.approx(truth.center, abs=0.03)
    assert found.spectrum == pytest.approx(FLUX, abs=40)


def test_a_held_position_stays():
    observation = observe([point_source((15.31, 18.62), FLUX, FRAME)])
    (found,) = refine([point_source((15, 19), FLUX, FRAME, fit_position=False)], observation, 5)
    assert found.center == (15.0, 19.0)


def test_a_profile_finds_its_shape():
    truth = sersic_source(SHAPE, 4 * FLUX, FRAME)
    observation = observe([truth], noise=0.3)
    start = sersic_source(SersicShape((15, 19), 1.6, (0.0, 0.0), 1.0), 3 * FLUX, FRAME)
    (found,) = refine([start], observation, 120)
    values = found.values
    # Errors expected from the noise are smaller; what remains is that index and radius trade off along a valley.
    assert found.center == pytest.approx(truth.center, abs=0.02)
    assert values["ellipticity"] == pytest.approx(SHAPE.ellipticity, abs=0.02)
    assert values["radius"][0] == pytest.approx(SHAPE.radius, rel=0.05)
    assert values["index"][0] == pytest.approx(SHAPE.index, rel=0.1)


def test_a_cube_may_have_another_morphology_in_every_band():
    kinds = [
        sersic_source(SersicShape((15.0, 18.0), r), np.eye(BANDS)[b] * 4000, FRAME) for b, r in enumerate((1, 2, 3))
    ]
    observation = observe(kinds, noise=1.0)
    box = Box((5, 8), (21, 21))  # positivity keeps noise peaks, so a larger box holds too much flux
    start = CubeComponent((15, 18), box, np.maximum(observation.images[:, *box.slices_in(FRAME)], 0))
    (found,) = refine([start], observation, 150)
    assert np.all(found.cube >= 0)
    assert found.flux == pytest.approx(np.full(BANDS, 4000.0), rel=0.05)
    assert observation.log_likelihood(scene([found])) > -observation.images.size


def test_a_free_form_component_may_have_two_peaks():
    truth = [sersic_source(SersicShape((15.0, x), 1.0), FLUX, FRAME) for x in (12.0, 22.0)]
    observation = observe(truth, noise=1.0)
    box = Box((8, 5), (15, 25))
    morph = np.maximum(observation.images.sum(axis=0)[box.slices_in(FRAME)], 0)
    start = FreeFormComponent((15, 17), box, np.full(BANDS, 1 / BANDS), morph)
    (found,) = refine([start], observation, 200)
    assert found.spectrum.sum() == pytest.approx(1)
    assert found.flux == pytest.approx(2 * FLUX, rel=0.05)


def test_a_connected_component_drops_what_is_apart():
    truth = [sersic_source(SersicShape((15.0, x), 0.7), FLUX, FRAME) for x in (8.0, 26.0)]
    observation = observe(truth, noise=0.5)
    morph = np.maximum(observation.images.sum(axis=0), 0)
    start = FreeFormComponent((15, 8), FRAME, np.full(BANDS, 1 / BANDS), morph, connected=True)
    (found,) = refine([start], observation, 60)
    assert found.morph[15, 8] > 0
    assert not found.morph[:, 20:].any()


def test_connection_goes_through_sides_and_asks_for_an_area():
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 1]], dtype=bool)
    assert connected_to(mask, (1, 2)).tolist() == [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 1]]
    assert connected_to(mask, (0, 0), 3).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_a_sky_of_either_sign_is_found():
    source = sersic_source(SersicShape((16.0, 17.0), 1.2), FLUX, FRAME)
    observation = observe([source], noise=0.5)
    level = np.array([0.2, -0.15, 0.0])
    inside = observation.convolver.render(np.ones((BANDS, *FRAME.shape))) * level[:, None, None]
    observation = replace(observation, images=observation.images + inside)
    sky = SkyComponent.start(FRAME, BANDS, np.dtype(np.float64))
    found, _ = refine([sky, source], observation, 120)
    # Noise over √1155 pixels is 0.015.
    assert found.level.value == pytest.approx(level, abs=0.06)


def test_a_prior_wins_where_the_data_say_nothing():
    observation = observe([point_source((15.0, 18.0), FLUX, FRAME)])
    silent = replace(observation, weights=np.zeros_like(observation.weights))
    start = sersic_source(SHAPE, FLUX, FRAME, priors={"radius": GaussianPrior(3.0, 0.1)})
    (found,) = refine([start], silent, 40)
    assert found.values["radius"][0] == pytest.approx(3.0, abs=0.1)


def test_data_and_prior_meet_where_they_weigh_the_same():
    """The best spectrum under a Gaussian prior is the mean of both, weighted with the inverse variances."""
    truth = point_source((15.0, 18.0), FLUX, FRAME)
    observation = observe([truth], noise=2.0)
    template = observation.convolver.render(scene([replace_value(truth, "spectrum", np.ones(BANDS))]))
    weight = np.sum(observation.weights * template**2, axis=(1, 2))
    likely = np.sum(observation.weights * template * observation.images, axis=(1, 2)) / weight
    mean, sigma = 0.9 * FLUX, 15.0
    expected = (weight * likely + mean / sigma**2) / (weight + 1 / sigma**2)
    prior = GaussianPrior(mean, sigma)
    start = point_source((15.0, 18.0), FLUX, FRAME, fit_position=False, priors={"spectrum": prior})
    (found,) = refine([start], observation, 300)
    assert found.spectrum == pytest.approx(expected, abs=0.5)
    assert np.all(np.abs(expected - likely) > 5)


def test_a_gaussian_prior_has_the_gradient_of_its_logarithm():
    prior, x = GaussianPrior(np.array([1.0, -2.0]), np.array([0.5, 3.0])), np.array([0.3, 0.8])
    assert prior.logp(x) == pytest.approx(-0.5 * (1.4**2 + (2.8 / 3) ** 2))
    assert prior.grad(x) == pytest.approx(numeric(prior.logp, x, 1e-4), rel=1e-8)
    with pytest.raises(ValueError, match="sigma of a Gaussian prior must be > 0"):
        GaussianPrior(0.0, 0.0)


def test_constraints_are_projections():
    assert bounded(0.0, 2.0)(np.array([-1.0, np.nan, 1.0, 5.0])).tolist() == [0, 0, 1, 2]
    assert shorter_than(0.5)(np.array([0.6, 0.8])) == pytest.approx([0.3, 0.4])
    assert shorter_than(2.0)(np.array([0.6, 0.8])).tolist() == [0.6, 0.8]
    with pytest.raises(ValueError, match="in order"):
        bounded(1.0, 0.0)
    with pytest.raises(ValueError, match="must be > 0"):
        shorter_than(0)
    with pytest.raises(ValueError, match="must be finite and ≥ 0, got -1"):
        Parameter(np.zeros(2), -1)


def test_unknown_parameters_and_centers_outside_are_errors():
    with pytest.raises(ValueError, match=r"no parameters \['width'\], expected some of"):
        sersic_source(SHAPE, FLUX, FRAME, free=("width",))
    with pytest.raises(ValueError, match=r"priors are given for \['color'\], expected names of parameters"):
        point_source((15, 18), FLUX, FRAME, priors={"color": GaussianPrior(0, 1)})
    with pytest.raises(ValueError, match=r"center \(40\.0, 3\.0\) lies outside"):
        point_source((40, 3), FLUX, FRAME)
    with pytest.raises(ValueError, match="half-light radius must be > 0 pixels, got 0"):
        SersicShape((3.0, 3.0), 0.0)
    with pytest.raises(ValueError, match="shorter than 1"):
        SersicShape((3.0, 3.0), 1.0, (0.8, 0.8))
