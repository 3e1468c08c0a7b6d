"""A patch that was left half done goes on behind what was done, and comes to the same products."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
from command_line import call

from meas_deblend.framework import checkpoint, layer_from_assignment
from meas_deblend.patches import Running, RunSettings, read_patches, run_patches
from meas_deblend.patches.progress import forget_progress, kept_progress
from meas_deblend.products import read_patch_index
from meas_deblend_tasks import loops
from meas_deblend_tasks.apportion import ApportionTask

from .conftest import patches_of, products

SETTING = "multi_band:fit.max_iter=20"
SETTINGS = RunSettings(layers=(layer_from_assignment(SETTING),))


def command(words):
    """Run the command line in this process, which is killed when it comes to its third parent."""
    # Every result goes to a file of its own at once.
    checkpoint._EVERY_SECONDS = 0.0
    deblended, done = loops._deblended, []

    def killed(shared, parent):
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(parent.id)
        return deblended(shared, parent)

    loops._deblended = killed
    sys.exit(call(*words))


def one_patch_of(coadds):
    return [one for one in patches_of(coadds) if one.tract == 8]


@pytest.fixture(scope="module")
def undisturbed(coadds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    assert not run_patches(one_patch_of(coadds), folder, SETTINGS).failed
    return folder


@pytest.fixture
def noted(tmp_path, monkeypatch):
    """File of the parents that were deblended, in whatever process."""
    path, deblended = tmp_path / "noted", loops._deblended
    path.touch()

    def note(shared, parent):
        with path.open("a") as stream:
            stream.write(f"{parent.id}\n")
        return deblended(shared, parent)

    monkeypatch.setattr(loops, "_deblended", note)
    return path


@pytest.fixture
def killed(coadds, tmp_path):
    """Folder of a run that was killed when it came to the third parent of its patch."""
    out = tmp_path / "out"
    table = tmp_path / "patches.csv"
    rows = [f"8,2,{band},{coadds}/8/2/{band}.fits" for band in "ri"]
    table.write_text("\n".join(["tract,patch,band,image", *rows]) + "\n")
    words = ["run", "--inputs", table, "--no-figures", "--out", out, "-c", SETTING]
    run = multiprocessing.get_context("fork").Process(target=command, args=(words,))
    run.start()
    run.join()
    assert run.exitcode == -signal.SIGKILL
    return out, table


def resumed(killed, settings=SETTINGS):
    out, table = killed
    settings = RunSettings(layers=settings.layers, read_options=read_patch_index(out).read_options)
    return run_patches(read_patches(table), out, settings, Running(resume=True))


def test_a_killed_run_goes_on_behind_the_parents_that_were_done(killed, undisturbed, noted):
    out, _ = killed
    kept = sorted(path.name for path in (out / "8/.2.kept/checkpoint").glob("*-??????.*"))
    assert kept[-2:] == ["multi_band-000000.parquet", "multi_band-000001.parquet"]
    result = resumed(killed)
    parents = result.results[0].counts["parents"]
    assert len(noted.read_text().split()) == parents - 2
    assert products(out) == products(undisturbed)
    assert "going on with what an earlier attempt has done" in (out / "8/2/log.txt").read_text()
    assert [path.name for path in (out / "8").iterdir()] == ["2"]


def test_what_was_made_of_other_pixels_is_not_used(killed, undisturbed, noted):
    out, _ = killed
    path = out / "8/.2.kept/checkpoint/checkpoint.json"
    path.write_text(path.read_text().replace('"images of band r": "', '"images of band r": "0'))
    result = resumed(killed)
    assert len(noted.read_text().split()) == result.results[0].counts["parents"]
    assert products(out) == products(undisturbed)
    log = (out / "8/2/log.txt").read_text()
    assert "begun anew: what an earlier attempt has done cannot be used" in log
    assert "images of band r was 0" in log


def test_who_takes_over_from_a_dead_process_goes_on(coadds, undisturbed, noted, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_EVERY_SECONDS", 0.0)
    deblended = loops._deblended

    def killed_once(shared, parent):
        if len(noted.read_text().split()) == 2 and not (tmp_path / "dead").exists():
            (tmp_path / "dead").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return deblended(shared, parent)

    monkeypatch.setattr(loops, "_deblended", killed_once)
    result = run_patches(one_patch_of(coadds), tmp_path / "out", SETTINGS, Running(jobs=2))
    assert (tmp_path / "dead").exists()
    assert not result.failed
    ids = noted.read_text().split()
    assert len(ids) == len(set(ids)) == result.results[0].counts["parents"]
    assert products(tmp_path / "out") == products(undisturbed)


def test_a_patch_that_was_killed_twice_goes_on_when_it_is_run_again(coadds, undisturbed, noted, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_EVERY_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(ApportionTask, "run", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        result = run_patches(one_patch_of(coadds), tmp_path / "out", SETTINGS, Running(jobs=2))
    assert result.results[0].decisive.reason == "worker_died"
    done = noted.read_text()
    assert len(done.split()) >= 3
    result = run_patches(one_patch_of(coadds), tmp_path / "out", SETTINGS, Running(rerun="reason == 'worker_died'"))
    assert not result.failed
    assert noted.read_text() == done
    assert products(tmp_path / "out") == products(undisturbed)


def test_two_processes_do_not_share_what_is_kept(tmp_path):
    folder = tmp_path / "7/0"
    with kept_progress(folder) as mine:
        code = (
            "import sys; from pathlib import Path; from meas_deblend.patches.progress import *\n"
            "folder = Path(sys.argv[1]); forget_progress(folder)\n"
            "with kept_progress(folder) as theirs: print(theirs)"
        )
        command = [sys.executable, "-c", code, str(folder)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 -- our own
        assert run.stdout == "None\n"
        assert mine.parent.is_dir()
    forget_progress(folder)
    assert list((tmp_path / "7").iterdir()) == []
