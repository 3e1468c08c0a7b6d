"""What the runner of many patches costs, and what a second process brings.

usage: python tests/benchmarks/patches.py [patches] [pipeline]

64 patches take about two minutes where nothing else runs.

Overhead: CPU time of a run of patches in this process, less that of reading, deblending and writing each of them with
the same functions, per quantum (a task at a patch; reading and writing count as one each), in yardsticks Y.
Two processes: the CPU time that the busiest process has to spend, the parent's own added, against that of one process.
On a machine that does nothing else this is the ratio of the elapsed times; where others work too, only the CPU times
say what the run is worth.
Ceiling: the same for two runs in one process each, of half of the patches, that are started at the same time and know
nothing of each other. What they lack of 2 is the machine's: memory, caches, clock, other processes.
"""

import math
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from yardstick import yardstick

from meas_deblend.api import deblend
from meas_deblend.exceptions import InputWarning
from meas_deblend.framework import layer_from_dict
from meas_deblend.image import plane_spec, read_coadds, write_coadd
from meas_deblend.output import RunContext, write_run
from meas_deblend.patches import Running, RunSettings, read_patches, run_patches
from meas_deblend.simulate import HSC_WIDE, SkyConfig, simulate_sky

STEP = 80
"""Pixels from patch to patch; they are 100 wide."""


def made_patches(folder: Path, count: int) -> Path:
    """Write small patches, each of another sky, side by side as those of a survey: a patch has up to 8 neighbours."""
    side = math.ceil(math.sqrt(count))
    for number in range(count):
        config = SkyConfig(bands=HSC_WIDE[1:3], shape=(100, 100), n_galaxies=8, n_stars=2, seed=number % 8 + 1)
        exposure = simulate_sky(config).exposure
        wcs = exposure.wcs.deepcopy()
        wcs.wcs.crpix = wcs.wcs.crpix - STEP * np.array([number % side, number // side])
        exposure = replace(exposure, wcs=wcs)
        place = folder / "0" / str(number)
        place.mkdir(parents=True)
        for band in exposure.bands:
            write_coadd(place / f"{band}.fits", exposure, band)
    return folder


def plain(patches, folder: Path, pipeline: str) -> None:
    """Do what the runner does for each patch, with the same functions and nothing around them."""
    for patch in patches:
        planes = {band: plane_spec(dict(files)) for band, files in patch.bands.items()}
        coadds = read_coadds(planes)
        place = folder / patch.patch
        place.mkdir(parents=True)
        data_id = layer_from_dict({"detect": {"tract": patch.tract, "patch": patch.number}})
        result = deblend(coadds, config=[data_id], pipeline=pipeline)
        write_run(result, coadds, place, RunContext((), planes, {"survey": "generic"}, figures=False))


def cpu(function) -> float:
    """CPU seconds of a call, in this process."""
    start = time.process_time()
    function()
    return time.process_time() - start


def overhead(patches, folder: Path, pipeline: str, repeats: int = 3) -> tuple[float, float, int]:
    """CPU seconds with and without the runner, the smallest of several, and the number of quanta."""
    settings, counts = RunSettings(pipeline=pipeline), []

    def run() -> None:
        shutil.rmtree(folder / "many", ignore_errors=True)
        counts.append(sum(len(one.manifests) for one in run_patches(patches, folder / "many", settings).results))

    def bare() -> None:
        shutil.rmtree(folder / "plain", ignore_errors=True)
        plain(patches, folder / "plain", pipeline)

    with_runner, without = [], []
    for _ in range(repeats):
        without.append(cpu(bare))
        with_runner.append(cpu(run))
    return min(with_runner), min(without), counts[0]


def speedup(patches, folder: Path, pipeline: str, processes: int = 2) -> tuple[float, float, float, float]:
    """CPU seconds of one process; of the busiest of several, with the parent's; and both elapsed times."""
    settings = RunSettings(pipeline=pipeline)
    begun, cpu_begun = time.perf_counter(), time.process_time()
    run_patches(patches, folder / "one", settings)
    serial, serial_wall = time.process_time() - cpu_begun, time.perf_counter() - begun
    begun, cpu_begun = time.perf_counter(), time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run_patches(patches, folder / "two", settings, Running(jobs=processes))
    parent, wall = time.process_time() - cpu_begun, time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    shares = defaultdict(float)
    for one in result.results:
        shares[one.manifests[0].process] += sum(manifest.cpu_seconds for manifest in one.manifests)
    # What is not in a quantum, such as what a process takes to begin, is shared as the quanta are.
    busiest = total * max(shares.values()) / sum(shares.values())
    return serial, parent + busiest, serial_wall, wall


def serial(patches, folder: Path, pipeline: str) -> float:
    """CPU seconds of a run of patches in this process."""
    return cpu(lambda: run_patches(patches, folder, RunSettings(pipeline=pipeline)))


def independent(patches, folder: Path, pipeline: str) -> tuple[float, float]:
    """CPU seconds of the busier, and elapsed time, of two runs at the same time, of half of the patches each."""
    middle = len(patches) // 2
    halves = patches[:middle], patches[middle:]
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        list(pool.map(abs, range(2)))  # starts them
        begun = time.perf_counter()
        runs = [pool.submit(serial, half, folder / f"half{k}", pipeline) for k, half in enumerate(halves)]
        return max(run.result() for run in runs), time.perf_counter() - begun


def main(count: int = 64, pipeline: str = "none") -> None:
    warnings.simplefilter("ignore", InputWarning)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        patches = read_patches(f"{made_patches(folder / 'in', count)}/{{tract}}/{{patch}}/{{band}}.fits")
        plain(patches[:1], folder / "first", pipeline)  # compiles and imports
        y = yardstick()
        few = patches[: min(8, count)]
        with_runner, without, quanta = overhead(few, folder, pipeline)
        print(f"Y = {1e3 * y:.3f} ms; pipeline {pipeline}, patches of 100 × 100 pixels in 2 bands")
        print(f"{len(few)} patches, {quanta} quanta: {with_runner:.2f} s with the runner, {without:.2f} s without")
        print(f"overhead: {(with_runner - without) / quanta / y:.0f} Y per quantum (allowed: 400)")
        one, critical, one_wall, wall = speedup(patches, folder, pipeline)
        apart, apart_wall = independent(patches, folder, pipeline)
        print(f"{count} patches: {one:.1f} s of CPU in one process, {critical:.1f} s on the critical path of two")
        print(f"two processes: {one / critical:.2f} × one (wanted: 1.8); ceiling {one / apart:.2f} ×")
        print(
            f"elapsed: {one_wall:.1f} and {wall:.1f} s, {one_wall / wall:.2f} ×; ceiling {one_wall / apart_wall:.2f} ×"
        )
        print(f"{others():.1f} processes wanted a core")


def others() -> float:
    """Processes that wanted a core in the last minute, others' too."""
    return float(Path("/proc/loadavg").read_text(encoding="utf-8").split()[0])


if __name__ == "__main__":
    words = sys.argv[1:]
    main(int(words[0]) if words else 64, words[1] if len(words) > 1 else "none")
