"""First guesses: point source, single component, bulge and disk; from an image or from templates."""

import numpy as np
import pytest

from meas_deblend.geometry import Box
from meas_deblend.scarlet import FitConfig, model_psf
from meas_deblend.scarlet.arguments import make_observation
from meas_deblend.scarlet.initialize import initialize

LIMITED = FitConfig(spectra_limit=0)  # no joint solution: each source's own guess


def observe(scene, **kw):
    return make_observation(scene.images, scene.variance, scene.psfs, **kw)


def band_sum(scene):
    image = np.zeros(scene.images.shape[1:])
    for c in scene.components:
        image[c.box.slices_in(Box((0, 0), image.shape))] += c.spectrum.sum() * c.morph
    return image


def test_box_of_a_plateau_grows_by_twice_the_padding(pair):
    scene = pair()
    plateau = np.zeros((31, 31))
    plateau[10:21, 10:21] = 100.0
    for thresh, side in ((1.0, 19), (0.0, 15)):
        config = FitConfig(initial_bg_thresh=thresh, max_components=1, spectra_limit=0)
        ((component,),) = initialize(observe(scene), [(15, 15)], plateau, config)
        half = side // 2
        assert component.box == Box((15 - half, 15 - half), (side, side))
        assert component.morph.max() == 1


def test_signal_to_noise_decides_about_bulge_and_disk(pair):
    bright, faint = pair(), pair(noise=2.0)
    centers = list(bright.centers)
    assert [len(s) for s in initialize(observe(bright), centers, band_sum(bright), FitConfig())] == [2, 2]
    assert [len(s) for s in initialize(observe(faint), centers, band_sum(faint), FitConfig())] == [1, 1]
    single = FitConfig(max_components=1)
    assert [len(s) for s in initialize(observe(bright), centers, band_sum(bright), single)] == [1, 1]


def test_bulge_exceeds_the_disk_percentile(pair):
    scene = pair(centers=((15, 15),), sigmas=(2.0,), spectra=((60, 30, 20),))
    ((bulge, disk),) = initialize(observe(scene), [(15, 15)], band_sum(scene), FitConfig(disk_percentile=40.0))
    assert bulge.box == disk.box
    whole = 0.6 * bulge.morph + 0.4 * disk.morph
    assert whole.max() == pytest.approx(1)
    assert bulge.morph[whole < 0.4 - 1e-12] == pytest.approx(0)
    assert disk.morph[whole > 0.4 + 1e-12] == pytest.approx(1)


@pytest.mark.parametrize("center", [(2, 3), (28, 30), (0, 15), (15, 15)])
def test_point_source_is_cut_at_the_frame_and_stays_centred(pair, center):
    scene = pair()
    config = FitConfig(max_components=0, spectra_limit=0)
    ((component,),) = initialize(observe(scene), [center], band_sum(scene), config)
    assert component.box == Box((center[0] - 7, center[1] - 7), (15, 15)) & Box((0, 0), (31, 31))
    assert np.unravel_index(component.morph.argmax(), component.morph.shape) == component.peak
    y, x = component.peak
    assert component.morph[max(y - 1, 0), x] == pytest.approx(1 if y == 0 else model_psf()[6, 7] / model_psf()[7, 7])


def test_point_source_has_the_flux_of_a_star(pair):
    scene = pair(noise=1e-3, centers=((15, 15),), sigmas=(0.8,), spectra=((60, 30, 20),))
    config = FitConfig(max_components=0, spectra_limit=0)
    ((component,),) = initialize(observe(scene), [(15, 15)], band_sum(scene), config)
    # Peak pixel over the PSF's peak: noise of 1e-3 in the pixel.
    assert component.flux == pytest.approx([60, 30, 20], rel=2e-3)


def test_source_on_nothing_becomes_a_point(pair):
    scene = pair()
    empty = np.zeros((31, 31))
    for image in (empty, empty - 1):
        ((component,),) = initialize(observe(scene), [(4, 4)], image, FitConfig())
        assert component.box == Box((0, 0), (12, 12))
        assert np.isfinite(component.spectrum).all()


def test_neighbour_is_removed_by_symmetry_and_mask(pair):
    scene = pair()
    sources = initialize(observe(scene), list(scene.centers), band_sum(scene), FitConfig(max_components=1))
    y, x = scene.centers[1]
    first = sources[0][0]
    there = np.zeros((31, 31))
    there[first.box.slices_in(Box((0, 0), (31, 31)))] = first.morph
    assert there[y, x] < 0.05


def test_templates_of_any_scale_give_the_same_start(pair):
    scene = pair()
    observation = observe(scene)
    frame = Box((0, 0), (31, 31))
    templates = np.zeros((2, 31, 31))
    for template, c in zip(templates, scene.components, strict=True):
        template[c.box.slices_in(frame)] = c.morph
    first, again = (initialize(observation, list(scene.centers), t, FitConfig()) for t in (templates, 1e4 * templates))
    for a, b in zip(first, again, strict=True):
        for c, d in zip(a, b, strict=True):
            assert c.box == d.box
            assert c.morph == pytest.approx(d.morph, rel=1e-9)
            assert c.spectrum == pytest.approx(d.spectrum, rel=1e-6, abs=1e-9)
    flux = np.array([np.sum([c.flux for c in s], axis=0) for s in first])
    assert flux == pytest.approx(np.array([c.spectrum for c in scene.components]), rel=0.05)


def test_template_is_made_monotonic_and_bad_pixels_are_dropped(pair):
    scene = pair()
    templates = np.zeros((1, 31, 31))
    templates[0, 10:21, 6:17] = np.random.default_rng(3).random((11, 11))
    templates[0, 15, 11] = 2.0
    templates[0, 12, 12], templates[0, 13, 8] = np.nan, -5
    ((component, *_),) = initialize(observe(scene), [(15, 11)], templates, FitConfig(max_components=1))
    assert np.isfinite(component.morph).all()
    assert (component.morph >= 0).all()
    assert np.unravel_index(component.morph.argmax(), component.morph.shape) == component.peak


def test_template_in_observed_seeing_is_accepted(pair):
    scene = pair()
    seen = np.stack([scene.psfs[2], scene.psfs[2]])
    templates = np.zeros((2, 31, 31))
    for template, stamp, (y, x) in zip(templates, seen, scene.centers, strict=True):
        template[y - 10 : y + 11, x - 10 : x + 11] = stamp
    sources = initialize(observe(scene), list(scene.centers), templates, FitConfig())
    assert all(np.isfinite(c.morph).all() and c.morph.max() == 1 for s in sources for c in s)


def test_negative_data_at_the_centre_give_a_finite_spectrum(pair):
    scene = pair()
    images = scene.images.copy()
    images[:, 15, 11] = -1
    observation = make_observation(images, scene.variance, scene.psfs)
    sources = initialize(observation, list(scene.centers), band_sum(scene), LIMITED)
    assert all(np.isfinite(c.spectrum).all() and (c.spectrum > 0).all() for s in sources for c in s)
