"""The deblender joint_profiles: from exposures and parents to models that the store can keep."""

from dataclasses import replace

import numpy as np
import pytest
from profile_scenes import SIGMAS, gaussian_stamp, scene

from meas_deblend.apportion import render_templates
from meas_deblend.deblenders import Hybrid, HybridOptions, JointProfiles, JointProfilesOptions, deblend_profiles
from meas_deblend.geometry import Box, Footprint, Parent, Peak
from meas_deblend.image import ImagePsf, MaskPlanes, MultibandExposure
from meas_deblend.models import PointComponent, ProfileComponent

GALAXIES = [
    ((30.2, 20.4), 2.4, 0.6, 0.4, 1.0, (2e4, 3e4, 4e4)),
    ((33.1, 40.3), 1.5, 0.8, 2.0, 1.0, (700.0, 500.0, 300.0)),
]
OPTIONS = JointProfilesOptions()


def exposure_of(images, noise=1.0):
    return MultibandExposure(
        ("g", "r", "i"),
        images.astype(np.float32),
        np.full(images.shape, noise**2, dtype=np.float32),
        np.zeros(images.shape, dtype=np.int32),
        tuple(ImagePsf(gaussian_stamp(sigma)) for sigma in SIGMAS),
        MaskPlanes({"BAD": 0}, ("BAD",)),
        zeropoints=(30.0, 30.0, 30.0),
        pixel_scale=0.2,
    )


def parent_of(ident, box, *centers):
    peaks = tuple(Peak(k, round(y), round(x), position=(y, x), name=f"{ident}-{k}") for k, (y, x) in enumerate(centers))
    return Parent(ident, Footprint.from_box(box, peaks))


@pytest.fixture(scope="module")
def sky():
    images, truth = scene(GALAXIES)
    return exposure_of(images), truth


def test_models_are_parameters_that_are_drawn_as_they_were_fitted(sky):
    exposure, truth = sky
    parent = parent_of(1, exposure.box, GALAXIES[0][0], GALAXIES[1][0])
    model = JointProfiles()(exposure, parent, OPTIONS)
    assert (model.outcome, model.blends[0].stop_reason) == ("ok", "converged")
    assert all(isinstance(c, ProfileComponent) for s in model.sources for c in s.components)
    for k, image in enumerate(render_templates(model, exposure.box)):
        drawn = image.project(exposure.box).array
        # Of the peak: what noise leaves undetermined, and the kernels that draw what is stored.
        assert np.abs(drawn - truth[k]).max() < max(0.01 * truth[k].max(), 3.0)
    covariance = model.blends[0].flux_covariance
    assert covariance.shape == (3, 2, 2)
    fluxes = np.array([sum(c.spectrum for c in s.components) for s in model.sources])
    assert np.all(np.abs(fluxes[1] - GALAXIES[1][5]) < 4 * np.sqrt(covariance[:, 1, 1]))
    assert model.blends[0].log_likelihood == pytest.approx(-0.5 * exposure.images.size, rel=0.05)


def test_wings_of_other_parents_do_not_bias_those_fitted_with_them(sky):
    exposure, _ = sky
    parents = (
        parent_of(1, Box((14, 5), (32, 26)), GALAXIES[0][0]),
        parent_of(2, Box((26, 33), (14, 15)), GALAXIES[1][0]),
    )
    bright, faint = deblend_profiles(exposure, parents, OPTIONS)
    alone = JointProfiles()(exposure, parents[1], OPTIONS)

    def error(model):
        fluxes = sum(c.spectrum for c in model.sources[0].components)
        return np.abs(fluxes / np.array(GALAXIES[1][5]) - 1).max()

    assert [model.outcome for model in (bright, faint)] == ["ok", "ok"]
    assert error(faint) < 0.15
    assert error(faint) < error(alone)


def test_points_are_flagged():
    images, _ = scene([((30.2, 30.4), 0.0, 1.0, 0.0, 1.0, (5e3, 5e3, 5e3))])
    exposure = exposure_of(images)
    (source,) = JointProfiles()(exposure, parent_of(1, exposure.box, (30.2, 30.4)), OPTIONS).sources
    assert [type(c) for c in source.components] == [PointComponent]
    assert source.flags == {"deblend_deblendedAsPsf"}
    assert [fit.is_psf for fit in source.psf_fits] == [True] * 3


