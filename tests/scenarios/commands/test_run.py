"""``meas-deblend run``: what it writes, what it says, and its exit code."""

import json

import numpy as np
import pytest
import small_sky
from astropy.io import fits
from command_line import call, coadd_arguments
from promises import TABLES

import meas_deblend
from meas_deblend.access import open_run
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.products import file_sha256, read_run_record, read_table
from meas_deblend_tasks.apportion import ApportionTask

LABELS = ("detect", "deconvolve", "single_band", "multi_band", "apportion", "persist", "measure")


def test_everything_is_written(finished):
    expected = {f"{name}.parquet" for name in (*TABLES, "models")} | {f"config/{label}.yaml" for label in LABELS}
    expected |= {
        "deblend_mask.fits.gz",
        "figures/field.png",
        "figures/bands.png",
        "figures/blend_2.png",
        "figures/blend_3.png",
    }
    found = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    assert found == expected | {"run.json"}
    assert set(read_run_record(finished / "run.json").files) == expected
    assert all((finished / name).stat().st_size > 0 for name in found)


def test_the_record_says_what_was_run(finished, files):
    record = json.loads((finished / "run.json").read_text())
    assert record["type"] == "meas_deblend.run"
    assert record["command"][:3] == ["meas-deblend", "run", "--coadd"]
    assert record["command"][-2:] == ["-c", "multi_band:fit.max_iter=20"]
    assert [(i["band"], i["path"], i["sha256"]) for i in record["inputs"]] == [
        (band, str(path), file_sha256(path)) for band, path in files.items()
    ]
    assert record["versions"]["meas_deblend"] == meas_deblend.__version__
    assert record["versions"]["numpy"] == np.__version__
    assert record["read_options"]["survey"] == "generic"
    assert record["outcome"] == "ok"
    assert record["counts"] == {"parents": 3, "objects": 7, "isolated": 1, "ok": 3, "degraded": 0, "failed": 0}
    assert record["config"] == "config"


def test_tables_and_models_belong_together(finished):
    run = open_run(finished)
    assert len(run.objects) == sum(small_sky.PEAKS)
    assert set(run.models.ids) == {int(i) for i in run.objects["objectId"]}
    assert list(run.timings["label"]) == list(LABELS)
    assert run.config["multi_band"]["multi_band"]["fit"]["max_iter"] == 20


def test_what_is_said(quick):
    code, folder, said = quick()
    assert code == 0
    first, second, last = said.out.strip().splitlines()
    assert first.startswith("7 objects (1 isolated, 6 deblended) in 3 parents, ")
    assert second == "ledger closes: 0.0% of the flux unassigned, 0.0% masked"
    assert last == f"written to {folder}"
    assert "warning" not in said.err
    # Plain lines in a pipe: one when a step starts, one when it is done.
    assert "INFO meas_deblend.progress: none: started" in said.err
    assert "INFO meas_deblend.progress: measure: ok in " in said.err


def test_without_figures_there_are_none(quick):
    _, folder, _ = quick()
    assert not (folder / "figures").exists()
    assert (folder / "objects.parquet").is_file()


def test_degraded_parents_are_said(quick):
    code, _, said = quick("-c", "multi_band:limits.max_footprint_area=100", pipeline="multiband")
    assert code == 0
    assert "3 parents degraded, 0 failed: see deblend_reason and deblend_message" in said.out


@pytest.mark.parametrize("limit", [100, 0])
def test_pixels_of_degraded_blends_are_marked(quick, limit):
    _, folder, _ = quick("-c", f"multi_band:limits.max_footprint_area={limit}", pipeline="multiband")
    with fits.open(folder / "deblend_mask.fits.gz") as hdus:
        mask, header = hdus["MASK"].data, hdus["MASK"].header
    assert (header["MP_DEBLEND_DEGRADED"], header["MP_NOT_DEBLENDED"]) == (0, 1)
    parents = read_table(folder / "parents.parquet")
    inside = np.zeros(mask.shape, dtype=bool)
    for row in parents:
        y, x = row["bbox_min_y"], row["bbox_min_x"]
        inside[y : y + row["bbox_height"], x : x + row["bbox_width"]] = True
    assert set(np.unique(mask)) == ({0, 1} if limit else {0})
    assert not mask[~inside].any()


@pytest.mark.parametrize("figures", [True, False])
def test_nothing_detected_is_said_and_no_failure(empty_files, tmp_path, capsys, figures):
    arguments = [] if figures else ["--no-figures"]
    assert call("run", *coadd_arguments(empty_files), "--out", tmp_path / "out", *arguments) == 0
    assert capsys.readouterr().out.startswith("no objects: nothing detected")
    record = read_run_record(tmp_path / "out" / "run.json")
    assert (record.outcome, record.counts["objects"], record.counts["parents"]) == ("no_work", 0, 0)
    assert set(record.files) >= {f"{name}.parquet" for name in TABLES}
    for name in TABLES[:3]:
        assert len(read_table(tmp_path / "out" / f"{name}.parquet")) == 0
    assert not (tmp_path / "out" / "figures").exists()


