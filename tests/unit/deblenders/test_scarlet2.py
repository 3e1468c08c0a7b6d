"""The wrapper of scarlet2: what it says without scarlet2, and what it does with it."""

import importlib.util
import os
from dataclasses import replace

import numpy as np
import pytest
from command_line import call

from meas_deblend import framework
from meas_deblend.deblenders import (
    NoDeblending,
    Scarlet2,
    Scarlet2Options,
    get_deblender,
    register_deblender,
    registry,
    scarlet2_fit,
)
from meas_deblend.exceptions import ConfigError
from meas_deblend.testing import check_deblender
from meas_deblend.testing.models import fluxes
from meas_deblend.testing.scenes import blend_of_three
from meas_deblend_tasks.any_deblender import AnyDeblenderConfig, AnyDeblenderTask

needs_scarlet2 = pytest.mark.skipif(
    importlib.util.find_spec("scarlet2") is None,
    reason="scarlet2 is not installed: pip install 'meas_deblend[scarlet2]'",
)


@pytest.fixture
def absent(monkeypatch):
    """Pretend that scarlet2 is not installed."""
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    monkeypatch.setattr(scarlet2_fit, "find_spec", lambda name: None)


def test_without_the_package_it_is_refused_when_it_is_chosen(absent):
    with pytest.raises(ConfigError, match=r"'scarlet2' needs the package scarlet2, .*: pip install 'meas_deblend\[sc"):
        get_deblender("scarlet2")
    case = blend_of_three()
    with pytest.raises(ConfigError, match="'scarlet2' needs the package scarlet2: pip install"):
        Scarlet2()(case.exposure, case.parent, Scarlet2Options())


def test_without_the_package_a_run_does_not_start(absent, capsys):
    arguments = ["show", "config", "deblend", "--pipeline", "any_deblender"]
    assert call(*arguments, "-c", "deblend:deblender.name=scarlet2") == 2
    assert "'scarlet2' needs the package scarlet2, which is not installed" in capsys.readouterr().err
    # Others can be chosen, and the schema for editors is whole but for its options.
    assert call(*arguments, "-c", "deblend:deblender.name=sep") == 0
    assert call(*arguments, "--schema") == 0


def test_what_cannot_be_fitted_is_told_before_the_fit(monkeypatch):
    monkeypatch.setattr(scarlet2_fit, "_library", lambda: None)
    case = blend_of_three()
    blind = replace(case.exposure, psfs=(None, None, None))
    dark = replace(case.exposure, images=np.full_like(case.exposure.images, np.nan))
    for exposure, reason in ((blind, "no_psf"), (dark, "no_data")):
        model = Scarlet2()(exposure, case.parent, Scarlet2Options())
        assert (model.outcome, model.reason) == ("failed", reason)
        assert all("deblend_noModel" in source.flags for source in model.sources)


def test_an_error_of_the_library_costs_one_parent(monkeypatch):
    class Wrong:
        VALIDATION_SWITCH = True

        @staticmethod
        def set_validation(switch):
            pass

    monkeypatch.setattr(scarlet2_fit, "_library", lambda: Wrong)
    case = blend_of_three()
    model = Scarlet2()(case.exposure, case.parent, Scarlet2Options())
    assert (model.outcome, model.reason) == ("failed", "fit_failed")
    assert "AttributeError: type object 'Wrong' has no attribute 'ArrayPSF'" in model.message


@needs_scarlet2
@pytest.mark.slow
def test_it_keeps_every_promise():
    check_deblender(Scarlet2)


@needs_scarlet2
def test_fluxes_of_a_blend():
    case = blend_of_three()
    model = Scarlet2()(case.exposure, case.parent, Scarlet2Options())
    assert model.outcome == "ok"
    truth = {0: (1500, 900, 600), 1: (500, 900, 1400), 2: (700, 700, 700)}
    # A PSF flux has an error of about 15 here; models with a free shape share the noise and the wings of others.
    for peak, flux in fluxes(model, case).items():
        np.testing.assert_allclose(flux, truth[peak], atol=75)


def test_threads_of_a_library_start_in_workers_only(monkeypatch):
    # What is deblended before workers are forked is deblended here: then jax would be, and the fork would hang.
    case = blend_of_three()
    parents = tuple(replace(case.parent, id=number) for number in (1, 2, 3))

    class Threaded(NoDeblending):
        name = "threaded"

        def __call__(self, exposure, parent, options):
            return replace(super().__call__(exposure, parent, options), message=str(os.getpid()))

    monkeypatch.setattr(registry._REGISTRY, "_registered", dict(registry._REGISTRY._registered))
    # Where the tests before have loaded jax, workers would be spawned, and a class of a test cannot be sent there.
    monkeypatch.setattr(framework.units, "start_method", lambda: "fork")
    register_deblender(Threaded())
    task = AnyDeblenderTask(AnyDeblenderConfig(deblender={"name": "threaded"}))
    for threads, here in ((False, 1), (True, 0)):
        monkeypatch.setattr(Threaded, "starts_threads", threads, raising=False)
        with framework.working(framework.Workplace(2)):
            models = task.run(case.exposure, parents).parent_models
        assert sum(model.message == str(os.getpid()) for model in models) == here
    assert Scarlet2.starts_threads
