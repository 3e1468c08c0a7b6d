"""Between the processes that run tests: what one of them has made, or compiled, the others take from it."""

import copyreg
import fcntl
import functools
import os
import pickle
import re
from contextlib import contextmanager
from types import MappingProxyType

__all__ = ["compile_once", "made_once"]


def made_once(tmp_path_factory, name, make):
    """Value of ``make()``; with several processes one of them calls it, and the others read what it made."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
    # The processes' folders lie beside each other.
    folder = tmp_path_factory.getbasetemp().parent
    path = folder / f"{name}.pickle"
    with _locked(folder / f"{name}.lock"):
        if not path.exists():
            value = make()
            path.write_bytes(pickle.dumps(value))
            return value
    return pickle.loads(path.read_bytes())  # noqa: S301 - what we have just written


def compile_once(folder):
    """Let no two processes compile the same function at the same time: who comes later finds it in the cache.

    Parameters
    ----------
    folder : Path
        Shared by the processes; is made where it is missing.
    """
    from numba.core.dispatcher import Dispatcher  # noqa: PLC0415 - only where it is needed

    folder.mkdir(exist_ok=True)
    plain = Dispatcher.compile

    @functools.wraps(plain)
    def compile_or_wait(self, signature):
        function = self.py_func
        if not function.__module__.startswith("meas_deblend"):
            return plain(self, signature)
        name = re.sub(r"[^\w.]", "_", f"{function.__module__}.{function.__qualname__}")
        # A function waits only for those that it calls, and none of them calls it: nobody waits for ever.
        with _locked(folder / name):
            return plain(self, signature)

    Dispatcher.compile = compile_or_wait


def _read_only(mapping):
    return MappingProxyType(mapping)


@contextmanager
def _locked(path):
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
