"""Bands that several processes read: the same exposure and errors as of one after the other."""

import warnings
from functools import partial

import numpy as np
import pytest
from astropy.io import fits

from meas_deblend.exceptions import InputError, InputWarning
from meas_deblend.framework import Loop, Workplace, map_units, working
from meas_deblend.framework.beside import SharedRoom, can_call_beside
from meas_deblend.image import GaussianPsf, PlaneSpec, load_survey, read_coadds
from meas_deblend.image.cubes import Cubes
from meas_deblend.image.several_bands import read_bands

pytestmark = pytest.mark.skipif(not can_call_beside(), reason="needs memory files and forks")

SHAPE = (60, 50)
FIELDS = ("images", "variance", "mask")


class LocalPsf:
    """A PSF object of a notebook: its class cannot be found by another process."""

    def __init__(self):
        self.stamp = GaussianPsf(1.5).image(0, 0).stamp
        self.image = lambda y, x: GaussianPsf(1.5).image(y, x)


@pytest.fixture
def read_by_two():
    """Reads coadds with two processes."""
    room = SharedRoom()
    each = partial(map_units, loop=Loop(ahead=False))

    def read(files, **options):
        with working(Workplace(2)):
            return read_coadds(files, **options, each_file=each, empty=room.empty)

    yield read
    room.close()


@pytest.fixture
def odd_files(write, sky):
    """Files whose planes are of many types: some are read into their places, some come there later."""
    masks = {"g": np.int32, "r": np.int16, "i": np.int64, "z": None, "y": np.uint8}
    files = {}
    for k, (band, kind) in enumerate(masks.items()):
        mask = None if kind is None else np.full(SHAPE, k << 2, kind)
        noise = np.full(SHAPE, 0.0025, np.float64 if k % 2 else np.float32)
        noise[k, 0] = 0.0
        planes = {"SAT": 2, "BAD": 3} if band != "i" else {"BAD": 2, "SAT": 3}
        files[band] = write(
            f"{band}.fits", image=sky(seed=k).astype("f8" if k == 3 else "f4"), noise=noise, mask=mask, planes=planes
        )
    return files


def told(read, *args, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = read(*args, **options)
    return found, [str(one.message) for one in caught if one.category is InputWarning]


def assert_same(ours, theirs):
    for name in FIELDS:
        one, other = getattr(ours, name), getattr(theirs, name)
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    for name in ("bands", "mask_planes", "zeropoints", "units", "pixel_scale", "sources", "background", "warnings"):
        assert getattr(ours, name) == getattr(theirs, name)
    for one, other in zip(ours.psfs, theirs.psfs, strict=True):
        np.testing.assert_array_equal(one.image(5, 5).stamp, other.image(5, 5).stamp)


@pytest.mark.parametrize("options", [{}, {"on_missing_psf": "drop"}, {"background": "subtract"}])
def test_planes_of_any_type_are_the_same(read_by_two, odd_files, options):
    (ours, said), (theirs, again) = (told(read, odd_files, **options) for read in (read_coadds, read_by_two))
    assert_same(ours, theirs)
    assert said == again
    assert len(said) == 1


def test_masks_with_many_bits_are_the_same(read_by_two, write, sky):
    far = write("far.fits", image=sky(seed=2), mask=np.full(SHAPE, 1 << 40, np.int64), planes={"FAR": 40})
    files = {"g": write("g.fits", mask=np.ones(SHAPE, np.int32), planes={"DEEP": 0}), "w": far}
    assert_same(read_coadds(files), read_by_two(files))


def test_numbers_and_objects_of_the_caller_do_not_travel(read_by_two, write, sky):
    psf = LocalPsf()
    paths = {band: write(f"{band}.fits", image=sky(seed=k), psf=None, noise_name=None) for k, band in enumerate("gr")}
    files = {band: PlaneSpec(path, sigma=0.05, psf=psf) for band, path in paths.items()}
    found = read_by_two(files)
    assert all(one is psf for one in found.psfs)
    assert_same(read_coadds(files), found)


def test_world_coordinates_are_not_rounded(read_by_two, write, sky, wcs):
    there = wcs(ra=149.123456789012345)
    files = {band: write(f"{band}.fits", image=sky(seed=k), wcs=there) for k, band in enumerate("gr")}
    ours, theirs = read_coadds(files), read_by_two(files)
    assert np.array_equal(ours.wcs.all_pix2world([[3.3, 7.7]], 0), theirs.wcs.all_pix2world([[3.3, 7.7]], 0))
    assert ours.wcs.wcs.compare(theirs.wcs.wcs)


def test_the_error_is_that_of_the_first_band(read_by_two, write, tmp_path):
    nan = write("nan.fits", image=np.full(SHAPE, np.nan, np.float32))
    files = {"g": write("g.fits"), "r": nan, "i": tmp_path / "none.fits"}
    with pytest.raises(InputError, match="band r: every pixel of the image is NaN"):
        read_by_two(files)
    with pytest.raises(InputError, match=r"no file .*none\.fits"):
        read_by_two({"i": files["i"], "r": nan})


def test_images_that_do_not_fit_are_told_before_any_other_error(read_by_two, write, sky):
    files = {
        "g": write("g.fits"),
        "r": write("r.fits", image=sky((40, 50))),
        "i": write("i.fits", noise=np.zeros(SHAPE, np.float32)),
    }
    for read in (read_coadds, read_by_two):
        with pytest.raises(InputError, match=r"shapes \(y, x\) differ: g \(60, 50\), r \(40, 50\), i \(60, 50\)"):
            read(files)


def test_an_image_with_one_more_axis_has_its_place_too(read_by_two, tmp_path, sky):
    for k, band in enumerate("gr"):
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(sky(seed=k)[None], name="IMAGE")]
        fits.HDUList(hdus).writeto(tmp_path / f"{band}.fits")
    files = {band: PlaneSpec(tmp_path / f"{band}.fits", sigma=0.05, psf="fwhm=3px") for band in "gr"}
    np.testing.assert_array_equal(read_by_two(files).images[1], sky(seed=1))


def test_what_lies_in_its_place_does_not_travel(write):
    specs = {band: PlaneSpec(write(f"{band}.fits", mask=np.ones(SHAPE, np.int32))) for band in "gr"}
    sent = []

    def each(function, places, shared):
        for place in places:
            sent.append(function(shared, place))
            yield sent[-1]

    cubes = Cubes(2, np.empty)
    bands = read_bands(specs, load_survey("generic"), cubes, each)
    assert all(getattr(data, name).size == 0 for data in sent for name in ("image", "variance", "mask"))
    assert all(data.wcs is None for data in sent)
    for k, data in enumerate(bands):
        for name in ("image", "variance", "mask"):
            assert np.shares_memory(getattr(data, name), cubes.plane(k, name))
