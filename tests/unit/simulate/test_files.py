"""Written fields: coadds that are read back, the compact format, the table of the truth."""

import json

import numpy as np
import pytest
from astropy.table import Table

from meas_deblend.image import read_coadds
from meas_deblend.simulate import compact_arrays, files, preset, psf_arrays, simulate_field, write_field, write_psfs


@pytest.fixture(scope="module")
def field():
    return simulate_field(preset("field", seed=3, index=7))


def test_the_compact_format_is_that_of_the_given_fields(field, data_dir):
    ours = compact_arrays(field)
    theirs = np.load(data_dir / "fields" / "test" / "field_000.npz")
    assert set(theirs) <= set(ours)
    for name in theirs:
        assert ours[name].dtype == theirs[name].dtype, name
        assert ours[name].ndim == theirs[name].ndim, name
        assert ours[name].shape[1:] == theirs[name].shape[1:], name
    psf, given = psf_arrays(field), np.load(data_dir / "fields" / "psf.npz")
    assert set(psf) == set(given) | {"zeropoint"}  # which the given fields leave to the survey
    for name in given:
        assert (psf[name].shape, psf[name].dtype) == (given[name].shape, given[name].dtype), name
    np.testing.assert_allclose(psf["sky"], given["sky"], rtol=1e-6)
    np.testing.assert_allclose(psf["psf"], given["psf"], atol=1e-5 * given["psf"].max())


def test_the_truth_is_per_source_and_band(field):
    arrays = compact_arrays(field)
    n = len(field.sources)
    assert arrays["truth"].shape == (n, 6, 205, 205)
    np.testing.assert_allclose(arrays["truth"].sum(axis=0, dtype=float), field.noiseless(), rtol=1e-5, atol=1e-3)
    brightest = int(np.argmin(arrays["r_ab"]))
    y, x = np.unravel_index(np.argmax(arrays["truth"][brightest, 2]), (205, 205))
    assert (y, x) == (round(arrays["y"][brightest]), round(arrays["x"][brightest]))
    assert "variance" not in arrays


def test_large_fields_are_cut_to_boxes(field, monkeypatch):
    full = compact_arrays(field)["truth"]
    monkeypatch.setattr(files, "_LARGEST_TRUTH", 0)
    arrays = compact_arrays(field)
    assert "truth" not in arrays
    for k, (y0, x0, h, w) in enumerate(arrays["boxes"]):
        part = full[k, :, y0 : y0 + h, x0 : x0 + w]
        np.testing.assert_array_equal(arrays[f"cut_{k:03d}"], part)
        assert part.sum(dtype=float) == pytest.approx(full[k].sum(dtype=float))


def test_coadds_are_read_back(field, tmp_path):
    written = write_field(tmp_path, field)
    assert all(path.is_file() for path in written)
    bands = field.exposure.bands
    coadds = read_coadds({b: tmp_path / "coadds" / "field_007" / f"{b}.fits" for b in bands})
    assert coadds.warnings == ()
    np.testing.assert_array_equal(coadds.images, field.exposure.images)
    np.testing.assert_array_equal(coadds.variance, field.exposure.variance)
    np.testing.assert_allclose(coadds.zeropoints, field.exposure.zeropoints)
    assert (coadds.units, coadds.pixel_scale) == ("electron", pytest.approx(0.2))
    for ours, read in zip(field.exposure.psfs, coadds.psfs, strict=True):
        # The reader scales a stamp to a sum of 1 or leaves it: either way the shape is the same.
        one, other = ours.image(0.0, 0.0).stamp, read.image(0.0, 0.0).stamp
        np.testing.assert_allclose(other / other.sum(), one / one.sum(), atol=1e-9)


def test_spoiled_coadds_are_read_back(tmp_path):
    field = simulate_field(preset("poisoned", seed=2, shape=(205, 205), giant_radius=2.0, cluster_members=20))
    write_field(tmp_path, field)
    bands = field.exposure.bands
    with pytest.warns(UserWarning, match="variance"):
        coadds = read_coadds({b: tmp_path / "coadds" / "field_000" / f"{b}.fits" for b in bands}, on_missing_psf="drop")
    without = [b for b, psf in zip(bands, field.exposure.psfs, strict=True) if psf is None]
    assert set(bands) - set(coadds.bands) == set(without)
    assert coadds.bad.any()
    psfs = psf_arrays(field)["psf"]
    assert [b for b, stamp in zip(bands, psfs, strict=True) if np.isnan(stamp).all()] == without
    arrays = np.load(tmp_path / "fields" / "field_000.npz")
    np.testing.assert_array_equal(arrays["mask"], field.exposure.mask)
    np.testing.assert_array_equal(arrays["variance"], field.exposure.variance)
    table = Table.read(tmp_path / "truth" / "field_000.ecsv")
    assert [d["kind"] for d in table.meta["defects"]] == [d.kind for d in field.defects]
    assert table["is_star"].any()


def test_the_table_of_the_truth(tmp_path):
    field = simulate_field(preset("postage", seed=2, noise_sum=2.0, undetected_to=27.0))
    paths = write_field(tmp_path, field, coadds=False)
    assert not (tmp_path / "coadds").exists()
    table = Table.read(tmp_path / "truth" / "field_000.ecsv")
    np.testing.assert_allclose(table["r_flux"], field.truth["r_flux"])
    assert table.meta["noise_correlation_sum"] == pytest.approx(2)
    assert table.meta["options"]["seed"] == 2
    assert json.dumps(table.meta["options"])
    faint = Table.read(paths[-1])
    assert len(faint) == len(field.undetected)
    assert faint.colnames[:3] == ["id", "x", "y"]


def test_psfs_are_written(field, tmp_path):
    path = write_psfs(tmp_path, field)
    assert path == tmp_path / "psf.npz"
    np.testing.assert_array_equal(np.load(path)["bands"], list("ugrizy"))
