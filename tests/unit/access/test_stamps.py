"""Stamps of single objects: what is taken away, what is put in its place, and what is told about it."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS
from synthetic_models import BANDS, make_parent, make_template_parent, psf_cube

from meas_deblend.access import Models, StampOptions, load_models
from meas_deblend.apportion import reapportion_parent, render_templates
from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.geometry import Box
from meas_deblend.image import ImagePsf, MaskPlanes, MultibandExposure
from meas_deblend.products import StoreMetadata

SHAPE = (90, 110)
SIGMA = np.array([0.5, 1.0, 2.0])
TEMPLATE_BOX = Box((60, 70), (11, 13))


def sky():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [40.0, 30.0]
    wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    return wcs


def make_parents():
    """Two in a blend, one isolated, and one beside them of which nothing is known but its footprint."""
    isolated = make_template_parent(3, (65, 76), TEMPLATE_BOX)
    unknown = make_parent(4, [(47, 66)], origin=(40, 60), shape=(14, 14))
    bare = replace(unknown.sources[0], components=())
    return [
        make_parent(1, [(25, 35), (20, 45)]),
        isolated,
        replace(unknown, blends=(replace(unknown.blends[0], sources=(bare,)),)),
    ]


def make_exposure(noise=True):
    """The models as seen, and noise."""
    cube = np.zeros((3, *SHAPE))
    frame = Box((0, 0), SHAPE)
    for parent in make_parents():
        for template in render_templates(parent, frame):
            cube[(slice(None), *template.box.slices_in(frame))] += template.array
    rng = np.random.default_rng(1)
    cube += noise * SIGMA[:, None, None] * rng.standard_normal(cube.shape)
    variance = np.broadcast_to(SIGMA[:, None, None] ** 2, cube.shape).astype(np.float32)
    mask = np.zeros(cube.shape, np.int32)
    mask[1, 26, 36] = 1
    return MultibandExposure(
        BANDS,
        cube.astype(np.float32),
        variance,
        mask,
        tuple(ImagePsf(plane.astype(float)) for plane in psf_cube()),
        MaskPlanes({"BAD": 0}, ("BAD",)),
        wcs=sky(),
        zeropoints=(27.0, 27.5, None),
    )


@pytest.fixture(scope="module")
def exposure():
    return make_exposure()


@pytest.fixture(scope="module")
def models(exposure):
    return Models.from_parents(make_parents(), StoreMetadata.from_exposure(exposure))


def is_neighbour(stamp):
    return stamp.mask_planes.any_set(stamp.mask, ["NEIGHBOUR"])


def test_every_object_has_a_stamp(models, exposure):
    stamps = list(models.stamps(exposure))
    assert [(s.id, s.parent_id) for s in stamps] == [(100, 1), (101, 1), (3, 0), (4, 0)]
    for stamp in stamps:
        shape = (3, *stamp.box.shape)
        for name in ("image", "variance", "mask", "noise", "model", "weight", "bad"):
            assert getattr(stamp, name).shape == shape
        assert stamp.box.contains(*stamp.center)
        assert exposure.box.encloses(stamp.box)
    assert repr(stamps[0]).startswith("<Stamp 100: ")
    assert [s.id for s in models.stamps(exposure, ids=[3, 100])] == [3, 100]


def test_without_noise_what_is_left_is_the_object():
    exposure = make_exposure(noise=False)
    models = Models.from_parents(make_parents(), StoreMetadata.from_exposure(exposure))
    for stamp in models.stamps(exposure, ids=[100, 101, 3]):
        # Noise stands where an object without a model is; everything else is the object's own model.
        kept = np.broadcast_to(~make_parents()[2].footprint.on(stamp.box), stamp.image.shape)
        scale = stamp.model.max()
        # float32
        np.testing.assert_allclose(stamp.image[kept], stamp.model[kept], atol=1e-5 * scale)


def test_subtraction_keeps_the_noise_of_the_coadd(models, exposure):
    (stamp,) = models.stamps(exposure, ids=[100], size=31)
    parent = make_parents()[0]
    other = render_templates(parent, exposure.box)[1].project(stamp.box).array
    cut = (slice(None), *stamp.box.slices_in(exposure.box))
    np.testing.assert_allclose(stamp.image, exposure.images[cut] - other, atol=1e-5 * other.max())
    np.testing.assert_array_equal(stamp.variance, exposure.variance[cut])
    np.testing.assert_array_equal(is_neighbour(stamp), np.abs(other) > SIGMA[:, None, None])
    # A plane was added; those of the coadd are still there.
    assert stamp.mask_planes.bits["BAD"] == 0
    assert stamp.mask[1, 26 - stamp.box.origin[0], 36 - stamp.box.origin[1]] & 1


def test_objects_without_a_model_are_filled_with_noise(models, exposure):
    (stamp,) = models.stamps(exposure, ids=[3], size=61)
    inside = make_parents()[2].footprint.on(stamp.box)
    assert inside.any()
    assert is_neighbour(stamp)[:, inside].all()
    cut = (slice(None), *stamp.box.slices_in(exposure.box))
    assert not np.isclose(stamp.image, exposure.images[cut])[:, inside].any()


def test_noise_fills_all_but_the_objects_own_pixels(models, exposure):
    (stamp,) = models.stamps(exposure, "noise-filled", ids=[101], size=41)
    parent = make_parents()[0]
    child = reapportion_parent(exposure, parent).children[1]
    cut = (slice(None), *stamp.box.slices_in(exposure.box))
    here, there = child.box.overlap_slices(stamp.box)
    own = np.zeros(stamp.image.shape, bool)
    own[(slice(None), *there)] = child.share[(slice(None), *here)] > 0
    expected = np.zeros(stamp.image.shape, np.float32)
    expected[(slice(None), *there)] = child.flux[(slice(None), *here)]
    share = np.zeros(stamp.image.shape)
    share[(slice(None), *there)] = child.share[(slice(None), *here)]
    whole = share > 0.9999
    assert whole.any()
    # √(1 − 0.9999²) = 0.014 of noise of σ 2 at most
    np.testing.assert_allclose(stamp.image[whole], expected[whole], atol=5 * 0.014 * 2)
    # With the share's own noise, the noise that is added makes as much as the coadd has.
    partial = own & (share < 0.9) & (share > 0.1)
    sigma = np.broadcast_to(SIGMA[:, None, None], share.shape)
    pull = (stamp.image - expected)[partial] / sigma[partial] / np.sqrt(1 - share[partial] ** 2)
    assert pull.size > 100
    assert abs(pull.mean()) < 5 / np.sqrt(pull.size)
    assert abs(pull.std() - 1) < 5 / np.sqrt(2 * pull.size)
    detected = np.zeros(stamp.box.shape, bool)
    for one in make_parents():
        detected |= one.footprint.on(stamp.box)
    sky = ~np.broadcast_to(detected, own.shape)
    np.testing.assert_array_equal(stamp.image[sky], exposure.images[cut][sky])
    filled = ~own & ~sky & ~stamp.mask_planes.any_set(stamp.mask, ["BAD"])
    assert filled.sum() > 500
    assert is_neighbour(stamp)[filled].all()
    pull = (stamp.image / SIGMA[:, None, None])[filled]
    # Standard errors of mean and width of so many numbers, five of them.
    assert abs(pull.mean()) < 5 / np.sqrt(pull.size)
    assert abs(pull.std() - 1) < 5 / np.sqrt(2 * pull.size)


def test_an_isolated_object_keeps_all_of_its_footprint(models, exposure):
    (stamp,) = models.stamps(exposure, "noise-filled", ids=[4], margin=0)
    cut = (slice(None), *stamp.box.slices_in(exposure.box))
    inside = make_parents()[2].footprint.on(stamp.box)
    np.testing.assert_array_equal(stamp.image[:, inside], exposure.images[cut][:, inside])


@pytest.mark.parametrize("way", ["subtracted", "noise-filled"])
def test_noise_hangs_on_the_object_and_the_seed_alone(models, exposure, way):
    first, again = (next(models.stamps(exposure, way, ids=ids)) for ids in ([3], [3, 100]))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.noise, again.noise)
    other = next(models.stamps(exposure, way, ids=[3], seed=8))
    assert not np.isclose(first.noise, other.noise).any()
    assert not np.isclose(first.noise, first.image).any()


def test_noise_has_the_level_and_the_correlation_of_the_coadd(models, exposure):
    kernel = np.array([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]])
    xi = np.zeros((5, 5))
    for dy in range(3):
        for dx in range(3):
            xi[dy : dy + 3, dx : dx + 3] += kernel[dy, dx] * kernel
    xi /= xi[2, 2]
    given = np.repeat(xi[None], 3, axis=0)
    for correlation in (given, dict.fromkeys(BANDS, xi)):
        total = np.zeros((3, 3))
        count = 0
        for seed in range(20):
            (stamp,) = models.stamps(exposure, ids=[100], size=41, noise_correlation=correlation, seed=seed)
            unit = stamp.noise / SIGMA[:, None, None]
            count += unit[:, 1:-1, 1:-1].size
            for dy in range(3):
                for dx in range(3):
                    shifted = unit[:, dy : unit.shape[1] - 2 + dy, dx : unit.shape[2] - 2 + dx]
                    total[dy, dx] += (unit[:, 1:-1, 1:-1] * shifted).sum()
        # Neighbouring products are correlated: about four times the variance of independent ones.
        np.testing.assert_allclose(total / count, xi[1:4, 1:4], atol=5 * 2 / np.sqrt(count))


def test_world_coordinates_move_with_the_stamp(models, exposure):
    (stamp,) = models.stamps(exposure, ids=[101])
    y, x = stamp.position
    sky, expected = (wcs.pixel_to_world(*at) for wcs, at in ((stamp.wcs, (x, y)), (exposure.wcs, stamp.center[::-1])))
    assert sky.separation(expected).arcsec < 1e-6
    assert exposure.wcs.wcs.crpix[0] == 40


def test_world_coordinates_of_the_store_stand_in(models, exposure):
    (stamp,) = models.stamps(replace(exposure, wcs=None), ids=[101])
    (expected,) = models.stamps(exposure, ids=[101])
    np.testing.assert_allclose(stamp.wcs.wcs.crpix, expected.wcs.wcs.crpix)


def test_psfs_are_centred_and_those_of_the_object(models, exposure):
    (stamp,) = models.stamps(exposure, ids=[101])
    np.testing.assert_allclose(stamp.psf, psf_cube(), atol=1e-7)
    (without,) = models.stamps(replace(exposure, psfs=(None, *exposure.psfs[1:])), ids=[101])
    assert np.isnan(without.psf[0]).all()
    np.testing.assert_allclose(without.psf[1:], psf_cube()[1:], atol=1e-7)
    (stored,) = models.stamps(replace(exposure, psfs=(None,) * 3), ids=[101])
    np.testing.assert_array_equal(stored.psf, psf_cube())


def test_pixels_without_data_are_0_and_have_no_weight(exposure):
    images, variance = exposure.images.copy(), exposure.variance.copy()
    images[0, 24, 34], variance[1, 24, 34], variance[2, 24, 34] = np.nan, np.nan, 0
    broken = replace(exposure, images=images, variance=variance)
    models = Models.from_parents(make_parents(), StoreMetadata.from_exposure(broken))
    for way in ("subtracted", "noise-filled"):
        (stamp,) = models.stamps(broken, way, ids=[100])
        at = (24 - stamp.box.origin[0], 34 - stamp.box.origin[1])
        assert np.isfinite(stamp.image).all()
        assert np.isfinite(stamp.noise).all()
        assert stamp.image[0][at] == 0
        assert np.isfinite(stamp.weight).all()
        assert [stamp.weight[k][at] for k in range(3)] == [0, 0, 0]
        assert stamp.mask_planes.any_set(stamp.mask, ["NOT_FINITE"]).sum() == 1


def test_sizes(models, exposure):
    (square,) = models.stamps(exposure, ids=[100], size=20)
    assert square.box == Box((25, 35), (1, 1)).grow(10)
    (cut,) = models.stamps(exposure, ids=[101], size=101)
    assert cut.box == Box((0, 0), (71, 96))
    (tight,), (wide,) = (models.stamps(exposure, ids=[3], margin=margin) for margin in (0, 4))
    assert tight.box == TEMPLATE_BOX
    assert wide.box == TEMPLATE_BOX.grow(4)


def test_coadds_may_have_more_bands_in_another_order(models, exposure):
    (expected,) = models.stamps(exposure, ids=[100])
    (stamp,) = models.stamps(exposure.select(("i", "g", "r")), ids=[100])
    assert stamp.bands == BANDS
    np.testing.assert_array_equal(stamp.image, expected.image)
    assert stamp.band("i") == 2


def test_only_some_parents_are_held_at_a_time(exposure, monkeypatch):
    models = Models.from_parents(make_parents(), StoreMetadata.from_exposure(exposure))
    read = []
    real = models.store.parent
    monkeypatch.setattr(models.store, "parent", lambda number: read.append(number) or real(number))
    stamps = models.stamps(exposure)
    assert read == []
    next(stamps)
    assert 3 not in read


def test_stamps_of_one_patch_of_several(exposure, tmp_path):
    for k, shape in ((0, SHAPE), (1, (90, 120))):
        metadata = StoreMetadata(BANDS, shape)
        parents = make_parents()[:2] if k == 0 else [make_parent(9, [(25, 35)])]
        Models.from_parents(parents, metadata).write(tmp_path / f"models-{k}.parquet")
    models = load_models(tmp_path)
    (alone,) = Models.from_parents(make_parents()[:2], StoreMetadata(BANDS, SHAPE)).stamps(exposure, ids=[100])
    (stamp,) = models.stamps(exposure, ids=[100])
    np.testing.assert_array_equal(stamp.image, alone.image)
    with pytest.raises(ModelError, match="of one patch, but these objects are of several: choose ids"):
        models.stamps(exposure)
    with pytest.raises(ModelError, match="of one patch, but these models are of several"):
        models.segmentation()


def test_mistakes_are_told_before_the_first_stamp(models, exposure):
    for options, message in (
        ({"neighbours": "removed"}, "neighbours can be 'subtracted' or 'noise-filled', got 'removed'"),
        ({"size": 0}, "size must be 1 or more pixels, got 0"),
        ({"margin": -1}, "margin and seed must be 0 or more, got -1 and 0"),
        ({"noise_correlation": {"g": np.ones((1, 1))}}, "noise_correlation lacks the bands r, i"),
        ({"noise_correlation": np.ones((3, 2, 2))}, "of 3 squares with odd sides; its shape is (3, 2, 2)"),
        ({"noise_correlation": np.zeros((3, 3, 3))}, "must be 1 in the middle"),
        ({"noise_correlation": dict.fromkeys(BANDS, np.ones((3, 5)))}, "a square with odd sides; its shape is (3, 5)"),
    ):
        with pytest.raises(InputError) as caught:
            models.stamps(exposure, **options)
        assert message in str(caught.value)
    with pytest.raises(ModelError, match="no object 7; there are 4 objects"):
        models.stamps(exposure, ids=[7])
    with pytest.raises(ModelError, match="the coadds lack i"):
        models.stamps(exposure.select(("g", "r")))
    with pytest.raises(ModelError, match="no band 'z' in this stamp; there are g, r, i"):
        next(models.stamps(exposure)).band("z")
    assert StampOptions().neighbours == "subtracted"
