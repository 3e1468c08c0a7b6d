"""The real blend of the pages on profiles and on the multi-band engine: seven sources in grizy."""

import os
import sys
from pathlib import Path

import meas_deblend as md
from meas_deblend.image import MultibandExposure

#: The sources that catalogs list there, as (y, x).
SEVEN = [(33, 14), (36, 31), (47, 19), (15, 25), (51, 37), (23, 22), (5, 34)]
OUT = Path(__file__).resolve().parents[1] / "_static" / "real"


def read_blend() -> MultibandExposure:
    """Read it from the folder that MEAS_DEBLEND_DATA names, or say that it is not there."""
    data = Path(os.environ.get("MEAS_DEBLEND_DATA", ""))
    if not (data / "real").is_dir():
        sys.exit(f"no real data in {str(data)!r}: set MEAS_DEBLEND_DATA to the folder that holds real/")
    files = {band: data / "real" / "hsc_cosmos_35" / f"{band}.fits" for band in "grizy"}
    return md.read_coadds(files, survey="hsc")
