"""``meas-deblend export``: catalogs of a made run as FITS files."""

import numpy as np
import pytest
from astropy.table import Table
from command_line import call

from meas_deblend.access import open_run


@pytest.fixture
def said(finished, capsys):
    """Function that exports; returns exit code, output and error."""

    def _said(*arguments, folder=finished):
        capsys.readouterr()
        code = call("export", folder, *arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return _said


def test_objects_as_fits(said, finished, tmp_path):
    file = tmp_path / "objects.fits"
    code, text, _ = said("--fits", file)
    assert (code, text) == (0, f"objects: 7 rows written to {file}\n")
    objects, found = open_run(finished).objects, Table.read(file, hdu="OBJECTS")
    assert found.colnames == objects.colnames
    np.testing.assert_array_equal(found["r_psfFlux"], objects["r_psfFlux"])
    assert found["r_psfFlux"].unit == objects["r_psfFlux"].unit


def test_some_columns_of_another_table(said, tmp_path):
    file = tmp_path / "parents.fits"
    assert said("--fits", file, "--table", "parents", "--columns", "footprint*", "deblend_nChild")[0] == 0
    assert Table.read(file, hdu="PARENTS").colnames == ["parentObjectId", "footprintArea", "deblend_nChild"]


def test_a_file_is_replaced_only_if_that_is_said(said, tmp_path):
    file = tmp_path / "objects.fits"
    file.write_text("mine")
    code, _, error = said("--fits", file)
    assert code == 2
    assert f"{file} is there already; give another file, or --overwrite" in error
    assert file.read_text() == "mine"
    assert said("--fits", file, "--columns", "x", "--overwrite")[0] == 0
    assert Table.read(file, hdu="OBJECTS").colnames == ["objectId", "x"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--table", "stars"], "no catalog 'stars'; there are objects, parents, "),
        (["--columns", "u_*"], "no column of objects fits 'u_*'"),
    ],
)
def test_wrong_input(said, tmp_path, wrong, told):
    code, _, error = said("--fits", tmp_path / "out.fits", *wrong)
    assert code == 2
    assert told in error
    assert not (tmp_path / "out.fits").exists()


def test_wrong_places(said, tmp_path):
    code, _, error = said("--fits", tmp_path / "none" / "out.fits")
    assert code == 2
    assert f"--fits: there is no folder {tmp_path / 'none'} to write out.fits to" in error
    code, _, error = said("--fits", tmp_path / "out.fits", folder=tmp_path)
    assert code == 2
    assert "there is no run.json" in error
