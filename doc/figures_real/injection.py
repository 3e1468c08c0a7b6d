"""Injection into two real blends: python injection.py DATA OUT [N]; figures go to doc/_static/real."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from meas_deblend.cli import main as meas_deblend
from meas_deblend.image import ImagePsf, MaskPlanes, MultibandExposure, load_survey, write_coadd

REAL = Path(__file__).resolve().parents[1] / "_static" / "real"
BANDS = ("g", "r", "i", "z", "y")
DEBLENDERS = ("none", "sep", "single_band", "multi_band")


def write_testdata(source: Path, folder: Path) -> None:
    """Write the blend that is kept as arrays as FITS coadds."""
    data = np.load(source)
    survey = load_survey("hsc")
    exposure = MultibandExposure(
        BANDS,
        data["images"],
        data["variance"],
        data["mask"],
        tuple(ImagePsf(stamp) for stamp in data["psfs"]),
        MaskPlanes(survey.mask_planes, survey.bad_planes),
        zeropoints=(27.0,) * len(BANDS),
        pixel_scale=survey.pixel_scale,
    )
    for band in BANDS:
        write_coadd(folder / f"{band}.fits", exposure, band, overwrite=True)


def table(summary: dict) -> list[str]:
    """Rows of the how-to guide's table."""
    lines = []
    for name, numbers in summary["deblenders"].items():
        everything, close = numbers["all"], numbers["separation"][:3]
        fluxes = everything["bands"]["r"]
        near = [_value(entry["bands"]["r"]["mean_abs"], "{:.3f}") for entry in close]
        cells = [
            f"`{name}`",
            _value(everything["completeness"], "{:.2f}"),
            str(fluxes["aperture"]["n"]),
            _value(fluxes["aperture"]),
            f"{fluxes['scatter']:.3f}",
            _value(fluxes["mean_abs"], "{:.3f}"),
            *near,
            _value(fluxes["model"]),
            _value(fluxes["psf"]),
            _value(everything["colors"]["g-r"]),
            f"{summary['seconds_per_realization'][name]:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _value(number: dict, form: str = "{:+.3f}") -> str:
    if number["value"] is None:
        return "–"
    return f"{form.format(number['value'])} ± {form.replace('+', '').format(number['error'])}"


def main(data: Path, out: Path, n: int = 120) -> None:
    """Inject into both blends, the same for the same ``n``."""
    coadds = out / "testdata_3_0"
    coadds.mkdir(parents=True, exist_ok=True)
    write_testdata(data / "real" / "testdata_3_0.npz", coadds)
    for name, folder in (("hsc_cosmos_35", data / "real" / "hsc_cosmos_35"), ("testdata_3_0", coadds)):
        place = out / f"inject_{name}"
        arguments = ["inject", "--survey", "hsc", "--random", str(n), "--density", "30", "--out", str(place)]
        arguments += ["--overwrite", "--coadd", *(f"{band}={folder / band}.fits" for band in BANDS)]
        meas_deblend([*arguments, *(text for name in DEBLENDERS for text in ("--deblender", name))])
        shutil.copy(place / "injection.png", REAL / f"injection_{name}.png")
        print(name, *table(json.loads((place / "summary.json").read_text())), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *(int(n) for n in sys.argv[3:]))
