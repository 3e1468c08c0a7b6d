"""Resident memory of this process, as the system counts it."""

import re
import resource
import sys
from pathlib import Path

__all__ = ["peak_memory_mb", "resident_mb"]

_STATUS = Path("/proc/self/status")


def peak_memory_mb() -> float:
    """Return the highest resident memory of this process so far [MiB].

    Where there is no ``VmHWM`` (Linux only) it is the system's count for the process, in which whoever started it may
    have a part: what a program held stays in that count when another takes its place.
    """
    peak = resident_mb("VmHWM")
    if peak is not None:
        return peak
    counted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return counted / 2**20 if sys.platform == "darwin" else counted / 2**10


def resident_mb(key: str) -> float | None:
    """Return what the system says of this process's memory [MiB], None where it says nothing (proc(5)).

    Parameters
    ----------
    key : str
        ``"VmRSS"``, what is resident now, or ``"VmHWM"``, the most that has been.
    """
    try:
        status = _STATUS.read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(rf"^{key}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else None
