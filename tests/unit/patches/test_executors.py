"""Jobs are all done, in whatever way, and a worker that dies costs only the job that kills it."""

import os
import signal
import time

import pytest

from meas_deblend.exceptions import InputError, WorkerDiedError
from meas_deblend.patches import open_workers, work_through
from meas_deblend.patches.child import Child


def double(number):
    return 2 * number


def refuse(number):
    raise ValueError(f"not {number}")


def deadly(job):
    """Numbers are doubled; a name kills its process, and a path does so the first time."""
    if isinstance(job, int):
        time.sleep(0.05)
        return 2 * job
    if not job.startswith("/") or not os.path.exists(job):  # noqa: PTH110 - in a child process
        if job.startswith("/"):
            open(job, "w").close()  # noqa: PTH123
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def results(function, jobs, kind, number):
    with open_workers(kind, number) as workers:
        return {done.job: done for done in work_through(function, jobs, workers, lambda: True)}


@pytest.mark.parametrize(("kind", "number"), [(None, 1), (None, 2), ("processes", 1), ("processes", 3)])
def test_all_jobs_are_done(kind, number):
    found = results(double, range(7), kind, number)
    assert {job: done.result for job, done in found.items()} == {job: 2 * job for job in range(7)}


@pytest.mark.parametrize("number", [1, 2])
def test_errors_come_back(number):
    found = results(refuse, range(3), None, number)
    assert [str(found[job].error) for job in range(3)] == ["not 0", "not 1", "not 2"]


def test_who_kills_its_worker_is_given_up_and_nobody_else(tmp_path):
    found = results(deadly, [1, 2, "killer", 3, str(tmp_path / "once"), 4, 5], "processes", 2)
    assert {job: found[job].result for job in range(1, 6)} == {job: 2 * job for job in range(1, 6)}
    assert found[str(tmp_path / "once")].result == "survived"
    error = found["killer"].error
    assert isinstance(error, WorkerDiedError)
    assert "ended from outside, 2 times, the last time with nothing beside it" in str(error) or "3 times" in str(error)


def test_what_is_not_wanted_any_more_is_not_started():
    seen = []
    with open_workers(None, 1) as workers:
        for one in work_through(double, range(9), workers, lambda: len(seen) < 3):
            seen.append(one.job)
    assert seen == [0, 1, 2]


def test_workers_end_with_the_block():
    with open_workers("processes", 2) as workers:
        pids = {done.result for done in work_through(own_pid, range(8), workers, lambda: True)}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def own_pid(_):
    time.sleep(0.02)
    return os.getpid()


@pytest.mark.parametrize(
    ("kind", "number", "message"),
    [
        (None, 0, "the number of processes must be at least 1, not 0"),
        ("threads", 2, "no executor 'threads': there are processes, dask and dask://HOST:PORT"),
    ],
)
def test_executors_that_are_not_there_are_refused(kind, number, message):
    with pytest.raises(InputError, match=message), open_workers(kind, number):
        pass


def test_a_child_answers_and_is_replaced_when_it_was_killed():
    child = Child()
    assert child.call(abs, -3) == 3
    with pytest.raises(TypeError):
        child.call(abs, "x")
    with pytest.raises(WorkerDiedError, match="ended with exit code -9"):
        child.call(signal.raise_signal, signal.SIGKILL)
    assert child.call(abs, -4) == 4
    child.close()
