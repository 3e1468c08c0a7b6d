"""How worker processes are started, and begin: forked, unless a library is loaded that does not survive it."""

import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading

__all__ = ["begin_worker", "can_be_sent", "start_method"]

_THREADED = ("jax", "torch", "tensorflow")
"""Libraries whose threads hold locks: in a process that is forked from one that has them, these stay locked."""

_log = logging.getLogger("meas_deblend.runner")


def start_method() -> str:
    """Return "fork", or "spawn" where a library is loaded after which a forked process may hang.

    A forked process sees everything that is here without a copy. One that is spawned starts with a new interpreter,
    and what it works on is sent to it.
    """
    return "spawn" if any(name in sys.modules for name in _THREADED) else "fork"


def can_be_sent(value: object) -> bool:
    """Whether a value can be pickled; what is in arrays is not copied for that."""
    try:
        pickle.dumps(value, protocol=5, buffer_callback=lambda _: None)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        _log.warning("work that cannot be sent to processes that are started anew is done in one (%s)", error)
        return False
    return True


def begin_worker() -> None:
    """Begin in a worker process: Ctrl-C, which reaches all processes of a terminal, is for who started this one.

    Where that ends, in whatever way, this process does too, even in the middle of something.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
