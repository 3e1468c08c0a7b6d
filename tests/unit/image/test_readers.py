"""Coadds made with known content are read as what they are, and every mistake is answered in words."""

import gzip
import hashlib
import pickle
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from meas_deblend.exceptions import InputError, InputWarning, NoWorkFoundError
from meas_deblend.image import GaussianPsf, PlaneSpec, Survey, read_coadds

SIGMA = 0.05


def read_with_warnings(*args, **settings):
    """The exposure, and the one warning's text ("" without one)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exposure = read_coadds(*args, **settings)
    assert len(caught) <= 1
    assert all(w.category is InputWarning for w in caught)
    return exposure, str(caught[0].message) if caught else ""


def test_what_is_in_a_file_is_in_the_exposure(write, sky, wcs):
    image, psf = sky(), GaussianPsf(1.6).image(0, 0).stamp
    variance = np.full(image.shape, SIGMA**2, np.float32)
    mask = np.zeros(image.shape, np.int32)
    mask[3, 4] = 1 << 5
    path = write(
        image=image, noise=variance, mask=mask, planes={"NO_DATA": 5}, psf=psf, wcs=wcs(), cards={"PHOTZP": 30.0}
    )
    exposure = read_coadds({"g": path})
    np.testing.assert_array_equal(exposure.images[0], image)
    np.testing.assert_array_equal(exposure.variance[0], variance)
    np.testing.assert_array_equal(exposure.mask[0], mask)
    np.testing.assert_array_equal(exposure.psfs[0].stamp, psf)
    assert (exposure.images.dtype, exposure.variance.dtype, exposure.mask.dtype) == (np.float32, np.float32, np.int32)
    assert exposure.images.dtype.isnative
    assert dict(exposure.mask_planes.bits) == {"NO_DATA": 5}
    np.testing.assert_array_equal(np.argwhere(exposure.bad[0]), [[3, 4]])
    assert exposure.zeropoints == (30.0,)
    assert exposure.pixel_scale == pytest.approx(0.2)
    assert exposure.wcs.wcs.crval[0] == 150.0
    assert exposure.sources[0].path == str(path)
    assert exposure.sources[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert exposure.warnings == ()
    assert exposure.background == (0.0,)


def test_an_image_is_held_once_while_it_is_read(write):
    rng = np.random.default_rng(5)
    shape, n_bands = (400, 400), 6
    paths = {}
    for band in "ugrizy":
        mask = np.zeros(shape, np.int32)
        mask[3, 4] = 2
        paths[band] = write(f"{band}.fits", image=rng.normal(0, SIGMA, shape).astype(np.float32), mask=mask)
    # What is loaded at the first reading is no memory of an image.
    read_coadds(paths)
    tracemalloc.start()
    try:
        # Looking at the sky afterwards takes a share of a band that is larger in small images.
        exposure = read_coadds(paths, each=lambda *_: [])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    cubes = exposure.images.nbytes + exposure.variance.nbytes + exposure.mask.nbytes
    # Planes are read into their places: beside the cubes there are only those of the file that is open.
    assert most < 1.25 * cubes
    assert cubes == 12 * n_bands * 400 * 400


def test_planes_that_do_not_fit_into_a_cube_as_they_are_get_there_later(write, sky):
    shape = (60, 50)
    masks = {"g": np.int32, "r": np.int16, "i": np.int64, "z": np.int32, "y": None}
    made, files = [], {}
    for k, (band, dtype) in enumerate(masks.items()):
        mask = None if dtype is None else np.zeros(shape, dtype)
        if mask is not None:
            mask[k, 7] = 1 << 2
        noise = np.full(shape, SIGMA**2, np.float64 if k % 2 else np.float32)
        if band == "z":
            noise[0, 0] = 0.0
        planes = {"SAT": 2, "BAD": 1} if band != "i" else {"BAD": 2, "SAT": 1}
        files[band] = write(f"{band}.fits", image=sky(seed=k), noise=noise, mask=mask, planes=planes)

    def empty(shape, dtype):
        made.append(np.empty(shape, dtype))
        return made[-1]

    with pytest.warns(InputWarning, match="band z: 1 of 3000 pixels have a variance of zero or less"):
        exposure = read_coadds(files, empty=empty)
    assert {id(cube) for cube in made} == {id(exposure.images), id(exposure.variance), id(exposure.mask)}
    for k, band in enumerate(masks):
        np.testing.assert_array_equal(exposure.images[k], sky(seed=k))
        assert exposure.mask_planes.any_set(exposure.mask[k], ["BAD" if band == "i" else "SAT"]).sum() == (band != "y")
    assert np.isnan(exposure.variance[3, 0, 0])
    assert np.nansum(exposure.variance != np.float32(SIGMA**2)) == 1
    # Bits beyond the 31st need a mask of another type.
    wide = write("w.fits", image=sky(seed=9), mask=np.zeros(shape, np.int64), planes={"FAR": 40})
    both = read_coadds({"g": files["g"], "w": wide}, empty=empty)
    assert both.mask.dtype == np.int64
    assert both.mask_planes.any_set(both.mask, ["SAT"]).sum() == 1


def test_bands_keep_the_callers_order(write, sky):
    paths = {band: write(f"{band}.fits", image=sky(seed=k)) for k, band in enumerate("zgr")}
    assert read_coadds(paths).bands == ("z", "g", "r")


def test_an_exposure_travels_to_worker_processes(write, wcs):
    exposure = read_coadds({"g": write(wcs=wcs())})
    copy = pickle.loads(pickle.dumps(exposure))  # noqa: S301 - made in this line
    np.testing.assert_array_equal(copy.images, exposure.images)
    assert copy.wcs.wcs.crval[0] == 150.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VARIANCE", SIGMA**2),
        ("var", SIGMA**2),
        ("ERR", SIGMA),
        ("SIGMA", SIGMA),
        ("WHT", SIGMA**-2),
        ("IVAR", SIGMA**-2),
        ("WEIGHT", SIGMA**-2),
    ],
)
def test_the_name_of_the_noise_plane_says_what_it_is(write, sky, name, value):
    image = sky()
    exposure = read_coadds({"g": write(image=image, noise=np.full(image.shape, value), noise_name=name)})
    np.testing.assert_allclose(exposure.variance, SIGMA**2, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("variance", SIGMA**2), ("sigma", SIGMA), ("ivar", SIGMA**-2), ("weight", SIGMA**-2)],
)
@pytest.mark.parametrize("as_number", [False, True])
def test_planes_may_be_in_files_of_their_own(tmp_path, sky, kind, value, as_number):
    image, stamp = sky(), GaussianPsf(1.5).image(0, 0).stamp
    mask = np.zeros(image.shape, np.uint8)
    mask[10, 11] = 4
    for name, data in {"img": image, "noise": np.full(image.shape, value), "mask": mask, "psf": stamp}.items():
        fits.PrimaryHDU(data).writeto(tmp_path / f"{name}.fits")
    noise = str(value) if as_number else tmp_path / "noise.fits"
    spec = {"image": tmp_path / "img.fits", kind: noise, "mask": tmp_path / "mask.fits", "psf": tmp_path / "psf.fits"}
    exposure = read_coadds({"g": spec})
    np.testing.assert_array_equal(exposure.images[0], image)
    np.testing.assert_allclose(exposure.variance, SIGMA**2, rtol=1e-6)
    np.testing.assert_array_equal(exposure.psfs[0].stamp, stamp)
    np.testing.assert_array_equal(np.argwhere(exposure.bad[0]), [[10, 11]])


def test_what_the_caller_gives_goes_before_what_is_in_the_file(write):
    path = write(noise=np.full((60, 50), 9.0), cards={"PHOTZP": 30.0})
    spec = PlaneSpec(path, sigma=SIGMA)
    exposure = read_coadds({"g": spec}, psf="gaussian:fwhm=4px", zeropoint={"g": 25.0})
    np.testing.assert_allclose(exposure.variance, SIGMA**2)
    assert exposure.psfs[0] == GaussianPsf.from_fwhm(4.0)
    assert exposure.zeropoints == (25.0,)


def test_weight_zero_is_no_data_and_not_worth_a_warning(write, sky):
    image = sky()
    weight = np.full(image.shape, SIGMA**-2)
    weight[:2] = 0
    exposure = read_coadds({"g": write(image=image, noise=weight, noise_name="WHT")})
    assert np.isnan(exposure.variance[0, :2]).all()
    assert exposure.bad[0].sum() == weight[:2].size


def test_a_negative_standard_deviation_is_not_squared_into_a_good_variance(write, sky):
    sigma = np.full((60, 50), SIGMA)
    sigma[0, :3] = -SIGMA
    exposure, text = read_with_warnings({"g": write(noise=sigma, noise_name="ERR")})
    assert "band g: 3 of 3000 pixels have a variance of zero or less" in text
    assert exposure.bad[0].sum() == 3


@pytest.mark.parametrize("suffix", ["fits", "fits.gz"])
@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", ">i4"])
def test_byte_orders_types_and_compression(tmp_path, sky, suffix, dtype):
    counts = np.round(sky(sigma=20.0))
    path = tmp_path / f"img.{suffix}"
    fits.PrimaryHDU(counts.astype(dtype)).writeto(path)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == (suffix == "fits.gz")
    exposure = read_coadds({"g": {"image": path, "sigma": 20.0}}, psf="fwhm=3.5")
    assert exposure.images.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(exposure.images[0], counts)


def test_scaled_integers_are_scaled(tmp_path, sky):
    image = sky(sigma=1.0)
    hdu = fits.PrimaryHDU(image.copy())
    hdu.scale("int16", bscale=0.01, bzero=300.0)
    hdu.writeto(tmp_path / "img.fits")
    exposure = read_coadds({"g": {"image": tmp_path / "img.fits", "sigma": 1.0}}, psf="fwhm=3.5")
    # Rounded to half a step of 0.01, in float32.
    np.testing.assert_allclose(exposure.images[0], image, atol=0.0051)


def test_compressed_images_are_read(tmp_path, sky):
    image = np.round(sky(sigma=20.0)).astype(np.int32)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image, name="SCI")]).writeto(tmp_path / "img.fits.fz")
    exposure = read_coadds({"g": {"image": tmp_path / "img.fits.fz", "sigma": 20.0}}, psf="fwhm=3.5")
    np.testing.assert_array_equal(exposure.images[0], image)


def test_the_hdus_type_serves_where_it_has_no_name(tmp_path, sky):
    image = sky()
    hdus = [fits.PrimaryHDU()]
    for kind, data in {
        "IMAGE": image,
        "MASK": np.zeros(image.shape, np.int32),
        "VARIANCE": image**0 * SIGMA**2,
    }.items():
        hdus.append(fits.ImageHDU(data))
        hdus[-1].header["EXTTYPE"] = kind
    fits.HDUList(hdus).writeto(tmp_path / "cutout.fits")
    exposure = read_coadds({"g": tmp_path / "cutout.fits"}, "hsc", psf="fwhm=0.6")
    np.testing.assert_array_equal(exposure.images[0], image)
    assert exposure.zeropoints == (27.0,)
    assert exposure.pixel_scale == 0.168
    assert exposure.mask_planes.bits["NO_DATA"] == 8


def test_an_hdu_can_be_named(tmp_path, sky):
    first, second = sky(seed=1), sky(seed=2)
    fits.HDUList([fits.PrimaryHDU(first), fits.ImageHDU(second, name="OTHER")]).writeto(tmp_path / "a.fits")
    for selector, image in {"0": first, "1": second, "other": second}.items():
        exposure = read_coadds({"g": {"image": f"{tmp_path}/a.fits[{selector}]", "sigma": SIGMA}}, psf="fwhm=3.5")
        np.testing.assert_array_equal(exposure.images[0], image)


@pytest.mark.parametrize(
    ("survey", "planes"), [("generic", {"BAD": 0}), ("lsst", {"BAD": 0, "SAT": 1, "BIT_20": 20, "NO_DATA": 8})]
)
def test_masks_without_names_are_read_as_the_survey_says(write, survey, planes):
    mask = np.zeros((60, 50), np.int32)
    mask[0, 0], mask[0, 1] = 1 << 1, 1 << 20
    exposure = read_coadds({"g": write(mask=mask)}, survey)
    assert planes.items() <= dict(exposure.mask_planes.bits).items()
    assert exposure.bad[0].sum() == (2 if survey == "generic" else 1)


def test_masks_with_other_bits_are_brought_to_common_planes(write, sky):
    mask = np.zeros((60, 50), np.int32)
    mask[1, 1], mask[2, 2], mask[3, 3] = 1, 2, 1 << 7
    first = write("g.fits", mask=mask, planes={"SAT": 0, "CR": 1})
    second = write("r.fits", image=sky(seed=2), mask=mask, planes={"CR": 0, "SAT": 1})
    exposure = read_coadds({"g": first, "r": second})
    planes = exposure.mask_planes
    for name, where in {"SAT": [(1, 1), (2, 2)], "CR": [(2, 2), (1, 1)], "BIT_7": [(3, 3), (3, 3)]}.items():
        for k in range(2):
            np.testing.assert_array_equal(np.argwhere(planes.any_set(exposure.mask[k], [name])), [where[k]])


def test_a_plane_on_the_sign_bit_is_a_plane(write):
    mask = np.zeros((60, 50), np.int32)
    mask[1, 1] = np.iinfo(np.int32).min
    exposure = read_coadds({"g": write(mask=mask, planes={"NO_DATA": 31})})
    assert exposure.mask.dtype == np.int64
    np.testing.assert_array_equal(np.argwhere(exposure.bad[0]), [[1, 1]])


@pytest.mark.parametrize(
    ("cards", "zeropoint"),
    [
        ({}, None),
        ({"FLUXMAG0": 10 ** (0.4 * 27)}, 27.0),
        ({"MAGZERO": 25.5}, 25.5),
        ({"MAGZERO": 25.5, "PHOTZP": 26.0}, 26.0),
        ({"PHOTZP": "unknown"}, None),
        ({"FLUXMAG0": -1.0}, None),
        ({"BUNIT": "nJy"}, 31.4),
        ({"BUNIT": "nanomaggy"}, 22.5),
        ({"BUNIT": "adu"}, None),
    ],
)
def test_zero_points_come_from_the_header(write, cards, zeropoint):
    found = read_coadds({"g": write(cards=cards)}).zeropoints[0]
    assert found == (None if zeropoint is None else pytest.approx(zeropoint))


def test_the_surveys_zero_point_is_that_of_its_unit(write):
    survey = Survey(name="mine", units="adu", zeropoint=28.0)
    assert read_coadds({"g": write("a.fits")}, survey).zeropoints == (28.0,)
    assert read_coadds({"g": write("b.fits", cards={"BUNIT": "ADU"})}, survey).zeropoints == (28.0,)
    assert read_coadds({"g": write("c.fits", cards={"BUNIT": "electron"})}, survey).zeropoints == (None,)


def test_keywords_of_the_primary_header_count(tmp_path, sky):
    primary = fits.PrimaryHDU()
    primary.header["PHOTZP"] = 24.0
    fits.HDUList([primary, fits.ImageHDU(sky(), name="N12")]).writeto(tmp_path / "a.fits")
    assert read_coadds({"g": {"image": tmp_path / "a.fits", "sigma": SIGMA}}, psf="fwhm=3.5").zeropoints == (24.0,)


def test_widths_of_psfs_are_in_arcseconds_where_the_pixel_scale_is_known(write, wcs):
    exposure = read_coadds({"g": write(wcs=wcs(scale=0.25))}, psf={"g": "fwhm=1.0"})
    assert exposure.psfs[0].fwhm == pytest.approx(4.0, rel=1e-6)


def test_the_background_is_subtracted_and_recorded(write, sky):
    path = write(image=sky(level=3.0))
    exposure, text = read_with_warnings({"g": path})
    assert "band g: the sky lies at 3" in text
    exposure = read_coadds({"g": path}, background="subtract")
    assert exposure.background[0] == pytest.approx(3.0, abs=0.01)
    assert exposure.warnings[0].startswith("band g: a constant background of ")
    # 1.25 sigma / sqrt(n) of some 2900 pixels.
    assert np.median(exposure.images[0][30:]) == pytest.approx(0.0, abs=0.01)


def test_findings_come_as_one_warning_and_stay_with_the_exposure(write, sky):
    variance = np.full((60, 50), SIGMA**2, np.float32)
    variance[0, 0] = -1
    paths = {
        "g": write("g.fits", noise=variance, cards={"FILTER": "r"}),
        "r": write("r.fits", image=sky(level=1.0, seed=2), psf=3 * GaussianPsf(1.5).image(0, 0).stamp),
    }
    exposure, text = read_with_warnings(paths)
    assert tuple(text.split("\n")) == exposure.warnings
    assert [w[: w.index(":")] for w in exposure.warnings] == ["band g", "band g", "band r", "band r"]
    assert "band g: 1 of 3000 pixels have a variance of zero or less" in exposure.warnings[0]
    assert exposure.warnings[1] == "band g: the header says FILTER = 'r', which is r: are two files mixed up?"
    assert "the stamp sums to 3" in exposure.warnings[2]
    assert "the sky lies at 0.999" in exposure.warnings[3]


def test_a_standard_deviation_read_as_variance_is_reported_with_the_factor(write):
    _, text = read_with_warnings({"g": write(noise=np.full((60, 50), SIGMA))})
    assert "is 0.0" in text
    assert "looks like a standard deviation" in text


def test_one_file_given_twice_is_reported(write):
    path = write()
    _, text = read_with_warnings({"g": path, "r": path})
    assert f"bands g and r: both files hold the same bytes ({path})" in text


def test_odd_headers_are_reported_once(tmp_path, sky):
    path = tmp_path / "odd.fits"
    hdu = fits.PrimaryHDU(sky())
    hdu.header["OBSERVER"] = "somebody"
    hdu.writeto(path)
    # A card as ESO's archive has them: astropy warns when it is read.
    path.write_bytes(path.read_bytes().replace(b"OBSERVER= 'somebody'", b"ESO-LOG 03:04> E = 1"))
    exposure, text = read_with_warnings({"g": {"image": path, "sigma": SIGMA}}, psf="fwhm=3.5")
    assert text.count("odd.fits: ") == 1
    assert exposure.images.shape == (1, 60, 50)


def test_bands_on_one_grid_pass(write, wcs, sky):
    # A hundredth of a pixel is how precisely headers are written.
    paths = {
        "g": write("g.fits", wcs=wcs()),
        "r": write("r.fits", image=sky(seed=2), wcs=wcs(crpix=(25.01, 30.0))),
    }
    assert read_coadds(paths).wcs is not None


def test_bands_on_other_grids_are_refused_with_the_difference(write, wcs):
    paths = {"g": write("g.fits", wcs=wcs()), "r": write("r.fits", wcs=wcs(crpix=(25.3, 30.4)))}
    with pytest.raises(
        InputError,
        match=r"bands g and r are not on one pixel grid: equal pixels lie up to 0\.5 px apart.*at most 0\.05.*, the "
        r"middle of r \(-0\.4, -0\.3\) px \(y, x\) off that of g; resample them.*deblend each in a run of its own; "
        r"separate exposures are to be resampled as coadds are \(g: .*g\.fits, r: .*r\.fits\)",
    ):
        read_coadds(paths)


def test_bands_of_other_pixel_scale_are_refused(write, wcs):
    paths = {"g": write("g.fits", wcs=wcs()), "r": write("r.fits", wcs=wcs(scale=0.21))}
    with pytest.raises(InputError, match="bands g and r are not on one pixel grid"):
        read_coadds(paths)


def test_a_band_without_wcs_is_taken_to_be_on_the_grid_of_the_others(write, wcs, sky):
    exposure, text = read_with_warnings({"g": write("g.fits"), "r": write("r.fits", image=sky(seed=2), wcs=wcs())})
    assert text == "no WCS in the header of g: taken to be on the grid of r"
    assert exposure.pixel_scale == pytest.approx(0.2)


def test_bands_of_other_shape_are_refused(write, sky):
    paths = {"g": write("g.fits"), "r": write("r.fits", image=sky(shape=(61, 50)))}
    with pytest.raises(InputError, match=r"differ: g \(60, 50\), r \(61, 50\); resample .*g: .*g\.fits, r: "):
        read_coadds(paths)


def test_bands_in_other_units_are_refused(write):
    paths = {"g": write("g.fits"), "r": write("r.fits", cards={"BUNIT": "nJy"})}
    with pytest.raises(InputError, match="BUNIT differs: g count, r nJy"):
        read_coadds(paths)


def test_a_band_without_psf_is_refused_or_dropped_never_guessed(write, sky):
    paths = {"g": write("g.fits"), "y": write("y.fits", image=sky(seed=2), psf=None)}
    with pytest.raises(InputError, match=r"no PSF for band y: .*psf=\{'y': 'fwhm=0.7'\}.*--psf y=psf.fits.*'drop'"):
        read_coadds(paths)
    exposure, text = read_with_warnings(paths, on_missing_psf="drop")
    assert exposure.bands == ("g",)
    assert text == "band y: left out, because it has no PSF"
    assert read_coadds(paths, psf={"y": "fwhm=3.5"}).bands == ("g", "y")


def test_no_band_left_is_no_work(write):
    with pytest.raises(NoWorkFoundError, match="no band is left: none of g has a PSF"):
        read_coadds({"g": write(psf=None)}, on_missing_psf="drop")


def test_dropped_bands_keep_the_others_planes_of_a_cube(write, sky):
    paths = {"g": write("g.fits", psf=None), "r": write("r.fits", image=sky(seed=2))}
    cube = np.stack([GaussianPsf(1.8).image(0, 0).stamp[2:-2, 2:-2], GaussianPsf(1.4).image(0, 0).stamp])
    exposure = read_coadds(paths, psf=cube)
    np.testing.assert_allclose(exposure.psfs[1].stamp, cube[1])


def spoiled(write, tmp_path, case):
    """A file that something is wrong with."""
    nan = np.full((60, 50), np.nan, np.float32)
    if case == "missing":
        write("coadd_g.fits")
        return tmp_path / "coadd_r.fits"
    if case == "folder":
        return tmp_path
    if case == "no folder":
        return tmp_path / "nowhere" / "g.fits"
    if case == "text":
        (tmp_path / "g.fits").write_text("flux,x,y\n")
        return tmp_path / "g.fits"
    if case == "truncated":
        path = write()
        path.write_bytes(path.read_bytes()[:9000])
        return path
    if case == "truncated gzip":
        path = tmp_path / "g.fits.gz"
        path.write_bytes(gzip.compress(write().read_bytes())[:2000])
        return path
    if case == "cube":
        return write(image=np.zeros((2, 60, 50), np.float32), noise_name=None)
    if case == "two images":
        path = tmp_path / "two.fits"
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(nan), fits.ImageHDU(nan)]).writeto(path)
        return path
    if case == "no image":
        fits.PrimaryHDU().writeto(tmp_path / "none.fits")
        return tmp_path / "none.fits"
    settings = {
        "nan": {"image": nan},
        "nan variance": {"noise": nan},
        "zero variance": {"noise": np.zeros((60, 50))},
        "no noise": {"noise_name": None},
        "noise shape": {"noise": np.ones((5, 5))},
        "no weight": {"noise": np.zeros((60, 50)), "noise_name": "WHT"},
        "mask shape": {"mask": np.zeros((5, 5), np.int16)},
        "mask values": {"mask": np.full((60, 50), 0.5)},
        "mask bits": {"mask": np.zeros((60, 50), np.int16), "planes": {"BAD": 77}},
        "psf": {"psf": np.zeros((21, 21))},
    }
    return write(**settings[case])


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing", r"no file .*coadd_r\.fits; in the same folder: coadd_g\.fits"),
        ("folder", "is a folder, not a file"),
        ("no folder", "there is no folder .*nowhere"),
        ("text", r"g\.fits is not a FITS file that can be read: No SIMPLE card found[^=]*$"),
        ("truncated", r"g\.fits.*(cannot be read|can be read)"),
        ("truncated gzip", r"g\.fits\.gz is not a FITS file that can be read: Compressed file ended"),
        ("cube", r"the image must be 2-D \(y, x\), got shape \(2, 60, 50\)"),
        ("two images", r"which HDU is the image\? None is called IMAGE or SCI; there are 1 .*, 2 .*two\.fits\[1\]"),
        ("no image", "holds no image"),
        ("nan", "band g: every pixel of the image is NaN or infinite"),
        ("nan variance", "band g: every pixel of the variance is NaN"),
        ("zero variance", "band g: no pixel has a positive variance"),
        ("no noise", r"band g: .*has no noise plane .*weight=FILE.*e\.g\. g=g\.fits,sigma=0\.02"),
        ("noise shape", r"band g: variance: .* has shape \(5, 5\), but the image has \(60, 50\)"),
        ("no weight", "band g: no pixel has a positive weight; the largest is 0"),
        ("mask shape", r"band g: mask: .* has shape \(5, 5\)"),
        ("mask values", "band g: a mask must hold whole numbers, got float64"),
        ("mask bits", r"band g: MP_BAD = 77 is not a bit number \(0 … 62\)"),
        ("psf", "band g: PSF: the stamp sums to 0"),
    ],
)
def test_files_that_cannot_be_used(write, tmp_path, case, message):
    with pytest.raises(InputError, match=message):
        read_coadds({"g": spoiled(write, tmp_path, case)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"psf": {"gg": "fwhm=3"}}, "psf is given for gg, but the bands are g"),
        ({"zeropoint": {"r": 27.0}}, "zeropoint is given for r, but the bands are g"),
        ({"background": "mesh"}, "background must be 'none' or 'subtract', got 'mesh'"),
        ({"on_missing_psf": "guess"}, "on_missing_psf must be 'error' or 'drop', got 'guess'"),
    ],
)
def test_settings_that_make_no_sense(write, settings, message):
    with pytest.raises(InputError, match=message):
        read_coadds({"g": write()}, **settings)


def test_no_coadds_at_all():
    with pytest.raises(InputError, match="no coadds were given"):
        read_coadds({})


@pytest.mark.parametrize(
    ("plane", "message"),
    [("a.fits[7]", r"a\.fits has no image HDU '7'; there are 0 PRIMARY \(60, 50\)"), ("two.fits", "which HDU")],
)
def test_noise_files_whose_hdu_is_not_clear(tmp_path, write, sky, plane, message):
    fits.PrimaryHDU(sky()).writeto(tmp_path / "a.fits")
    fits.HDUList([fits.PrimaryHDU(sky()), fits.ImageHDU(sky())]).writeto(tmp_path / "two.fits")
    with pytest.raises(InputError, match=message):
        read_coadds({"g": {"image": write(), "variance": str(tmp_path / plane)}})


def test_a_file_that_ends_too_early_is_said_to(write, tmp_path):
    whole = Path(write()).read_bytes()
    path = tmp_path / "short.fits"
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError, match=r"the file looks truncated|cannot be read"):
        read_coadds({"g": path})
