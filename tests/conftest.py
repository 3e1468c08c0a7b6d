"""Fixtures that all tests share."""

import gc
import os
import sys
from pathlib import Path

import pytest
import sharing
from depth import examples
from hypothesis import settings

from meas_deblend._compile_locks import compile_once

REPOSITORY = Path(__file__).resolve().parents[1]

# Files of tests go to the processes in this order. Where nothing is compiled yet, the first of them compiles most of
# what there is, while the others go through what needs no compiler; what takes long comes before what does not.
_FIRST = ("scenarios/tasks/test_columns_and_settings_are_used.py",)
_PLAIN = ("ci", "framework", "geometry", "image", "lsst", "report", "simulate", "detect", "sdss")
_LONG = ("scenarios", "regression", "definitions", "unit/evaluate", "unit/scarlet")


def pytest_configure(config):
    """Share what is compiled between the processes of this session, and those that it starts."""
    os.environ.setdefault("MEAS_DEBLEND_COMPILE_HERE", "1")
    # What is compiled of loops is kept beside the sources; without their bytecode each process would translate all
    # sources and tests again, which takes as long as many a test.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    gc.disable()
    # What a property's own settings do not say; see tests/depth.py.
    settings.register_profile("after_an_edit", settings.default, max_examples=examples(50))
    settings.load_profile("after_an_edit")
    if hasattr(config, "workerinput"):
        # The processes' folders lie beside each other.
        compile_once(Path(config.option.basetemp).parent / "compiling")


def pytest_collection_finish():
    """Look for garbage only among what tests make: modules and tests are a million objects, and they stay."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """Put the files into the order in which they are best begun; tests of one file stay as they are."""
    items.sort(key=lambda item: _place(item.path.relative_to(REPOSITORY / "tests").as_posix()))


def _place(path: str) -> int:
    if path.startswith(_FIRST):
        return 0
    if path.startswith(tuple(f"unit/{name}/" for name in _PLAIN)):
        return 1
    return 2 if path.startswith(_LONG) else 3


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with real and simulated data, named by MEAS_DEBLEND_DATA (default ../shared/data); skips without it."""
    path = Path(os.environ.get("MEAS_DEBLEND_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no survey data at {path}: set MEAS_DEBLEND_DATA to run this test")
    return path


@pytest.fixture(scope="session", autouse=True)
def _written_is_enough():
    """Wait for no disk: what is written is there for every process at once, unless the power fails during a test.

    A whole run writes dozens of files, and waits for the disk as long as it computes. That it does is tested with the
    function that writes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """FITS coadds of the small sky by band, written once for all processes; nobody writes to them."""
    import small_sky  # noqa: PLC0415 - loads the library, which the process that only hands out tests does not need

    return sharing.made_once(tmp_path_factory, "sky", lambda: small_sky.write_coadds(tmp_path_factory.mktemp("sky")))
