"""Runs in which something is different each time."""

import pytest
from made_runs import made_runs
from sharing import made_once


@pytest.fixture(scope="session")
def varied(tmp_path_factory):
    """Runs that differ in many ways, and the settings that they read."""
    return made_once(tmp_path_factory, "made_runs", made_runs)
