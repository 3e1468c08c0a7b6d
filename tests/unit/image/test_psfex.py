"""PSFEx models: against the truth of which they were made, against GalSim, and what is refused."""

import re

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError, InputWarning
from meas_deblend.image import PsfexPsf, psf_fwhm, read_coadds
from meas_deblend.image.fits_io import open_fits
from meas_deblend.image.psf_specs import BandContext, make_psf
from meas_deblend.image.psfex import lanczos_weights
from meas_deblend.image.psfex_file import read_psfex

CONTEXT = BandContext("g", shape=(600, 1000))


@pytest.fixture
def write_psfex(tmp_path):
    """Writes HDUs behind an empty primary one and returns the path."""

    def _write(*hdus, name="g.psf"):
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / name)
        return tmp_path / name

    return _write


def read(path, selector=None):
    with open_fits(path) as file:
        return read_psfex(file, selector)


@pytest.mark.parametrize("sampling", [0.5, 0.7, 1.0])
def test_the_model_that_was_written_is_read(made_psfex, write_psfex, sampling):
    made = made_psfex(sampling, size=61)
    psf = read(write_psfex(made.table()))
    assert (psf.sampling, psf.axes, psf.degree) == (sampling, "xy", 2)
    for y, x in [(0, 0), (599, 3), (250.5, 700.25), (100.3, 998.9)]:
        stamp, center = psf.image(y, x)
        assert center == (np.floor(y + 0.5), np.floor(x + 0.5))
        assert stamp.shape[0] % 2 == 1
        # The Lanczos kernel, through which PSFEx fits its samples, follows a Gaussian of 1.5 samples to 0.3 %.
        truth = made.truth(y, x, len(stamp))
        np.testing.assert_allclose(stamp, truth, atol=4e-3 * truth.max())
        assert stamp.sum() == pytest.approx(1.0, abs=2e-3)


@given(
    y=st.floats(-100, 700),
    x=st.floats(-100, 1100),
    zero=st.tuples(st.floats(0, 1000), st.floats(0, 600)),
    scale=st.tuples(st.floats(500, 3000), st.floats(-3000, -500)),
    coefficients=st.tuples(st.floats(0.3, 0.6), *[st.floats(-0.02, 0.02)] * 5),
)
@settings(max_examples=40, deadline=None)
def test_interpolation_follows_the_polynomial(made_psfex, y, x, zero, scale, coefficients):
    made = made_psfex(zero=zero, scale=scale, coefficients=coefficients)
    psf = PsfexPsf(made.mask * 1.7, 1.0, "xy", zero, scale, 2)
    # On whole pixels nothing is interpolated between samples, so that the rest is rounding and the cut of the stamp.
    y, x = round(y), round(x)
    truth = made.truth(y, x, made.size)
    np.testing.assert_allclose(psf.image(y, x).stamp, truth / truth.sum(), atol=1e-10)


