"""A Dask cluster of processes on this machine gives the same products, also when a worker is killed in the middle."""

import logging
import os
import signal
import time

import pytest

from meas_deblend.exceptions import InputError
from meas_deblend.patches import Running, run_patches

from .conftest import QUICK, patches_of, products

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'meas_deblend[dask]'")

# What Dask's own threads leave open when a worker is killed is not ours to close.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Address of a scheduler with two worker processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as found:
        yield found


def test_a_cluster_with_a_killed_worker_gives_the_same_products(cluster, coadds, finished, tmp_path):
    address = cluster.scheduler_address.removeprefix("tcp://")
    patches = patches_of(coadds)
    before = {worker.pid for worker in cluster.workers.values()}
    killed = []

    def kill_one(*_):
        # The first patch is done, and whoever is at another dies.
        if not killed:
            killed.append(_busy(cluster, tmp_path / "out"))
            os.kill(killed[0], signal.SIGKILL)

    result = run_patches(patches, tmp_path / "out", QUICK, Running(executor=f"dask://{address}"), kill_one)
    assert killed[0] in before
    assert {one.entry.name: str(one.outcome) for one in result.results} == {"7/0": "ok", "7/1": "ok", "8/2": "ok"}
    assert products(tmp_path / "out") == products(finished)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name.endswith(".tmp")]
    hosts = {manifest.process for one in result.results for manifest in one.manifests}
    assert os.getpid() not in hosts


def _busy(cluster, folder):
    """Process of a worker that is at a patch, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(folder.glob("*/.*.tmp")):
        time.sleep(0.01)
    pids = {worker.worker_address: worker.pid for worker in cluster.workers.values()}
    addresses = [state.address for state in cluster.scheduler.workers.values() if state.processing]
    return pids[addresses[0]] if addresses else next(iter(pids.values()))


def test_where_nobody_answers_is_told(coadds, tmp_path, monkeypatch):
    monkeypatch.setattr("meas_deblend.patches.executors._PATIENCE", "1s")
    patches = patches_of(coadds)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at 127\.0\.0\.1:9"):
        run_patches(patches, tmp_path / "out", QUICK, Running(executor="dask://127.0.0.1:9"))
    assert not (tmp_path / "out").exists()
