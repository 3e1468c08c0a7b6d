"""The whole chain on cuts of a simulated patch: six bands, ten years of LSST, 100 galaxies per arcmin².

usage: python tests/benchmarks/patch.py [side ...] [-j N]

For each cut of side² pixels (default: 256 512) the command line runs in a process of its own, on coadds in FITS files.
Printed, in Markdown: objects per second and core, Y per detected object, peak memory, cost per step; with several
sizes the exponent of the cost over the area; with -j N also how much faster N processes are than one.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from whole_run import WholeRun, run_chain, simulated_coadds


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="*", type=int, default=[256, 512], metavar="side")
    parser.add_argument("-j", "--jobs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The first run of a machine compiles; that is no part of what a patch costs.
        run_chain(simulated_coadds("patch", 64, folder / "warm"), folder / "warm_out")
        runs = []
        for side in options.sides:
            coadds = simulated_coadds("patch", side, folder / str(side))
            runs.append(run_chain(coadds, folder / f"{side}_out"))
            print(f"{side}²: {cost(runs[-1]) / runs[-1].yardstick / objects(runs[-1]):.0f} Y per object", flush=True)
            if options.jobs > 1:
                several = run_chain(coadds, folder / f"{side}_jobs", "-j", str(options.jobs))
                print(f"{side}²: -j {options.jobs} is {runs[-1].wall / several.wall:.2f} times as fast", flush=True)
        report(options.sides, runs)


def objects(run: WholeRun) -> int:
    """How many were detected."""
    return len(run.table("objects")["objectId"])


def cost(run: WholeRun) -> float:
    """CPU seconds of all steps."""
    return float(np.sum(run.table("timings")["cpu_seconds"]))


def report(sides: list[int], runs: list[WholeRun]) -> None:
    """Print the tables."""
    print("\n| pixels | objects | parents | Y per object | objects / s / core | whole command [s] | peak memory [MB] |")
    print("|---|---|---|---|---|---|---|")
    for side, run in zip(sides, runs, strict=True):
        n, parents, seconds = objects(run), len(run.table("parents")["parentObjectId"]), cost(run)
        print(
            f"| {side}² | {n} | {parents} | {seconds / run.yardstick / n:.0f} | {n / seconds:.1f} "
            f"| {run.cpu:.0f} | {run.memory:.0f} |"
        )
    labels = [str(label) for label in runs[0].table("timings")["label"]]
    print(f"\nY per object and step (Y = {1e3 * np.mean([run.yardstick for run in runs]):.3f} ms):\n")
    print(f"| pixels | {' | '.join(labels)} | start, files |\n|{'---|' * (len(labels) + 2)}")
    for side, run in zip(sides, runs, strict=True):
        table, unit = run.table("timings"), run.yardstick * objects(run)
        steps = [float(seconds) / unit for seconds in table["cpu_seconds"]]
        rest = (run.cpu - cost(run)) / unit
        print(f"| {side}² | {' | '.join(f'{step:.1f}' for step in [*steps, rest])} |")
    if len(sides) > 1:
        exponent = np.polyfit(np.log(np.square(sides)), np.log([cost(run) / run.yardstick for run in runs]), 1)[0]
        print(f"\ncost ∝ area^{exponent:.2f}")


if __name__ == "__main__":
    main()
