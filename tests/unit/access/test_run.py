"""A run's folder, opened again."""

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from synthetic_models import BANDS, make_parent

from meas_deblend.access import Models, open_run
from meas_deblend.exceptions import InputWarning, ModelError
from meas_deblend.image import read_coadds
from meas_deblend.products import (
    CatalogLayout,
    RunInput,
    RunRecord,
    StoreMetadata,
    declaration,
    file_sha256,
    write_run_record,
    write_table,
)

SHAPE = (60, 80)
OPTIONS = {"survey": "generic", "psf": "fwhm=0.7", "zeropoint": 27.0}
VALUES = {"int32": 1, "int64": 1, "float32": 1.5, "float64": 0.1, "bool": True, "string": "a"}
POSITIONS = {100: (25.0, 35.0), 101: (20.0, 45.0), 2: (22.0, 30.0)}


def write_fits(path, seed):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [359.9999, 60.0]
    wcs.wcs.crpix = [40.0, 30.0]
    wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    rng = np.random.default_rng(seed)
    header = wcs.to_header()
    header["BUNIT"] = "count"
    image = rng.normal(0, 1, SHAPE).astype(np.float32)
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(image, header, "IMAGE"),
        fits.ImageHDU(np.ones_like(image), name="VARIANCE"),
    ]
    fits.HDUList(hdus).writeto(path)


