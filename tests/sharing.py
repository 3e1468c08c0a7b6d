"""Between the processes that run tests: what one of them has made the others take from it."""

import copyreg
import os
import pickle
from types import MappingProxyType

from meas_deblend._compile_locks import locked

__all__ = ["made_once"]


def made_once(tmp_path_factory, name, make):
    """Value of ``make()``; with several processes one of them calls it, and the others read what it made."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
    # The processes' folders lie beside each other.
    folder = tmp_path_factory.getbasetemp().parent
    path = folder / f"{name}.pickle"
    with locked(folder / f"{name}.lock"):
        if not path.exists():
            value = make()
            path.write_bytes(pickle.dumps(value))
            return value
    return pickle.loads(path.read_bytes())  # noqa: S301 - what we have just written


def _read_only(mapping):
    return MappingProxyType(mapping)
