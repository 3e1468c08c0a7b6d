"""Memory of this process, and of nobody else."""

import subprocess
import sys

import numpy as np
import pytest

from meas_deblend import _resident
from meas_deblend._resident import peak_memory_mb, resident_mb

# A process of 300 MiB becomes another program, as a large one that starts a run does between fork and exec.
_HEIR = """
import os, sys
ballast = bytes(300 << 20).replace(b"\\0", b"x")
os.execv(sys.executable, [sys.executable, "-c", "from meas_deblend._resident import *; print(peak_memory_mb())"])
"""


def test_the_peak_stays_when_memory_is_given_back():
    before = peak_memory_mb()
    ballast = np.ones(int(before + 50) << 17)
    held = peak_memory_mb()
    del ballast
    assert held >= before + 50
    # The system counts in batches per thread.
    assert peak_memory_mb() >= held - 1


@pytest.mark.skipif(sys.platform != "linux", reason="the system counts otherwise")
def test_the_peak_is_not_that_of_who_was_here_before():
    heir = subprocess.run([sys.executable, "-c", _HEIR], capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    assert 5 < float(heir.stdout) < 200


def test_where_the_system_says_nothing_its_count_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(_resident, "_STATUS", tmp_path / "status")
    assert resident_mb("VmRSS") is None
    assert 5 < peak_memory_mb() < 100 * 1024
