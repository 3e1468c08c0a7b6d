import io
import logging

import pytest

from meas_deblend.framework import LogObserver, Outcome, QuantumReport, TerminalObserver, progress, watching
from meas_deblend.framework.progress import reporting_to


def heard(items, *args, **kwargs):
    calls = []
    with reporting_to(lambda *call: calls.append(call)):
        got = list(progress(items, *args, **kwargs))
    return got, calls


def test_items_pass_through_and_are_counted():
    got, calls = heard("abc", description="letters")
    assert got == ["a", "b", "c"]
    assert calls == [(0, 3, "letters"), (1, 3, "letters"), (2, 3, "letters"), (3, 3, "letters")]


def test_length_may_be_unknown_or_told():
    assert heard(iter("ab"))[1] == [(0, None, ""), (1, None, ""), (2, None, "")]
    assert heard(iter("ab"), 5)[1][-1] == (2, 5, "")
    assert heard([])[1] == [(0, 0, "")]


def test_progress_by_cost():
    assert [call[:2] for call in heard([1, 7, 2], cost=float)[1]] == [(0, 10), (1, 10), (8, 10), (10, 10)]
    with pytest.raises(TypeError, match="progress by cost needs a sequence, not a"):
        heard(iter([1]), cost=float)


def test_outside_a_run_nothing_is_reported():
    _, calls = heard([])
    assert list(progress([1, 2])) == [1, 2]
    assert len(calls) == 1


def test_an_error_in_the_block_restores_the_one_who_listened():
    outer = []
    with reporting_to(lambda *call: outer.append(call)):
        with pytest.raises(KeyError), reporting_to(lambda *_: None):
            raise KeyError
        list(progress([1]))
    assert len(outer) == 2


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_line_every_five_seconds(lines):
    clock = Clock()
    observer = LogObserver(clock=clock)
    for step in range(1, 100):
        clock.now = float(step)
        observer.progress("fit", step, 1000, "parents")
    assert len(lines()) == 19  # the first call starts the clock at 1 s, so 6 s, 11 s ... 96 s
    assert lines()[0] == "fit: 1 % (6 of 1000 parents), 5 s, about 828 s left"


def test_a_line_every_tenth_but_not_in_a_burst(lines):
    clock = Clock()
    observer = LogObserver(clock=clock)
    for step in range(101):
        clock.now = step / 10  # 10 s for all: a tenth takes 1 s
        observer.progress("fit", step, 100, "parents")
    assert [line.split()[1] for line in lines()] == [str(percent) for percent in range(10, 101, 10)]
    before = len(lines())
    for step in range(101):
        observer.progress("fast", step, 100, "parents")  # no time goes by
    assert len(lines()) == before


def test_a_line_without_a_total(lines):
    clock = Clock()
    observer = LogObserver(clock=clock)
    observer.progress("fit", 0, None, "")
    clock.now = 7.0
    observer.progress("fit", 3, None, "")
    assert lines() == ["fit: 3, 7 s"]


def report(outcome, error=None):
    return QuantumReport("fit", {}, outcome, 1.5, 1.0, 100.0, {"peaks": 2}, error)


def test_starts_and_ends_are_lines(lines, caplog):
    observer = LogObserver()
    observer.task_started("fit")
    observer.task_finished(report(Outcome.OK))
    observer.task_finished(report(Outcome.FAILED, "ValueError: no"))
    assert lines() == ["fit: started", "fit: ok in 1.50 s, 2 peaks", "fit: failed in 1.50 s, 2 peaks"]
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO", "WARNING"]


def test_what_was_passed_over_is_no_line(lines):
    observer = LogObserver()
    observer.task_finished(report(Outcome.NO_WORK, "no pixel is bright"))
    observer.task_finished(QuantumReport("measure", {}, Outcome.NO_WORK, error="not run: ...", passed_over=True))
    observer.task_finished(QuantumReport("measure", {}, Outcome.FAILED, error="not run: ...", passed_over=True))
    assert lines() == ["fit: no_work in 1.50 s, 2 peaks: no pixel is bright"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_pipe_gets_log_lines():
    with watching(io.StringIO()) as observer:
        assert isinstance(observer, LogObserver)


def test_a_terminal_gets_bars_and_a_line_that_stays(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with watching(stream) as observer:
        assert isinstance(observer, TerminalObserver)
        observer.task_started("fit")
        observer.progress("fit", 1, 4, "parents [of all]")
        observer.progress("fit", 2, 4, "parents [of all]")
        observer._bars.refresh()
        observer.task_finished(report(Outcome.OK))
        assert observer._bars.tasks == []
    text = stream.getvalue()
    assert "parents [of all]" in text  # what is counted is not taken for markup
    assert "50%" in text
    assert "fit: ok in 1.50 s, 2 peaks" in text
