"""Whole objects: flavours, neighbours replaced by noise, errors and covariances of two that share their pixels."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS
from scipy import ndimage

from meas_deblend.apportion import reapportion_parent
from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure
from meas_deblend.measure import (
    FLAVORS,
    MeasureConfig,
    NoiseCorrelation,
    ParentMeasurer,
    PsfShapes,
    Scene,
    Target,
    detected_pixels,
    flux_covariances,
    measure_noise,
    measure_sky,
)
from meas_deblend.models import BlendModel, ParentModel, SourceModel, TemplateComponent
from meas_deblend.simulate import correlation_kernel

SHAPE, PSF, CENTERS = (91, 101), GaussianPsf(1.8), ((45.0, 46.0), (45.0, 53.0))
FLUXES = (2000.0, 1200.0)
CONFIG = MeasureConfig(position="given", share_error=0.0, aperture_radii=(3.0, 6.0))


def star(center):
    """Unit star on the whole image."""
    stamp, middle = PSF.image(*center)
    box = Box((middle[0] - stamp.shape[0] // 2, middle[1] - stamp.shape[1] // 2), stamp.shape)
    out = np.zeros(SHAPE)
    out[box.slices_in(Box((0, 0), SHAPE))] = stamp
    return out


STARS = np.stack([star(center) for center in CENTERS])


def observe(noise, variance=1.0):
    """Two stars with noise."""
    image = np.tensordot(FLUXES, STARS, 1) + noise
    mask = np.zeros((1, *SHAPE), np.int32)
    return MultibandExposure(
        ("r",), image[None], np.full((1, *SHAPE), variance), mask, (PSF,), MaskPlanes({"BAD": 0}, ("BAD",))
    )


def parent_of(amplitudes, names=(0, 1)):
    """Parent with templates of the stars' shapes."""
    box = Box((25, 25), (41, 51))
    inside = np.hypot(*(np.mgrid[:41, :51] - np.array([20, 24.5])[:, None, None])) < 19
    peaks = tuple(Peak(k, round(CENTERS[n][0]), round(CENTERS[n][1])) for k, n in enumerate(names))
    sources = []
    for k, n in enumerate(names):
        cube = (amplitudes[n] * STARS[n])[box.slices_in(Box((0, 0), SHAPE))]
        sources.append(SourceModel(10 + n, peaks[k], (TemplateComponent(box, cube[None]),)))
    psfs = PSF.image(0, 0).stamp[None].astype(np.float32)
    footprint = Footprint(box, inside, peaks)
    return ParentModel(1, footprint, (BlendModel(2, box, tuple(sources)),), psfs)


def measurer(exposure, parent, config=CONFIG, noise=None):
    """Everything for one parent."""
    detected = detected_pixels([parent.footprint], SHAPE)
    noise = NoiseCorrelation.white(len(exposure.bands)) if noise is None else noise
    scene = Scene(exposure, detected, noise)
    return ParentMeasurer(scene, parent, reapportion_parent(exposure, parent), PsfShapes(exposure.psfs, config), config)


def own(measured):
    return measured.flavors["reapportioned"].fluxes


def fitted(exposure):
    """Amplitudes of the stars by least squares on the parent's pixels."""
    parent = parent_of(FLUXES)
    where = parent.footprint.box.slices_in(Box((0, 0), SHAPE))
    design = STARS[(slice(None), *where)].reshape(2, -1)
    return np.linalg.solve(design @ design.T, design @ exposure.images[0][where].ravel())


@pytest.mark.parametrize("kind", ["white", "correlated"])
def test_errors_and_covariances_of_a_pair_are_its_scatter(kind):
    """Templates are fitted to each realization, as a deblender does; 150 of them know a scatter to 6 %."""
    rng, kernel, values, covariances = np.random.default_rng(5), correlation_kernel(2.0), [], []
    noise = None
    for _ in range(150):
        pixels = rng.normal(size=SHAPE)
        if kind == "correlated":
            pixels = ndimage.convolve(pixels, kernel, mode="wrap")
        exposure = observe(pixels)
        parent = parent_of(fitted(exposure))
        if noise is None:
            sky = observe(ndimage.convolve(rng.normal(size=SHAPE), kernel, mode="wrap"))
            sky = replace(sky, images=sky.images - np.tensordot(FLUXES, STARS, 1))
            noise = measure_noise(sky, np.zeros(SHAPE, bool)) if kind == "correlated" else NoiseCorrelation.white(1)
        work = measurer(exposure, parent, noise=noise)
        results = [work.measure(k) for k in range(2)]
        values.append([own(m).flux[-2, 0] for m, _ in results])
        covariances.append(flux_covariances(work, [c for _, c in results]).psf[0])
    found, predicted = np.cov(np.array(values).T), np.mean(covariances, axis=0)
    np.testing.assert_allclose(np.diag(predicted), np.diag(found), rtol=0.35)
    assert predicted[0, 1] == pytest.approx(found[0, 1], abs=0.2 * np.sqrt(found[0, 0] * found[1, 1]))
    np.testing.assert_allclose(np.mean(values, axis=0), FLUXES, atol=4 * np.sqrt(found.max() / 150))


