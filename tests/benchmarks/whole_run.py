"""A run of the command line on simulated coadds, in a process of its own: what it cost, and what it wrote."""

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from pyarrow import parquet
from yardstick import yardstick

from meas_deblend.framework import call_apart
from meas_deblend.image import write_coadd
from meas_deblend.simulate import preset, simulate_field

__all__ = ["WholeRun", "run_chain", "run_side_by_side", "simulated_coadds"]


@dataclass(frozen=True)
class WholeRun:
    """What a run cost.

    Parameters
    ----------
    folder : Path
        Where its products are.
    yardstick : float
        CPU seconds of Y, the mean of before and after.
    wall, cpu : float
        Seconds of the whole command, start and files included; CPU seconds of all of its processes.
    memory : float
        Largest resident memory of its largest process [MB].
    """

    folder: Path
    yardstick: float
    wall: float
    cpu: float
    memory: float

    def table(self, name: str) -> dict[str, np.ndarray]:
        """Columns of one of the tables that it wrote."""
        table = parquet.read_table(self.folder / f"{name}.parquet")
        return {column: table[column].to_numpy() for column in table.column_names}


def simulated_coadds(name: str, side: int, folder: Path) -> list[str]:
    """Simulate a field of ``side``² pixels and write its coadds; return what ``--coadd`` takes.

    It is done in a process of its own: the system counts the memory of whoever starts a process as that process's.
    """
    return call_apart(partial(_write_simulated, name, side, folder), "simulation")


def _write_simulated(name: str, side: int, folder: Path) -> list[str]:
    exposure = simulate_field(preset(name, shape=(side, side))).exposure
    folder.mkdir(parents=True, exist_ok=True)
    paths = {band: write_coadd(folder / f"{band}.fits", exposure, band, overwrite=True) for band in exposure.bands}
    return [f"{band}={path}" for band, path in paths.items()]


@dataclass(frozen=True)
class _Started:
    """A run under way."""

    process: subprocess.Popen
    log: IO[str]
    begin: float

    def ended(self) -> tuple[float, resource.struct_rusage]:
        """Wait; returns wall time, and what it used; RuntimeError, with what it said, if it failed."""
        _, status, used = os.wait4(self.process.pid, 0)
        wall = time.perf_counter() - self.begin
        self.process.returncode = os.waitstatus_to_exitcode(status)
        with self.log as log:
            if self.process.returncode:
                log.seek(0)
                raise RuntimeError(f"exit {self.process.returncode}: {log.read()[-2000:]}")
        return wall, used


def _start(coadds: list[str], out: Path, options: tuple[str, ...], program: tuple[str, ...]) -> _Started:
    command = [sys.executable, *program, "run", "--coadd", *coadds, "--no-figures", "--out", str(out), *options]
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    begin, log = time.perf_counter(), (out.parent / f"{out.name}.log").open("w+")
    process = subprocess.Popen(command, env=os.environ | threads, stdout=log, stderr=log)  # noqa: S603 - our own command
    return _Started(process, log, begin)


def run_chain(
    coadds: list[str], out: Path, *options: str, program: tuple[str, ...] = ("-m", "meas_deblend.cli")
) -> WholeRun:
    """Run ``meas-deblend run`` on coadds, one thread per process; RuntimeError, with what it said, if it fails."""
    before = yardstick()
    wall, used = _start(coadds, out, options, program).ended()
    # Linux counts in units of 1024 bytes.
    memory = used.ru_maxrss * 1024 / 1e6
    return WholeRun(out, (before + yardstick()) / 2, wall, used.ru_utime + used.ru_stime, memory)


def run_side_by_side(coadds: list[str], out: Path, copies: int) -> float:
    """Wall time of so many runs in one process each that know nothing of one another, all at the same time [s]."""
    begin = time.perf_counter()
    started = [_start(coadds, out.parent / f"{out.name}_{k}", (), ("-m", "meas_deblend.cli")) for k in range(copies)]
    for one in started:
        one.ended()
    return time.perf_counter() - begin
