"""Point-source scenes on which the production algorithm's steps are known, and what the default makes of them."""

import subprocess
import sys

import numpy as np
import pytest

import meas_deblend.scarlet as engine
from meas_deblend.scarlet import FitConfig, deblend_blend

SIGMAS = (1.5, 1.7, 2.0)
SCENES = {
    "one": [((25, 25), (400, 800, 1200))],
    "colours": [((25, 22), (1000, 600, 300)), ((25, 28), (300, 600, 1000))],
    "alike": [((25, 22), (500, 500, 500)), ((25, 28), (500, 500, 500))],
}
# Per seed: iterations, logL of the separate guesses, after the joint spectra, before and after the last update, as two
# implementations of the same steps found them in double precision.
STEPS = {
    ("one", 0): (7, -3848.1, -3848.1, -3815.7, -3820.7),
    ("one", 3): (14, -4050.2, -4050.2, -3886.0, -3902.7),
    ("colours", 0): (11, -54163.4, -3811.5, -3845.7, -3829.5),
    ("colours", 2): (12, -67049.2, -3961.9, -3973.2, -3977.6),
    ("alike", 1): (11, -12692.8, -3903.6, -3967.3, -3937.3),
    ("alike", 3): (12, -11840.3, -3879.3, -3881.7, -3885.4),
}


def gaussian(y, x, sigma):
    return np.exp(-(y**2 + x**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)


def make(name, seed):
    """Images, variance, PSFs, centres and fluxes of sampled Gaussians on noise of standard deviation 1."""
    y, x = np.mgrid[:41, :41] - 20
    psfs = np.stack([gaussian(y, x, s) for s in SIGMAS])
    images = np.random.RandomState(seed).normal(size=(3, 51, 51))
    y, x = np.mgrid[:51, :51]
    for (cy, cx), fluxes in SCENES[name]:
        images += np.stack([f * gaussian(y - cy, x - cx, s) for f, s in zip(fluxes, SIGMAS, strict=True)])
    centers, fluxes = zip(*SCENES[name], strict=True)
    return (images, np.ones_like(images), psfs / psfs.sum(axis=(1, 2), keepdims=True), centers), np.array(fluxes)


@pytest.mark.parametrize(("name", "seed"), STEPS)
def test_production_takes_the_known_steps(name, seed):
    arguments, _ = make(name, seed)
    separate = FitConfig.production().model_copy(update={"spectra_limit": 0, "max_iter": 0})
    blend = deblend_blend(*arguments, config=FitConfig.production())
    guess = deblend_blend(*arguments, config=separate)
    assert blend.iterations == STEPS[name, seed][0]
    values = (guess.logL, blend.loss[0], blend.loss[-1], blend.logL)
    assert values == pytest.approx(STEPS[name, seed][1:], abs=0.06)  # rounded to 0.1 there


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SCENES)
def test_default_recovers_the_fluxes(name, seed):
    arguments, truth = make(name, seed)
    blend = deblend_blend(*arguments)
    flux = np.array([s.flux for s in blend.sources])
    # The error of a point source's flux is about 6; colours alike and peaks 6 pixels apart allow some exchange.
    assert flux == pytest.approx(truth, rel=0.1)
    assert -2 * blend.logL / arguments[0].size == pytest.approx(1, abs=0.05)
    assert blend.iterations <= 60


def test_options_load_without_the_compiler():
    code = (
        "import sys; from meas_deblend.scarlet import FitConfig; assert 'numba' not in sys.modules; import meas_deblend"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 -- a fixed command


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = engine.nothing