def test_nobody_is_lost_without_data_or_psf(sky):
    exposure, _ = sky
    parent = parent_of(1, exposure.box, GALAXIES[0][0], GALAXIES[1][0])
    masked = replace(exposure, mask=np.ones_like(exposure.mask))
    blind = replace(exposure, psfs=(None, None, None))
    for damaged, reason in ((masked, "no_data"), (blind, "no_psf")):
        model = JointProfiles()(damaged, parent, OPTIONS)
        assert (model.outcome, model.reason) == ("failed", reason)
        assert [s.flags for s in model.sources] == [{"deblend_noModel"}] * 2
    # One of the parents cannot be fitted; the other one can.
    other = parent_of(2, Box((0, 0), (5, 5)), (2.0, 2.0))
    mask = exposure.mask.copy()
    mask[:, :5, :5] = 1
    models = deblend_profiles(replace(exposure, mask=mask), (other, parent), OPTIONS)
    assert [m.outcome for m in models] == ["failed", "ok"]


def test_band_without_psf_has_no_flux(sky):
    exposure, _ = sky
    parent = parent_of(1, exposure.box, GALAXIES[0][0], GALAXIES[1][0])
    model = JointProfiles()(replace(exposure, psfs=(None, *exposure.psfs[1:])), parent, OPTIONS)
    assert model.outcome == "ok"
    for source in model.sources:
        assert all(c.spectrum[0] == 0 < c.spectrum[1] for c in source.components)


def test_errors_are_kept_or_raised(sky, monkeypatch):
    exposure, _ = sky
    parent = parent_of(1, exposure.box, GALAXIES[0][0])

    def broken(*args, **kwargs):
        raise ArithmeticError("it does not add up")

    monkeypatch.setattr("meas_deblend.profiles.joint.fit_profiles", broken)
    model = JointProfiles()(exposure, parent, OPTIONS)
    assert (model.outcome, model.reason) == ("failed", "fit_failed")
    assert model.message == "ArithmeticError: it does not add up"
    with pytest.raises(ArithmeticError, match="it does not add up"):
        JointProfiles()(exposure, parent, JointProfilesOptions(catch_failures=False))


KNOT = ((34.0, 24.6), 0.6, 0.9, 0.0, 1.0, (700.0, 500.0, 300.0))
FAR = ((46.2, 40.4), 0.9, 0.9, 0.0, 1.0, (300.0, 250.0, 200.0))


def test_structure_belongs_to_its_galaxy_and_unlisted_sources_are_named():
    galaxy = ((30.2, 20.4), 4.0, 0.6, 0.4, 1.0, (2e4, 2e4, 2e4))
    images, truth = scene([galaxy, KNOT, FAR])
    exposure = exposure_of(images)
    parent = parent_of(1, exposure.box, galaxy[0])
    whole = Hybrid()(exposure, parent, HybridOptions())
    plain = JointProfiles()(exposure, parent, OPTIONS)
    assert (whole.deblender, plain.deblender) == ("hybrid", "joint_profiles")
    centers = {component.center for component in whole.sources[0].components}
    assert len(centers) > 1
    assert len({component.center for component in plain.sources[0].components}) == 1
    # The knot's light is the galaxy's; the other one is nobody's.
    assert min(np.hypot(y - KNOT[0][0], x - KNOT[0][1]) for y, x in centers) < 1
    assert min(np.hypot(y - FAR[0][0], x - FAR[0][1]) for y, x in centers) > 5
    assert any("a source that is not listed at y = 46." in warning for warning in whole.warnings)
    assert whole.sources[0].flags == {"deblend_hasStructure", "deblend_hasUnlistedNeighbor"}
    assert plain.sources[0].flags == {"deblend_hasUnlistedNeighbor"}
    errors = []
    for model in (whole, plain):
        drawn = render_templates(model, exposure.box)[0].project(exposure.box).array
        errors.append(np.abs(drawn - truth[0] - truth[1]).sum())
    assert errors[0] < errors[1]
