"""What is written is read back, bit for bit."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from meas_deblend.exceptions import InputError
from meas_deblend.image import GaussianPsf, ImagePsf, MaskPlanes, MultibandExposure, Survey, read_coadds, write_coadd

SURVEY = Survey(name="test", bad_planes=("BAD",))
PLANE_NAMES = ["BAD", "SAT", "DETECTED", "DETECTED_NEGATIVE", "NOT_DEBLENDED", "BIT_9", "A_B-C"]


@st.composite
def exposures(draw):
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    planes = draw(st.dictionaries(st.sampled_from(PLANE_NAMES), st.integers(0, 62), max_size=5))
    if len(set(planes.values())) < len(planes):
        planes = {name: bit for bit, name in {b: n for n, b in planes.items()}.items()}
    allowed = sum(1 << bit for bit in planes.values())
    pixels = st.floats(width=32)
    image = draw(npst.arrays(np.float32, shape, elements=pixels))
    image[0, 0] = 1.0
    positive = st.floats(np.float32(1e-30), np.inf, width=32, exclude_min=True) | st.just(np.float32(np.nan))
    variance = draw(npst.arrays(np.float32, shape, elements=positive))
    variance[0, 0] = 2.0
    mask = draw(npst.arrays(np.int64, shape, elements=st.integers(0, 2**62))) & allowed
    wide = max(planes.values(), default=0) > 30
    sigma = draw(st.floats(1.0, 3.0))
    return MultibandExposure(
        bands=(draw(st.text("grizyu-_0123456789", min_size=1, max_size=8)),),
        images=image[None],
        variance=variance[None],
        mask=mask[None].astype(np.int64 if wide else np.int32),
        psfs=(ImagePsf(GaussianPsf(sigma).image(0.02, -0.03).stamp),),
        mask_planes=MaskPlanes(planes, ("BAD",)),
        zeropoints=(draw(st.none() | st.floats(1, 60)),),
        units=draw(st.sampled_from(["count", "adu", "electron / s"])),
        pixel_scale=draw(st.none() | st.floats(0.01, 10)),
    )


def assert_same(read, written):
    assert read.bands == written.bands
    for name in ("images", "variance", "mask"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
        assert getattr(read, name).dtype == getattr(written, name).dtype
    assert dict(read.mask_planes.bits) == dict(written.mask_planes.bits)
    assert read.mask_planes.bad == written.mask_planes.bad
    for one, other in zip(read.psfs, written.psfs, strict=True):
        np.testing.assert_array_equal(one.image(3, 4).stamp, other.image(3, 4).stamp)
    assert (read.zeropoints, read.units, read.pixel_scale) == (written.zeropoints, written.units, written.pixel_scale)


@given(exposure=exposures(), compressed=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_exposure_comes_back_bit_for_bit(tmp_path, exposure, compressed):
    path = tmp_path / ("c.fits.gz" if compressed else "c.fits")
    write_coadd(path, exposure, exposure.bands[0], overwrite=True)
    with warnings.catch_warnings():
        # Random pixels are no sky, and the reader says so.
        warnings.simplefilter("ignore")
        assert_same(read_coadds({exposure.bands[0]: path}, SURVEY), exposure)


def test_two_bands_with_wcs_come_back(tmp_path, exposure):
    survey = Survey(name="test", bad_planes=("NO_DATA",))
    paths = {band: write_coadd(tmp_path / f"{band}.fits", exposure, band) for band in exposure.bands}
    read = read_coadds(paths, survey, zeropoint={"r": None})
    assert_same(replace(read, pixel_scale=0.2), replace(exposure, zeropoints=(27.0, 31.4)))
    assert read.pixel_scale == pytest.approx(0.2)
    x, y = read.wcs.all_world2pix([[150.001, 2.001]], 0)[0]
    np.testing.assert_allclose((x, y), exposure.wcs.all_world2pix([[150.001, 2.001]], 0)[0], atol=1e-6)
    assert read.warnings == ()


def test_a_distorted_wcs_comes_back(tmp_path, data_dir, exposure):
    path = next((data_dir / "real" / "decam").glob("*_ooi_g_*.N??.fits"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(fits.getheader(path, 1)).celestial
    written = replace(exposure, wcs=wcs)
    read = read_coadds({"g": write_coadd(tmp_path / "g.fits", written, "g")})
    sky = wcs.pixel_to_world_values([0, 40], [0, 50])
    np.testing.assert_allclose(read.wcs.pixel_to_world_values([0, 40], [0, 50]), sky, rtol=0, atol=1e-10)


def test_a_band_without_psf_is_written_without_one(tmp_path, exposure):
    path = write_coadd(tmp_path / "g.fits", replace(exposure, psfs=(None, None)), "g")
    with pytest.raises(InputError, match="no PSF for band g"):
        read_coadds({"g": path})


def test_the_same_exposure_gives_the_same_bytes(tmp_path, exposure):
    for suffix in ("fits", "fits.gz"):
        first = write_coadd(tmp_path / f"a.{suffix}", exposure, "g").read_bytes()
        assert write_coadd(tmp_path / f"b.{suffix}", exposure, "g").read_bytes() == first


def test_a_file_is_not_replaced_unless_asked(tmp_path, exposure):
    path = write_coadd(tmp_path / "g.fits", exposure, "g")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"g\.fits exists already; say overwrite=True"):
        write_coadd(path, exposure, "r")
    assert path.read_bytes() == before
    assert write_coadd(path, exposure, "r", overwrite=True).read_bytes() != before


def test_an_unknown_band_is_refused(tmp_path, exposure):
    with pytest.raises(InputError, match="no band 'z'; there are g, r"):
        write_coadd(tmp_path / "z.fits", exposure, "z")
    assert list(tmp_path.iterdir()) == []