def test_a_step_that_fails_gives_exit_code_one(quick, monkeypatch):
    def _fail(*_, **__):
        raise IndexError("made to fail")

    monkeypatch.setattr(ApportionTask, "run", _fail)
    code, folder, said = quick()
    assert code == 1
    assert "meas-deblend: task 'apportion' failed: IndexError: made to fail" in said.err
    assert not (folder / "run.json").exists()


def test_strict_stops_at_the_first_parent_that_fails(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(BlendFitter, "fit", lambda *_, **__: 1 / 0)
    code, _, said = quick(pipeline="multiband")
    assert code == 0
    assert "3 parents degraded, 0 failed: see" in said.out
    code, folder, said = quick("--strict", pipeline="multiband", out=tmp_path / "strict")
    assert code == 1
    assert "task 'multi_band' failed: ZeroDivisionError" in said.err
    assert not (folder / "run.json").exists()


def test_settings_of_a_run_give_the_same_run(finished, files, tmp_path):
    """What ``config/`` holds is complete: read with -C it gives the same catalogs and models."""
    config = [word for path in sorted((finished / "config").iterdir()) for word in ("-C", path)]
    assert call("run", *coadd_arguments(files), "--out", tmp_path / "again", "--no-figures", *config) == 0
    for name in TABLES[:3]:
        one, other = read_table(finished / f"{name}.parquet"), read_table(tmp_path / "again" / f"{name}.parquet")
        assert one.colnames == other.colnames
        # As text, so that a missing value is equal to itself; numbers are written in full.
        assert list(map(str, one.as_array().tolist())) == list(map(str, other.as_array().tolist()))
    assert open_run(tmp_path / "again").config == open_run(finished).config


def test_settings_go_from_low_to_high(quick, tmp_path):
    (tmp_path / "one.yaml").write_text("measure: {measurement: {aperture_radii: [2, 4]}}\n")
    (tmp_path / "two.yaml").write_text("measure: {measurement: {aperture_radii: [5]}}\n")
    _, folder, _ = quick("-C", tmp_path / "one.yaml", "-C", tmp_path / "two.yaml", "--survey", "hsc")
    assert open_run(folder).config["measure"]["measure"]["measurement"]["aperture_radii"] == [5]
    command = ("-C", tmp_path / "one.yaml", "-c", "measure:measurement.aperture_radii=[7]", "--survey", "hsc")
    _, folder, _ = quick(*command, out=tmp_path / "second")
    assert open_run(folder).config["measure"]["measure"]["measurement"]["aperture_radii"] == [7]
    assert "set by command line (default" in (folder / "config" / "measure.yaml").read_text()


def test_an_output_folder_in_use_is_refused(quick, tmp_path):
    code, folder, _ = quick()
    before = (folder / "run.json").read_bytes()
    (folder / "notes.txt").write_text("mine")
    code, _, said = quick()
    assert code == 2
    assert (
        "out: the output folder is in use, it holds config, flux_covariance.parquet, ledger.parquet, ...; choose"
        in said.err
    )
    assert (folder / "run.json").read_bytes() == before
    code, _, _ = quick("--overwrite")
    assert code == 0
    assert (folder / "run.json").read_bytes() != before
    assert (folder / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    code, _, said = quick(out=tmp_path / "file")
    assert code == 2
    assert "this is a file; a folder is needed for the output" in said.err


@pytest.mark.parametrize(
    "wrong", [["--survey", "hcs"], ["--zeropoint", "x"], ["-c", "nobody:fit=1"], ["--sources", "no.csv"]]
)
def test_input_that_cannot_be_used_costs_nobody_the_earlier_run(quick, wrong):
    _, folder, _ = quick()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, _, _ = quick("--overwrite", *wrong)
    assert code == 2
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_log_is_left_as_it_was_for_the_next_command(quick):
    for _ in range(2):
        _, _, said = quick("--overwrite")
        assert said.err.count("none: started") == 1


def test_some_parents_alone(quick):
    code, folder, printed = quick("--only", 2, "--bbox", "0:90,0:40")
    assert code == 0
    assert list(open_run(folder).parents["deblend_reason"]) == ["not_selected", "", "not_selected"]
    assert "Traceback" not in printed.err


def test_a_parent_that_there_is_not(quick):
    code, _, printed = quick("--only", 2, 5)
    assert code == 2
    expected = "only: 5 is no parent of these coadds with these settings of detection; parents are 1, 2, 3"
    assert f"meas-deblend: {expected}" in printed.err
    assert "Traceback" not in printed.err


def test_a_box_that_cannot_be_used_costs_no_earlier_run(quick):
    _, folder, _ = quick()
    for text, message in (("1:2", "bbox must be X0:X1,Y0:Y1"), ("200:300,0:5", "lies off the image")):
        code, _, printed = quick("--bbox", text, "--overwrite")
        assert code == 2
        assert message in printed.err
    assert (folder / "run.json").is_file()
