"""Runs of many patches: what they write, what fails alone, and how they go on."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_sky

import meas_deblend as md
from meas_deblend import _atomic
from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.framework import layer_from_assignment
from meas_deblend.patches import Running, RunSettings, SeamCount, one_patch, read_status, run_patches
from meas_deblend.products import QUANTUM_REASONS, read_manifest, read_patch_index
from meas_deblend_tasks.apportion import ApportionTask

from .conftest import QUICK, patches_of, products

LABELS = ("read", "detect", "none", "apportion", "persist", "measure", "write")


def by_name(result):
    return {one.entry.name: one for one in result.results}


@pytest.fixture
def copied(coadds, tmp_path):
    """Copy of the coadds, to be damaged."""
    return shutil.copytree(coadds, tmp_path / "in")


def test_each_patch_has_what_a_run_on_it_alone_has(finished, coadds):
    for patch in ("7/0", "7/1", "8/2"):
        names = {path.name for path in (finished / patch).iterdir()}
        assert {"objects.parquet", "parents.parquet", "ledger.parquet", "run.json", "config", "manifest"} <= names
        run = md.open_run(finished / patch)
        assert run.record.outcome == "ok"
        assert [entry.path for entry in run.record.inputs] == [str(coadds / patch / f"{band}.fits") for band in "ri"]
    index = read_patch_index(finished)
    assert [entry.name for entry in index.patches] == ["7/0", "7/1", "8/2"]
    assert index.labels == LABELS
    assert not [path for path in finished.rglob("*") if path.name.endswith(".tmp")]


def test_each_quantum_has_a_manifest(finished):
    hashes = {}
    for patch in ("7/0", "7/1"):
        manifests = [read_manifest(finished / patch / "manifest" / f"{label}.json") for label in LABELS]
        assert {path.stem for path in (finished / patch / "manifest").iterdir()} == set(LABELS)
        for manifest in manifests:
            assert (manifest.tract, manifest.patch, manifest.outcome, manifest.reason) == (7, patch[-1], "ok", "ok")
            assert manifest.reason in QUANTUM_REASONS
            assert manifest.versions["meas_deblend"] == md.__version__
            assert [len(checksum) for checksum in manifest.inputs.values()] == [64, 64]
            assert manifest.peak_memory_mb > 50
            assert manifest.attempt == 1
            hashes.setdefault(manifest.label, set()).add(manifest.config_hash)
        detect = manifests[1]
        assert detect.task_class == "meas_deblend_tasks.detect.DetectAndMergeTask"
        assert detect.seconds > 0
        assert any("parents with" in line for line in detect.log)
        assert manifests[0].frame.shape[0] == small_sky.CONFIG.shape[0]
        assert manifests[-1].counts["objects"] == len(md.open_run(finished / patch).objects)
        assert "parents with" in (finished / patch / "log.txt").read_text()
    # Identifiers are made from the data ID, which is no setting.
    assert {label: len(found) for label, found in hashes.items()} == dict.fromkeys(LABELS, 1)


def test_objects_whose_parents_a_seam_cuts_are_told(finished):
    """Patch 7/0 ends in the four in a row, 7/1 begins in it and in the pair; 8/2 has all, but at the outer border."""
    run = md.open_run(finished)
    cut = {name: set() for name in ("0", "1", "2")}
    for row in run.objects:
        if row["deblend_parentCutAtSeam"]:
            cut[row["patch"]].add(int(row["deblend_parentNPeaks"]))
    assert cut["2"] == set()
    assert cut["0"]
    assert cut["1"]
    on_border = np.asarray(run.objects["deblend_parentOnBorder"])
    assert on_border[np.asarray(run.objects["deblend_parentCutAtSeam"])].all()
    # The star's parent ends with the sky: nobody would show more of it.
    assert on_border[np.asarray(run.objects["patch"]) == "2"].any()


def test_the_number_of_primary_objects_that_seams_cut_is_told(coadds, tmp_path):
    result = run_patches(patches_of(coadds)[:2], tmp_path / "out", QUICK)
    seams = result.seams
    assert (seams.primary, seams.cut) == _counted(md.open_run(tmp_path / "out"))
    assert 0 < seams.cut <= seams.primary
    (line,) = seams.lines()
    assert line.startswith(f"{seams.cut} of {seams.primary} primary objects (")
    assert "cut at a seam (deblend_parentCutAtSeam): patches with a wider overlap show it whole" in line
    status = read_status(tmp_path / "out")
    assert status.seams == seams
    assert status.lines()[-2:] == [line, "complete"]
    # Two patches that have nothing in common have no seam; one of a run that goes on does not know yet.
    assert SeamCount(7, 0).lines() == []
    assert SeamCount(3, 1).lines()[0].startswith("1 of 3 primary objects (33 %) has a parent")
    shutil.rmtree(tmp_path / "out/7/1")
    assert read_status(tmp_path / "out").seams is None


def _counted(run):
    primary = run.primary
    return len(primary), int(primary["deblend_parentCutAtSeam"].sum())


def test_the_number_of_processes_changes_no_byte(finished, coadds, tmp_path):
    run_patches(patches_of(coadds), tmp_path / "out", QUICK, Running(jobs=2))
    assert products(tmp_path / "out") == products(finished)


def test_the_multi_band_chain_is_the_same_in_processes(coadds, tmp_path):
    settings = RunSettings(layers=(layer_from_assignment("multi_band:fit.max_iter=15"),))
    only = patches_of(coadds)[:2]
    for folder, jobs in (("serial", 1), ("two", 2)):
        run_patches(only, tmp_path / folder, settings, Running(jobs=jobs))
    assert products(tmp_path / "serial") == products(tmp_path / "two")


def test_a_file_that_cannot_be_read_costs_one_patch(copied, tmp_path, finished):
    (copied / "7/1/r.fits").write_bytes((copied / "7/1/r.fits").read_bytes()[:4000])
    told = []
    result = run_patches(patches_of(copied), tmp_path / "out", QUICK, tell=lambda *what: told.append(what[1:]))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert {name: one.outcome for name, one in by_name(result).items()} == {"7/0": "ok", "7/1": "failed", "8/2": "ok"}
    bad = by_name(result)["7/1"].decisive
    assert (bad.label, bad.reason) == ("read", "bad_input")
    assert "r.fits" in bad.error
    assert {path.name for path in (tmp_path / "out/7/1").iterdir()} == {"manifest", "log.txt"}
    assert [one.entry.name for one in result.failed] == ["7/1"]
    # What was not touched is as ever, but for where it was read.
    same = {
        n: b for n, b in products(finished).items() if n.startswith(("7/0", "8/2")) and n.endswith("objects.parquet")
    }
    assert {name: (tmp_path / "out" / name).read_bytes() for name in same} == same
    # Nobody else shows what only that patch shows, but all else has an owner.
    run = md.open_run(tmp_path / "out")
    assert set(run.primary["patch"]) == {"0", "2"}
    assert list(run.patches) == ["7/0", "8/2"]


def test_a_band_that_a_patch_lacks_is_masked_in_the_tables(copied, tmp_path):
    (copied / "7/1/r.fits").unlink()
    result = run_patches(patches_of(copied), tmp_path / "out", QUICK)
    assert not result.failed
    run = md.open_run(tmp_path / "out")
    lacking = run.objects["patch"] == "1"
    assert run.objects["r_psfFlux"].mask[lacking].all()
    assert not run.objects["r_psfFlux"].mask[~lacking].any()
    assert run.models.bands == ("r", "i")
    assert run.source(int(run.objects["objectId"][lacking][0])).metadata.bands == ("i",)


def test_options_of_a_band_hold_where_there_is_the_band(copied, tmp_path):
    (copied / "7/1/r.fits").unlink()
    settings = replace(QUICK, read_options={"survey": "generic", "zeropoint": {"r": 27.0, "i": 27.0}})
    assert not run_patches(patches_of(copied), tmp_path / "out", settings).failed
    wrong = replace(QUICK, read_options={"survey": "generic", "psf": {"x": "fwhm=0.7"}})
    with pytest.raises(InputError, match="psf is given for x, but the patches have r, i"):
        run_patches(patches_of(copied), tmp_path / "other", wrong)


def test_bands_on_different_grids_cost_one_patch(copied, tmp_path):
    shutil.copy(copied / "7/0/r.fits", copied / "7/1/r.fits")
    result = run_patches(patches_of(copied), tmp_path / "out", QUICK)
    bad = by_name(result)["7/1"].decisive
    assert (bad.label, bad.outcome, bad.reason) == ("read", "failed", "bad_input")
    assert len(result.failed) == 1


def test_a_task_that_fails_says_so_and_those_behind_it_do_not_run(coadds, tmp_path, monkeypatch):
    def fail(self, coadds, parent_models):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(ApportionTask, "run", fail)
    result = run_patches(patches_of(coadds)[:1], tmp_path / "out", QUICK)
    found = {m.label: (m.outcome, m.reason) for m in result.results[0].manifests}
    assert found == {
        "read": ("ok", "ok"),
        "detect": ("ok", "ok"),
        "none": ("ok", "ok"),
        "apportion": ("failed", "error"),
        "persist": ("failed", "not_run"),
        "measure": ("failed", "not_run"),
    }
    bad = result.results[0].decisive
    assert bad.error == "ZeroDivisionError: by zero"
    assert "ZeroDivisionError" in (tmp_path / "out/7/0/log.txt").read_text()


def test_nothing_to_detect_is_no_failure(tmp_path):
    (tmp_path / "in/0/0").mkdir(parents=True)
    small_sky.write_coadds(tmp_path / "in/0/0", small_sky.noise_only())
    result = run_patches(patches_of(tmp_path / "in"), tmp_path / "out", QUICK)
    assert (result.results[0].outcome, result.results[0].decisive.reason) == ("no_work", "no_work")
    assert not result.failed


def test_a_full_disk_costs_the_patch_and_leaves_nothing_half_written(coadds, tmp_path, monkeypatch):
    write = one_patch.write_run

    def full(result, exposure, folder, context):
        if folder.parent.name == "8":
            (folder / "objects.parquet").write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(result, exposure, folder, context)

    monkeypatch.setattr(one_patch, "write_run", full)
    result = run_patches(patches_of(coadds), tmp_path / "out", QUICK)
    bad = by_name(result)["8/2"].decisive
    assert (bad.label, bad.reason) == ("write", "disk_full")
    assert {path.name for path in (tmp_path / "out/8/2").iterdir()} == {"manifest", "log.txt"}
    assert result.not_done == ()


def test_a_disk_without_room_for_a_manifest_leaves_the_patch_undone(coadds, tmp_path, monkeypatch):
    sync = os.fsync

    def full(descriptor):
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if "/8/" in path:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(_atomic.os, "fsync", full)
    result = run_patches(patches_of(coadds), tmp_path / "out", QUICK)
    bad = by_name(result)["8/2"].decisive
    assert (bad.outcome, bad.reason) == ("failed", "disk_full")
    assert result.not_done == ("8/2",)
    assert list((tmp_path / "out/8").iterdir()) == []
    monkeypatch.undo()
    again = run_patches(patches_of(coadds), tmp_path / "out", QUICK, Running(resume=True))
    assert not again.failed
    assert again.not_done == ()


def test_a_patch_that_kills_its_process_is_told_and_costs_nobody_else(coadds, tmp_path, monkeypatch):
    deblend = one_patch.deblend

    def killed(exposure, *arguments, **options):
        if exposure.box.shape == small_sky.CONFIG.shape:
            os.kill(os.getpid(), signal.SIGKILL)
        return deblend(exposure, *arguments, **options)

    monkeypatch.setattr(one_patch, "deblend", killed)
    result = run_patches(patches_of(coadds), tmp_path / "out", QUICK, Running(jobs=2))
    assert {name: one.outcome for name, one in by_name(result).items()} == {"7/0": "ok", "7/1": "ok", "8/2": "failed"}
    bad = by_name(result)["8/2"]
    assert [(m.label, m.reason) for m in bad.manifests] == [("read", "ok"), ("detect", "worker_died")]
    assert "ended from outside" in bad.decisive.error
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name.endswith(".tmp")]


def test_fail_fast_starts_no_more(copied, tmp_path):
    (copied / "7/0/r.fits").write_bytes(b"no FITS")
    result = run_patches(patches_of(copied), tmp_path / "out", QUICK, Running(fail_fast=True))
    assert [one.entry.name for one in result.results] == ["7/0"]
    assert result.not_done == ("7/1", "8/2")
    status = read_status(tmp_path / "out")
    assert [state.state for state in status.states] == ["failed", "waiting", "waiting"]
    assert status.lines()[-1] == "stopped: 2 patches are not done; run it again with --resume"


def test_rerun_does_again_what_the_condition_says(copied, tmp_path):
    good = (copied / "7/0/r.fits").read_bytes()
    (copied / "7/0/r.fits").write_bytes(b"no FITS")
    run_patches(patches_of(copied), tmp_path / "out", QUICK)
    (copied / "7/0/r.fits").write_bytes(good)
    untouched = (tmp_path / "out/7/1/run.json").stat().st_mtime_ns
    told = []
    running = Running(rerun="reason != 'ok' and tract == 7")
    result = run_patches(patches_of(copied), tmp_path / "out", QUICK, running, lambda one, *_: told.append(one))
    assert [one.entry.name for one in told] == ["7/0"]
    assert {m.attempt for m in told[0].manifests} == {2}
    assert not result.failed
    assert (tmp_path / "out/7/1/run.json").stat().st_mtime_ns == untouched
    run_patches(patches_of(copied), tmp_path / "all", QUICK)
    assert products(tmp_path / "out") == products(tmp_path / "all")


def test_another_config_is_refused(finished, coadds, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    other = replace(QUICK, layers=(layer_from_assignment("detect:detection.threshold=7"),))
    with pytest.raises(InputError, match=r"setting detect:detection.threshold was 5.0, is 7.0; go back to what it was"):
        run_patches(patches_of(coadds), out, other, Running(resume=True))
    with pytest.raises(InputError, match=r"option zeropoint was not there, is 27\.0"):
        run_patches(
            patches_of(coadds), out, replace(QUICK, read_options={"survey": "generic", "zeropoint": 27.0}),
            Running(rerun="reason != 'ok'"),
        )  # fmt: skip
    with pytest.raises(InputError, match=r"files of patch 8/2 was r:image=.*is not there"):
        run_patches(patches_of(coadds)[:2], out, QUICK, Running(resume=True))


def test_patches_may_be_added(coadds, tmp_path):
    run_patches(patches_of(coadds)[:1], tmp_path / "out", QUICK)
    told = []
    run_patches(patches_of(coadds), tmp_path / "out", QUICK, Running(resume=True), lambda one, *_: told.append(one))
    assert [one.entry.name for one in told] == ["7/1", "8/2"]
    assert set(md.open_run(tmp_path / "out").objects["patch"]) == {"0", "1", "2"}


def test_a_folder_in_use_is_refused_and_may_be_overwritten(finished, coadds, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"the output folder is in use, it holds 7, 8, mine.txt, ...; choose another"):
        run_patches(patches_of(coadds), out, QUICK)
    run_patches(patches_of(coadds)[:1], out, QUICK, Running(overwrite=True))
    assert (out / "mine.txt").read_text() == "mine"
    assert not (out / "7/1").exists()
    assert set(md.open_run(out).patches) == {"7/0"}


def test_a_damaged_index_is_told(finished, coadds, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    (out / "patches.json").write_text("{")
    with pytest.raises(InputError, match=r"patches\.json is damaged: .*; start anew, with --overwrite"):
        run_patches(patches_of(coadds), out, QUICK, Running(resume=True))
    about = json.loads((finished / "patches.json").read_text())
    about["patches"][0]["folder"] = "../elsewhere"
    (out / "patches.json").write_text(json.dumps(about))
    with pytest.raises(
        ModelError, match=r"the folder of a patch lies beneath that of the index, '../elsewhere' does not"
    ):
        md.open_run(out)


def test_another_run_on_the_folder_is_refused(coadds, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    code = (
        "import sys, time; from pathlib import Path; from meas_deblend.patches.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603 -- ourselves
        assert other.stdout.readline() == "locked\n"
        try:
            with pytest.raises(
                InputError, match=rf"another run writes to this folder \(process {other.pid} on .*UTC\)"
            ):
                run_patches(patches_of(coadds), out, QUICK)
        finally:
            other.kill()
    # It is gone with its process.
    run_patches(patches_of(coadds)[:1], out, QUICK)


def test_a_killed_run_goes_on_and_gives_the_same(finished, coadds, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "meas_deblend.cli", "run", "--pipeline", "none", "--no-figures", "-j", "2"]
    command += ["--inputs", f"{coadds}/{{tract}}/{{patch}}/{{band}}.fits", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:  # noqa: S603 -- ourselves
        deadline = time.monotonic() + 100
        # In the middle: somebody is at a patch, or has just finished the first.
        while not list(out.glob("7/.*.tmp/manifest/*.json")) and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        run.kill()
    status = read_status(out)
    states = [state.state for state in status.states]
    assert set(states) <= {"ok", "waiting", "interrupted"}
    half = out / "8" / ".2.0123abcd.tmp"
    half.mkdir(parents=True)
    (half / "objects.parquet").write_bytes(b"half")
    # Workers leave with the run: nobody holds the folder.
    settings = replace(QUICK, read_options=read_patch_index(out).read_options)
    result = run_patches(patches_of(coadds), out, settings, Running(resume=True))
    assert not result.failed
    assert result.not_done == ()
    assert products(out) == products(finished)
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]
