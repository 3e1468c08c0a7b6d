"""A blend from arrays to sources: hard scenes, bad arguments, and invariances."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.scarlet import FitConfig, deblend_blend, matched_kernels, model_psf, prepare_kernels

REASONS = {"converged", "max_iter", "no_sources", "no_data"}
SHORT = FitConfig(max_iter=20)


def run(data, **kw):
    kw = {"config": SHORT, **kw}
    return deblend_blend(data.images, data.variance, data.psfs, kw.pop("centers", data.centers), **kw)


def check(blend):
    assert blend.stop_reason in REASONS
    assert np.isfinite(blend.logL)
    assert np.isfinite(blend.loss).all()
    for source in blend.sources:
        assert source.components
        assert np.isfinite(source.flux).all()
        for c in source.components:
            assert blend.observation.frame.encloses(c.box)
            assert c.center == source.center


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("config", [FitConfig(), FitConfig.production()])
def test_two_sources_get_their_fluxes(pair, dtype, config):
    data = pair()
    blend = deblend_blend(
        data.images.astype(dtype), data.variance.astype(dtype), data.psfs, data.centers, config=config
    )
    check(blend)
    truth = np.array([c.spectrum for c in data.components])
    flux = np.array([s.flux for s in blend.sources])
    # S/N of several hundred; the split of the overlap decides.
    assert flux == pytest.approx(truth, rel=0.12)
    assert flux.dtype == blend.model().dtype == dtype
    assert blend.sources[0].components[0].morph.dtype == blend.sources[0].components[0].spectrum.dtype == dtype


def test_model_is_the_sum_of_its_sources(pair):
    blend = run(pair(), bands=("g", "r", "i"))
    assert blend.bands == ("g", "r", "i")
    for convolved in (True, False):
        parts = [blend.source_model(k, convolved) for k in range(2)]
        assert blend.model(convolved) == pytest.approx(parts[0] + parts[1], abs=1e-10)
    assert blend.source_model(0, convolved=False).sum(axis=(1, 2)) == pytest.approx(blend.sources[0].flux)


def test_prepared_kernels_give_the_same_result(pair):
    data = pair()
    kernels = matched_kernels(data.psfs)
    first = run(data)
    again = deblend_blend(data.images, data.variance, kernels, data.centers, config=SHORT)
    assert first.loss == again.loss


def test_single_centre(pair):
    check(run(pair(), centers=[(15, 11)]))


def test_no_centre(pair):
    blend = run(pair(), centers=[])
    assert (blend.stop_reason, blend.iterations, blend.sources) == ("no_sources", 0, ())
    assert not blend.model().any()


def test_centre_given_twice(pair):
    data = pair()
    blend = run(data, centers=[*data.centers, data.centers[0]])
    check(blend)
    total = blend.sources[0].flux + blend.sources[2].flux
    assert total == pytest.approx(run(data).sources[0].flux, rel=0.1)


def test_centres_are_rounded(pair):
    data = pair()
    assert run(data, centers=np.array(data.centers) + 0.3).sources[0].center == data.centers[0]


def test_band_without_weight_keeps_the_others(pair):
    data = pair()
    weights = 1 / data.variance
    weights[1] = 0
    blend = run(data, weights=weights, config=FitConfig())
    check(blend)
    expected = run(data, config=FitConfig())
    for a, b in zip(blend.sources, expected.sources, strict=True):
        assert a.flux[[0, 2]] == pytest.approx(b.flux[[0, 2]], rel=0.1)


def test_band_without_measurements(pair):
    data = pair()
    data.images[2], data.variance[2] = np.nan, np.nan
    check(run(data))


def test_missing_pixels_have_no_influence_on_the_likelihood(pair):
    data = pair()
    clean = run(data)
    data.images[:, 15, 11] = np.nan
    data.variance[:, 3:5, 3:5] = np.inf
    data.variance[0, 20, 20] = 0
    blend = run(data)
    check(blend)
    assert blend.observation.weights[:, 15, 11].sum() == 0
    assert blend.sources[1].flux == pytest.approx(clean.sources[1].flux, rel=0.1)


def test_no_weight_at_all(pair):
    data = pair()
    blend = run(data, weights=np.zeros_like(data.images))
    check(blend)
    assert blend.stop_reason == "no_data"


def test_footprint_multiplies_the_weights(pair):
    data = pair()
    footprint = np.zeros((31, 31), dtype=bool)
    footprint[8:23, 5:26] = True
    weights = np.full_like(data.images, 3.0)
    blend = run(data, weights=weights, footprint=footprint)
    assert np.array_equal(blend.observation.weights, 3.0 * np.broadcast_to(footprint, data.images.shape))
    assert np.array_equal(blend.observation.images, data.images)


@pytest.mark.parametrize("config", [FitConfig(max_components=0), FitConfig(max_components=0, spectra_limit=0)])
def test_point_sources_only(pair, config):
    data = pair(sigmas=(0.8, 0.8))
    blend = run(data, config=config)
    check(blend)
    assert [len(s.components) for s in blend.sources] == [1, 1]
    assert blend.sources[0].flux == pytest.approx(data.components[0].spectrum, rel=0.1)


def test_sources_at_the_corners(pair):
    check(run(pair(), centers=[(0, 0), (30, 30), (0, 30)]))


def test_tiny_frame(pair):
    data = pair()
    check(deblend_blend(data.images[:, 15:16, 11:13], data.variance[:, 15:16, 11:13], data.psfs, [(0, 0)]))


def test_noise_without_sources(pair):
    data = pair(spectra=((0, 0, 0), (0, 0, 0)))
    check(run(data))


def test_templates_replace_the_detection_image(pair):
    data = pair()
    templates = np.zeros((2, 31, 31))
    for template, c in zip(templates, data.components, strict=True):
        y, x = c.box.origin
        template[y : y + 15, x : x + 15] = c.morph
    blend = run(data, init=templates, config=FitConfig())
    check(blend)
    assert [s.flux for s in blend.sources] == [pytest.approx(c.spectrum, rel=0.1) for c in data.components]


CASES = {
    "images": ({"images": np.zeros((5, 5))}, r"images has shape \(5, 5\), expected \(band, y, x\)"),
    "variance": ({"variance": np.ones((3, 30, 31))}, r"variance has shape \(3, 30, 31\), expected \(3, 31, 31\)"),
    "psfs": ({"psfs": np.ones((2, 5, 5))}, r"psfs has shape \(2, 5, 5\), expected \(3, h, w\)"),
    "kernels": (
        {"psfs": prepare_kernels(np.ones((2, 5, 5)))},
        r"psfs \(kernels\) has shape \(2, 5, 5\), expected \(3, 5, 5\)",
    ),
    "centers": ({"centers": np.ones((2, 3))}, r"centers has shape \(2, 3\), expected \(n, 2\)"),
    "centers outside": ({"centers": [(5, 31)]}, r"centers \[\(5, 31\)\] lie outside .* shape \(31, 31\)"),
    "centers nan": ({"centers": [(5, np.nan)]}, r"centers of shape \(1, 2\) holds values that are not finite"),
    "weights": ({"weights": np.ones((31, 31))}, r"weights has shape \(31, 31\), expected \(3, 31, 31\)"),
    "weights sign": ({"weights": -np.ones((3, 31, 31))}, r"weights of shape \(3, 31, 31\) holds negative"),
    "footprint": ({"footprint": np.ones((3, 31, 31))}, r"footprint has shape \(3, 31, 31\), expected \(31, 31\)"),
    "bands": ({"bands": ("g", "r")}, r"bands has 2 names \('g', 'r'\), expected 3"),
    "detect": ({"detect": np.ones((31, 30))}, r"detect has shape \(31, 30\), expected \(31, 31\)"),
    "init": ({"init": np.ones((1, 31, 31))}, r"init has shape \(1, 31, 31\), expected \(2, 31, 31\)"),
    "both": ({"init": np.ones((2, 31, 31)), "detect": np.ones((31, 31))}, "detect and init are both given"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_arguments_are_named(pair, case):
    changes, message = CASES[case]
    data = pair()
    arguments = {
        "images": data.images,
        "variance": data.variance,
        "psfs": data.psfs,
        "centers": data.centers,
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        deblend_blend(**arguments)


def test_arguments_are_not_changed(pair):
    data = pair()
    arrays = [data.images, data.variance, data.psfs]
    before = [a.copy() for a in arrays]
    run(data, footprint=np.ones((31, 31), dtype=bool))
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def embed(array, dy, dx, fill):
    out = np.full((*array.shape[:-2], 71, 71), fill)
    out[..., dy : dy + 31, dx : dx + 31] = array
    return out


@given(dy=st.integers(12, 28), dx=st.integers(12, 28))
@settings(max_examples=5, deadline=None)
def test_translation_by_whole_pixels_moves_the_sources_along(pair, dy, dx):
    data = pair(centers=((15, 11), (15, 19)))
    detect = data.images.sum(axis=0)
    # Beyond the first frame there is no weight and no detection; noise stays the same everywhere.
    frames = [(20, 20), (dy, dx)]
    blends = [
        deblend_blend(
            embed(data.images, *f, 0.0),
            embed(data.variance, *f, data.variance[0, 0, 0]),
            data.psfs,
            np.array(data.centers) + f,
            footprint=embed(np.ones((31, 31)), *f, 0.0).astype(bool),
            detect=embed(detect, *f, 0.0),
            config=FitConfig(max_iter=10, resize_padding=2),
        )
        for f in frames
    ]
    first, moved = blends
    for a, b in zip(first.sources, moved.sources, strict=True):
        assert b.flux == pytest.approx(a.flux, rel=1e-6)
        for c, d in zip(a.components, b.components, strict=True):
            assert d.box == c.box.shift(dy - 20, dx - 20)
            assert d.morph == pytest.approx(c.morph, abs=1e-6)


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:])
def test_bands_may_come_in_any_order(pair, order):
    data = pair()
    detect = data.images.sum(axis=0)
    order = list(order)
    first = run(data, detect=detect, config=FitConfig(max_iter=10))
    again = deblend_blend(
        data.images[order],
        data.variance[order],
        data.psfs[order],
        data.centers,
        detect=detect,
        config=FitConfig(max_iter=10),
    )
    assert again.logL == pytest.approx(first.logL, rel=1e-6)
    for a, b in zip(first.sources, again.sources, strict=True):
        # Sums over bands round in another order.
        assert b.flux == pytest.approx(a.flux[order], rel=1e-6)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_units_scale_the_spectra_alone(pair, scale):
    data = pair()
    first = run(data, config=FitConfig(max_iter=10))
    scaled = deblend_blend(
        scale * data.images, scale**2 * data.variance, data.psfs, data.centers, config=FitConfig(max_iter=10)
    )
    for a, b in zip(first.sources, scaled.sources, strict=True):
        # The optimizer's floors (1e-8) and the deconvolution's rounding do not scale.
        assert b.flux == pytest.approx(scale * a.flux, rel=1e-4)


@pytest.mark.parametrize("config", [FitConfig(), FitConfig.production()])
@pytest.mark.parametrize("prepared", [False, True])
def test_a_band_without_a_psf_is_left_out_and_flagged(pair, config, prepared):
    data = pair()
    psfs = data.psfs.copy()
    psfs[1] = np.nan
    given = matched_kernels(psfs, sigma=config.model_psf_sigma, floor=config.kernel_floor) if prepared else psfs
    blend = deblend_blend(data.images, data.variance, given, data.centers, config=config)
    check(blend)
    assert not blend.model()[1].any()
    # The other bands are fitted as if the band were not there.
    others = deblend_blend(data.images[::2], data.variance[::2], data.psfs[::2], data.centers, config=config)
    for source, expected in zip(blend.sources, others.sources, strict=True):
        assert source.flags == {"no_psf"}
        assert expected.flags == frozenset()
        assert source.flux[::2] == pytest.approx(expected.flux, rel=0.02)
    assert blend.undetermined.tolist() == [[False, True, False]] * 2


def test_sources_without_data_or_flux_are_flagged(pair):
    data = pair()
    weights = 1 / data.variance
    weights[1] = 0
    assert [source.flags for source in run(data, weights=weights).sources] == [{"no_data"}] * 2
    dark = deblend_blend(-np.abs(data.images), data.variance, data.psfs, data.centers, config=SHORT)
    assert all(source.flags == {"no_flux"} for source in dark.sources)


def test_under_sampled_psfs_warn(pair):
    data = pair()
    narrow = np.stack([model_psf(0.5, 15)] * 3)
    with pytest.warns(UserWarning, match=r"PSFs of bands \[0, 1, 2\] are under-sampled"):
        check(deblend_blend(data.images, data.variance, narrow, data.centers, config=SHORT))
