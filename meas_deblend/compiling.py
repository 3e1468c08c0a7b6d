"""Compiling ahead what a run calls, in processes of their own: their memory is given back before there are coadds.

The compiler takes 300 to 400 MB, once after an installation. A process does not give that back, so a first run would
exceed a budget of memory that every later one keeps.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ._atomic import atomic_write
from ._compile_locks import compile_once
from ._interrupt import raise_interrupt
from .framework import Loop, Workplace, can_call_apart, map_units, working

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HERE", "compile_apart", "compile_chain", "is_compiled"]

HERE = "MEAS_DEBLEND_COMPILE_HERE"
"""Environment variable: where it is set and not empty, each process compiles what it needs itself."""

_PACKAGE = Path(__file__).parent
_WITH_LOOPS = ("scarlet", "profiles", "measure", "detect", "apportion")
_MARK = "meas_deblend_compiled.json"
_MEMORY = "which takes 300 to 400 MB more memory"

_PARTS = (
    (("full_multi_band",),),
    (("symmetric_templates",), ("joint_profiles", "symmetric_templates")),
)
"""First rungs of the ladders that a small field goes through, for each of the processes that compile.

What they have in common, detection and measuring, the second has done when the first has compiled the joint fit.
"""

_FIELD = {
    "shape": (100, 100),
    "galaxy_density": 60.0,
    "giant_radius": 1.5,
    "cluster_members": 8,
    "cluster_spacing": 7.0,
    "seed": 5,
}
"""A small sky with all that goes wrong."""


def compile_apart() -> None:
    """Compile what a run calls, unless that has been done, or is not to be done ahead.

    It is done in two child processes, while this one waits; standard error says so. What was compiled is kept on disk
    by numba, and a mark beside it tells later runs. Where neither can be written, or a child fails, it says that this
    run compiles for itself.
    """
    if os.environ.get(HERE) or os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}:
        return
    if is_compiled() or not can_call_apart():
        return
    place = next((place for place in _places() if _can_be_written(place)), None)
    if place is None:
        places = " or ".join(map(str, _places()))
        _tell(f"compiled loops cannot be kept in {places}: every run compiles them again, {_MEMORY}")
        return
    _tell("compiling the inner loops, in two processes: once after an installation, about two minutes")
    try:
        files = _compile_all()
        with atomic_write(place / _MARK, "w") as stream:
            json.dump({"of": _identity(), "files": files}, stream, indent=1)
    except Exception as error:  # noqa: BLE001 -- it only makes ready; what is wrong shows in the run, if it matters
        raise_interrupt(error)
        _tell(f"that failed ({error}): this run compiles what is missing, {_MEMORY}")


def compile_chain(part: int) -> None:
    """Compile what a run calls: a small field goes through the whole chain, by way of some kinds of models.

    Parameters
    ----------
    part : int
        Which kinds, a place in ``_PARTS``.
    """
    from .api import deblend  # noqa: PLC0415 - whoever asks what is compiled need not load all that may be
    from .scarlet import warmup  # noqa: PLC0415 - loads the compiler
    from .simulate import preset, simulate_field  # noqa: PLC0415 - only where something is compiled

    if part == 0:
        warmup(["float32"])
    exposure = simulate_field(preset("poisoned", **_FIELD)).exposure
    for rungs in _PARTS[part]:
        deblend(exposure, config={"multi_band": {"ladder": [*rungs, "parent_only"]}})


def is_compiled() -> bool:
    """Whether what a run calls was compiled ahead, of these sources, and is still there."""
    for place in _places():
        with suppress(OSError, ValueError, KeyError, TypeError):
            mark = json.loads((place / _MARK).read_text())
            if mark["of"] == _identity():
                return all(Path(file).is_file() for file in mark["files"])
    return False


def _compile_all() -> list[str]:
    """Compile all parts, each in a process, and return the files by which compiled loops are found again."""
    loop: Loop[int, list[str]] = Loop(name=lambda _: "compiling", ahead=False)
    with TemporaryDirectory(prefix="meas_deblend_") as locks, working(Workplace(len(_PARTS))):
        found = map_units(_compile, range(len(_PARTS)), Path(locks), loop=loop)
    return sorted({file for files in found for file in files})


def _compile(locks: Path, part: int) -> list[str]:
    """Compile a part, and return the files by which compiled loops are found again."""
    compile_once(locks)
    # What the small field is like interests nobody.
    logging.getLogger("meas_deblend").setLevel(logging.CRITICAL)
    compile_chain(part)
    folders = set()
    for name, module in list(sys.modules.items()):
        if name.startswith("meas_deblend."):
            statistics = (getattr(value, "stats", None) for value in vars(module).values())
            folders |= {getattr(of_loop, "cache_path", None) for of_loop in statistics}
    return sorted(str(file) for folder in folders if folder is not None for file in Path(folder).glob("*.nbi"))


def _places() -> Iterator[Path]:
    """Yield the folders in which the mark may lie: what numba is told, beside the code, and the user's own."""
    told = os.environ.get("NUMBA_CACHE_DIR")
    if told:
        yield Path(told)
        return
    yield _PACKAGE / "__pycache__"
    with suppress(RuntimeError):  # nobody's home is known
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meas_deblend"


def _can_be_written(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK | os.X_OK)


def _identity() -> str:
    """Return what compiled code depends on: its sources by size and time, as numba does, compiler and processor."""
    sources = sorted(file for package in _WITH_LOOPS for file in (_PACKAGE / package).glob("*.py"))
    parts = [version("numba"), platform.python_version(), platform.machine(), _processor()]
    for source in sources:
        about = source.stat()
        parts.append(f"{source} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _processor() -> str:
    """Return the kind of processor: compiled code is for one kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    kinds = ("model name", "flags", "CPU part", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(kinds)}))


def _tell(text: str) -> None:
    sys.stderr.write(f"meas-deblend: {text}\n")
    sys.stderr.flush()