@given(sampling=st.floats(0.2, 2.0), shift=st.floats(-0.5, 0.5))
@settings(max_examples=40, deadline=None)
def test_interpolation_keeps_constants(sampling, shift):
    weights = lanczos_weights(41, sampling, shift)
    inside = np.abs((np.arange(len(weights)) - len(weights) // 2 - shift) / sampling) < 20 - 4
    assert inside.any()
    np.testing.assert_allclose(weights[inside].sum(axis=1), 1.0, rtol=1e-12)


def test_axes_in_the_other_order_and_fewer_axes(made_psfex, write_psfex):
    made = made_psfex()
    mask = made.mask
    swapped = {
        "POLNAME1": "YWIN_IMAGE", "POLNAME2": "XWIN_IMAGE", "mask": mask[[0, 3, 5, 1, 4, 2]],
        "POLZERO1": made.zero[1], "POLZERO2": made.zero[0], "POLSCAL1": made.scale[1], "POLSCAL2": made.scale[0],
    }  # fmt: skip
    one, other = read(write_psfex(made.table())), read(write_psfex(made.table(**swapped), name="yx.psf"))
    assert other.axes == "yx"
    np.testing.assert_allclose(one.image(120, 777).stamp, other.image(120, 777).stamp, atol=1e-7)
    in_x = read(write_psfex(made.table(POLNAXIS=1, mask=mask[:3]), name="x.psf"))
    np.testing.assert_array_equal(in_x.image(5, 300).stamp, in_x.image(500, 300).stamp)
    assert psf_fwhm(in_x.image(5, 0).stamp) != pytest.approx(psf_fwhm(in_x.image(5, 1000).stamp), rel=1e-3)
    constant = read(write_psfex(made.table(POLNAXIS=0, mask=mask[:1]), name="constant.psf"))
    np.testing.assert_array_equal(constant.image(0, 0).stamp, constant.image(500, 300).stamp)
    plain = read(write_psfex(made.table(POLNAXIS=0, mask=mask[0]), name="plain.psf"))
    np.testing.assert_array_equal(constant.image(0, 0).stamp, plain.image(0, 0).stamp)


def test_it_agrees_with_galsim(made_psfex, write_psfex):
    galsim = pytest.importorskip("galsim", reason="GalSim is not installed")
    des = pytest.importorskip("galsim.des", reason="GalSim is not installed")
    for sampling in (0.6, 1.0):
        path = write_psfex(made_psfex(sampling).table(), name=f"{sampling}.psf")
        psf, theirs = read(path), des.DES_PSFEx(str(path))
        for y, x in [(0.0, 0.0), (123.0, 456.0), (300.37, 801.81)]:
            place = galsim.PositionD(x + 1, y + 1)  # FITS pixels
            samples = theirs.getPSFArray(place)
            np.testing.assert_allclose(psf.samples(y, x), samples, atol=1e-6 * samples.max())
            stamp, center = psf.image(y, x)
            drawing = {"nx": len(stamp), "ny": len(stamp), "scale": 1.0, "method": "no_pixel"}
            offset = (x - center[1], y - center[0])
            # GalSim takes Lanczos-3 by itself: the difference is that of the kernels.
            drawn = theirs.getPSF(place).drawImage(offset=offset, **drawing).array
            np.testing.assert_allclose(stamp, drawn, atol=1e-2 * drawn.max())
            profile = galsim.InterpolatedImage(
                galsim.Image(samples), scale=sampling, flux=1, x_interpolant=galsim.Lanczos(4)
            )
            drawn = profile.drawImage(offset=offset, **drawing).array
            np.testing.assert_allclose(stamp, drawn, atol=1e-4 * drawn.max())


def test_models_of_several_detectors(made_psfex, write_psfex):
    made = made_psfex()
    table = write_psfex(made.rows("N10", "N11"))
    with pytest.raises(InputError, match=r"which of its PSFEx models is meant\? There are N10, N11; name one as FILE"):
        read(table)
    with pytest.raises(InputError, match="0 models named 'S1': There are N10, N11"):
        read(table, "S1")
    single = read(write_psfex(made.rows("N10"), name="single.fits"))
    np.testing.assert_allclose(read(table, "n11").image(3, 4).stamp, single.image(3, 4).stamp, atol=1e-7)
    per_hdu = write_psfex(made.table(), made.table(flux=0.9), name="two.psf")
    with pytest.raises(InputError, match="There are 1, 2; name"):
        read(per_hdu)
    np.testing.assert_allclose(read(per_hdu, "2").image(3, 4).stamp, single.image(3, 4).stamp, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"POLZERO1": None, "PSF_SAMP": None}, "not a complete PSFEx model: PSF_SAMP missing in the header and the"),
        ({"POLZERO1": None, "POLDEG1": None}, "not a complete PSFEx model: POLZERO1, POLDEG1 missing"),
        ({"POLNAXIS": 3}, "POLNAXIS = 3; a PSF may depend on 0, 1 or 2 coordinates"),
        ({"POLNAME2": "MAG_AUTO"}, r"depends on 'MAG_AUTO' \(POLNAME\).*PSFVAR_KEYS X_IMAGE,Y_IMAGE"),
        ({"POLNAME2": "X_IMAGE"}, "POLNAME names 'x' twice"),
        ({"POLGRP2": 2}, "different groups of PSFEx's polynomial"),
        ({"POLDEG1": 3}, "PSF_MASK has 6 components, but a polynomial of degree 3 in 2 coordinates has 10"),
        ({"POLDEG1": 30}, r"POLDEG must be in 0 … 10, got 30"),
        ({"POLSCAL2": 0.0}, "POLSCAL not 0"),
        ({"POLSCAL2": "wide"}, "POLSCAL2 = 'wide' is not a number"),
        ({"PSF_SAMP": 0.0}, r"PSF_SAMP must be in \(0, 10\] px, got 0.0"),
        ({"mask": np.full((6, 5, 5), np.nan)}, "PSF_MASK: 150 of 150 values are NaN"),
        ({"mask": np.ones((6, 4, 4))}, "with odd sides of at least 3"),
        ({"mask": np.zeros((6, 5, 5))}, "at the middle of the image: the PSFEx model sums to 0"),
        ({"mask": np.ones((6, 9, 9))}, "at the middle of the image: a PSF stamp .* shows no single compact star"),
    ],
)
def test_damaged_models_are_refused(made_psfex, write_psfex, changes, message):
    path = write_psfex(made_psfex().table(**changes))
    with pytest.raises(InputError, match=f"(?s){re.escape(str(path))}.*{message}"):
        make_psf(path, CONTEXT)