def test_the_diagonal_holds_the_catalogs_errors_and_models_theirs():
    exposure = observe(np.random.default_rng(1).normal(size=SHAPE))
    work = measurer(exposure, parent_of(fitted(exposure)), CONFIG.model_copy(update={"share_error": 0.3}))
    results = [work.measure(k) for k in range(2)]
    found = flux_covariances(work, [c for _, c in results])
    for k, (measured, _) in enumerate(results):
        assert found.psf[0, k, k] == pytest.approx(own(measured).error[-2, 0] ** 2)
        assert found.model[0, k, k] == pytest.approx(measured.model.error[0] ** 2)
        # A fit of two stars of known shape: at least the error of one alone.
        assert measured.model.error[0] >= 1 / np.sqrt((STARS[k] ** 2).sum())
    assert found.pairs == ((0, 0), (0, 1), (1, 1))
    np.testing.assert_allclose(found.psf, found.psf.swapaxes(1, 2))
    assert np.linalg.eigvalsh(found.psf[0]).min() > 0


def test_contested_light_adds_to_errors():
    exposure = observe(np.random.default_rng(1).normal(size=SHAPE))
    errors = []
    for share_error in (0.0, 0.3):
        work = measurer(exposure, parent_of(FLUXES), CONFIG.model_copy(update={"share_error": share_error}))
        errors.append(own(work.measure(0)[0]).error[:, 0])
    assert (errors[1] > errors[0]).all()


@pytest.mark.parametrize("reference", [1.0, 45.5, -2300.49])
def test_parts_of_one_pixel_grid_have_the_same_noise_around_an_object(reference):
    seeds = []
    for shift in (0, 17):
        wcs = WCS(naxis=2)
        wcs.wcs.crpix = reference - shift, reference + 3 - shift
        exposure = replace(observe(np.zeros(SHAPE)), wcs=wcs)
        scene = Scene(exposure, np.zeros(SHAPE, dtype=bool), NoiseCorrelation.white(1), seed=3)
        seeds.append([scene.seed_at(Peak(0, y - shift, x - shift)) for y, x in ((30, 40), (31, 40), (30, 41))])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3
    assert np.min(seeds[0]) >= 0
    bare = Scene(observe(np.zeros(SHAPE)), np.zeros(SHAPE, dtype=bool), NoiseCorrelation.white(1))
    assert bare.seed_at(Peak(0, 0, 1)) != bare.seed_at(Peak(0, 1, 0))


