"""``meas-deblend run --inputs``, ``status``, ``tile``: what they say, and their exit codes."""

import json
import re
import shutil

import pytest
import small_sky
from astropy.table import Table
from command_line import call

import meas_deblend as md


@pytest.fixture(scope="module")
def coadds(tmp_path_factory):
    """Coadds of two patches."""
    folder = tmp_path_factory.mktemp("coadds")
    for patch in ("3", "4"):
        (folder / "12" / patch).mkdir(parents=True)
        small_sky.write_coadds(folder / "12" / patch)
    return folder


@pytest.fixture
def many(coadds, tmp_path, capsys):
    """Run patches, by default those of ``coadds``."""

    def run(*more, inputs=None, out=None):
        pattern = inputs or f"{coadds}/{{tract}}/{{patch}}/{{band}}.fits"
        folder = out or tmp_path / "out"
        code = call("run", "--inputs", pattern, "--out", folder, "--pipeline", "none", "--no-figures", *more)
        return code, folder, capsys.readouterr()

    return run


def test_what_is_said_of_patches(many, capsys):
    code, folder, said = many("-j", "2")
    assert code == 0
    lines = said.out.splitlines()
    assert lines[0] == "2 patches, 4 coadds"
    assert lines[1].split() == ["patch", "state", "reason", "at", "objects", "seconds"]
    assert lines[2].split()[:4] == ["12/3", "ok", "ok", "7"]
    # Both show the same sky: one of them owns it.
    assert lines[-2].startswith("14 objects, 7 of them primary, in 2 patches; 0 failed; ")
    assert lines[-1] == f"written to {folder}"
    assert "[2/2] 12/" in said.err
    assert call("status", folder) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["2 patches: 2 ok; 14 objects", "complete"]
    assert call("show", "run", folder) == 0
    assert "14 objects (2 isolated) in 6 parents; 2 patches were done" in capsys.readouterr().out
    number = int(md.open_run(folder).primary["objectId"][0])
    assert call("explain", folder, str(number)) == 0
    assert str(number) in capsys.readouterr().out
    assert call("export", folder, "--fits", folder / "objects.fits", "--columns", "r_psfFlux") == 0
    found = Table.read(folder / "objects.fits", hdu="OBJECTS")
    assert found.colnames == ["tract", "patch", "objectId", "r_psfFlux"]
    assert len(found) == 14


def test_a_patch_that_fails_is_told_and_the_exit_code_says_so(coadds, many, tmp_path, capsys):
    copied = shutil.copytree(coadds, tmp_path / "in")
    (copied / "12/4/r.fits").write_bytes(b"no FITS")
    pattern = f"{copied}/{{tract}}/{{patch}}/{{band}}.fits"
    code, folder, said = many(inputs=pattern)
    assert code == 1
    assert re.search(r"\[2/2\] 12/4: failed in [0-9.]+ s: read: ", said.err)
    assert "r.fits is not a FITS file that can be read" in said.err
    assert said.out.splitlines()[3].split()[:4] == ["12/4", "failed", "bad_input", "read"]
    assert call("status", folder, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(row["patch"], row["state"], row["reason"]) for row in told["patches"]] == [
        ("3", "ok", "ok"),
        ("4", "failed", "bad_input"),
    ]
    shutil.copy(coadds / "12/4/r.fits", copied / "12/4/r.fits")
    code, _, said = many("--rerun", "--where", "outcome == 'failed'", inputs=pattern)
    assert code == 0
    assert "[1/1] 12/4: ok in" in said.err


def test_tiles_are_cut_and_run(many, tmp_path, capsys):
    files = small_sky.write_coadds(tmp_path)
    coadds = [f"{band}={path}" for band, path in files.items()]
    assert call("tile", "--coadd", *coadds, "--size", "70", "--overlap", "30", "--out", tmp_path / "tiles") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"6 patches of up to 60 × 53 pixels in r, i, written to {tmp_path / 'tiles'}"
    assert second == f"next: meas-deblend run --inputs {tmp_path / 'tiles/patches.csv'} --survey generic --out DIR"
    code, folder, _ = many(inputs=tmp_path / "tiles/patches.csv")
    assert code == 0
    run = md.open_run(folder)
    assert len(run.primary) == sum(small_sky.PEAKS)
    assert len(run.objects) > len(run.primary)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--bbox", "0:5,0:5"), "--bbox is for one patch: give it with --coadd, in a run of its own"),
        (("--where", "tract == 1"), "--where says which patches --rerun does again: give both"),
        (("--resume", "--overwrite"), "--resume and --rerun go on with the run in DIR, --overwrite removes it"),
        (("--rerun", "--where", "import os"), "--where 'import os' cannot be understood"),
        (("--executor", "cloud"), "no executor 'cloud': there are processes, dask and dask://HOST:PORT"),
        (("-c", "detect:detection.treshold=3"), "did you mean 'threshold'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(many, more, message):
    code, folder, said = many(*more)
    assert code == 2
    assert message in said.err
    assert not folder.exists()


def test_options_of_many_patches_are_refused_for_one(tmp_path, capsys):
    code = call("run", "--coadd", "r=r.fits", "--fail-fast", "--out", tmp_path / "out")
    assert code == 2
    assert capsys.readouterr().err == "meas-deblend: --fail-fast is for many patches: --inputs\n"


def test_a_folder_of_no_such_run_has_no_status(tmp_path, capsys):
    assert call("status", tmp_path) == 2
    assert "there is no patches.json in" in capsys.readouterr().err
