"""Compare the files in a wheel with the stored list: wheel_files.py WHEEL [--write]

With --write the list, .ci/wheel-files.txt, becomes that of the wheel.
"""

import difflib
import re
import sys
import zipfile
from pathlib import Path

LIST = Path(__file__).with_name("wheel-files.txt")


def names(wheel: str) -> list[str]:
    """Sorted names of the files, without the version in that of the metadata folder."""
    with zipfile.ZipFile(wheel) as archive:
        return sorted(re.sub(r"^meas_deblend-[^/]+\.dist-info/", "DIST-INFO/", name) for name in archive.namelist())


def main() -> None:
    wheel, *options = sys.argv[1:]
    found = names(wheel)
    if options == ["--write"]:
        LIST.write_text("\n".join(found) + "\n", encoding="utf-8")
        print(f"{LIST}: {len(found)} files")
        return
    stored = LIST.read_text(encoding="utf-8").splitlines()
    difference = list(difflib.unified_diff(stored, found, str(LIST), wheel, lineterm="", n=0))
    if difference:
        print("\n".join(difference))
        sys.exit("the wheel's files are not those of the list; if that is right: .ci/wheel_files.py WHEEL --write")
    print(f"{len(found)} files, as listed")


if __name__ == "__main__":
    main()
