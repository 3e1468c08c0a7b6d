"""The deblenders on skies drawn here."""

from dataclasses import replace

import numpy as np
import pytest
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meas_deblend import deblenders
from meas_deblend.apportion import pixels_of, reapportion_parent
from meas_deblend.deblenders import MultiBandOptions, SingleBandOptions, get_deblender, seeds_from_models
from meas_deblend.deblenders.cutout import cut_out
from meas_deblend.deblenders.ladder import blend_footprints
from meas_deblend.deblenders.psfs import parent_psfs
from meas_deblend.geometry import Box, Footprint, Image, Parent, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure, PsfStamp
from meas_deblend.models import PointComponent, TemplateComponent

NAMES = ("none", "sep", "single_band", "multi_band", "joint_profiles", "hybrid")
PLANES = MaskPlanes({"BAD": 0, "CLEAN": 1}, ("BAD",))


class GaussianPsf:
    def __init__(self, sigma, size=21):
        self.sigma, self.size = sigma, size

    def image(self, y, x):
        cy, cx = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
        r = np.arange(self.size) - self.size // 2
        profile = [np.exp(-0.5 * ((r - d) / self.sigma) ** 2) for d in (y - cy, x - cx)]
        stamp = np.outer(*profile)
        return PsfStamp(stamp / stamp.sum(), (cy, cx))


class BrokenPsf:
    """A PSF that is defined only on some pixels."""

    def __init__(self, places=()):
        self.places = places

    def image(self, y, x):
        if (round(y), round(x)) not in self.places:
            raise LookupError("no input image")
        return GaussianPsf(1.5).image(y, x)


def scene(sources, shape=(51, 51), sigmas=(1.5, 1.7, 2.0), noise=1.0, seed=0):
    """Exposure and noiseless images (source, band, y, x) of point sources (y, x, fluxes)."""
    yy, xx = np.indices(shape)
    truth = np.zeros((len(sources), len(sigmas), *shape))
    for k, (y, x, fluxes) in enumerate(sources):
        for b, (sigma, flux) in enumerate(zip(sigmas, fluxes, strict=True)):
            profile = np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2)
            truth[k, b] = flux * profile / (2 * np.pi * sigma**2)
    images = truth.sum(axis=0) + np.random.default_rng(seed).normal(0, noise, truth.shape[1:])
    exposure = MultibandExposure(
        tuple("gri"[: len(sigmas)]),
        images.astype(np.float32),
        np.full(images.shape, noise**2, dtype=np.float32),
        np.zeros(images.shape, dtype=np.int32),
        tuple(GaussianPsf(s) for s in sigmas),
        PLANES,
    )
    return exposure, truth


def parent_of(exposure, places, margin=0, ident=9):
    peaks = tuple(Peak(k, y, x, 100.0 - k) for k, (y, x) in enumerate(places))
    return Parent(ident, Footprint.from_box(exposure.box.grow(-margin), peaks))


PAIR = [(25, 22, (1000, 600, 300)), (25, 28, (300, 600, 1000))]


@pytest.fixture(scope="module")
def pair():
    exposure, truth = scene(PAIR)
    return exposure, truth, parent_of(exposure, [(25, 22), (25, 28)])


def run(name, exposure, parent, **options):
    deblender = get_deblender(name)
    return deblender(exposure, parent, deblender.Options(**options))


def check(model, exposure, parent):
    """What every deblender has to keep to."""
    assert model.id == parent.id
    assert model.footprint is parent.footprint
    assert [s.peak for s in model.sources] == list(parent.footprint.peaks)
    assert [s.id for s in model.sources] == [p.id for p in parent.footprint.peaks]
    assert model.psfs.shape[0] == len(exposure.bands)
    assert model.psfs.dtype == np.float32
    assert model.outcome in ("ok", "degraded", "failed")
    assert (model.outcome == "ok") == (model.reason == "")
    for source in model.sources:
        assert bool(source.components) != ("deblend_noModel" in source.flags)
        for component in (pixels_of(c, model.model_psf) for c in source.components):
            if isinstance(component, TemplateComponent):
                assert component.cube.shape == (len(exposure.bands), *component.box.shape)
                arrays = [component.cube]
            else:
                assert component.spectrum.shape == (len(exposure.bands),)
                assert component.morph.shape == component.box.shape
                assert model.model_psf is not None
                arrays = [component.spectrum, component.morph]
            assert all(a.dtype == np.float32 and np.isfinite(a).all() and (a >= 0).all() for a in arrays)
            assert exposure.box.encloses(component.box)
    shared = reapportion_parent(exposure, model)
    for row in shared.ledger:
        assert abs(row.imbalance) <= 1e-6 * np.nansum(np.abs(exposure.images))
    return shared


