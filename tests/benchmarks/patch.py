"""The whole chain on cuts of a simulated patch: six bands, ten years of LSST, 100 galaxies per arcmin².

usage: python tests/benchmarks/patch.py [side ...] [-j N]

For each cut of side² pixels (default: 256 512) the command line runs in a process of its own, on coadds in FITS files.
Printed, in Markdown: objects per second and core, Y per detected object, peak memory, cost per step; with several
sizes the exponent of the cost over the area; with -j N also how much faster N processes are than one, beside what the
machine gives: how much faster N runs are side by side, in one process each, than one after the other.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from whole_run import WholeRun, run_chain, run_side_by_side, simulated_coadds


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
        runs, speeds = [], []
        for side in options.sides:
            coadds = simulated_coadds("patch", side, folder / str(side))
            runs.append(run_chain(coadds, folder / f"{side}_out"))
            print(f"{side}²: {cost(runs[-1]) / runs[-1].yardstick / objects(runs[-1]):.0f} Y per object", flush=True)
            if options.jobs > 1:
                speeds.append(speed_of_several(coadds, folder / f"{side}_jobs", options.jobs, runs[-1]))
        report(options.sides, runs)
        if speeds:
            report_speeds(options.sides, options.jobs, speeds)


def speed_of_several(coadds: list[str], out: Path, jobs: int, one: WholeRun) -> tuple[float, float]:
    """How much faster several processes are than ``one``, and how much faster runs are side by side than in turn.

    What single runs take is measured on both sides of the others: other work on the machine comes and goes.
    """
    several = run_chain(coadds, out, "-j", str(jobs)).wall
    together = run_side_by_side(coadds, out.parent / f"{out.name}_apart", jobs)
    again = run_chain(coadds, out.parent / f"{out.name}_again").wall
    single = (one.wall + again) / 2
    return single / several, jobs * single / together


def report_speeds(sides: list[int], jobs: int, speeds: list[tuple[float, float]]) -> None:
    """Print how much faster several processes are."""
    print(f"\n| pixels | -j {jobs} | {jobs} runs side by side | share of what the machine gives |\n|---|---|---|---|")
    for side, (processes, machine) in zip(sides, speeds, strict=True):
        print(f"| {side}² | {processes:.2f} × | {machine:.2f} × | {100 * processes / machine:.0f} % |")


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
