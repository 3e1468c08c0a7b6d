"""PSFs that vary over the image: one for each blend, and one set of kernels for those that hardly differ."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.apportion import render_templates
from meas_deblend.deblenders import MultiBandOptions, get_deblender, kernels
from meas_deblend.deblenders import psfs as psf_module
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.deblenders.kernels import kernels_for, kernels_like
from meas_deblend.deblenders.psfs import parent_psfs, psf_difference, shared_psfs
from meas_deblend.detect import evaluate_psfs
from meas_deblend.geometry import Box, Footprint, Parent, Peak
from meas_deblend.image import GaussianPsf, GridPsf, ImagePsf, MultibandExposure
from meas_deblend.scarlet import FitConfig

SHAPE = (41, 141)
STARS = ((20, 20), (20, 120))
WIDTHS = ((2.0, 2.6), (2.2, 2.5))  # (band, star)
FLUX = 20000.0


def stamp(sigma, side=27):
    """Gaussian on a stamp of one size for all widths."""
    pixels = GaussianPsf(sigma).image(0, 0).stamp
    extra = (side - len(pixels)) // 2
    return np.pad(pixels, extra) if extra >= 0 else pixels[-extra:extra, -extra:extra]


def exposure_with(psfs):
    """Two stars with the PSFs of their places, whatever ``psfs`` claims; noise 1."""
    images = np.random.default_rng(5).normal(0, 1, (2, *SHAPE))
    for image, sigmas in zip(images, WIDTHS, strict=True):
        for (y, x), sigma in zip(STARS, sigmas, strict=True):
            image[y - 13 : y + 14, x - 13 : x + 14] += FLUX * stamp(sigma)
    ones = np.ones(images.shape, np.float32)
    return MultibandExposure(("g", "r"), images.astype(np.float32), ones, np.zeros(images.shape, np.int32), psfs)


@pytest.fixture(scope="module")
def varying():
    """Data whose PSF is known at both stars."""
    y, x = (np.array(v, float) for v in zip(*STARS, strict=True))
    return exposure_with(tuple(GridPsf([stamp(s) for s in sigmas], y, x) for sigmas in WIDTHS))


def two_blends():
    peaks = tuple(Peak(k, y, x, FLUX) for k, (y, x) in enumerate(STARS))
    blends = tuple(
        Footprint.from_box(Box((y - 14, x - 14), (29, 29)), (p,)) for p, (y, x) in zip(peaks, STARS, strict=True)
    )
    return Parent(1, Footprint.from_box(Box((0, 0), SHAPE), peaks), blends)


def fitted(exposure, **options):
    return get_deblender("multi_band")(exposure, two_blends(), MultiBandOptions(**options))


def residuals(exposure, model):
    """Largest |Σ templates − data| around each star, in units of the noise."""
    total = sum(t.project(exposure.box).array for t in render_templates(model, exposure.box))
    off = np.abs(total - exposure.images)
    return [float(off[:, y - 8 : y + 9, x - 8 : x + 9].max()) for y, x in STARS]


def test_each_blend_is_fitted_and_drawn_with_its_own_psf(varying):
    model = fitted(varying)
    assert model.outcome == "ok"
    for k, blend in enumerate(model.blends):
        expected = np.stack([stamp(sigmas[k]) for sigmas in WIDTHS])
        np.testing.assert_allclose(blend.psfs, expected, atol=1e-7)
    # Kernels reproduce a PSF to 0.2 % of its peak, here of 800 σ, and the largest of 600 pixels' noise is 3.5 σ.
    assert max(residuals(varying, model)) < 6
    middle = np.stack([0.5 * (stamp(a) + stamp(b)) for a, b in WIDTHS])
    constant = replace(varying, psfs=tuple(ImagePsf(s) for s in middle))
    assert all(blend.psfs is None for blend in fitted(constant).blends)
    # Free forms follow a star of another width in part; a blend's PSF moves what is left by far more than noise.
    assert max(residuals(constant, fitted(constant))) > 2 * max(residuals(varying, model))


def test_a_blend_whose_psf_hardly_differs_has_that_of_its_parent(varying):
    y, x = (np.array(v, float) for v in zip(*STARS, strict=True))
    almost = replace(varying, psfs=tuple(GridPsf([stamp(a), stamp(a + 1e-3)], y, x) for a, _ in WIDTHS))
    assert all(blend.psfs is None for blend in fitted(almost).blends)
    assert all(blend.psfs is not None for blend in fitted(almost, psf_tolerance=0.0).blends)


def test_a_band_without_a_psf_at_one_blend(varying):
    y, x = (np.array(v, float) for v in zip(*STARS, strict=True))
    hole = np.full((27, 27), np.nan)
    grid = GridPsf([stamp(WIDTHS[1][0]), hole], y, x, "nearest")
    model = fitted(replace(varying, psfs=(varying.psfs[0], grid)))
    left, right = model.blends
    assert np.isfinite(left.psfs).all() if left.psfs is not None else np.isfinite(model.psfs).all()
    assert np.isnan(right.psfs[1]).all()
    assert right.sources[0].components[0].spectrum[1] == 0
    assert any("r: no PSF" in warning for warning in model.warnings)


def parent_at(y, x):
    return Parent(1, Footprint.from_box(Box((y - 3, x - 3), (7, 7)), (Peak(1, y, x),)))


@pytest.fixture
def wide():
    """Empty image of 1200 × 1200 px whose PSF grows from left to right by 10 %."""
    x = np.array([0.0, 1199.0])
    grid = GridPsf([stamp(2.0), stamp(2.2)], np.zeros(2), x)
    nothing = np.broadcast_to(np.float32(0), (1, 1200, 1200))
    return MultibandExposure(("r",), nothing, nothing, np.zeros(nothing.shape, np.int32), (grid,))


def test_parents_whose_psfs_hardly_differ_share_them(wide):
    # The peak falls by a fifth: 1.4e-4 per pixel.
    places = [(600 + dy, 300 + dx) for dy in (-40, 0, 40) for dx in range(-40, 41, 8)]
    own = [parent_psfs(wide, parent_at(*p)) for p in places]
    for tolerance in (1e-3, 5e-3, 0.02):
        shared = [shared_psfs(wide, parent_at(*p).footprint, o, tolerance) for p, o in zip(places, own, strict=True)]
        assert all(psf_difference(o.stamps, s.stamps) <= tolerance for o, s in zip(own, shared, strict=True))
        distinct = {s.stamps.tobytes() for s in shared}
        assert len(distinct) <= {1e-3: 33, 5e-3: 9, 0.02: 2}[tolerance]
    everywhere = {parent_psfs(wide, parent_at(*p), 0.2).stamps.tobytes() for p in [(10, 10), *places, (1190, 1190)]}
    assert len(everywhere) == 1


def test_what_is_shared_does_not_depend_on_what_came_before(wide):
    places = [(y, x) for y in (100, 640, 1100) for x in range(20, 1190, 90)]
    results = []
    for order in (places, places[::-1]):
        psf_module._PLACES.clear()
        results.append({p: parent_psfs(wide, parent_at(*p), 5e-3).stamps.tobytes() for p in order})
    assert results[0] == results[1]


def test_equal_psfs_have_one_set_of_kernels(varying, monkeypatch):
    monkeypatch.setattr(kernels, "_KEPT", 2)
    kernels._KERNELS.clear()
    psfs = evaluate_psfs(varying, [(20, 20)]).stamps
    one = kernels_for(psfs, 0.8, None, 15)
    assert kernels_for(psfs.copy(), 0.8, None, 15) is one
    assert kernels_for(psfs, 0.7, None, 15) is not one
    other = kernels_like(one, evaluate_psfs(varying, [(20, 120)]).stamps)
    assert other.floor == one.floor
    np.testing.assert_array_equal(other.model_psf, one.model_psf)
    assert len(kernels._KERNELS) == 2
    assert kernels_for(psfs, 0.8, None, 15) is not one  # it was the oldest


def test_similar_psfs_have_one_floor(wide, monkeypatch):
    searched = []
    monkeypatch.setattr(
        "meas_deblend.deblenders.blend_fit.kernels_for", lambda *a: searched.append(a[0].tobytes()) or kernels_for(*a)
    )
    fitters = [
        BlendFitter.prepare(wide, parent := parent_at(600, x), parent_psfs(wide, parent), FitConfig())
        for x in range(560, 640, 20)
    ]
    assert len(set(searched)) == 1
    assert len({fitter.kernels.floor for fitter in fitters}) == 1
    # The kernels are those of the place, though.
    assert len({fitter.kernels.stamps.tobytes() for fitter in fitters}) == 4
    for fitter in fitters:
        np.testing.assert_array_equal(fitter.kernels.psfs, fitter.psfs.stamps)