@pytest.mark.parametrize("name", NAMES)
def test_conformance_on_a_pair(name, pair):
    exposure, _, parent = pair
    before = exposure.images.copy()
    model = run(name, exposure, parent)
    check(model, exposure, parent)
    assert model.outcome == "ok"
    assert model.deblender == name
    assert model.psfs.shape == (3, 21, 21)
    assert np.array_equal(exposure.images, before)


def aperture_ratio(shared, truth):
    yy, xx = np.indices(truth.shape[2:])
    ratios = []
    for k, child in enumerate(shared.children):
        y, x, _ = PAIR[k]
        inside = np.hypot(yy - y, xx - x) < 6
        flux = Image(np.asarray(child.flux), child.box).project(Box((0, 0), truth.shape[2:])).array
        ratios.append((flux * inside).sum(axis=(1, 2)) / (truth[k] * inside).sum(axis=(1, 2)))
    return np.array(ratios)


@pytest.mark.parametrize(("name", "tolerance"), [("single_band", 0.25), ("multi_band", 0.15)])
def test_flux_of_a_pair(name, tolerance, pair):
    # Noise of one pixel is 1: an aperture of 113 pixels has an error of 11, i.e. 3.5 % of the faintest flux.
    exposure, truth, parent = pair
    shared = check(run(name, exposure, parent), exposure, parent)
    assert aperture_ratio(shared, truth) == pytest.approx(1, abs=tolerance)


@pytest.mark.parametrize("init", ["detect", "single_band", "profiles", "templates"])
def test_first_guesses(init, pair):
    exposure, truth, parent = pair
    if init == "templates":
        (parent,) = seeds_from_models([parent], [run("single_band", exposure, parent)])
        assert all(seed is not None for seed in parent.seeds)
    model = run("multi_band", exposure, parent, init=init)
    shared = check(model, exposure, parent)
    assert not any(isinstance(c, TemplateComponent) for s in model.sources for c in s.components)
    assert aperture_ratio(shared, truth) == pytest.approx(1, abs=0.15)
    (blend,) = model.blends
    assert blend.stop_reason == "converged"
    assert blend.iterations > 5
    # −2 log L per pixel and band is 1 for a model that is as good as the truth.
    assert -2 * blend.log_likelihood / exposure.images.size == pytest.approx(1, abs=0.06)


def test_seeds_are_asked_for():
    exposure, _ = scene(PAIR)
    with pytest.raises(ValueError, match="init is 'templates', but parent 9 has no seeds"):
        run("multi_band", exposure, parent_of(exposure, [(25, 22)]), init="templates")


def test_seeds_of_models(pair):
    exposure, _, parent = pair
    fitted, templates = (run(n, exposure, parent) for n in ("multi_band", "single_band"))
    first, second = seeds_from_models([parent, replace(parent, id=5)], [fitted])
    assert second.seeds == (None, None)
    for seed, source in zip(first.seeds, fitted.sources, strict=True):
        parts = (pixels_of(c, fitted.model_psf) for c in source.components)
        flux = sum(float(c.spectrum.sum() * c.morph.sum()) for c in parts)
        assert seed.array.sum() == pytest.approx(flux, rel=1e-5)
    (third,) = seeds_from_models([parent], [templates])
    assert third.seeds[0].array.shape == templates.sources[0].components[0].box.shape
    (none,) = seeds_from_models([parent], [run("none", exposure, parent)])
    assert none.seeds[0] is not None
    assert none.seeds[1] is None


