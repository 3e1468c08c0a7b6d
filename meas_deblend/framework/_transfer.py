"""Values on their way from a worker process: arrays that come several times are sent once, and held once."""

import os
import pickle
import socket
from collections import OrderedDict
from hashlib import blake2b
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

__all__ = ["Known", "Receiver", "Sender", "widen"]

V = TypeVar("V")

_APART_FROM = 1 << 12
"""Buffers from this size on [bytes] are sent apart from the message, which they would be copied into."""

_UNIQUE_FROM = 1 << 22
"""Buffers from this size on [bytes] are not looked for among those that were sent before: planes of an image."""

_KEPT = 1024
"""So many buffers are remembered of each process."""

_ROOM = 1 << 20
"""Bytes that may wait in a connection, as far as the system allows: whoever sends them goes on meanwhile."""


def widen(connection: Connection) -> None:
    """Let more bytes wait in a connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)


class _Recent(Generic[V]):
    """The last values by key; two of them that are asked for the same keys know the same keys."""

    def __init__(self) -> None:
        self._values: OrderedDict[bytes, V] = OrderedDict()

    def get(self, key: bytes) -> V | None:
        """Return a value, and take it for the latest."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: bytes, value: V) -> None:
        """Add a value, and forget the one that was asked for longest ago."""
        self._values[key] = value
        if len(self._values) > _KEPT:
            self._values.popitem(last=False)


class Sender:
    """Sends values, to a `Receiver` at the other end.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent: _Recent[bool] = _Recent()

    def send(self, value: object) -> None:
        """Send a value; the bytes of its large arrays follow one by one, those that were not sent before.

        Raises
        ------
        Exception
            Whatever pickling raises, before anything is sent.
        """
        apart: list[memoryview] = []

        def in_message(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes >= _APART_FROM:
                apart.append(raw)
            return raw.nbytes < _APART_FROM

        message = pickle.dumps(value, protocol=5, buffer_callback=in_message)
        labels: list[tuple[bytes, int]] = []
        following: list[memoryview] = []
        for part in apart:
            key = b"" if part.nbytes >= _UNIQUE_FROM else blake2b(part, digest_size=20).digest()
            known = bool(key) and self._sent.get(key) is not None
            if key and not known:
                self._sent.put(key, True)
            labels.append((key, -1 if known else part.nbytes))
            following += [] if known else [part]
        self._connection.send((message, labels))
        for part in following:
            _write(self._connection.fileno(), part)


class Known(_Recent[bytearray]):
    """Buffers that any process sent.

    PSFs and other arrays that many results have in common are one object in a run without workers. They come from each
    worker anew: equal buffers are replaced by the first of them, or they would fill the memory.
    """


class Receiver:
    """Takes what a `Sender` sent.

    Parameters
    ----------
    connection : Connection
    known : Known
        What all receivers have in common.
    """

    def __init__(self, connection: Connection, known: Known) -> None:
        self._connection, self._known = connection, known
        self._received: _Recent[bytearray] = _Recent()

    def receive(self) -> Any:
        """Wait for a value.

        Raises
        ------
        EOFError, OSError
            If the other side is gone.
        """
        message, labels = self._connection.recv()
        buffers = [memoryview(self._buffer(key, size)) for key, size in labels]
        return pickle.loads(message, buffers=buffers)  # noqa: S301 -- from a process that we started

    def _buffer(self, key: bytes, size: int) -> bytearray:
        """Return the buffer of a key, of so many bytes that follow, or, if they are below 0, one that came before."""
        known = self._received.get(key) if key else None
        if size < 0:
            if known is None:
                raise EOFError("a buffer is missing")
            return known
        # Bytearrays, since arrays on them may be written to, as those that were never sent.
        buffer = bytearray(size)
        _read(self._connection.fileno(), memoryview(buffer))
        if key:
            first = self._known.get(key)
            if first is None:
                self._known.put(key, buffer)
            buffer = buffer if first is None else first
            self._received.put(key, buffer)
        return buffer


def _write(place: int, data: memoryview) -> None:
    """Write all bytes to an open file; a connection's own messages are copied on their way."""
    while data.nbytes:
        data = data[os.write(place, data) :]


def _read(place: int, room: memoryview) -> None:
    """Read as many bytes as there is room for."""
    while room.nbytes:
        count = os.readv(place, [room])
        if count == 0:
            raise EOFError("the other side is gone")
        room = room[count:]
