"""Draw what the single-band deblender makes of a real blend, for the how-to page about it.

Run as ``python doc/figures_real/single_band.py``. The folder with the data is named by MEAS_DEBLEND_DATA. The pictures
go to doc/_static/real and are kept under version control, because a build of the documentation has no data.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

import meas_deblend as md
from meas_deblend.sdss import SingleBandConfig, SingleBandResult, deblend_parent

# The sources that catalogs list there, brightest first in r, as (y, x); and a place between the two brightest.
SEVEN = [(33, 14), (36, 31), (47, 19), (15, 25), (51, 37), (23, 22), (5, 34)]
BETWEEN = (35, 23)
OUT = Path(__file__).resolve().parents[1] / "_static" / "real"
SOFTENING = 3.0
"""In σ: fainter pixels are shown linearly, brighter ones logarithmically."""


class Band:
    """The blend in r, and how its pictures are stretched."""

    def __init__(self, data: Path) -> None:
        coadds = md.read_coadds({"r": data / "real" / "hsc_cosmos_35" / "r.fits"}, survey="hsc")
        self.image, self.variance, self.psf = coadds.images[0], coadds.variance[0], coadds.psfs[0]
        self.sigma = float(np.sqrt(np.median(self.variance)))

    def deblend(self, peaks: list[tuple[int, int]], **options: object) -> SingleBandResult:
        """Deblend the whole cut-out as one parent."""
        return deblend_parent(self.image, self.variance, self.psf, peaks, config=SingleBandConfig(**options))

    def show(self, axes: Any, image: NDArray[np.floating], title: str, peaks: Sequence[tuple[int, int]] = ()) -> None:
        """Draw an image of the sky, in σ."""
        top = np.arcsinh(self.image.max() / self.sigma / SOFTENING)
        axes.imshow(np.arcsinh(image / self.sigma / SOFTENING), origin="lower", cmap="magma", vmin=-0.5, vmax=top)
        for k, (y, x) in enumerate(peaks, start=1):
            axes.plot(x, y, "+", color="cyan", ms=7, mew=1.2)
            axes.annotate(str(k), (x, y), (4, 4), textcoords="offset points", color="cyan", fontsize=8)
        axes.set_title(title, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])


def templates(band: Band) -> None:
    """Draw data, templates and residual, and below the children of the five brightest sources."""
    result = band.deblend(SEVEN)
    model = sum(child.template for child in result.children)
    figure, axes = plt.subplots(2, 5, figsize=(11, 6), layout="constrained")
    band.show(axes[0, 0], band.image, "data (r), peaks", SEVEN)
    band.show(axes[0, 1], model, "sum of the templates")
    sigmas = (band.image - model) / np.sqrt(band.variance)
    residual = axes[0, 2].imshow(sigmas, origin="lower", cmap="RdBu_r", vmin=-10, vmax=10)
    axes[0, 2].set_title("data − templates [σ]", fontsize=9)
    figure.colorbar(residual, ax=axes[0, 2], shrink=0.8, orientation="horizontal", pad=0.02)
    band.show(axes[0, 3], result.children[0].template, "template of 1")
    band.show(axes[0, 4], result.children[1].template, "template of 2")
    for k in range(5):
        child = result.children[k]
        kind = "PSF" if child.is_psf else "symmetric"
        band.show(axes[1, k], child.flux, f"pixels of {k + 1} ({kind}): {child.flux.sum():.1f}")
    axes[0, 2].set_xticks([])
    axes[0, 2].set_yticks([])
    save(figure, "single_band_children")


def three_in_a_row(band: Band) -> None:
    """Draw what the middle of three peaks on a line takes, by how its template is made."""
    peaks = [*SEVEN[:2], BETWEEN, *SEVEN[2:]]
    variants = {
        "symmetry alone": {"monotonic_template": False, "fit_psfs": False},
        "monotone (default)": {"fit_psfs": False},
        "3 rounds": {"fit_psfs": False, "iterate_templates": 3},
    }
    figure, axes = plt.subplots(2, 4, figsize=(11, 6.4), layout="constrained")
    band.show(axes[0, 0], band.image, "a third peak between two galaxies", peaks[:3])
    axes[1, 0].axis("off")
    for column, (name, options) in enumerate(variants.items(), start=1):
        result = band.deblend(peaks, **options)
        band.show(axes[0, column], result.children[2].template, f"template of 3: {name}")
        fluxes = ", ".join(f"{child.flux.sum():.0f}" for child in result.children[:3])
        band.show(axes[1, column], result.children[2].flux, f"its pixels (fluxes 1, 2, 3: {fluxes})")
    save(figure, "single_band_three_in_a_row")


def with_and_without(band: Band) -> None:
    """Draw what two galaxies get with and without a peak between them."""
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), layout="constrained")
    for row, peaks in zip(axes, (SEVEN, [*SEVEN[:2], BETWEEN, *SEVEN[2:]]), strict=True):
        result = band.deblend(peaks)
        having = "with" if BETWEEN in peaks else "without"
        between = result.children[2].flux if BETWEEN in peaks else np.zeros_like(band.image)
        for axis, image, name in zip(
            row, (result.children[0].flux, result.children[1].flux, between), ("1", "2", "3"), strict=True
        ):
            band.show(axis, image, f"pixels of {name} {having} the peak between: {image.sum():.1f}")
    axes[0, 2].clear()
    band.show(axes[0, 2], band.image, "data", [*SEVEN[:2], BETWEEN])
    save(figure, "single_band_with_and_without")


def save(figure: Any, name: str) -> None:
    """Write one picture."""
    figure.savefig(OUT / f"{name}.png", dpi=110)
    plt.close(figure)


def main() -> None:
    """Draw all pictures."""
    mpl.use("Agg")
    data = Path(os.environ.get("MEAS_DEBLEND_DATA", ""))
    if not (data / "real").is_dir():
        sys.exit(f"no real data in {str(data)!r}: set MEAS_DEBLEND_DATA to the folder that holds real/")
    band = Band(data)
    templates(band)
    three_in_a_row(band)
    with_and_without(band)


if __name__ == "__main__":
    main()
