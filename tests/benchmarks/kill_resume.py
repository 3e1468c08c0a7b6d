"""Kill a run with SIGKILL at random moments, resume it, and compare its products byte by byte.

usage: python tests/benchmarks/kill_resume.py OUT [kills] [seed] -- [arguments of meas-deblend run]

They are compared with those of a run that nobody killed. The arguments leave out --out and --resume; without any, a sky
is simulated.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

NOT_COMPARED = ("run.json", "timings.parquet")
COMMAND = (sys.executable, "-m", "meas_deblend.cli")


def products(folder: Path) -> dict[str, bytes]:
    """Content of all files but those that hold times and the command."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in NOT_COMPARED]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def simulated(folder: Path) -> list[str]:
    """Arguments for a sky that is simulated."""
    subprocess.run([*COMMAND, "simulate", "patch", "--size", "200", "--out", str(folder)], check=True)  # noqa: S603 -- ourselves
    coadds = sorted((folder / "coadds" / "field_000").glob("*.fits"))
    return ["--coadd", *(f"{path.stem}={path}" for path in coadds), "--no-figures"]


def start(arguments: list[str], out: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start a run."""
    command = [*COMMAND, "run", *arguments, "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 -- ourselves


def main(out: Path, kills: int, seed: int, arguments: list[str]) -> int:
    """Print what came of each kill; return the number of products that differ."""
    draw = random.Random(seed)
    arguments = arguments or simulated(out / "sky")
    # What is compiled once would make the first run far longer than those that are killed.
    subprocess.run([*COMMAND, "warmup"], check=True)  # noqa: S603 -- ourselves
    begun = time.monotonic()
    if start(arguments, out / "whole").wait():
        print("the run itself fails")
        return 1
    duration = time.monotonic() - begun
    expected = products(out / "whole")
    print(f"a run takes {duration:.1f} s and leaves {len(expected)} products")
    bad = killed = number = 0
    while killed < kills:
        folder = out / f"killed_{number}"
        number += 1
        # Each folder's run is killed until it is through: sooner or later all moments have their turn.
        while not (folder / "run.json").exists():
            jobs = draw.choice(("1", "2", "3"))
            run = start(arguments, folder, "--resume", "-j", jobs)
            moment = draw.uniform(0.0, duration)
            try:
                code = run.wait(moment if killed < kills else None)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
                killed += 1
                kept = len(list((folder / "checkpoint").glob("*-??????.*"))) if folder.exists() else 0
                print(f"{folder.name}: killed after {moment:.1f} s with -j {jobs}, {kept} files of results")
                continue
            if code:
                print(f"{folder.name}: the resumed run fails with exit code {code}")
                return bad + 1
        found = products(folder)
        # A run that is killed behind its last product still has its checkpoint.
        found = {name: content for name, content in found.items() if not name.startswith("checkpoint/")}
        differing = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        bad += len(differing)
        print(f"{folder.name}: {'differs in ' + ', '.join(differing) if differing else 'identical'}")
    print(f"{killed} kills, {number} runs, {bad} products that differ")
    return bad


if __name__ == "__main__":
    own, _, rest = (" ".join(sys.argv[1:])).partition(" -- ")
    words = own.split()
    sys.exit(
        main(
            Path(words[0]),
            int(words[1]) if len(words) > 1 else 20,
            int(words[2]) if len(words) > 2 else 1,
            rest.split(),
        )
    )