def test_blends_are_fitted_apart_in_the_exposures_frame():
    exposure, _ = scene([(20, 30, (900, 900, 900)), (70, 40, (800, 800, 800))], shape=(90, 70))
    parent = parent_of(exposure, [(20, 30), (70, 40)])
    boxes = (Box((10, 18), (21, 25)), Box((60, 30), (22, 23)))
    blends = tuple(Footprint.from_box(b, (p,)) for b, p in zip(boxes, parent.footprint.peaks, strict=True))
    model = run("multi_band", exposure, replace(parent, blends=blends))
    check(model, exposure, parent)
    assert [b.box for b in model.blends] == list(boxes)
    for (y, x), blend in zip([(20, 30), (70, 40)], model.blends, strict=True):
        for component in (pixels_of(c, model.model_psf) for c in blend.sources[0].components):
            assert blend.box.encloses(component.box)
            top = np.unravel_index(component.morph.argmax(), component.morph.shape)
            assert np.add(top, component.box.origin) == pytest.approx((y, x), abs=1)


def test_peaks_outside_all_blends_are_not_lost(pair):
    exposure, _, parent = pair
    some = replace(parent, blends=(parent.footprint.with_peaks(parent.footprint.peaks[1:]),))
    assert [[p.id for p in b.peaks] for b in blend_footprints(some)] == [[1], [0]]
    check(run("multi_band", exposure, some), exposure, some)


def test_none_keeps_the_parent_whole(pair):
    exposure, _, parent = pair
    model = run("none", exposure, parent)
    shared = check(model, exposure, parent)
    assert [len(s.components) for s in model.sources] == [1, 0]
    whole = Image(np.asarray(shared.children[0].flux), shared.children[0].box).project(exposure.box).array
    np.testing.assert_allclose(whole, exposure.images, rtol=1e-6)  # negative pixels too
    assert all(row.unassigned == 0 for row in shared.ledger)


def test_none_finds_the_brightest_of_given_positions(pair):
    exposure, _, _ = pair
    peaks = (Peak(0, 40, 40, position=(40.0, 40.0)), Peak(1, 25, 22, position=(25.1, 22.0)))
    model = run("none", exposure, Parent(1, Footprint.from_box(exposure.box, peaks)))
    assert [len(s.components) for s in model.sources] == [0, 1]


def test_a_band_without_data_or_psf_gets_no_flux(pair):
    exposure, _, parent = pair
    mask = exposure.mask.copy()
    mask[0] = 1
    model = run("multi_band", replace(exposure, mask=mask), parent)
    check(model, replace(exposure, mask=mask), parent)
    assert model.outcome == "ok"
    for source in model.sources:
        assert all(c.spectrum[0] == 0 and c.spectrum[1] > 0 for c in source.components)
    lacking = replace(exposure, psfs=(None, *exposure.psfs[1:]))
    model = run("multi_band", lacking, parent)
    check(model, lacking, parent)
    assert np.isnan(model.psfs[0]).all()
    assert np.isfinite(model.psfs[1:]).all()
    assert model.warnings == ("g: the band has no PSF",)
    assert all(c.spectrum[0] == 0 for s in model.sources for c in s.components)
    single = run("single_band", lacking, parent)
    check(single, lacking, parent)
    assert all(s.components[0].cube[0].any() for s in single.sources)  # symmetric templates need no PSF


def test_without_any_psf_templates_take_over(pair):
    exposure, _, parent = pair
    lacking = replace(exposure, psfs=(None, None, None))
    model = run("multi_band", lacking, parent)
    check(model, lacking, parent)
    assert (model.outcome, model.reason) == ("degraded", "no_psf")
    assert "g: the band has no PSF" in model.message
    assert model.model_psf is None
    assert model.psfs.shape == (3, 1, 1)


@pytest.mark.parametrize("name", ["single_band", "multi_band"])
def test_without_any_data_nothing_is_lost(name, pair):
    exposure, _, parent = pair
    dark = replace(exposure, images=np.full_like(exposure.images, np.nan))
    model = run(name, dark, parent)
    check(model, dark, parent)
    assert (model.outcome, model.reason) == ("failed", "no_data")
    assert all(s.flags == {"deblend_noModel"} for s in model.sources)


