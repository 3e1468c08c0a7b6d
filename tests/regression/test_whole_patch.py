"""Patches of a square kilopixel through the command line, as an operator runs them: memory is that of the processes."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial import cKDTree

from meas_deblend.image import write_coadd
from meas_deblend.products import OUTCOMES, REASONS, read_run_record, read_table
from meas_deblend.simulate import preset, simulate_field

pytestmark = pytest.mark.slow


# Counts what it starts, and is small itself: the system counts whoever starts a process as that process, too.
WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
COMPILE = "from meas_deblend.compiling import compile_apart; compile_apart()"


def run_in_a_process(coadds, out, *options):
    """Run ``meas-deblend run``, which must work; return the peak memory of its largest process [bytes]."""
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    # As for anybody: what is not compiled yet is compiled in processes that end before coadds are read.
    environment.pop("MEAS_DEBLEND_COMPILE_HERE", None)
    subprocess.run([sys.executable, "-c", COMPILE], env=environment, check=True, capture_output=True)  # noqa: S603 - ours
    command = [sys.executable, "-c", WATCH, sys.executable, "-m", "meas_deblend.cli", "run", "--no-figures", *options]
    command += ["--out", str(out), "--coadd", *(f"{band}={path}" for band, path in coadds.items())]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr[-3000:]
    # Linux counts in units of 1024 bytes.
    return 1024 * int(done.stdout.rsplit("peak ", 1)[1])


def written(folder, field):
    """Coadds of a field by band, in files."""
    exposure = field.exposure
    return {band: write_coadd(folder / f"{band}.fits", exposure, band) for band in exposure.bands}


def tables_of(out):
    """Objects, parents and both ledgers of a run."""
    return [read_table(out / f"{name}.parquet") for name in ("objects", "parents", "ledger", "patch_ledger")]


def assert_everybody_is_there(objects, parents):
    """Each peak has a row, and each parent that is not as it should be has a reason."""
    assert len(set(objects["objectId"])) == len(objects) == np.sum(parents["deblend_nPeaks"])
    # 0: it is alone, and has no parent.
    assert set(objects["parentObjectId"]) - {0} <= set(parents["parentObjectId"])
    assert set(parents["deblend_outcome"]) <= set(OUTCOMES)
    for outcome, reason in zip(parents["deblend_outcome"], parents["deblend_reason"], strict=True):
        assert reason in REASONS
        assert (outcome == "ok") == (reason == "")


def assert_accounts_close(ledger, whole, parts):
    """The whole is the sum of its parts, to what sums of float32 pixels are known to."""
    shares = np.array([np.asarray(ledger[name], dtype=float) for name in parts])
    total = np.asarray(ledger[whole], dtype=float)
    np.testing.assert_array_less(np.abs(total - shares.sum(axis=0)), 1e-5 * (np.abs(shares).sum(axis=0) + 1))


@pytest.fixture(scope="module")
def field():
    """100 galaxies per square arcminute in six bands, to the depth of ten years."""
    return simulate_field(preset("patch", shape=(1024, 1024)))


@pytest.fixture(scope="module")
def patch(field, tmp_path_factory):
    """Its products and peak memory, with two processes and the default budgets."""
    folder = tmp_path_factory.mktemp("patch")
    memory = run_in_a_process(written(folder, field), folder / "out", "-j", "2")
    return folder / "out", memory


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory):
    """Products and peak memory of all that goes wrong, with the default budget of 1 GB, in one process."""
    folder = tmp_path_factory.mktemp("poisoned")
    coadds = written(folder, simulate_field(preset("poisoned", shape=(1000, 1000))))
    memory = run_in_a_process(coadds, folder / "out", "--missing-psf", "drop")
    return folder / "out", memory


def test_a_patch_is_deblended_as_was_asked_for(patch):
    objects, parents, ledger, sums = tables_of(patch[0])
    assert_everybody_is_there(objects, parents)
    # The budgets are for patches like this: nobody goes down the ladder.
    assert set(parents["deblend_outcome"]) == {"ok"}
    assert set(objects["deblend_rung"]) == {"full_multi_band"}
    assert_accounts_close(ledger, "data", ("children", "unassigned", "masked"))
    assert_accounts_close(sums, "image", ("parents", "isolated", "sky", "masked"))
    assert read_run_record(patch[0] / "run.json").counts["objects"] == len(objects)


def test_memory_of_a_patch(patch):
    # A patch of 4096² pixels, with 16 times as many, may take 3 GB; code alone is 0.25 GB.
    assert patch[1] < 0.7e9


def test_bright_galaxies_are_found_and_measured(field, patch):
    objects, truth = tables_of(patch[0])[0], field.truth
    # The brightest quarter is far above what can be detected: what is missed is hidden by a neighbour.
    bright = truth["r_flux"] > np.quantile(truth["r_flux"], 0.75)
    places = np.stack([truth["x"], truth["y"]], axis=1)[bright]
    distance, nearest = cKDTree(np.stack([objects["x"], objects["y"]], axis=1)).query(places)
    found = distance < 3
    assert found.mean() > 0.95
    # Counts of the truth in nJy, whose zero point is 31.4 (AB).
    zeropoint = field.exposure.zeropoints[field.exposure.bands.index("r")]
    expected = truth["r_flux"][bright][found] * 10 ** (0.4 * (31.4 - zeropoint))
    relative = objects["r_modelFlux"][nearest[found]] / expected - 1
    assert np.median(np.abs(relative)) < 0.1


def test_nobody_on_a_poisoned_patch_is_lost(poisoned):
    objects, parents, ledger, sums = tables_of(poisoned[0])
    assert_everybody_is_there(objects, parents)
    assert max(parents["deblend_nPeaks"]) > 400
    assert_accounts_close(ledger, "data", ("children", "unassigned", "masked"))
    assert_accounts_close(sums, "image", ("parents", "isolated", "sky", "masked"))


def test_memory_of_a_poisoned_patch_stays_within_the_budget(poisoned):
    assert poisoned[1] < 1e9
