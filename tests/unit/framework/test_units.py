"""Units of work in one process and in several: the same results, the same errors, and nobody lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from meas_deblend.exceptions import InputError, WorkerDiedError
from meas_deblend.framework import (
    Checkpoint,
    Loop,
    OnDemand,
    Resumable,
    Workplace,
    checkpoint,
    iterate_units,
    map_units,
    working,
)
from meas_deblend.framework.progress import reporting_to
from meas_deblend.framework.task import _cpu_seconds


def power(shared, unit):
    return shared**unit


def mapped(function, units, shared=None, jobs=1, **about):
    with working(Workplace(jobs)):
        return map_units(function, units, shared, loop=Loop(**about))


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_come_in_the_order_of_the_units(jobs):
    assert mapped(power, [3, 1, 2, 0], 2, jobs) == [8, 2, 4, 1]
    assert mapped(power, [3, 1, 2, 0], 2, jobs, cost=float) == [8, 2, 4, 1]
    assert mapped(power, [], 2, jobs) == []
    assert mapped(power, [5], 2, jobs) == [32]


def test_several_processes_are_used_and_see_what_is_shared_without_a_copy():
    shared = np.zeros(1 << 20)
    address = shared.ctypes.data

    def where(array, unit):
        time.sleep(0.02)
        return os.getpid(), array.ctypes.data, unit

    found = mapped(where, range(8), shared, 3)
    processes = {pid for pid, _, _ in found}
    # The first unit is done here, so that what it loads is there in all workers.
    assert os.getpid() in processes
    assert len(processes) == 4
    assert {place for _, place, _ in found} == {address}


def test_the_costliest_are_started_first_and_the_cheapest_before_them(tmp_path):
    def log(folder, unit):
        with (folder / "log").open("a") as stream:
            stream.write(f"{unit}\n")
        time.sleep(0.2)

    mapped(log, [3, 5, 1, 4], tmp_path, 2, cost=float)
    begun = [int(line) for line in (tmp_path / "log").read_text().split()]
    assert begun[0] == 1
    assert set(begun[1:3]) == {5, 4}  # two workers, which start at about the same time


def test_units_are_started_together_only_within_the_memory_budget(tmp_path):
    def work(folder, unit):
        (folder / str(unit)).touch()
        time.sleep(0.1)
        beside = sum(int(path.name) for path in folder.iterdir())
        (folder / str(unit)).unlink()
        return beside

    # 9 is more than the budget, and is worked on alone; what is small takes the place beside what is large.
    found = mapped(work, [9, 6, 5, 3, 2, 1], tmp_path, 3, cost=float, memory=float, memory_budget=8.0)
    assert max(found[1:]) <= 8
    assert found[0] == 9


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_that_of_the_first_unit_that_has_one(jobs):
    def fails(_, unit):
        if unit in (2, 6):
            raise KeyError(f"unit {unit}")
        return unit

    # By cost 6 is started long before 2.
    with pytest.raises(KeyError, match="unit 2") as caught:
        mapped(fails, list(range(9)), None, jobs, cost=float)
    assert jobs == 1 or "in fails" in caught.value.__notes__[0]


def test_an_error_that_cannot_be_sent_keeps_its_text():
    class OddError(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def fails(_, unit):
        raise OddError(unit, "something")

    with pytest.raises(Exception, match="0 and something"):
        mapped(fails, [0, 1, 2], None, 2)
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        mapped(lambda _, unit: lambda: unit, [0, 1, 2], None, 2, cost=lambda unit: -unit)


def dies(folder, unit):
    """Die with unit 3: always, or only the first time."""
    mark = folder / f"{unit}-{time.monotonic_ns()}"
    mark.touch()
    deaths = len(list(folder.glob("3-*")))
    if unit == 3 and deaths <= int((folder / "deaths").read_text()):
        os.kill(os.getpid(), signal.SIGKILL)
    return unit


def test_a_worker_that_dies_once_costs_nothing(tmp_path):
    (tmp_path / "deaths").write_text("1")
    assert mapped(dies, range(8), tmp_path, 2) == list(range(8))
    assert len(list(tmp_path.glob("3-*"))) == 2


def test_a_unit_that_takes_its_worker_with_it_twice_is_named(tmp_path):
    (tmp_path / "deaths").write_text("9")
    text = "parent 3: the process that worked on it was ended by SIGKILL, 2 times; the system kills .* memory runs out"
    with pytest.raises(WorkerDiedError, match=text):
        mapped(dies, range(8), tmp_path, 2, name=lambda unit: f"parent {unit}")


def test_a_lost_unit_can_have_a_result_and_the_others_go_on(tmp_path):
    (tmp_path / "deaths").write_text("9")
    found = mapped(dies, range(8), tmp_path, 2, lost=lambda unit, error: f"{unit} lost: {type(error).__name__}")
    assert found == [0, 1, 2, "3 lost: WorkerDiedError", 4, 5, 6, 7]


def test_what_was_sent_ahead_to_a_worker_that_dies_goes_to_others_and_counts_as_no_attempt(tmp_path):
    (tmp_path / "deaths").write_text("9")

    def alike(unit):
        return 1.0

    found = mapped(dies, range(60), tmp_path, 2, cost=alike, lost=lambda unit, _: f"{unit} lost")
    assert found == [0, 1, 2, "3 lost", *range(4, 60)]
    assert len(list(tmp_path.glob("3-*"))) == 2


def test_workers_go_on_while_a_result_is_looked_at():
    def when(_, unit):
        time.sleep(0.01)
        return time.monotonic(), os.getpid()

    with working(Workplace(2)):
        coming = iterate_units(when, range(60), None, loop=Loop(cost=lambda unit: 60.0 - unit, ahead=False))
        first, _ = next(coming)
        time.sleep(0.5)
        looked = time.monotonic()
        later = list(coming)
    # Each worker had a unit, and one ahead.
    assert sum(done < looked for done, _ in later) >= 3
    assert first < looked
    assert len({pid for _, pid in later}) == 2


def test_no_unit_waits_behind_a_long_one_while_another_worker_has_nothing_to_do():
    def length(_, unit):
        time.sleep(unit)
        return os.getpid()

    # Few units, costly ones: whoever has done one takes the next.
    long, *short = mapped(length, [0.6, 0.1, 0.1, 0.1, 0.1], None, 2, cost=float, ahead=False)
    assert len(set(short)) == 1
    assert long not in short


def test_equal_arrays_of_several_results_are_one():
    def stamp(_, unit):
        return np.full((50, 50), 1.5), np.full(3, float(unit))

    found = mapped(stamp, range(6), None, 2)
    assert all(np.array_equal(small, np.full(3, k)) for k, (_, small) in enumerate(found))
    sent = found[:-1]  # the last was made here
    assert len({large.ctypes.data for large, _ in sent}) == 1
    assert len({small.ctypes.data for _, small in sent}) == len(sent)
    assert sent[0][0].flags.writeable


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_is_reported(jobs):
    calls = []
    with working(Workplace(jobs)), reporting_to(lambda *call: calls.append(call)):
        map_units(power, [1, 2, 3], 2, description="parents")
    assert calls == [(0, 3, "parents"), (1, 3, "parents"), (2, 3, "parents"), (3, 3, "parents")]


def test_what_a_unit_calls_has_one_process():
    def nested(_, unit):
        return map_units(power, [unit, unit + 1], 2)

    assert mapped(nested, [1, 2, 3], None, 2) == [[2, 4], [4, 8], [8, 16]]


def test_a_number_of_processes_that_is_none():
    with pytest.raises(InputError, match="the number of processes must be at least 1, not 0"):
        Workplace(0)


class Numbers:
    """Codec of the tests: JSON files of ``{unit: result}``."""

    suffix = ".json"

    def write(self, path, results):
        path.write_text(json.dumps({str(unit): value for unit, value in results}))

    def read(self, path):
        return {int(unit): (int(unit), value) for unit, value in json.loads(path.read_text()).items()}


KEPT = Resumable(key=int, codec=Numbers())


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_done_is_not_done_again(tmp_path, jobs):
    done = tmp_path / "done"
    done.mkdir()

    def work(fail_at, unit):
        if unit == fail_at:
            raise ZeroDivisionError
        (done / str(unit)).write_text("again" if (done / str(unit)).exists() else "once")
        return unit, unit**2

    folder = tmp_path / "checkpoint"
    about = {"config fit:max_iter": "50"}
    first = Checkpoint.open(folder, about)
    with pytest.raises(ZeroDivisionError), working(Workplace(jobs, first, "fit")):
        # A run that fails keeps what it has, as one that is killed.
        map_units(work, range(6), 4, loop=Loop(resumable=KEPT))
    again = Checkpoint.open(folder, about, resume=True)
    with working(Workplace(jobs, again, "fit")):
        assert map_units(work, range(6), None, loop=Loop(resumable=KEPT)) == [(k, k**2) for k in range(6)]
    assert {path.read_text() for path in done.iterdir()} == {"once"}
    with working(Workplace(jobs, again, "another")):
        assert map_units(work, range(6), None, loop=Loop(resumable=KEPT)) == [(k, k**2) for k in range(6)]
    assert {path.read_text() for path in done.iterdir()} == {"again"}
    again.remove()
    assert not folder.exists()


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    folder = tmp_path / "checkpoint"
    Checkpoint.open(folder, {"config fit:max_iter": "50", "images of band g": "1234", "version of numpy": "2.0"})
    with pytest.raises(InputError) as caught:
        Checkpoint.open(folder, {"config fit:max_iter": "60", "images of band g": "1234"}, resume=True)
    assert str(caught.value) == (
        f"{folder} was made with something else, and cannot be resumed: config fit:max_iter was 50, is 60; "
        "version of numpy was 2.0, is not there; go back to what it was, or start anew with --overwrite"
    )


def test_a_damaged_checkpoint_is_refused(tmp_path):
    Checkpoint.open(tmp_path / "c", {})
    (tmp_path / "c" / "checkpoint.json").write_text("{")
    with pytest.raises(InputError, match=r"checkpoint\.json is damaged .*start anew"):
        Checkpoint.open(tmp_path / "c", {}, resume=True)
    (tmp_path / "c" / "checkpoint.json").write_text('{"type": "other", "version": "9", "identity": {}}')
    with pytest.raises(InputError, match=r"is a other 9, not a meas_deblend\.checkpoint 1\.0\.0"):
        Checkpoint.open(tmp_path / "c", {}, resume=True)


def test_without_resuming_a_checkpoint_is_begun_anew_and_leftovers_go(tmp_path):
    folder = tmp_path / "checkpoint"
    for resume, left in ((True, True), (False, False)):
        Checkpoint.open(folder, {"a": "1"}, resume=resume)
        (folder / "fit-000000.json").write_text("{}")
        (folder / ".fit-000001.json.x.tmp").write_text("{")
        Checkpoint.open(folder, {"a": "1"}, resume=resume)
        assert (folder / "fit-000000.json").exists() == left
        assert not (folder / ".fit-000001.json.x.tmp").exists()


def test_values_on_demand():
    made = []

    def make(shared, unit):
        made.append(unit)
        return shared + unit

    values = OnDemand(make, [1, 2, 3], 10)
    assert (len(values), repr(values), made) == (3, "<3 values, on demand>", [])
    assert list(values) == [11, 12, 13]
    assert (values[-1], list(values[:2]), made) == (13, [11, 12], [1, 2, 3, 3, 1, 2])
    with pytest.raises(IndexError):
        values[3]


WORKING = """
import os, signal, sys, time
from meas_deblend.framework import Workplace, map_units, working

