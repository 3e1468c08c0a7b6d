"""Values on their way from workers: the same values, and equal arrays once."""

from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.framework import _transfer
from meas_deblend.framework._transfer import Known, Receiver, Sender, widen


class Line:
    """A connection within this process: what is sent is received at the same time, or the system's room is full."""

    def __init__(self, known):
        ours, self.theirs = Pipe()
        self.ours = ours
        self.sender, self.receiver = Sender(self.theirs), Receiver(ours, known)

    def through(self, value):
        """Send a value, and return what arrives."""
        with ThreadPoolExecutor(1) as thread:
            sent = thread.submit(self.sender.send, value)
            arrived = self.receiver.receive()
            sent.result()
        return arrived

    def close(self):
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def lines():
    known = Known()
    made = [Line(known), Line(known)]
    yield made
    for line in made:
        line.close()


def stamp(value, count=1000):
    return np.full(count, float(value))


def test_what_arrives_is_what_was_sent(lines):
    value = {"small": np.arange(5), "large": stamp(3), "text": "u", "nothing": np.zeros((0, 4)), "bits": np.eye(90) > 0}
    arrived = lines[0].through(value)
    assert arrived.keys() == value.keys()
    for name in ("small", "large", "nothing", "bits"):
        np.testing.assert_array_equal(arrived[name], value[name])
        assert arrived[name].dtype == value[name].dtype
        assert arrived[name].shape == value[name].shape
        arrived[name][...] = 0  # arrays may be written to, as those that were never sent
    assert arrived["text"] == "u"


def test_equal_arrays_are_held_once_wherever_they_come_from(lines):
    first, again = lines[0].through(stamp(3)), lines[0].through([stamp(3), stamp(4)])
    elsewhere = lines[1].through(stamp(3))
    assert np.shares_memory(first, again[0])
    assert np.shares_memory(first, elsewhere)
    assert not np.shares_memory(first, again[1])


def test_an_array_that_was_sent_before_is_not_sent_again(lines, monkeypatch):
    written = []
    write = _transfer._write
    monkeypatch.setattr(_transfer, "_write", lambda place, data: (written.append(data.nbytes), write(place, data)))
    for _ in range(3):
        lines[0].through(stamp(3))
    lines[1].through(stamp(3))
    assert written == [8000, 8000]


def test_planes_are_not_looked_for(lines, monkeypatch):
    monkeypatch.setattr(_transfer, "_UNIQUE_FROM", 8000)
    first, again = lines[0].through(stamp(3)), lines[0].through(stamp(3))
    np.testing.assert_array_equal(first, again)
    assert not np.shares_memory(first, again)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=30), st.lists(st.booleans(), min_size=30))
def test_both_ends_forget_the_same_arrays(messages, second):
    # Of ten arrays three are remembered.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_transfer, "_KEPT", 3)
        known = Known()
        lines = Line(known), Line(known)
        try:
            for numbers, other in zip(messages, second, strict=False):
                arrived = lines[other].through([stamp(number) for number in numbers])
                assert [array[0] for array in arrived] == numbers
        finally:
            for line in lines:
                line.close()


def test_what_cannot_be_pickled_is_not_sent_in_part(lines):
    with pytest.raises(Exception, match="pickle"):
        lines[0].sender.send([stamp(3), lambda: 0])
    assert not lines[0].ours.poll()
    # It is not taken for sent, either.
    assert lines[0].through(stamp(3))[0] == 3


def test_a_sender_that_is_gone_in_the_middle_is_told(lines):
    sender = lines[0].theirs
    sender.send((b"", [(b"key", 8000)]))
    sender.close()
    with pytest.raises(EOFError):
        lines[0].receiver.receive()


def test_a_widened_connection_holds_more(lines):
    widen(lines[0].theirs)
    # Nobody reads: without it the system blocks whoever sends somewhat more than 200 000 bytes.
    for number in range(40):
        lines[0].sender.send(stamp(number))
    assert [lines[0].receiver.receive()[0] for _ in range(40)] == list(range(40))
