"""Values on their way from a worker process: arrays that come several times are held once."""

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Receiver", "send"]

_APART_FROM = 1 << 12
"""Buffers from this size on [bytes] are sent apart, and looked for among those that came before."""

_KEPT = 4096


def send(connection: Connection, value: object) -> None:
    """Send a value; the bytes of its large arrays follow one by one, so that none is copied into a message.

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
    connection.send((message, len(apart)))
    for part in apart:
        connection.send_bytes(part)


class Receiver:
    """Takes what `send` sent, from any number of connections.

    PSFs and other arrays that many results have in common are one object in a run without workers. They come from
    each worker, and with each result, anew: equal buffers are replaced by the first of them, or they would fill the
    memory.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, bytearray] = OrderedDict()

    def receive(self, connection: Connection) -> Any:
        """Wait for a value.

        Raises
        ------
        EOFError, OSError
            If the other side is gone.
        """
        message, count = connection.recv()
        # Bytearrays, since arrays on them may be written to, as those that were never sent.
        buffers = [self._one(bytearray(connection.recv_bytes())) for _ in range(count)]
        return pickle.loads(message, buffers=_views(buffers))  # noqa: S301 -- from a process that we started

    def _one(self, buffer: bytearray) -> bytearray:
        key = blake2b(buffer, digest_size=20).digest()
        known = self._known.setdefault(key, buffer)
        self._known.move_to_end(key)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known


def _views(buffers: Sequence[bytearray]) -> list[memoryview]:
    return [memoryview(buffer) for buffer in buffers]