LIMITS = [
    ({"max_number_of_peaks": 1}, "too_many_peaks", "2 peaks exceed the limit of 1"),
    ({"max_footprint_area": 2600}, "parent_too_big", "a bounding box of 2601 pixels exceeds the limit of 2600"),
    ({"max_footprint_size": 50}, "parent_too_big", "a side of 51 pixels exceeds the limit of 50"),
    ({"max_area_times_peaks": 5000}, "parent_too_big", "area × peaks = 5202 exceeds the limit of 5000"),
    ({"mask_limits": {"CLEAN": 0.1}}, "masked", "CLEAN is set on 0.196 of the pixels, more than the limit of 0.1"),
]


@pytest.mark.parametrize(("limits", "reason", "message"), LIMITS)
def test_limits_degrade(limits, reason, message, pair):
    exposure, _, parent = pair
    mask = exposure.mask.copy()
    mask[1, :10] = 2
    exposure = replace(exposure, mask=mask)
    model = run("multi_band", exposure, parent, limits=limits)
    check(model, exposure, parent)
    assert (model.outcome, model.reason, model.message) == ("degraded", reason, message)
    assert {(s.rung, s.reason) for s in model.sources} == {("symmetric_templates", reason)}
    assert all(blend.iterations == 0 and not blend.stop_reason for blend in model.blends)
    fine = {k: v if isinstance(v, dict) else 0 for k, v in limits.items()}
    fine["mask_limits"] = {"CLEAN": 0.2}
    assert run("multi_band", exposure, parent, limits=fine).outcome == "ok"


def test_limits_know_their_planes(pair):
    exposure, _, parent = pair
    with pytest.raises(ValueError, match=r"no mask plane 'SATURATED' \(there are: BAD, CLEAN\)"):
        run("multi_band", exposure, parent, limits={"mask_limits": {"SATURATED": 0.1}})


def test_a_failed_fit_costs_one_blend(monkeypatch):
    exposure, _ = scene([(20, 30, (900, 900, 900)), (70, 40, (800, 800, 800))], shape=(90, 70))
    parent = parent_of(exposure, [(20, 30), (70, 40)])
    boxes = (Box((10, 18), (21, 25)), Box((60, 30), (22, 23)))
    blends = tuple(Footprint.from_box(b, (p,)) for b, p in zip(boxes, parent.footprint.peaks, strict=True))
    parent = replace(parent, blends=blends)
    fit = deblenders.blend_fit.BlendFitter.fit

    def fail_first(self, index, *arguments):
        if index == 0:
            raise ZeroDivisionError("as if")
        return fit(self, index, *arguments)

    monkeypatch.setattr(deblenders.blend_fit.BlendFitter, "fit", fail_first)
    model = run("multi_band", exposure, parent)
    check(model, exposure, parent)
    assert (model.outcome, model.reason, model.message) == ("degraded", "fit_failed", "ZeroDivisionError: as if")
    assert [s.rung for s in model.sources] == ["joint_profiles", "full_multi_band"]
    assert [type(s.components[0]) for s in model.sources] == [PointComponent, PointComponent]
    with pytest.raises(ZeroDivisionError, match="as if"):
        run("multi_band", exposure, parent, catch_failures=False)


def test_failed_templates_cost_one_band(monkeypatch, pair):
    exposure, _, parent = pair
    from meas_deblend import sdss  # noqa: PLC0415 - to put a failure into it

    build = sdss.build_templates

    def fail_on_g(given, config):
        if np.isclose(given.image.max(), exposure.images[0].max()):
            raise ArithmeticError("as if")
        return build(given, config)

    monkeypatch.setattr(sdss, "build_templates", fail_on_g)
    model = run("single_band", exposure, parent)
    check(model, exposure, parent)
    assert (model.outcome, model.reason) == ("degraded", "template_failed")
    assert model.message == "g: ArithmeticError: as if"
    assert all(not s.components[0].cube[0].any() and s.components[0].cube[1].any() for s in model.sources)
    with pytest.raises(ArithmeticError, match="as if"):
        run("single_band", exposure, parent, catch_failures=False)


