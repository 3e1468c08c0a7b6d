"""A PSF that varies over a coadd, for the how-to page about PSFs: python psfs.py FOLDER."""

import sys
from pathlib import Path

import numpy as np

from meas_deblend.image import GridPsf, psf_fwhm
from meas_deblend.report import save_figure
from meas_deblend.report.style import new_figure, sky_axes
from meas_deblend.simulate import MoffatTransformPsf, VaryingPsf

SIDE = 1000
NODES = np.linspace(0.0, SIDE, 5)
TRUE = VaryingPsf(MoffatTransformPsf(3.5, 3.0), (500.0, 500.0), 700.0, 0.25, 0.12)
RADIUS = 12


def cut(stamp: np.ndarray) -> np.ndarray:
    """Middle of a stamp."""
    middle = len(stamp) // 2
    return stamp[middle - RADIUS : middle + RADIUS + 1, middle - RADIUS : middle + RADIUS + 1]


def main(folder: Path) -> None:
    """Draw stamps, the width between them, and what is wrong between two."""
    y, x = (a.ravel() for a in np.meshgrid(NODES, NODES, indexing="ij"))
    grid = GridPsf(np.stack([cut(TRUE.image(*place).stamp) for place in zip(y, x, strict=True)]), y, x)
    places = np.arange(0, SIDE + 1, 50)
    width = np.array([[psf_fwhm(grid.image(v, u).stamp) for u in places] for v in places])
    worst = np.array([[np.abs(grid.image(v, u).stamp - cut(TRUE.image(v, u).stamp)).max() for u in places]
                      for v in places])  # fmt: skip
    figure = new_figure(11, 3.6)
    stamps, fwhm, error = figure.subplots(1, 3)
    mosaic = np.block([[grid.image(v, u).stamp for u in NODES] for v in NODES])
    stamps.imshow(np.sqrt(np.maximum(mosaic, 0)), origin="lower", cmap="magma")
    sky_axes(stamps, "the 25 stamps of the grid", ticks=False)
    peak = TRUE.image(500, 500).stamp.max()
    for axis, values, title, label in (
        (fwhm, width, "width between the stamps", "FWHM [px]"),
        (error, 100 * worst / peak, "largest error", "% of the peak"),
    ):
        drawn = axis.imshow(values, origin="lower", extent=(-25, SIDE + 25, -25, SIDE + 25), cmap="viridis")
        axis.plot(x, y, "+", color="white", ms=5, mew=0.8)
        sky_axes(axis, title)
        axis.set_xlabel("x [px]")
        figure.colorbar(drawn, ax=axis, label=label, shrink=0.85)
    save_figure(figure, folder / "psfs.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
