"""Worker processes beside libraries that do not survive a fork."""

import logging
import os
import sys
import types

import pytest

from meas_deblend.framework import Loop, Workplace, map_units, working
from meas_deblend.framework._start import can_be_sent, start_method
from meas_deblend.patches import open_workers, work_through

#: What `eval` does there: tests cannot be imported by processes that are started anew.
WHO = "(__import__('os').getpid(), 'jax' in __import__('sys').modules)"


@pytest.fixture
def threaded(monkeypatch):
    """A library with threads is loaded: in name alone."""
    monkeypatch.setitem(sys.modules, "jax", types.ModuleType("jax"))


def _mapped(function, units, shared, jobs):
    with working(Workplace(jobs)):
        return map_units(function, units, shared, loop=Loop(ahead=False, name=lambda unit: f"unit {unit}"))


def test_processes_are_forked_unless_threads_of_others_forbid_it(monkeypatch):
    for name in ("jax", "torch", "tensorflow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert start_method() == "fork"
    for name in ("jax", "torch", "tensorflow"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, types.ModuleType(name))
            assert start_method() == "spawn"


def test_units_are_worked_on_in_new_processes(threaded):
    found = _mapped(eval, [{}, {}, {}], WHO, 2)
    assert os.getpid() not in {process for process, _ in found}
    # A forked process would have the library.
    assert not any(loaded for _, loaded in found)
    assert _mapped(pow, [3, 1, 2], 2, 2) == [8, 2, 4]


def test_errors_come_back(threaded):
    with pytest.raises(ZeroDivisionError, match="by zero") as caught:
        _mapped(divmod, [1, 0, 2], 6, 2)
    assert any("raised in process" in note for note in caught.value.__notes__)


def test_work_that_cannot_be_sent_is_done_here(threaded, caplog):
    with caplog.at_level(logging.WARNING):
        assert _mapped(lambda shared, unit: (os.getpid(), shared + unit), [1, 2], 3, 2) == [
            (os.getpid(), 4),
            (os.getpid(), 5),
        ]
    assert "work that cannot be sent to processes that are started anew is done in one" in caplog.text
    assert can_be_sent(pow)


def test_patches_are_worked_on_in_new_processes(threaded):
    with open_workers("processes", 2) as workers:
        found = [done.result for done in work_through(eval, [WHO, WHO, WHO], workers, lambda: True)]
    assert os.getpid() not in {process for process, _ in found}
    assert not any(loaded for _, loaded in found)