def test_isolated_parents_can_be_left_alone():
    exposure, _ = scene([(25, 25, (900, 900, 900))])
    parent = parent_of(exposure, [(25, 25)])
    assert run("multi_band", exposure, parent).deblender == "multi_band"
    model = run("multi_band", exposure, parent, fit_isolated=False)
    check(model, exposure, parent)
    assert model.deblender == "none"


def test_peaks_without_template_get_the_psf_or_nothing():
    exposure, _ = scene([(25, 25, (900, 900, 900))])
    images = exposure.images.copy()
    images[:, 40, 40] = 5
    images[:, 10, 10] = -5
    exposure = replace(exposure, images=images)
    # Peaks off the footprint have no symmetric template: one on a positive pixel, one on a negative one.
    peaks = (Peak(0, 25, 25), Peak(1, 40, 40), Peak(2, 10, 10))
    mask = np.ones((51, 51), dtype=bool)
    mask[40, 40] = mask[10, 10] = False
    parent = Parent(1, Footprint.from_mask(mask, peaks=peaks))
    model = run("single_band", exposure, parent, fit_psfs=False)
    check(model, exposure, parent)
    assert (model.outcome, model.reason) == ("degraded", "template_failed")
    assert model.message == "no template of their own: peaks 1, 2"
    assert model.sources[1].flags == {"deblend_deblendedAsPsf"}
    (component,) = model.sources[1].components
    y0, x0 = component.box.origin
    assert component.cube[:, 40 - y0, 40 - x0] == pytest.approx(5, rel=1e-5)
    assert model.sources[2].flags == {"deblend_noModel"}


def test_stars_are_flagged_as_psf(pair):
    exposure, _, parent = pair
    model = run("single_band", exposure, parent)
    assert all("deblend_deblendedAsPsf" in s.flags for s in model.sources)


def test_psfs_at_the_parent():
    exposure, _ = scene(PAIR)
    parent = parent_of(exposure, [(25, 22), (25, 28)])
    psfs = (GaussianPsf(1.5, 11), GaussianPsf(2.0, 15), BrokenPsf([(25, 28)]))
    found = parent_psfs(replace(exposure, psfs=psfs), parent)
    assert found.stamps.shape == (3, 21, 21)
    assert found.known.all()
    assert found.stamps[0, 10, 10] == found.stamps[0].max()
    assert found.stamps[0, :5].sum() == 0
    assert found.stamps.sum(axis=(1, 2)) == pytest.approx(1, abs=1e-6)
    assert found.warnings == (
        "i: PSF taken at (y, x) = (25, 28) instead of (25, 25): LookupError at (y, x) = (25, 25): no input image",
    )
    broken = replace(exposure, psfs=(GaussianPsf(1.5), GaussianPsf(1.5), BrokenPsf([(25, 28)])))
    for name in ("single_band", "multi_band"):
        model = run(name, broken, parent)
        check(model, broken, parent)
        assert model.outcome == "ok"
        assert model.warnings[0] == found.warnings[0]
    constant = "i: the PSF is taken as constant over the parent: LookupError at (y, x) = (25.0, 22.0): no input image"
    assert run("single_band", broken, parent).warnings == (found.warnings[0], constant)


def test_cutouts_are_finite_and_know_what_is_bad():
    exposure, _ = scene(PAIR)
    images, variance, mask = exposure.images.copy(), exposure.variance.copy(), exposure.mask.copy()
    images[0, 25, 22] = np.nan
    variance[1, 25, 22] = 0
    mask[2, 25, 22] = 1
    cutout = cut_out(replace(exposure, images=images, variance=variance, mask=mask), Box((-5, 10), (40, 30)))
    assert cutout.box == Box((0, 10), (35, 30))
    assert cutout.bad.sum() == 3
    assert cutout.bad[:, 25, 12].all()
    assert np.isfinite(cutout.images).all()
    assert np.array_equal(np.isnan(cutout.variance), cutout.bad)
    assert cutout.noise_rms == pytest.approx(1)
    huge = cut_out(replace(exposure, variance=exposure.variance.astype(np.float64) * 1e-60), Box((0, 0), (5, 5)))
    assert huge.bad.all()
    assert np.isnan(huge.noise_rms).all()


