"""What the commands of how-to/many-patches.md print, on a simulated mosaic: python many_patches.py FOLDER."""

import contextlib
import io
import logging
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from meas_deblend.cli import main as meas_deblend

RUN = "run --inputs tiles/patches.csv --out out/ --no-figures"


def main(folder: Path) -> None:
    """Simulate a mosaic, and write ``many_patches_<name>.txt`` for each command."""
    folder = folder.resolve()
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):
        printed("simulate patch --size 170 --seed 3 --out simulated")
        shutil.copytree("simulated/coadds/field_000", "sky")
        keep(folder, "tile", "tile --coadd g=sky/g.fits r=sky/r.fits i=sky/i.fits --size 140 --overlap 40 --out tiles/")
        rows = Path("tiles/patches.csv").read_text(encoding="utf-8").splitlines()
        (folder / "many_patches_table.txt").write_text("\n".join([*rows[:3], "…"]) + "\n", encoding="utf-8")
        # A file that a transfer cut off.
        broken = Path("tiles/0/1,1/r.fits")
        whole = broken.read_bytes()
        broken.write_bytes(whole[:20000])
        keep(folder, "run", f"{RUN} -j 2", code=1)
        keep(folder, "status", "status out/", code=1)
        broken.write_bytes(whole)
        keep(folder, "rerun", f"{RUN} -j 2 --rerun --where \"outcome == 'failed'\"")


def keep(folder: Path, name: str, command: str, code: int = 0) -> None:
    """Write a command and what it prints."""
    text = re.sub(r"/\S*/(tiles/)", r"\1", printed(command, code))
    (folder / f"many_patches_{name}.txt").write_text(f"$ meas-deblend {command}\n{text}", encoding="utf-8")


def printed(command: str, code: int = 0) -> str:
    """Run a command; return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out if "--inputs" in command else _nowhere()):
        found = meas_deblend(shlex.split(command))
    logging.shutdown()
    if found != code:
        raise SystemExit(f"meas-deblend {command} gave {found}, not {code}:\n{out.getvalue()}")
    return out.getvalue()


def _nowhere() -> io.StringIO:
    return io.StringIO()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
