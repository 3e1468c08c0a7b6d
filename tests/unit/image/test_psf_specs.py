"""PSFs as users give them."""

import numpy as np
import pytest
from astropy.io import fits

from meas_deblend.exceptions import InputError
from meas_deblend.image import GaussianPsf, ImagePsf, MoffatPsf, parse_analytic_psf, parse_psf_specs
from meas_deblend.image.psf_specs import BandContext, make_psf, psf_of_band


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("fwhm=0.7", 0.2, MoffatPsf(3.5, 2.5)),
        ("fwhm=3.5", None, MoffatPsf(3.5, 2.5)),
        ("fwhm=3.5px", 0.2, MoffatPsf(3.5, 2.5)),
        ("fwhm=0.7arcsec", 0.2, MoffatPsf(3.5, 2.5)),
        ("Moffat:fwhm=0.7,beta=4", 0.2, MoffatPsf(3.5, 4.0)),
        ("fwhm=0.7,beta=4", 0.2, MoffatPsf(3.5, 4.0)),
        ("gaussian:fwhm=4px", 0.2, GaussianPsf.from_fwhm(4.0)),
    ],
)
def test_analytic_psfs(text, scale, expected):
    found = parse_analytic_psf(text, scale)
    assert type(found) is type(expected)
    np.testing.assert_allclose(found.image(0, 0).stamp, expected.image(0, 0).stamp, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("airy:fwhm=3", "no PSF profile 'airy' in 'airy:fwhm=3': give 'fwhm=0.7'"),
        ("gaussian:fwhm=3,beta=2", "not understood at 'beta=2'"),
        ("fwhm=wide", "not understood at 'fwhm=wide'"),
        ("fwhm=1e", "'1e' is not a number"),
        ("fwhm=1,fwhm=2", "not understood at 'fwhm=2'"),
        ("beta=2", "has no width"),
        ("fwhm=0.7arcsec", "is in arcseconds, but no pixel scale is known.*fwhm=3.5px"),
        ("fwhm=-1", "PSF 'fwhm=-1': FWHM of a Moffat PSF must be in"),
    ],
)
def test_mistakes_in_analytic_psfs(text, message):
    with pytest.raises(InputError, match=message):
        parse_analytic_psf(text)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["psf.fits"], "psf.fits"),
        (["fwhm=0.7"], "fwhm=0.7"),
        (["gaussian:fwhm=0.7"], "gaussian:fwhm=0.7"),
        (["data/a=b.fits"], "data/a=b.fits"),
        (["g=psf.fits", "r=fwhm=0.7"], {"g": "psf.fits", "r": "fwhm=0.7"}),
    ],
)
def test_the_command_lines_form(texts, expected):
    assert parse_psf_specs(texts) == expected


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a.fits", "g=b.fits"], "one PSF for all bands, or BAND=PSF for each; got a.fits g=b.fits"),
        (["g=a.fits", "g=b.fits"], "given twice"),
        (["g="], "no PSF for band 'g'"),
    ],
)
def test_mistakes_on_the_command_line(texts, message):
    with pytest.raises(InputError, match=message):
        parse_psf_specs(texts)


def cube():
    stamps = [GaussianPsf(s).image(0, 0).stamp for s in (1.9, 1.5)]
    return np.stack([stamps[0], np.pad(stamps[1], (stamps[0].shape[0] - stamps[1].shape[0]) // 2)])


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("index", [0, 1])
def test_each_band_gets_its_plane_of_a_cube(tmp_path, as_file, index):
    spec = cube()
    if as_file:
        fits.PrimaryHDU(spec.astype(">f4")).writeto(tmp_path / "cube.fits.gz")
        spec = str(tmp_path / "cube.fits.gz")
    psf, notes = make_psf(spec, BandContext("gr"[index], index, 2))
    assert notes == ()
    np.testing.assert_allclose(psf.stamp, cube()[index], atol=1e-8)


def test_a_named_psf_hdu_is_found_among_others(tmp_path):
    stamp = cube()[0]
    path = tmp_path / "coadd.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((9, 9))), fits.ImageHDU(stamp, name="PSF")]).writeto(path)
    np.testing.assert_array_equal(make_psf(path, BandContext("g"))[0].stamp, stamp)
    np.testing.assert_array_equal(make_psf(f"{path}[2]", BandContext("g"))[0].stamp, stamp)
    with pytest.raises(InputError, match=r"which HDU is the PSF\? There are 1 .*, 2 PSF .*name it as FILE\[HDU\]"):
        make_psf(path, BandContext("g", hdu_names=("KERNEL",)))


def test_objects_and_stamps_are_taken():
    psf = GaussianPsf(1.5)
    assert make_psf(psf, BandContext("g"))[0] is psf
    assert isinstance(make_psf(psf.image(0, 0).stamp, BandContext("g"))[0], ImagePsf)


def test_a_stamp_is_validated_under_the_bands_name():
    _, notes = make_psf(5 * GaussianPsf(1.5).image(0, 0).stamp, BandContext("z"))
    assert notes[0].startswith("band z: PSF: the stamp sums to 5")


def test_a_width_in_arcseconds_that_was_taken_in_pixels_is_explained():
    _, notes = make_psf("fwhm=0.7", BandContext("z"))
    assert "the image is under-sampled" in notes[0]
    assert "no pixel scale is known, so 'fwhm=0.7' was taken in pixels" in notes[0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (np.ones((3, 9, 9)), r"band g: PSF: expected a stamp .* each of the 2 coadds, got shape \(3, 9, 9\)"),
        (7, "expected an object with image.*got int"),
        ("nothing.fits", "no file .*nothing.fits"),
    ],
)
def test_what_is_no_psf_is_refused(spec, message):
    with pytest.raises(InputError, match=message):
        make_psf(spec, BandContext("g", 0, 2))


def test_the_argument_psf_may_be_per_band():
    context = BandContext("r", 1, 2)
    assert psf_of_band({"g": 1, "r": 2}, context) == 2
    assert psf_of_band({"g": 1}, context) is None
    assert psf_of_band(["a", "b"], context) == "b"
    assert psf_of_band("a", context) == "a"
    with pytest.raises(InputError, match="3 PSFs for 2 bands"):
        psf_of_band(["a", "b", "c"], context)
