"""Draw the pictures of real data that these pages show.

Run as ``python doc/figures_real/make.py``. The folder with the data is named by MEAS_DEBLEND_DATA. The pictures go to
doc/_static/real and are kept under version control, because a build of the documentation has no data.
"""

import os
import sys
from pathlib import Path

import meas_deblend as md
from meas_deblend.pictures import field_scene
from meas_deblend.report import field_figure, save_figure

# The sources that catalogs list there.
SEVEN = {"x": [14.0, 31.0, 19.0, 25.0, 37.0, 22.0, 34.0], "y": [33.0, 36.0, 47.0, 15.0, 51.0, 23.0, 5.0]}
OUT = Path(__file__).resolve().parents[1] / "_static" / "real"


def hsc_cosmos_35(data: Path) -> None:
    """Draw a blend in the COSMOS field, from coadds of the Hyper Suprime-Cam survey (grizy), detected and given."""
    files = {band: data / "real" / "hsc_cosmos_35" / f"{band}.fits" for band in "grizy"}
    coadds = md.read_coadds(files, survey="hsc")
    for name, sources in (("hsc_cosmos_35", None), ("hsc_cosmos_35_given", SEVEN)):
        result = md.deblend(coadds, survey="hsc", sources=sources)
        save_figure(field_figure(field_scene(result, coadds)), OUT / f"{name}.png", dpi=120)


def main() -> None:
    """Draw all pictures."""
    data = Path(os.environ.get("MEAS_DEBLEND_DATA", ""))
    if not (data / "real").is_dir():
        sys.exit(f"no real data in {str(data)!r}: set MEAS_DEBLEND_DATA to the folder that holds real/")
    hsc_cosmos_35(data)


if __name__ == "__main__":
    main()
