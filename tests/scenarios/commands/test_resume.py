"""``meas-deblend run`` in several processes, stopped and resumed: the products are the same to the last byte."""

import multiprocessing
import os
import signal
import sys
import time

import pytest
import small_sky
from command_line import call, coadd_arguments

import meas_deblend as md
from meas_deblend.exceptions import InputError
from meas_deblend.framework import checkpoint
from meas_deblend_tasks import deconvolve, detect, loops, measured_parent

SETTINGS = ("--no-figures", "-c", "multi_band:fit.max_iter=20")
NOT_COMPARED = ("run.json", "timings.parquet")
#: A process has the compiled code and the modules of the one that it was forked from.
PROCESSES = multiprocessing.get_context("fork")


def command(arguments, said, slowly):
    """Run the command line in a process of its own; what it says as errors goes to a file."""
    # Whoever started the tests in the background may have left it to be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stderr = said.open("w")
    # Every result goes to a file of its own at once.
    checkpoint._EVERY_SECONDS = 0.0
    if slowly:
        # So that a run is not at its end before it is told to stop, on a busy machine either.
        quick = loops._deblended
        loops._deblended = lambda *given: time.sleep(5) or quick(*given)
    code = call(*arguments)
    sys.stderr.flush()
    sys.exit(code)


def products(folder):
    """Content of all files but those that hold times and the command, and pictures."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in NOT_COMPARED]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.relative_to(folder).parts[0] != "figures"
    }


@pytest.fixture
def begin(files, tmp_path):
    """Function that starts a run in a process of its own; returns it, and the file of what it says as errors."""

    def _begin(*arguments, slowly=False):
        words = ["run", *coadd_arguments(files), "--out", tmp_path / "out", *SETTINGS, *arguments]
        said = tmp_path / "said"
        run = PROCESSES.Process(target=command, args=(words, said, slowly))
        run.start()
        return run, said

    return _begin


def wait_for(folder, files, run):
    """Wait until so many files of results are in the checkpoint, or the run has ended."""
    while len(list(folder.glob("*-??????.*"))) < files and run.is_alive():
        time.sleep(0.005)


@pytest.mark.parametrize("jobs", [2, 3])
def test_products_do_not_depend_on_the_number_of_processes(finished, files, tmp_path, jobs):
    assert call("run", *coadd_arguments(files), "--out", tmp_path / "out", *SETTINGS, "-j", jobs) == 0
    assert products(tmp_path / "out") == products(finished)


def test_a_run_that_is_killed_again_and_again_comes_to_the_same(finished, begin, files, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    # Detection and deconvolution come first, then models, one file per parent, then rows of tables.
    for attempt, (count, jobs) in enumerate([(3, 1), (7, 2)]):
        run, _ = begin("-j", str(jobs), *(["--resume"] if attempt else []))
        wait_for(out / "checkpoint", count, run)
        run.kill()
        run.join()
        assert run.exitcode == -signal.SIGKILL
        assert not (out / "run.json").exists()
    done = []
    steps = ((detect, "detect_bands"), (deconvolve, "deconvolve_exposure"), (loops, "_deblended"))
    for module, name in (*steps, (measured_parent, "drawn")):
        before = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, f=before: done.append(f.__name__) or f(*a))
    (out / ".objects.parquet.x.tmp").write_text("half")
    assert call("run", *coadd_arguments(files), "--out", out, *SETTINGS, "--resume") == 0
    assert set(done) <= {"drawn"}
    assert len(done) < 3
    assert products(out) == products(finished)
    assert not (out / "checkpoint").exists()


def test_an_interrupted_run_says_how_to_go_on(finished, begin, files, tmp_path):
    run, errors = begin("-j", "2", slowly=True)
    wait_for(tmp_path / "out" / "checkpoint", 1, run)
    os.kill(run.pid, signal.SIGINT)
    run.join()
    assert run.exitcode == 130
    said = errors.read_text()
    assert f"the parents that were done are kept in {tmp_path / 'out' / 'checkpoint'}; --resume goes on" in said
    assert "Traceback" not in said
    assert call("run", *coadd_arguments(files), "--out", tmp_path / "out", *SETTINGS, "--resume", "-j", 2) == 0
    assert products(tmp_path / "out") == products(finished)


@pytest.fixture
def stopped(files, tmp_path, monkeypatch):
    """Folder of a run whose last parent raised an error while it was measured."""
    row = measured_parent.parent_row

    def _fail(given, bands):
        if given.model.id == 3:
            raise ZeroDivisionError("made to fail")
        return row(given, bands)

    with monkeypatch.context() as patch:
        patch.setattr(measured_parent, "parent_row", _fail)
        assert call("run", *coadd_arguments(files), "--out", tmp_path / "out", *SETTINGS) == 1
    return tmp_path / "out"


def test_what_differs_is_named(stopped, files, tmp_path, capsys):
    capsys.readouterr()
    run = ("run", *coadd_arguments(files), "--out", stopped, "--no-figures", "--resume")
    assert call(*run, "-c", "multi_band:fit.max_iter=21") == 2
    assert "cannot be resumed: setting multi_band:fit.max_iter was 20, is 21; go back" in capsys.readouterr().err
    other = small_sky.write_coadds(tmp_path / "other", small_sky.noise_only())
    changed = ("--coadd", f"r={files['r']}", f"i={other['i']}")
    assert call("run", *changed, "--out", stopped, *SETTINGS, "--resume") == 2
    said = capsys.readouterr().err
    assert "images of band i was " in said
    assert "band r" not in said
    assert call("run", *coadd_arguments(files), "--out", stopped, *SETTINGS, "--resume") == 0
    assert call("run", *coadd_arguments(files), "--out", stopped, *SETTINGS, "--resume") == 2
    assert "the run there is complete, and cannot be resumed" in capsys.readouterr().err


def test_a_run_can_begin_with_resume(files, tmp_path, capsys):
    run = ("run", *coadd_arguments(files), "--pipeline", "none", "--no-figures", "--resume", "--out")
    assert call(*run, tmp_path / "out") == 0
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    assert call(*run, tmp_path / "used") == 2
    assert "the output folder is in use, it holds notes.txt" in capsys.readouterr().err
    assert call(*run, tmp_path / "used", "--overwrite") == 2
    assert "--resume goes on with the run in DIR, --overwrite removes it: choose one" in capsys.readouterr().err
    assert call(*run, tmp_path / "new", "-j", 0) == 2
    assert "the number of processes must be at least 1, not 0" in capsys.readouterr().err


def test_overwriting_begins_anew(stopped, files):
    run = ("run", *coadd_arguments(files), "--out", stopped, "--pipeline", "none", "--no-figures")
    assert call(*run) == 2
    assert call(*run, "--overwrite") == 0
    assert not (stopped / "checkpoint").exists()


def test_from_python(tmp_path):
    coadds, settings = small_sky.exposure(), {"multi_band": {"fit": {"max_iter": 5}}}
    first = md.deblend(coadds, config=settings, jobs=2, checkpoint=tmp_path / "kept")
    again = md.deblend(coadds, config=settings, checkpoint=tmp_path / "kept", resume=True)
    assert list(map(str, first.objects.as_array().tolist())) == list(map(str, again.objects.as_array().tolist()))
    assert {path.suffix for path in (tmp_path / "kept").iterdir()} == {".json", ".parquet", ".npz"}
    with pytest.raises(InputError, match=r"setting multi_band:fit\.max_iter was 5, is 6"):
        md.deblend(coadds, config={"multi_band": {"fit": {"max_iter": 6}}}, checkpoint=tmp_path / "kept", resume=True)
    # Children are made when they are asked for.
    assert [len(shared.children) for shared in first.children] == list(small_sky.PEAKS)
