"""Stamps as FITS, and which object has which pixel."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from synthetic_models import BANDS, make_parent, make_template_parent, psf_cube

from meas_deblend.access import Models, write_cutout
from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.geometry import Box
from meas_deblend.image import ImagePsf, MaskPlanes, MultibandExposure
from meas_deblend.products import StoreMetadata

SHAPE = (60, 80)
KINDS = ("image", "variance", "mask", "psf", "noise", "model", "weight", "sigma")
LARGE = 2**62 + 12345


def sky():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    return wcs


@pytest.fixture(scope="module")
def exposure():
    rng = np.random.default_rng(2)
    cube = rng.normal(3, 1, (3, *SHAPE)).astype(np.float32)
    mask = np.zeros(cube.shape, np.int32)
    mask[0, 25, 30] = 4
    planes = MaskPlanes({"BAD": 2, "NOT_DEBLENDED": 5}, ("BAD",))
    psfs = tuple(ImagePsf(plane.astype(float)) for plane in psf_cube())
    return MultibandExposure(BANDS, cube, np.ones_like(cube), mask, psfs, planes, sky(), (27.0, None, 26.0), "nJy")


def parents(large=False):
    pair = make_parent(1, [(25, 35), (20, 45)])
    if large:
        sources = tuple(replace(s, id=LARGE + k) for k, s in enumerate(pair.sources))
        pair = replace(pair, blends=(replace(pair.blends[0], sources=sources),))
    return [pair, make_template_parent(3, (50, 8), Box((45, 2), (11, 13)))]


@pytest.fixture(scope="module")
def models(exposure):
    return Models.from_parents(parents(), StoreMetadata.from_exposure(exposure))


@pytest.fixture
def stamp(models, exposure):
    return next(models.stamps(exposure, ids=[100]))


def test_one_hdu_per_band_and_kind(stamp, exposure, tmp_path):
    path = write_cutout(tmp_path / "new" / "cut.fits", stamp, KINDS)
    with fits.open(path) as hdus:
        names = [hdu.name for hdu in hdus[1:]]
        assert names == [f"{kind.upper()}_{band.upper()}" for band in BANDS for kind in KINDS]
        assert hdus[0].header["OBJECTID"] == 100
        assert hdus[0].header["PARENTID"] == 1
        assert hdus[0].header["NEIGHBRS"] == "subtracted"
        for k, band in enumerate(BANDS):
            for kind in KINDS[:-1]:
                np.testing.assert_array_equal(hdus[f"{kind}_{band}"].data, getattr(stamp, kind)[k])
        sigma, bad = hdus["sigma_g"].data, stamp.bad[0]
        assert bad.any()
        assert (sigma[bad] == np.float32(1e30)).all()
        assert (sigma[~bad] == 1).all()
        header = hdus["image_g"].header
        assert (header["BUNIT"], header["PHOTZP"], header["FILTER"]) == ("nJy", 27.0, "g")
        assert "PHOTZP" not in hdus["image_r"].header
        assert hdus["mask_g"].header["MP_BAD"] == 2
        assert hdus["mask_g"].header["MP_NOT_DEBLENDED"] == 5
        assert hdus["mask_g"].header["MP_NEIGHBOUR"] == stamp.mask_planes.bits["NEIGHBOUR"]
        # The object is where the header says, on the stamp, on the sky and on the coadd.
        at = header["XCENTER"] - 1, header["YCENTER"] - 1
        assert at == (stamp.position[1], stamp.position[0])
        there = WCS(header).pixel_to_world(*at)
        assert there.separation(exposure.wcs.pixel_to_world(35, 25)).arcsec < 1e-6
        assert (at[0] - header["LTV1"], at[1] - header["LTV2"]) == (35, 25)


def test_chosen_bands_and_large_identifiers(exposure, tmp_path):
    models = Models.from_parents(parents(large=True), StoreMetadata.from_exposure(exposure))
    stamp = next(models.stamps(exposure, "noise-filled", ids=[LARGE]))
    with fits.open(write_cutout(tmp_path / "cut.fits", stamp, ("image",), ["i", "g"])) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE_I", "IMAGE_G"]
        assert hdus[0].header["OBJECTID"] == LARGE
        assert hdus[0].header["NEIGHBRS"] == "noise-filled"


def test_files_are_replaced_only_when_asked(stamp, tmp_path):
    path = tmp_path / "cut.fits"
    path.write_text("old")
    for kinds, bands, error, message in (
        (("image",), None, InputError, "exists already; say overwrite=True to replace it"),
        (("image", "residual"), None, InputError, "a cut-out holds image, .*; got residual"),
        ((), None, InputError, "got none"),
        (("image",), ["z"], ModelError, "no band 'z' in this stamp; there are g, r, i"),
    ):
        with pytest.raises(error, match=message):
            write_cutout(path, stamp, kinds, bands, overwrite=message[:6] != "exists")
        assert path.read_text() == "old"
    write_cutout(path, stamp, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["cut.fits"]


def test_each_detected_pixel_belongs_to_one_object(models, exposure):
    found = models.segmentation()
    assert (found.array.dtype, found.array.shape, found.box) == (np.dtype(np.int64), SHAPE, exposure.box)
    assert found.ids.tolist() == [3, 100, 101]
    detected = np.zeros(SHAPE, bool)
    for parent in parents():
        detected |= parent.footprint.on(exposure.box)
    np.testing.assert_array_equal(found.array > 0, detected)
    for number in found.ids:
        y, x = models.source(number).center
        assert found.array[int(y), int(x)] == number
    pair = models.blend(1)
    light = [s.model().project(pair.box).array.sum(axis=0) for s in pair.sources]
    part = found.array[pair.box.slices_in(exposure.box)]
    seen = pair.footprint.mask & (np.maximum(*light) > 1e-3)
    np.testing.assert_array_equal(part[seen], np.where(light[0] > light[1], 100, 101)[seen])
    assert repr(found) == "<Segmentation: 3 objects on 60 × 80 pixels>"


def test_objects_without_models_have_the_pixels_nearest_to_them():
    pair = make_parent(1, [(25, 35), (25, 45)])
    bare = tuple(replace(source, components=()) for source in pair.sources)
    models = Models.from_parents([replace(pair, blends=(replace(pair.blends[0], sources=bare),))], StoreMetadata(BANDS))
    found = models.segmentation()
    assert found.box == pair.footprint.box
    half = found.array[:, :20], found.array[:, 21:]
    assert set(np.unique(half[0])) == {0, 100}
    assert set(np.unique(half[1])) == {0, 101}


def test_footprints_outside_of_the_coadds_are_refused():
    models = Models.from_parents([make_parent(1, [(25, 35)])], StoreMetadata(BANDS, (20, 20)))
    with pytest.raises(ModelError, match=r"parent 1 on .* leaves the coadds"):
        models.segmentation()


def test_small_labels_stand_for_identifiers(exposure):
    models = Models.from_parents(parents(large=True), StoreMetadata.from_exposure(exposure))
    found = models.segmentation()
    assert found.ids.tolist() == [3, LARGE, LARGE + 1]
    assert np.unique(found.labels).tolist() == [0, 1, 2, 3]
    inside = found.labels > 0
    np.testing.assert_array_equal(found.ids[found.labels[inside] - 1], found.array[inside])


@pytest.mark.parametrize("large", [False, True])
def test_photutils_gets_the_identifiers_where_it_can(exposure, large):
    pytest.importorskip("photutils", reason="photutils is optional")
    models = Models.from_parents(parents(large=large), StoreMetadata.from_exposure(exposure))
    found = models.segmentation()
    image = found.to_photutils()
    assert image.labels.tolist() == ([1, 2, 3] if large else [3, 100, 101])
    assert image.areas.sum() == np.count_nonzero(found.array)


def test_without_photutils_it_says_what_to_install(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "photutils.segmentation", None)
    with pytest.raises(ImportError, match="pip install photutils"):
        models.segmentation().to_photutils()
