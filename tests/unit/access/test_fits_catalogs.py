"""Catalogs as FITS files."""

from functools import cache

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from meas_deblend.access import write_fits_catalog
from meas_deblend.exceptions import InputError
from meas_deblend.products import CatalogLayout, declaration, to_table

VALUES = {"int32": 1, "int64": 2**40, "float32": 1.5, "float64": 0.1, "bool": True, "string": "a"}


@cache
def objects(bands, radii=(3.0,)):
    layout = CatalogLayout.of_bands(tuple(bands), (27.0,) * len(bands), radii)
    columns = {c.name: np.full(3, VALUES[c.dtype]) for c in declaration("objects").unfold(layout)}
    return to_table("objects", columns | {"objectId": np.array([5, 2**62, 7])}, layout)


def test_a_catalog_that_fits_is_one_table(tmp_path):
    table = objects(("r",))
    assert len(table.colnames) <= 999
    path = write_fits_catalog(tmp_path / "out.fits", table)
    found = Table.read(path, hdu="OBJECTS")
    assert found.colnames == table.colnames
    assert found["r_psfFlux"].unit == table["r_psfFlux"].unit
    assert found["objectId"].tolist() == [5, 2**62, 7]
    assert found["r_psfFlux_flag"].dtype == bool
    with pytest.raises(InputError, match=r"out\.fits exists already; say overwrite=True"):
        write_fits_catalog(path, table)
    write_fits_catalog(path, table, overwrite=True)


def test_a_catalog_of_five_bands_is_a_table_per_band(tmp_path):
    # One band's name begins like another's.
    bands = ("g", "r", "g_wide", "z", "y")
    table = objects(bands, (3.0, 6.0, 9.0, 12.0))
    assert len(table.colnames) > 999
    path = write_fits_catalog(tmp_path / "out.fits", table)
    with fits.open(path) as hdus:
        parts = {name: hdus[name].columns.names for name in ("OBJECTS", *(f"OBJECTS_{band}" for band in bands))}
        assert all(hdus[name].data["objectId"].tolist() == [5, 2**62, 7] for name in parts)
    assert all(names[0] == "objectId" for names in parts.values())
    assert sorted(name for names in parts.values() for name in names[1:]) == sorted(table.colnames[1:])
    assert "g_wide_psfFlux" in parts["OBJECTS_g_wide"]
    assert "g_psfFlux" in parts["OBJECTS_g"]


def test_columns_are_chosen_by_patterns(tmp_path):
    table = objects(("g", "r", "g_wide", "z", "y"), (3.0, 6.0, 9.0, 12.0))
    path = write_fits_catalog(tmp_path / "out.fits", table, ["x", "?_psfFlux*"])
    found = Table.read(path, hdu="OBJECTS")
    assert found.colnames[0] == "objectId"
    assert {"x", "g_psfFlux", "y_psfFluxErr"} < set(found.colnames)
    assert "g_ap03Flux" not in found.colnames
    with pytest.raises(InputError, match=r"no column of objects fits .u_\*."):
        write_fits_catalog(tmp_path / "two.fits", table, ["x", "u_*"])
    with pytest.raises(InputError, match="got the string 'x'"):
        write_fits_catalog(tmp_path / "two.fits", table, "x")
    assert not (tmp_path / "two.fits").exists()


def test_a_band_that_fits_into_no_table_is_refused(tmp_path):
    table = objects(("r",), tuple(float(radius) for radius in range(1, 81)))
    with pytest.raises(InputError, match=r"OBJECTS_r would have \d+ columns, and a FITS table holds 999: say which"):
        write_fits_catalog(tmp_path / "out.fits", table)
