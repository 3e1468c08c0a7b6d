"""Memory of our own programs is not asked for again and again."""

import platform
import subprocess
import sys

import pytest

# Pages that the system hands out while arrays of 8 MiB, 2048 pages, are made and freed.
CODE = """
import resource
import numpy as np
from meas_deblend._heap import keep_freed_memory
if {kept}:
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.full(1 << 20, 1.0), np.full(1 << 20, 2.0)
before = faults()
for _ in range(10):
    several = [np.full(1 << 20, float(k)) for k in range(4)]
    del several
print(faults() - before)
"""


def faults(*, kept):
    command = [sys.executable, "-c", CODE.format(kept=kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own command
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")
def test_arrays_are_made_in_memory_that_was_freed():
    # Of 40 arrays all but the first four lie where others were.
    assert faults(kept=True) < 5 * 2048 < faults(kept=False)