# Whoever started the tests in the background may have left it to be ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

def work(_, unit):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once: two processes write here
    if unit:
        time.sleep(600)

with working(Workplace(2)):
    map_units(work, [0, 1, 2], None, loop=None)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_the_run(how, tmp_path):
    script = tmp_path / "work.py"
    script.write_text(
        WORKING.replace("if unit", "if os.getpid() != MAIN").replace("def work", "MAIN = os.getpid()\n\ndef work")
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603 -- our own script
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        workers = [int(run.stdout.readline()) for _ in range(3)]
        assert workers[0] == run.pid
        run.send_signal(how)
        run.wait(120)
        said = run.stderr.read()
    until = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in workers[1:]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers[1:])
    assert ("KeyboardInterrupt" in said) == (how == signal.SIGINT)


def test_time_of_workers_counts():
    def busy(_, unit):
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass

    before = _cpu_seconds()
    mapped(busy, range(4), None, 2)
    assert _cpu_seconds() - before >= 0.78  # of which 0.2 here; system clocks count hundredths


def test_memory_goes_back_to_the_system(tmp_path):
    """Arrays of 4 MiB come from the C library's heap, where the small ones behind them would keep them."""
    script = tmp_path / "memory.py"
    script.write_text(MEMORY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=True)  # noqa: S603 -- our own script
    before, after = map(int, out.stdout.split())
    assert before > 100 << 10
    assert after < before / 4


