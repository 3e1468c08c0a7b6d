"""Two galaxies that come closer, for explanation/contamination.md: python contamination.py FOLDER."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

import meas_deblend as md
from meas_deblend.report import save_figure
from meas_deblend.report.panels import extent
from meas_deblend.report.style import PALETTE, new_figure, sky_axes
from meas_deblend.simulate import SimulatedSky, SkyConfig, two_galaxies

CONFIG = SkyConfig(shape=(61, 81))
BAND = "i"
SEPARATIONS = (8.0, 10.0, 12.0, 15.0, 18.0, 22.0)
SHOWN = (8.0, 12.0, 18.0)
COLUMNS = {
    f"{BAND}_deblend_fluxOverlapFraction": ("Σ (T − m) / Σ m", PALETTE["vermilion"], "o-"),
    f"{BAND}_blendedness": ("blendedness, by pixels", PALETTE["blue"], "s-"),
    f"{BAND}_deblend_blendedness": ("blendedness, by models", PALETTE["green"], "^-"),
}


def fainter(sky: SimulatedSky, separation: float) -> Any:
    """Row of the fainter galaxy; both positions are given, so that it is found at any distance."""
    y, x = CONFIG.shape[0] // 2, CONFIG.shape[1] // 2
    places = {"y": np.array([y, y]), "x": np.array([x - separation / 2, x + separation / 2])}
    rows = md.deblend(sky.exposure, sources=places).objects
    return rows[np.argmax(rows["x"])]


def main(folder: Path) -> None:
    """Draw three of the pairs, and what the catalog says of the fainter galaxy of each."""
    skies = {separation: two_galaxies(separation, (20.5, 21.5), CONFIG) for separation in SEPARATIONS}
    rows = {separation: fainter(sky, separation) for separation, sky in skies.items()}
    figure = new_figure(9.0, 2.9)
    grid = figure.add_gridspec(1, 5)
    for k, separation in enumerate(SHOWN):
        exposure = skies[separation].exposure
        image = exposure.images[exposure.bands.index(BAND)]
        level = float(np.sqrt(np.median(exposure.variance[exposure.bands.index(BAND)])))
        axes = figure.add_subplot(grid[0, k])
        shown = np.arcsinh(image / (3 * level))
        axes.imshow(shown, extent=extent(exposure.box), origin="lower", cmap="Greys", vmin=-0.3, vmax=5)
        sky_axes(axes, f"{separation:g} px apart")
    axes = figure.add_subplot(grid[0, 3:])
    for name, (label, color, style) in COLUMNS.items():
        axes.plot(SEPARATIONS, [rows[s][name] for s in SEPARATIONS], style, color=color, label=label, ms=4)
    axes.set_xlabel("distance [px]", fontsize=8.5)
    axes.set_title("what is told of the fainter one", fontsize=8.5)
    axes.set_ylim(bottom=-0.05)
    axes.legend(fontsize=7.5, frameon=False)
    save_figure(figure, folder / "contamination.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
