"""What the commands of how-to/patch.md print, on a simulated patch: python patch.py FOLDER."""

import contextlib
import io
import json
import logging
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from meas_deblend.access import open_run
from meas_deblend.cli import main as meas_deblend

COADDS = "--coadd g=sky/g.fits r=sky/r.fits i=sky/i.fits"
# How many parents are to be too large for the tight budget: some are split, some go down, and most stay.
TOO_LARGE = 6


def main(folder: Path) -> None:
    """Simulate a patch, and write ``patch_<name>.txt`` for each command, and the run's figure of the ladder."""
    folder = folder.resolve()
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):
        printed("simulate patch --size 220 --seed 3 --out simulated")
        shutil.copytree("simulated/coadds/field_000", "sky")
        keep(folder, "plan", f"plan {COADDS} --top 5")
        tight = f"-c multi_band:memory_budget={tight_budget()}"
        keep(folder, "plan_tight", f"plan {COADDS} --top 5 {tight}")
        keep(folder, "run", f"run {COADDS} {tight} --out out/")
        shutil.copy("out/figures/ladder.png", folder / "patch_ladder.png")
        keep(folder, "show", "show run out/ --reason over_memory_budget")
        parent, child = of_interest()
        keep(folder, "parent", f"explain out/ {parent}")
        keep(folder, "child", f"explain out/ {child}")
        keep(folder, "again", f"run {COADDS} --only {parent} --out again/")


def tight_budget() -> float:
    """Find a memory budget (Mbyte) that the largest parents exceed, whatever the coefficients of the cost model are."""
    parents = json.loads(printed(f"plan {COADDS} --json"))["parents"]
    memory = np.sort([parent["memory_mb"] for parent in parents])[::-1]
    return float(np.round(memory[TOO_LARGE - 1 : TOO_LARGE + 1].mean(), 1))


def of_interest() -> tuple[int, int]:
    """Find the parent with most children that have a reason, and its child with the most light of neighbours on it."""
    objects = open_run("out").objects
    told = objects[(objects["deblend_reason"] != "") & (objects["parentObjectId"] > 0)]
    numbers, counts = np.unique(told["parentObjectId"], return_counts=True)
    parent = int(numbers[counts.argmax()])
    children = told[told["parentObjectId"] == parent]
    return parent, int(children["objectId"][np.nanargmax(children["r_blendedness"])])


def keep(folder: Path, name: str, command: str) -> None:
    """Write a command and what it prints."""
    (folder / f"patch_{name}.txt").write_text(f"$ meas-deblend {command}\n{printed(command)}")


def printed(command: str) -> str:
    """Run a command; return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
        code = meas_deblend(shlex.split(command))
    logging.shutdown()
    if code:
        raise SystemExit(f"meas-deblend {command} gave {code}")
    return out.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