MEMORY = """
import numpy as np
from meas_deblend._heap import release_memory

def resident():
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS"))

# Once an array of this size is freed, the next ones come from the heap.
first = np.ones(1 << 21)
del first
start = resident()
large, small = [], []
for _ in range(40):
    large.append(np.ones(1 << 19))
    small.append(np.ones(2000))
large.clear()
before = resident() - start
release_memory()
print(before, resident() - start)
"""


def test_results_are_given_while_others_are_at_work():
    def slow(_, unit):
        time.sleep(0.05 * unit)
        return time.monotonic()

    with working(Workplace(2)):
        coming = iterate_units(slow, [1, 1, 12], None, loop=Loop(ahead=False))
        first = next(coming)
        given = time.monotonic()
        *_, last = coming
    assert first < given < last


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_came_before_an_error_is_given(jobs):
    def fails(_, unit):
        return 1 / (3 - unit)

    given = []
    with working(Workplace(jobs)), pytest.raises(ZeroDivisionError):
        given.extend(iterate_units(fails, range(6), None))
    assert given == [1 / 3, 1 / 2, 1]


def test_preparations_are_made_here_while_workers_work_and_what_is_left_waits():
    made = []

    def steps():
        for n in range(1000):
            yield lambda n=n: (time.sleep(0.02), made.append((n, os.getpid())))

    preparations = steps()
    for _ in range(2):
        before = len(made)
        with working(Workplace(2, preparations=preparations)):
            assert map_units(lambda _, unit: time.sleep(0.1) or unit, [1, 2], None, loop=Loop(ahead=False)) == [1, 2]
        assert before < len(made) < 1000
    # Each once, in their order, none left out.
    assert made == [(n, os.getpid()) for n in range(len(made))]


