"""PSFs given as stamps at positions."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.image import GaussianPsf, GridPsf, PsfStamp
from meas_deblend.image.psf_grid_file import read_psf_grid
from meas_deblend.image.psf_specs import BandContext, make_psf, parse_psf_specs

CONTEXT = BandContext("g", shape=(100, 100))
Y, X = (a.ravel().astype(float) for a in np.meshgrid([10, 50, 90], [0, 60], indexing="ij"))


def stamp_of(weight):
    """A PSF that is linear in ``weight``."""
    return (1 - weight) * GaussianPsf(1.5).image(0, 0).stamp + weight * np.pad(GaussianPsf(1.2).image(0, 0).stamp, 2)


def weight_of(y, x):
    """Bilinear in the position."""
    return 0.2 + 0.004 * y - 0.003 * x + 4e-5 * y * x


@pytest.fixture
def stamps():
    """PSFs at the six positions (Y, X)."""
    return np.stack([stamp_of(weight_of(y, x)) for y, x in zip(Y, X, strict=True)])


@pytest.fixture
def write_grid(tmp_path, stamps):
    """Writes a grid file, of the type that its name tells, and returns its path."""

    def _write(name="psf.fits", cube=stamps, y=Y, x=X, interpolation=None, bands=()):
        path = tmp_path / name
        if name.endswith(".npz"):
            extra = {} if interpolation is None else {"interpolation": interpolation}
            np.savez(path, stamps=cube, y=y, x=x, **extra, **({"bands": np.array(bands)} if bands else {}))
            return path
        image = fits.ImageHDU(cube, name="STAMPS")
        if interpolation:
            image.header["INTERPOL"] = interpolation
        for k, band in enumerate(bands):
            image.header[f"BAND{k + 1}"] = band
        table = fits.BinTableHDU.from_columns([fits.Column("X", "D", array=x), fits.Column("Y", "D", array=y)])
        fits.HDUList([fits.PrimaryHDU(), image, table]).writeto(path)
        return path

    return _write


@given(y=st.integers(10, 90), x=st.integers(0, 60), order=st.permutations(range(6)))
@settings(max_examples=40, deadline=None)
def test_bilinear_psfs_are_followed_exactly(y, x, order):
    cube = np.stack([stamp_of(weight_of(*place)) for place in zip(Y, X, strict=True)])
    psf = GridPsf(cube[order], Y[order], X[order])
    assert psf.interpolation == "bilinear"
    np.testing.assert_allclose(psf.image(y, x).stamp, stamp_of(weight_of(y, x)), atol=1e-14)


@given(y=st.floats(-50, 150), x=st.floats(-50, 150))
@settings(max_examples=40, deadline=None)
def test_beyond_the_outermost_stamps_they_hold(y, x):
    cube = np.stack([stamp_of(weight_of(*place)) for place in zip(Y, X, strict=True)])
    stamp, center = GridPsf(cube, Y, X).image(round(y), round(x))
    assert center == (round(y), round(x))
    held = min(max(round(y), 10), 90), min(max(round(x), 0), 60)
    np.testing.assert_allclose(stamp, stamp_of(weight_of(*held)), atol=1e-14)


def test_stamps_are_moved_by_the_sub_pixel_part(stamps):
    stamp, center = GridPsf(stamps, Y, X).image(10.3, 59.6)
    assert center == (10, 60)
    y, x = np.indices(stamp.shape) - len(stamp) // 2
    assert (stamp * y).sum() / stamp.sum() == pytest.approx(0.3, abs=1e-3)
    assert (stamp * x).sum() / stamp.sum() == pytest.approx(-0.4, abs=1e-3)


def test_the_nearest_stamp(stamps):
    psf = GridPsf(stamps, Y, X, "nearest")
    np.testing.assert_array_equal(psf.image(29, 29).stamp, stamps[0])
    np.testing.assert_array_equal(psf.image(31, 31).stamp, stamps[3])
    scattered = GridPsf(stamps[:5], Y[:5], X[:5])
    assert scattered.interpolation == "nearest"
    np.testing.assert_array_equal(scattered.image(89, 10).stamp, stamps[4])


def test_holes(stamps):
    holed = stamps.copy()
    holed[0] = np.nan
    psf = GridPsf(holed, Y, X)
    # Between a hole and a stamp the stamp counts alone.
    np.testing.assert_allclose(psf.image(10, 30).stamp, stamps[1], atol=1e-14)
    assert np.isnan(psf.image(10, 0).stamp).all()
    assert np.isnan(GridPsf(holed, Y, X, "nearest").image(5, 5).stamp).all()


@pytest.mark.parametrize("name", ["psf.fits", "psf.npz"])
def test_files(write_grid, stamps, name):
    path = write_grid(name)
    for spec in (path, str(path), f"grid={path}"):
        psf, notes = make_psf(spec, CONTEXT)
        assert isinstance(psf, GridPsf)
        assert notes == ()
        np.testing.assert_array_equal(psf.stamps, stamps)
        np.testing.assert_array_equal(psf.y, Y)
    assert make_psf(f"grid={path},interpolation=nearest", CONTEXT)[0].interpolation == "nearest"
    nearest = write_grid(f"nearest_{name}", interpolation="nearest")
    assert make_psf(nearest, CONTEXT)[0].interpolation == "nearest"
    assert make_psf(f"grid={nearest},interpolation=bilinear", CONTEXT)[0].interpolation == "bilinear"


@pytest.mark.parametrize("name", ["psf.fits", "psf.npz"])
def test_files_of_several_bands(write_grid, stamps, name):
    path = write_grid(name, cube=np.stack([stamps[::-1], stamps]), bands=("r", "g"))
    np.testing.assert_array_equal(make_psf(f"grid={path}", CONTEXT)[0].stamps, stamps)
    with pytest.raises(InputError, match=f"{name}: no band 'i'; there are r, g"):
        make_psf(path, BandContext("i"))
    nameless = write_grid(f"nameless_{name}", cube=np.stack([stamps, stamps]))
    with pytest.raises(InputError, match=r"but 0 names of bands \(npz: bands; FITS: keywords BAND1"):
        make_psf(nameless, CONTEXT)


@pytest.mark.parametrize("name", ["psf.fits", "psf.npz"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": Y[:5], "x": X[:5]}, r"6 stamps, but positions of shapes y \(5,\)"),
        ({"y": np.where(Y > 50, np.nan, Y)}, "positions of a PSF grid must be finite"),
        ({"y": np.zeros(6)}, "two stamps at one position"),
        ({"x": X + np.arange(6), "interpolation": "bilinear"}, "are no lattice .*give interpolation='nearest'"),
        ({"interpolation": "cubic"}, "must be 'bilinear' or 'nearest', got 'cubic'"),
        ({"cube": np.full((6, 9, 9), np.nan)}, "all stamps of the PSF grid are NaN"),
        ({"cube": np.zeros((6, 9, 9))}, "stamp 0: the stamp sums to 0"),
        ({"cube": np.ones((6, 9, 9))}, "stamp 0: .* shows no single compact star"),
    ],
)
def test_damaged_files_are_refused(write_grid, name, changes, message):
    with pytest.raises(InputError, match=f"(?s){name}.*{message}"):
        make_psf(f"grid={write_grid(name, **changes)}", CONTEXT)


def test_other_files_are_refused(tmp_path, write_grid):
    np.savez(tmp_path / "other.npz", images=np.ones((2, 3)))
    with pytest.raises(InputError, match=r"other\.npz holds images: a grid of PSFs has stamps \(n, y, x\)"):
        make_psf(tmp_path / "other.npz", CONTEXT)
    np.savez(tmp_path / "short.npz", stamps=np.ones((2, 3, 3)))
    with pytest.raises(InputError, match=r"short\.npz: no y and no x: a grid"):
        make_psf(tmp_path / "short.npz", CONTEXT)
    np.savez(tmp_path / "words.npz", stamps=np.array(["a"]), y=[1], x=[1])
    with pytest.raises(InputError, match="must be numbers"):
        make_psf(tmp_path / "words.npz", CONTEXT)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"text\.npz is not an npz file that can be read"):
        make_psf(tmp_path / "text.npz", CONTEXT)
    with pytest.raises(InputError, match=r"no file .*missing\.npz"):
        read_psf_grid(tmp_path / "missing.npz", "g")
    fits.writeto(tmp_path / "cube.fits", np.ones((2, 9, 9)))
    with pytest.raises(InputError, match=r"cube\.fits: no table with columns x and y"):
        make_psf(f"grid={tmp_path / 'cube.fits'}", CONTEXT)
    with pytest.raises(InputError, match="a grid of PSFs is a whole file"):
        make_psf(f"grid={write_grid()}[STAMPS]", CONTEXT)


def test_stamps_are_repaired_one_by_one(write_grid, stamps):
    holed = stamps * 2
    holed[1] = np.nan
    psf, notes = make_psf(f"grid={write_grid(cube=holed[:, :-1])}", CONTEXT)
    np.testing.assert_allclose(psf.stamps[2:].sum(axis=(1, 2)), 1.0, rtol=1e-2)
    assert np.isnan(psf.stamps[1]).all()
    assert "stamp 0: the stamp sums to" in notes[0]
    assert notes[-1].endswith("(and 4 more stamps with findings)")


def test_the_command_lines_form():
    assert parse_psf_specs(["psfex=a.psf"]) == "psfex=a.psf"
    assert parse_psf_specs(["g=psfex=a.psf", "r=grid=b.npz"]) == {"g": "psfex=a.psf", "r": "grid=b.npz"}
    assert isinstance(GaussianPsf(1.0).image(0, 0), PsfStamp)
