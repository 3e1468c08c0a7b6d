"""Makes fields with truth, of seeds of one's own, and scores deblenders on them, round by round.

usage: python tests/benchmarks/own_fields.py OUT [seed] [number of fields] [morphology] [rounds]

Each round has the next seed; OUT/SEED/card holds what `meas-deblend evaluate` writes, OUT/SEED/sky the fields.
"""

import sys
from pathlib import Path

from meas_deblend.cli import main as command_line
from meas_deblend.simulate import preset, simulate_field, write_field, write_psfs

DEBLENDERS = ("joint_profiles", "hybrid")


def one_round(out: Path, seed: int, n_fields: int, morphology: str) -> int:
    """Simulate fields, score the deblenders, and return the exit code."""
    sky = out / "sky"
    sky.mkdir(parents=True)
    for index in range(n_fields):
        field = simulate_field(preset("field", seed=seed, index=index, morphology=morphology))
        if index == 0:
            write_psfs(sky, field)
        write_field(sky, field, coadds=False)
    chosen = [word for name in DEBLENDERS for word in ("--deblender", name)]
    return command_line(["evaluate", "--fields", str(sky / "fields"), *chosen, "--out", str(out / "card")])


def main(out: str, seed: int = 90210, n_fields: int = 20, morphology: str = "disc_bulge", rounds: int = 1) -> int:
    """Go through the rounds; those that are there already are left as they are."""
    for number in range(int(seed), int(seed) + int(rounds)):
        folder = Path(out) / str(number)
        if not folder.exists() and (code := one_round(folder, number, int(n_fields), morphology)):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
