"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with real and simulated data, named by MEAS_DEBLEND_DATA (default ../shared/data); skips without it."""
    path = Path(os.environ.get("MEAS_DEBLEND_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no survey data at {path}: set MEAS_DEBLEND_DATA to run this test")
    return path
