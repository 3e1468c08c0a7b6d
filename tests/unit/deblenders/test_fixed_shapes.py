"""Covariances of fluxes with shapes held fixed, against noise drawn many times; and of blends with replaced sources."""

from dataclasses import replace

import numpy as np
import pytest
from crowded_blends import row_of

from meas_deblend.deblenders import MultiBandOptions, get_deblender
from meas_deblend.deblenders.credible import covariance_of_mixture
from meas_deblend.deblenders.cutout import cut_out
from meas_deblend.deblenders.fixed_shapes import FixedShapes, solution_covariance, solutions_covariance
from meas_deblend.deblenders.profile import JointProfiles
from meas_deblend.geometry import Footprint, Image
from meas_deblend.models import BlendModel, SourceModel

DRAWS = 4000
# Relative error of a variance from so many draws, four times over; of a correlation it is less.
MC = 4 * np.sqrt(2 / DRAWS)


@pytest.fixture(scope="module")
def blend():
    """Three sources in a row; the noise of the second band is twice that of the first, and a column is missing."""
    made = row_of(3, spacing=5.0)
    variance = made.exposure.variance.copy()
    variance[1] *= 4
    mask = made.exposure.mask.copy()
    mask[:, :, 14] = 1
    return replace(made, exposure=replace(made.exposure, variance=variance, mask=mask))


def shapes_of(blend, width):
    """Round Gaussians at the peaks, of flux 1000 in each band."""
    yy, xx = np.indices(blend.exposure.box.shape)
    images = []
    for peak in blend.parent.footprint.peaks:
        plane = np.exp(-0.5 * ((yy - peak.y) ** 2 + (xx - peak.x) ** 2) / width**2)
        images.append(Image(np.stack([1000 * plane / plane.sum()] * 2).astype(np.float32), blend.exposure.box))
    return FixedShapes(tuple(images), np.full((2, len(images)), 1000.0))


def estimates(shapes, blend, band, noise):
    """Fluxes (draw, source) by weighted least squares, written down again."""
    used = (blend.exposure.mask[band] == 0).ravel()
    columns = np.array([image.array[band].ravel() / 1000 for image in shapes.images])[:, used].astype(float)
    weights = 1 / blend.exposure.variance[band].ravel()[used]
    gram = (columns * weights) @ columns.T
    return np.linalg.solve(gram, (columns * weights) @ noise[:, used].T).T


@pytest.mark.parametrize("band", [0, 1])
def test_two_solutions_on_the_same_noise(blend, band):
    first, second = shapes_of(blend, 2.0), shapes_of(blend, 3.0)
    sigma = np.sqrt(blend.exposure.variance[band]).ravel()
    noise = np.random.default_rng(band).normal(0, sigma, (DRAWS, sigma.size))
    drawn = [estimates(shapes, blend, band, noise) for shapes in (first, second)]
    whole = np.cov(np.hstack(drawn).T)
    cutout, footprint = cut_out(blend.exposure, blend.exposure.box), blend.parent.footprint
    own, other, common = (c[band] for c in solutions_covariance(first, second, cutout, footprint))
    found = np.block([[own, common], [common.T, other]])
    scale = np.sqrt(np.diag(found))
    np.testing.assert_allclose(found / np.outer(scale, scale), whole / np.outer(scale, scale), atol=MC)
    np.testing.assert_array_equal(own, solution_covariance(first, cutout, footprint)[band])

    # The second source has what the second solution gave it.
    sources = tuple(
        SourceModel(p.id, p, (), rung="symmetric_templates" if k == 1 else "") for k, p in enumerate(footprint.peaks)
    )
    mixture = BlendModel(0, footprint.box, sources)
    mixed = covariance_of_mixture(mixture, (first, second), cutout, footprint)[band]
    expected = np.cov(np.column_stack([drawn[0][:, 0], drawn[1][:, 1], drawn[0][:, 2]]).T)
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(mixed / np.outer(scale, scale), expected / np.outer(scale, scale), atol=MC)
    # Neighbours that share light: what one gets the other lacks.
    assert mixed[0, 1] < -0.1 * np.sqrt(mixed[0, 0] * mixed[1, 1])


def test_sources_without_flux_have_no_errors(blend):
    shapes = shapes_of(blend, 2.0)
    fluxes = shapes.fluxes.copy()
    fluxes[1, 2] = 0
    cutout, footprint = cut_out(blend.exposure, blend.exposure.box), blend.parent.footprint
    found = solution_covariance(replace(shapes, fluxes=fluxes), cutout, footprint)
    assert not found[1, 2].any()
    assert not found[1, :, 2].any()
    assert (np.diagonal(found[0]) > 0).all()
    assert (np.diagonal(found[1])[:2] > 0).all()
    nowhere = Footprint(footprint.box, np.zeros(footprint.box.shape, dtype=bool), footprint.peaks)
    assert not solution_covariance(shapes, cutout, nowhere).any()


def run(blend, kind, *ladder):
    options = MultiBandOptions(ladder=(*ladder, "parent_only"), flux_errors=kind)
    (model,) = get_deblender("multi_band")(blend.exposure, blend.parent, options).blends
    return model


@pytest.fixture
def thief(monkeypatch):
    """The fit of profiles gives the second source a twentieth of its light."""
    fit = JointProfiles.__call__

    def _fit(self, *arguments):
        model = fit(self, *arguments)
        (made,) = model.blends
        components = tuple(replace(c, spectrum=c.spectrum / 20) for c in made.sources[1].components)
        sources = (made.sources[0], replace(made.sources[1], components=components), *made.sources[2:])
        return replace(model, blends=(replace(made, sources=sources),))

    monkeypatch.setattr(JointProfiles, "__call__", _fit)


@pytest.mark.parametrize("kind", ["marginal", "conditional"])
def test_errors_are_those_of_the_template_that_took_the_place(thief, kind):
    blend = row_of(4, spacing=6.0)
    mixed = run(blend, kind, "joint_profiles")
    rungs = ["joint_profiles", "symmetric_templates", "joint_profiles", "joint_profiles"]
    assert [source.rung for source in mixed.sources] == rungs
    # The engine's own errors of templates, whose fluxes it solved for on the same pixels.
    templates = run(blend, kind, "symmetric_templates").flux_covariance
    np.testing.assert_allclose(mixed.flux_covariance[:, 1, 1], templates[:, 1, 1], rtol=0.05)
    for plane in mixed.flux_covariance:
        np.testing.assert_allclose(plane, plane.T, rtol=1e-9)
        scale = np.sqrt(np.diag(plane))
        assert np.linalg.eigvalsh(plane / np.outer(scale, scale))[0] > 0
        assert plane[0, 1] < 0  # it overlaps its neighbours as the one did whose place it took
        assert plane[1, 2] < 0


def test_errors_of_profiles_are_those_of_their_fit():
    blend = row_of(4, spacing=6.0)
    marginal, conditional = (run(blend, kind, "joint_profiles").flux_covariance for kind in ("marginal", "conditional"))
    ratio = np.diagonal(marginal, axis1=1, axis2=2) / np.diagonal(conditional, axis1=1, axis2=2)
    # Shapes that are fitted too add to the errors.
    assert (ratio > 1).all()
    assert run(blend, "none", "joint_profiles").flux_covariance is None
