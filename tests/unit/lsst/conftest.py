"""These tests need the extra ``lsst``."""

import importlib.util

import pytest


@pytest.fixture(autouse=True)
def _middleware():
    # Under Python 3.11, or without the extra, there is no middleware.
    if importlib.util.find_spec("lsst") is None or importlib.util.find_spec("lsst.pipe.base") is None:
        pytest.skip("Rubin's middleware is not installed: pip install meas_deblend[lsst] (Python 3.12 or later)")