def test_options_are_frozen_and_checked():
    with pytest.raises(ValueError, match="init"):
        MultiBandOptions(init="wavelets")
    with pytest.raises(ValueError, match="catch_failure"):
        SingleBandOptions(catch_failure=True)
    with pytest.raises(ValueError, match="less than or equal to 1"):
        MultiBandOptions(limits={"mask_limits": {"BAD": 1.5}})


@settings(deadline=None, max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31), name=st.sampled_from(NAMES))
def test_no_peak_is_ever_lost(seed, name):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(5, 40, 2))
    count = int(rng.integers(1, 6))
    places = [tuple(int(n) for n in rng.integers(0, shape)) for _ in range(count)]  # may coincide
    exposure, _ = scene([(y, x, tuple(10 ** rng.uniform(1, 5, 3))) for y, x in places], shape, seed=seed)
    images, variance, mask = exposure.images.copy(), exposure.variance.copy(), exposure.mask.copy()
    images[rng.random(images.shape) < rng.choice([0, 0.1, 0.9])] = np.nan
    variance[rng.random(images.shape) < 0.05] = rng.choice([0, np.nan, -1, np.inf])
    mask[rng.random(images.shape) < rng.choice([0, 0.2])] = 1
    mask[int(rng.integers(0, 3))] |= int(rng.integers(0, 2))
    options = (GaussianPsf(1.5), None, BrokenPsf(), BrokenPsf(places[:1]))
    psfs = tuple(options[int(k)] for k in rng.choice(4, 3, p=[0.7, 0.1, 0.1, 0.1]))
    exposure = replace(exposure, images=images, variance=variance, mask=mask, psfs=psfs)
    member = rng.random(shape) < rng.choice([0.5, 1.0])
    for y, x in places:
        member[y, x] = True
    peaks = tuple(
        Peak(k, y, x, float(rng.choice([count - k, np.nan])), position=(y + rng.uniform(-0.5, 0.49), float(x)))
        for k, (y, x) in enumerate(places)
    )
    parent = Parent(3, Footprint.from_mask(member, peaks=peaks))
    check(run(name, exposure, parent), exposure, parent)


def test_the_model_keeps_the_floor_of_its_kernels(pair):
    exposure, _, parent = pair
    options = get_deblender("multi_band").Options(fit={"kernel_floor": 0.01, "max_iter": 3})
    model = get_deblender("multi_band")(exposure, parent, options)
    check(model, exposure, parent)
    assert model.kernel_floor == 0.01


def test_bright_stars_are_points_where_they_are(pair):
    exposure, truth, parent = pair
    model = run("multi_band", exposure, parent)
    for source, peak, star in zip(model.sources, parent.footprint.peaks, truth, strict=True):
        (component,) = source.components
        assert isinstance(component, PointComponent)
        assert component.center == pytest.approx((peak.y, peak.x), abs=0.1)
        assert component.spectrum == pytest.approx(star.sum(axis=(1, 2)), rel=0.1)


@pytest.mark.parametrize("kind", ["marginal", "conditional", "none"])
def test_models_keep_the_covariance_of_their_fluxes(pair, kind):
    exposure, _, parent = pair
    (blend,) = run("multi_band", exposure, parent, flux_errors=kind).blends
    if kind == "none":
        assert blend.flux_covariance is None
        return
    bands, count = len(exposure.bands), len(parent.footprint.peaks)
    assert blend.flux_covariance.shape == (bands, count, count)
    assert blend.flux_covariance == pytest.approx(blend.flux_covariance.transpose(0, 2, 1))
    flux = np.sum([s.components[0].spectrum for s in blend.sources], axis=1) / bands
    errors = np.sqrt(np.diagonal(blend.flux_covariance, axis1=1, axis2=2))
    assert (errors > 0).all()
    assert (errors < flux).all()
