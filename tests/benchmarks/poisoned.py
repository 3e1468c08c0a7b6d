"""The whole chain on a field with all that goes wrong: does it finish, is anybody lost, does the account close?

usage: python tests/benchmarks/poisoned.py [side] [--first] [-c LABEL:FIELD=VALUE ...]

The preset ``poisoned`` (default: 1000² pixels; a smaller cut has the same giant and cluster) goes through the command
line in a process of its own, with budgets that its cluster and its giant exceed, and a joint fit that fails on every
third blend of up to four peaks (there are such on cuts of 500² pixels and more). Printed: parents by outcome and
reason, objects by rung and reason, what was found wrong, and the peak memory. The exit code is 1 if a peak has no
row, a parent that is not "ok" has no reason, nobody was over a budget or failed, an object whose fit failed is on the
first rung, a ledger does not close, or the memory exceeds 1 GB. With --first nothing is compiled yet; the process that
compiles counts as the run does, each by itself.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from whole_run import WholeRun, run_chain, simulated_coadds

from meas_deblend.products import REASONS

# Ledgers are sums of float32 pixels.
TOLERANCE = 1e-5
BUDGETS = ("-c", "multi_band:cost_budget=4", "-c", "multi_band:memory_budget=60")
MOST_MEMORY = 1000.0


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", nargs="?", type=int, default=1000)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("-c", "--config", action="append", default=[], metavar="LABEL:FIELD=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        coadds = simulated_coadds("poisoned", options.side, folder / "coadds")
        if options.first:
            os.environ["NUMBA_CACHE_DIR"] = str(folder / "compiled")
        settings = [word for setting in options.config for word in ("-c", setting)]
        failing = (str(Path(__file__).with_name("failing_fits.py")),)
        run = run_chain(coadds, folder / "out", "--missing-psf", "drop", *BUDGETS, *settings, program=failing)
        parents, objects = run.table("parents"), run.table("objects")
        problems, timings = wrong(run), run.table("timings")
        counts = f"{len(parents['parentObjectId'])} parents, {len(objects['objectId'])} objects"
        print(f"{counts}, {run.wall:.0f} s, peak memory {run.memory:.0f} MB")
        print(f"most peaks in a parent: {int(np.max(parents['deblend_nPeaks']))}")
        for (outcome, reason), n in sorted(Counter(zip(*outcomes(parents), strict=True)).items()):
            print(f"  {n:5} parents {outcome}{f': {reason}' if reason else ''}")
        labels = zip(objects["deblend_rung"], objects["deblend_reason"], strict=True)
        for (rung, reason), n in sorted(Counter((str(a), str(b)) for a, b in labels).items()):
            print(f"  {n:5} objects on {rung}{f': {reason}' if reason else ''}")
        for label, seconds, memory in zip(
            *(timings[name] for name in ("label", "cpu_seconds", "peak_memory_mb")), strict=True
        ):
            print(f"  {label:12} {seconds:7.1f} s {memory:7.0f} MB")
        print("\n".join(problems) or "finished; nobody lost; every account closes; every reason is there")
        return bool(problems)


def outcomes(parents) -> tuple[list[str], list[str]]:
    """Outcome and reason of each parent."""
    return [str(value) for value in parents["deblend_outcome"]], [str(value) for value in parents["deblend_reason"]]


def wrong(run: WholeRun) -> list[str]:
    """What must not be."""
    parents, objects, ledger = (run.table(name) for name in ("parents", "objects", "ledger"))
    out = []
    peaks = int(np.sum(parents["deblend_nPeaks"]))
    if not peaks == len(objects["objectId"]) == len(set(objects["objectId"])):
        out.append(f"{peaks} peaks but {len(set(objects['objectId']))} objects")
    for outcome, reason in zip(*outcomes(parents), strict=True):
        if reason not in REASONS or (outcome == "ok") != (reason == ""):
            out.append(f"a parent is {outcome!r} for the reason {reason!r}")
    reasons = {str(reason) for reason in objects["deblend_reason"]}
    if not reasons & {"over_memory_budget", "over_cost_budget"}:
        out.append("nobody was over a budget")
    if "fit_failed" not in reasons:
        out.append("no fit failed")
    for rung, reason, peaks in zip(
        *(objects[f"deblend_{name}"] for name in ("rung", "reason", "blendNChild")), strict=True
    ):
        if reason == "fit_failed" and rung == "full_multi_band":
            out.append(f"an object of a blend of {peaks} peaks failed, and is on the first rung")
    if run.memory > MOST_MEMORY:
        out.append(f"peak memory of {run.memory:.0f} MB")
    shares = [np.asarray(ledger[name], dtype=float) for name in ("children", "unassigned", "masked")]
    data = np.asarray(ledger["data"], dtype=float)
    size = np.abs(data) + np.sum(np.abs(shares), axis=0)
    open_ones = ~(np.abs(data - np.sum(shares, axis=0)) <= TOLERANCE * np.maximum(size, 1.0))
    if open_ones.any():
        out.append(f"{int(open_ones.sum())} of {len(data)} accounts do not close")
    return out


if __name__ == "__main__":
    sys.exit(main())