def write_objects(folder, exposure, sky=True):
    layout = CatalogLayout.of_bands(BANDS, exposure.zeropoints)
    columns = {c.name: np.full(len(POSITIONS), VALUES[c.dtype]) for c in declaration("objects").unfold(layout)}
    y, x = np.array(list(POSITIONS.values())).T
    columns |= {"objectId": list(POSITIONS), "y": y, "x": x}
    ra, dec = exposure.wcs.all_pix2world(x, y, 0) if sky else (np.full(3, np.nan), np.full(3, np.nan))
    columns |= {"coord_ra": ra, "coord_dec": dec}
    write_table(folder / "objects.parquet", "objects", columns, layout)
    for name in ("parents", "ledger", "timings"):
        one = {c.name: np.full(1, VALUES[c.dtype]) for c in declaration(name).unfold(layout)}
        write_table(folder / f"{name}.parquet", name, one, layout)


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Folder with ``out`` as a run leaves it, but for its record, and the coadds beside it; nobody writes to it."""
    folder = tmp_path_factory.mktemp("products")
    paths = {band: folder / f"{band}.fits" for band in BANDS}
    for k, path in enumerate(paths.values()):
        write_fits(path, k)
    exposure = read_coadds(paths, **OPTIONS)
    out = folder / "out"
    parents = [make_parent(1, [(25, 35), (20, 45)]), make_parent(2, [(22, 30)])]
    Models.from_parents(parents, StoreMetadata.from_exposure(exposure)).write(out / "models.parquet")
    write_objects(out, exposure)
    (out / "config").mkdir()
    (out / "config" / "multi_band.yaml").write_text("fit:\n  max_iter: 300\n")
    return folder


@pytest.fixture
def folder(products, tmp_path):
    """A folder as a run leaves it, and the coadds beside it."""
    shutil.copytree(products, tmp_path, dirs_exist_ok=True)
    paths = {band: tmp_path / f"{band}.fits" for band in BANDS}
    out = tmp_path / "out"
    inputs = tuple(RunInput(band=band, path=str(path), sha256=file_sha256(path)) for band, path in paths.items())
    record = RunRecord(
        created=datetime(2024, 5, 6, tzinfo=UTC),
        versions={},
        inputs=inputs,
        read_options=OPTIONS,
        outcome="ok",
        config="config",
    )
    write_run_record(out / "run.json", record)
    return out


def test_catalogs_with_quantities(folder):
    run = open_run(folder)
    table = run.qtable()
    assert table["coord_ra"][0].to_value("deg") == run.objects["coord_ra"][0]
    assert table["objectId"].tolist() == list(POSITIONS)
    assert len(run.qtable("ledger")) == 1
    with pytest.raises(ModelError, match="no catalog 'stars'; there are objects, parents, ledger"):
        run.qtable("stars")


def test_what_was_measured_besides(folder):
    run = open_run(folder)
    with pytest.raises(ModelError, match=r"flux_covariance.parquet is not there: .*measure it again"):
        _ = run.flux_covariance
    with pytest.raises(ModelError, match=r"forced.parquet is not there: meas-deblend measure --sources writes it"):
        _ = run.forced
    layout = CatalogLayout.of_bands(BANDS, (27.0,) * len(BANDS))
    for name in ("flux_covariance", "noise_correlation", "forced"):
        one = {c.name: np.full(1, VALUES[c.dtype]) for c in declaration(name).unfold(layout)}
        write_table(folder / f"{name}.parquet", name, one, layout)
    assert [len(t) for t in (run.flux_covariance, run.noise_correlation, run.forced)] == [1, 1, 1]
    assert run.flux_covariance["cov"][0] == run.qtable("flux_covariance")["cov"].value[0]


def change_record(folder, **update):
    run = open_run(folder)
    write_run_record(folder / "run.json", run.record.model_copy(update=update))


def test_everything_is_there(folder):
    run = open_run(str(folder))
    assert list(run.objects["objectId"]) == list(POSITIONS)
    assert str(run.objects["g_psfFlux"].unit) == "nJy"
    assert [len(table) for table in (run.parents, run.ledger, run.timings)] == [1, 1, 1]
    assert run.models.ids == (100, 101, 2)
    assert run.coadds.bands == BANDS
    assert run.config == {"multi_band": {"fit": {"max_iter": 300}}}
    assert run.blend(1).id == 1
    assert repr(run) == f"<Run {folder}: ok, 2024-05-06, bands g, r, i>"


def test_sources_find_their_coadds(folder):
    run = open_run(folder)
    source = run.source(run.objects["objectId"][0])
    assert (source.id, source.parent_id) == (100, 1)
    assert source.row["x"] == 35.0
    heavy = source.reapportioned("r")
    same = run.models.source(100).reapportioned(run.coadds, "r")
    np.testing.assert_array_equal(heavy.pixels, same.pixels)
    assert source.model("r").array.sum() > 0
    assert repr(source).startswith("<RunSource 100, of parent 1")


def test_nearest_object_on_the_sky(folder):
    run = open_run(folder)
    row = run.objects[1]
    assert run.at(row["coord_ra"], row["coord_dec"]).id == 101
    # Across 0h, where right ascensions jump by 360°, half an arcsecond off.
    assert run.at(row["coord_ra"] - 360, row["coord_dec"] + 0.5 / 3600).id == 101
    with pytest.raises(ModelError, match=r'no object within 1" of \(ra, dec\).*the nearest is 2\.\d\d" away'):
        run.at(row["coord_ra"], row["coord_dec"] - 2.1 / 3600)


def test_nearest_object_in_pixels(folder):
    run = open_run(folder)
    assert run.at_pixel(24, 36).id == 100
    assert run.at_pixel(22, 27, radius=3).id == 2
    with pytest.raises(
        ModelError, match=r"no object within 5 px of \(y, x\) = \(0, 0\); the nearest is 37\.20 px away"
    ):
        run.at_pixel(0, 0)


def test_without_sky_positions(folder):
    write_objects(folder, open_run(folder).coadds, sky=False)
    run = open_run(folder)
    with pytest.raises(ModelError, match=r"have no WCS, so there are no sky positions: use at_pixel\(y, x\)"):
        run.at(0, 60)
    assert run.at_pixel(25, 35).id == 100


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"there is no run\.json in .*: not a folder that a run has written"):
        open_run(tmp_path)


def test_missing_products_are_told_when_they_are_asked_for(folder):
    (folder / "ledger.parquet").unlink()
    (folder / "models.parquet").unlink()
    (folder / "config" / "multi_band.yaml").unlink()
    (folder / "config").rmdir()
    run = open_run(folder)
    assert len(run.objects) == 3
    with pytest.raises(ModelError, match=r"there is no table at .*ledger\.parquet"):
        _ = run.ledger
    with pytest.raises(ModelError, match=r"there is no model store at .*models\.parquet"):
        run.source(100)
    with pytest.raises(ModelError, match=r"settings are not at .*config any more"):
        _ = run.config


def test_coadds_that_moved_can_be_named(folder, tmp_path):
    before = open_run(folder).source(100).reapportioned("r").pixels
    (tmp_path / "r.fits").rename(tmp_path / "elsewhere.fits")
    with pytest.raises(ModelError, match=r"the coadd of band r is not at .*r\.fits any more: say where it is"):
        _ = open_run(folder).coadds
    moved = open_run(folder, coadds={"r": tmp_path / "elsewhere.fits"})
    np.testing.assert_array_equal(moved.source(100).reapportioned("r").pixels, before)
    with pytest.raises(ModelError, match="the run has no band z; it has g, r, i"):
        _ = open_run(folder, coadds={"z": tmp_path / "elsewhere.fits"}).coadds


def test_coadds_that_changed_are_refused(folder, tmp_path):
    (tmp_path / "g.fits").unlink()
    write_fits(tmp_path / "g.fits", 99)
    with pytest.raises(ModelError, match=r"the coadd of band g, .*g\.fits, has changed since the run: its SHA-256 is"):
        _ = open_run(folder).coadds


def test_other_files_are_verified_too(folder, tmp_path):
    (tmp_path / "psf.fits").write_bytes(b"psf")
    checksum = file_sha256(tmp_path / "psf.fits")
    change_record(folder, checksums={str(tmp_path / "psf.fits"): checksum})
    assert open_run(folder).coadds.bands == BANDS
    (tmp_path / "psf.fits").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"a file that the run read, .*psf\.fits, has changed"):
        _ = open_run(folder).coadds


def test_an_exposure_can_be_given(folder):
    exposure = open_run(folder).coadds
    run = open_run(folder)
    change_record(
        folder, inputs=tuple(entry.model_copy(update={"path": "", "sha256": ""}) for entry in run.record.inputs)
    )
    with pytest.raises(ModelError, match=r"band g was given as an array, not as a file.*coadds=exposure"):
        _ = open_run(folder).coadds
    assert open_run(folder, coadds=exposure).coadds is exposure


def test_planes_and_their_selectors_are_read_as_they_were(folder, tmp_path):
    record = open_run(folder).record
    first = record.inputs[0].model_copy(update={"planes": {"image": f"{record.inputs[0].path}[IMAGE]", "sigma": 2.0}})
    change_record(folder, inputs=(first, *record.inputs[1:]))
    assert open_run(folder).coadds.variance[0, 0, 0] == 4.0
    (tmp_path / "g.fits").rename(tmp_path / "new.fits")
    assert open_run(folder, coadds={"g": tmp_path / "new.fits"}).coadds.variance[0, 0, 0] == 4.0


def test_warnings_of_the_reader_are_not_told_again(folder, tmp_path):
    with fits.open(tmp_path / "g.fits", mode="update") as hdus:
        hdus["VARIANCE"].data[0, 0] = -1
    record = open_run(folder).record
    first = record.inputs[0].model_copy(update={"sha256": file_sha256(tmp_path / "g.fits")})
    change_record(folder, inputs=(first, *record.inputs[1:]))
    with pytest.warns(InputWarning):
        read_coadds({entry.band: entry.path for entry in record.inputs}, **OPTIONS)
    assert open_run(folder).coadds.warnings
