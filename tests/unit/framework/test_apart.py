"""A call in a process of its own: its result, its errors, and its memory."""

import os
import resource

import numpy as np
import pytest

from meas_deblend.exceptions import WorkerDiedError
from meas_deblend.framework import call_apart, can_call_apart


def test_the_result_comes_back_from_another_process():
    assert can_call_apart()
    value, process = call_apart(lambda: ([1, 2], os.getpid()), "work")
    assert value == [1, 2]
    assert process != os.getpid()


def test_what_is_raised_there_is_raised_here():
    def fail():
        raise ValueError("made to fail")

    with pytest.raises(ValueError, match="made to fail"):
        call_apart(fail, "work")


def test_a_process_that_is_ended_is_an_error():
    with pytest.raises(WorkerDiedError, match=r"work: .* was ended with exit code 3, 2 times"):
        call_apart(lambda: os._exit(3), "work")


def test_its_memory_is_not_ours():
    # Kilobytes; 300 MB are touched there, and a tenth of that is more than the call itself takes.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    there = call_apart(
        lambda: (np.ones(300 << 17).sum(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)[1], "work"
    )
    assert there > 300_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000
