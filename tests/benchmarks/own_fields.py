"""Makes fields with truth, of seeds of one's own, and scores deblenders on them, round by round.

usage: python tests/benchmarks/own_fields.py OUT [seed] [fields per round] [morphology] [rounds] [seconds]

Each round has the next seed; OUT/SEED/card holds what `meas-deblend evaluate` writes, OUT/SEED/sky the fields.  No
round is begun after so many seconds: the same call again goes on, until it ends with 0 and prints the scores of all
rounds (75: there are rounds to do).  Morphologies are `disc_bulge`, like the fields `test`, `free`, like `hard`, and
`mixed`.
"""

import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from meas_deblend.cards import read_card
from meas_deblend.cli import main as command_line
from meas_deblend.evaluate import ScoreTable, compare_scores, concatenate_scores, summarise
from meas_deblend.simulate import preset, simulate_field, write_field, write_psfs

DEBLENDERS = ("joint_profiles", "hybrid")
TO_DO = 75
DONE = Path("card", "evaluation.json")


def one_round(out: Path, seed: int, n_fields: int, morphology: str) -> int:
    """Simulate fields, score the deblenders, and return the exit code."""
    shutil.rmtree(out, ignore_errors=True)
    sky = out / "sky"
    sky.mkdir(parents=True)
    for index in range(n_fields):
        field = simulate_field(preset("field", seed=seed, index=index, morphology=morphology))
        if index == 0:
            write_psfs(sky, field)
        write_field(sky, field, coadds=False)
    chosen = [word for name in DEBLENDERS for word in ("--deblender", name)]
    where = ["--fields", str(sky / "fields"), "--out", str(out / "card")]
    return command_line(["evaluate", *where, *chosen, "--no-figures"])


def joined(folders: list[Path], deblender: str) -> ScoreTable:
    """Scores of all rounds; fields are numbered, and named, through all of them."""
    parts, names = [], []
    for folder in folders:
        table = read_card(folder / "card" / deblender).table
        parts.append(replace(table.scores, field=table.scores.field + len(names)))
        names += [f"{folder.name}/{name}" for name in table.field_names]
    return ScoreTable(concatenate_scores(parts), table.bands, names)


def show(folders: list[Path]) -> None:
    """Print the scores of all rounds together, and the second deblender's against the first's."""
    tables = [joined(folders, name) for name in DEBLENDERS]
    for name, table in zip(DEBLENDERS, tables, strict=True):
        summary = summarise(table.scores, table.bands, [None] * len(table.bands))["summary"]
        print(name, len(table.field_names), "fields", json.dumps(summary, default=float))
    print(DEBLENDERS[1], "/", DEBLENDERS[0], json.dumps(compare_scores(*tables), default=float))


def main(
    out: str,
    seed: str = "90210",
    n_fields: str = "4",
    morphology: str = "disc_bulge",
    rounds: str = "1",
    seconds: str = "60",
) -> int:
    """Go through the rounds; those that are there already are left as they are."""
    begin = time.monotonic()
    folders = [Path(out) / str(number) for number in range(int(seed), int(seed) + int(rounds))]
    for number, folder in enumerate(folders, int(seed)):
        if (folder / DONE).exists():
            continue
        if time.monotonic() - begin > float(seconds):
            return TO_DO
        if code := one_round(folder, number, int(n_fields), morphology):
            return code
    show(folders)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
