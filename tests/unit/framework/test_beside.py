"""A call in a process of its own while this one goes on: its result, its errors, and arrays in common memory."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from meas_deblend.exceptions import WorkerDiedError
from meas_deblend.framework import Workplace, map_units, working
from meas_deblend.framework.apart import CallBeside
from meas_deblend.framework.beside import SharedRoom, can_call_beside

pytestmark = pytest.mark.skipif(not can_call_beside(), reason="needs memory files and forks")


def result_of(function, steps=()):
    with closing(CallBeside(function, "work")) as call:
        return call.result(iter(steps))


def test_the_call_begins_at_once():
    def when():
        return time.monotonic(), os.getpid()

    with closing(CallBeside(when, "work")) as call:
        time.sleep(0.5)
        asked = time.monotonic()
        begun, process = call.result(iter(()))
    assert begun < asked
    assert process != os.getpid()


def test_preparations_are_made_while_somebody_waits():
    made = []
    assert result_of(lambda: time.sleep(0.5) or 7, [lambda: made.append(os.getpid())]) == 7
    assert made == [os.getpid()]


def test_what_is_raised_there_is_raised_here():
    def fail():
        raise ValueError("made to fail")

    with pytest.raises(ValueError, match="made to fail"):
        result_of(fail)


def test_a_process_that_is_ended_is_an_error():
    with pytest.raises(WorkerDiedError, match=r"work: .* was ended by SIGKILL, 2 times"):
        result_of(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_it_may_use_several_processes():
    def several():
        with working(Workplace(2)):
            return map_units(lambda _, unit: (unit, os.getpid()), range(4), None)

    found = result_of(several)
    assert [unit for unit, _ in found] == [0, 1, 2, 3]
    assert os.getpid() not in {process for _, process in found}


def test_the_process_ends_when_nobody_waits_for_it(tmp_path):
    with closing(CallBeside(lambda: (tmp_path / "pid").write_text(str(os.getpid())) and time.sleep(600), "work")):
        until = time.monotonic() + 60
        while not (tmp_path / "pid").exists() and time.monotonic() < until:
            time.sleep(0.01)
    time.sleep(0.1)
    process = (tmp_path / "pid").read_text()
    assert not Path(f"/proc/{process}").exists()


@pytest.mark.parametrize("dtype", ["f4", "i8", "?"])
def test_arrays_that_were_made_there_are_found_here(dtype):
    values = (np.arange(6000).reshape(2, 50, 60) % 7).astype(dtype)

    def make():
        first = room.empty(values.shape, dtype)
        assert not first.any()
        first[...] = values
        return [room.place_of(array) for array in (first, values[:, ::2], values[:0])]

    with closing(SharedRoom()) as room:
        found = [room.take(place) for place in result_of(make)]
    for array, expected in zip(found, (values, values[:, ::2], values[:0]), strict=True):
        assert array.dtype == values.dtype
        assert np.array_equal(array, expected)
    found[0][0, 0, 0] = 1
    assert found[0][0, 0, 0] == 1


def test_what_is_written_here_nobody_else_sees():
    with closing(SharedRoom()) as room:
        place = result_of(lambda: room.place_of(np.zeros(10)))
        first, second = room.take(place), room.take(place)
    first[:] = 1
    assert not second.any()