def test_other_files_are_refused(write_psfex, tmp_path):
    image = write_psfex(fits.ImageHDU(np.ones((9, 9)), name="PSF"), name="image.fits")
    with pytest.raises(InputError, match=r"is not a PSFEx model: no table has a column PSF_MASK \(image HDUs: 1 PSF"):
        make_psf(f"psfex={image}", CONTEXT)
    with pytest.raises(InputError, match=r"no file .*missing\.psf"):
        make_psf(f"psfex={tmp_path / 'missing.psf'}", CONTEXT)
    with pytest.raises(InputError, match="band g: PSF: no file in 'psfex='"):
        make_psf("psfex=", CONTEXT)


def test_a_model_is_recognised_and_checked(made_psfex, write_psfex):
    path = write_psfex(made_psfex().table())
    for spec in (path, str(path), f"psfex={path}", f"{path}[PSF_DATA]"):
        psf, notes = make_psf(spec, CONTEXT)
        assert isinstance(psf, PsfexPsf)
        assert notes == ()
    _, notes = make_psf(path, BandContext("g", shape=(600, 4000)))
    assert "reaches 7.0 times as far from the middle of the model's positions as the stars" in notes[0]
    off = write_psfex(made_psfex().table(mask=np.roll(made_psfex().mask, 1, axis=2)), name="off.psf")
    assert r"the model's stars lie (-0.00, +1.00) px" in make_psf(off, CONTEXT)[1][0].replace("(+0.00", "(-0.00")
    narrow = write_psfex(made_psfex().table(PSF_SAMP=0.4), name="narrow.psf")
    assert any("under-sampled" in note for note in make_psf(narrow, CONTEXT)[1])


@pytest.fixture
def decam_psfex(data_dir):
    """PSFEx models of DECam exposures."""
    return sorted((data_dir / "real" / "decam").glob("*-psfex.fits"))


def test_models_of_decam(decam_psfex):
    assert len(decam_psfex) == 8
    for path in decam_psfex:
        band = path.name.split("_ooi_")[1][0]
        image = path.with_name(re.sub(r"-(N\d+)-psfex", r".\1", path.name))
        coadd = {"image": image, "weight": image.with_name(image.name.replace("_ooi_", "_oow_")), "psf": path}
        with pytest.warns(InputWarning, match="the sky lies at") as caught:
            exposure = read_coadds({band: coadd})
        assert "PSF" not in str(caught[0].message)
        (psf,) = exposure.psfs
        # The header says 0.7 … 1.5 arcsec for the seeing, in pixels of 0.263 arcsec.
        assert 2.5 < psf_fwhm(psf.image(25, 20).stamp) < 6.5
        assert psf.image(25, 20).stamp.shape == (63, 63)
        assert psf.image(25.3, 20.4).stamp.sum() == pytest.approx(1.0, abs=1e-4)
        # Between exposures the PSF differs by tens of per cent; over 40 px of one, by far less.
        change = np.abs(psf.image(0, 0).stamp - psf.image(50, 40).stamp).max() / psf.image(0, 0).stamp.max()
        assert 1e-5 < change < 5e-3