def test_preparations_are_left_to_who_needs_them_where_there_is_one_process():
    preparations = iter([lambda: 1 / 0])
    with working(Workplace(1, preparations=preparations)):
        assert map_units(power, [1, 2], 2) == [2, 4]
    assert next(preparations, None) is not None


def test_an_error_of_a_preparation_is_raised():
    def fails():
        raise KeyError("no compiler")

    with working(Workplace(2, preparations=iter([fails]))), pytest.raises(KeyError, match="no compiler"):
        map_units(lambda _, unit: time.sleep(0.1) or unit, [1, 2], None, loop=Loop(ahead=False))


def test_a_worker_that_is_hired_again_waits_for_the_preparation_at_hand(tmp_path):
    (tmp_path / "deaths").write_text("1")
    made = []
    steps = iter([lambda: (time.sleep(0.3), made.append(1))])
    with working(Workplace(2, preparations=steps)):
        assert map_units(dies, range(8), tmp_path, loop=Loop()) == list(range(8))
    assert made == [1]


def test_results_wait_longer_where_writing_takes_long(tmp_path, monkeypatch):
    clock, takes = [0.0], [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])

    class Slow(Numbers):
        def write(self, path, results):
            clock[0] += takes[0]
            super().write(path, results)

    batches = Checkpoint(tmp_path).batches("fit", Slow())
    # Writing takes so long, and the next file so long after the first result that waits.
    for takes[0], pause in ((0.01, 2.0), (0.1, 5.0), (3.0, 20.0)):
        batches.add((0, 0))
        batches.flush()
        before = len(list(tmp_path.glob("fit-*")))
        batches.add((1, 1))
        clock[0] += 0.99 * pause
        batches.add((2, 4))
        assert len(list(tmp_path.glob("fit-*"))) == before
        clock[0] += 0.02 * pause
        batches.add((3, 9))
        assert len(list(tmp_path.glob("fit-*"))) == before + 1