def test_neighbours_are_replaced_by_noise_and_nothing_is_changed():
    exposure = observe(np.zeros(SHAPE))
    before = exposure.images.copy(), exposure.variance.copy(), exposure.mask.copy()
    work = measurer(exposure, parent_of(FLUXES, names=(0,)))
    alone = parent_of(FLUXES, names=(1,))
    scene = Scene(exposure, work.scene.detected, NoiseCorrelation.white(1), seed=3)
    # A child that claims nothing: all of its parent is replaced.
    child = replace(work.shared.children[0], share=np.zeros_like(work.shared.children[0].share))
    box = Box((30, 30), (31, 41))
    window = scene.isolated(scene.whole(box), child, (3, 7))
    inside = work.scene.detected[box.slices_in(Box((0, 0), SHAPE))]
    assert window.flux[0][inside].std() == pytest.approx(1.0, abs=0.1)
    assert abs(window.flux[0][inside].mean()) < 0.15
    assert (window.noise[0] == 1).all()
    np.testing.assert_array_equal(
        window.flux[0][~inside], exposure.images[0][box.slices_in(Box((0, 0), SHAPE))][~inside]
    )
    np.testing.assert_array_equal(scene.isolated(scene.whole(box), child, (3, 7)).flux, window.flux)
    assert (scene.isolated(scene.whole(box), child, (3, 8)).flux != window.flux).any()
    for now, then in zip((exposure.images, exposure.variance, exposure.mask), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert alone.sources[0].id == 11


def test_flavours_are_kept_apart():
    exposure = observe(np.random.default_rng(2).normal(size=SHAPE))
    measured, _ = measurer(exposure, parent_of((2100.0, 1200.0))).measure(0)
    assert set(measured.flavors) == set(FLAVORS)
    convolved = measured.flavors["convolved"].fluxes
    assert convolved.flux[-2, 0] == pytest.approx(2100.0, rel=1e-6)
    assert own(measured).flux[-2, 0] != convolved.flux[-2, 0]
    # Templates as seen have no model without seeing.
    sharp = measured.flavors["deconvolved"].fluxes
    assert np.isnan(sharp.flux).all()
    assert sharp.flag.all()
    # The neighbour is in the image, not in its own pixels.
    assert measured.undeblended.flux[1, 0] > own(measured).flux[1, 0] + 200
    assert 0.005 < measured.blendedness[0] < 0.5
    assert 0 < measured.model_blendedness[0] < 0.3
    assert measured.joint_model_blendedness == pytest.approx(measured.model_blendedness[0])
    assert measured.masked_fraction[0] == 0


def test_a_place_without_objects():
    exposure = observe(np.random.default_rng(3).normal(size=SHAPE))
    work = measurer(exposure, parent_of(FLUXES))
    sky = measure_sky(work.scene, Target((45.0, 46.0), 5, forced=True), work.psfs, CONFIG)
    fluxes = own(sky)
    assert abs(fluxes.flux[-2, 0]) < 5 * fluxes.error[-2, 0]
    assert sky.undeblended.flux[-2, 0] == pytest.approx(2000, rel=0.1)
    assert sky.position == (45.0, 46.0)
    assert sky.model.flag.all()


@pytest.mark.parametrize("center", [(np.nan, 3.0), (-40.0, 20.0), (0.0, 0.0)])
def test_strange_places_are_flagged(center):
    exposure = observe(np.random.default_rng(3).normal(size=SHAPE))
    work = measurer(exposure, parent_of(FLUXES))
    measured = measure_sky(work.scene, Target(center, 5, forced=True), work.psfs, CONFIG)
    assert own(measured).flag[-2:].all()


def test_a_hole_in_the_middle_is_flagged():
    exposure = observe(np.random.default_rng(3).normal(size=SHAPE))
    exposure.mask[0, 45, 46] = 1
    measured, _ = measurer(exposure, parent_of(FLUXES)).measure(0)
    assert own(measured).flag[-2, 0]
    assert own(measured).flag[0, 0]
    assert 0 < measured.masked_fraction[0] < 0.01
    assert not measured.flavors["convolved"].fluxes.flag[-2, 0]


def test_children_must_be_those_of_the_parent():
    exposure = observe(np.zeros(SHAPE))
    parent = parent_of(FLUXES)
    other = reapportion_parent(exposure, parent_of(FLUXES, names=(0,)))
    scene = Scene(exposure, detected_pixels([parent.footprint], SHAPE), NoiseCorrelation.white(1))
    with pytest.raises(ValueError, match="1 children for 2 sources of parent 1"):
        ParentMeasurer(scene, parent, other, PsfShapes(exposure.psfs, CONFIG), CONFIG)


def test_templates_that_pixels_were_shared_out_by_are_not_drawn_again(monkeypatch):
    exposure, parent = observe(np.random.default_rng(4).normal(size=SHAPE)), parent_of(FLUXES)
    shared, config = reapportion_parent(exposure, parent), CONFIG
    scene = Scene(exposure, detected_pixels([parent.footprint], SHAPE), NoiseCorrelation.white(1))
    drawn_again = ParentMeasurer(
        scene, parent, replace(shared, templates=None), PsfShapes(exposure.psfs, config), config
    ).measure(0)[0]
    monkeypatch.setattr("meas_deblend.measure.objects.render_templates", None)
    handed_on = ParentMeasurer(scene, parent, shared, PsfShapes(exposure.psfs, config), config)
    assert all(one is other for one, other in zip(handed_on.templates, shared.templates, strict=True))
    for name, flavor in handed_on.measure(0)[0].flavors.items():
        np.testing.assert_array_equal(flavor.fluxes.flux, drawn_again.flavors[name].fluxes.flux)
        np.testing.assert_array_equal(flavor.fluxes.error, drawn_again.flavors[name].fluxes.error)
