"""Give a checkout the compiled loops of an installed copy of the same sources: keep_compiled.py INSTALLED CHECKOUT

Both are folders of a package. The cache of compiled code knows a source by its size and time: sources that are the same
get the time of the installed ones, and what was compiled of them comes along.
"""

import os
import shutil
import sys
from pathlib import Path


def keep(installed: Path, checkout: Path) -> int:
    """Copy what was compiled of sources that are the same in both; return the number of sources that it is of."""
    kept = 0
    for source in sorted(installed.rglob("*.py")):
        same = checkout / source.relative_to(installed)
        compiled = [*source.parent.glob(f"__pycache__/{source.stem}.*.nb[ic]")]
        if not compiled or not same.is_file() or same.read_bytes() != source.read_bytes():
            continue
        about = source.stat()
        os.utime(same, ns=(about.st_atime_ns, about.st_mtime_ns))
        (same.parent / "__pycache__").mkdir(exist_ok=True)
        for file in compiled:
            shutil.copy2(file, same.parent / "__pycache__" / file.name)
        kept += 1
    return kept


def main() -> None:
    installed, checkout = map(Path, sys.argv[1:])
    print(f"compiled code of {keep(installed, checkout)} sources is kept")


if __name__ == "__main__":
    main()
