"""The presets of simulated fields, as colour pictures of their g, r and i bands: python simulated_fields.py FOLDER."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from meas_deblend.geometry import Box
from meas_deblend.report import AsinhStretch, save_figure
from meas_deblend.report.panels import show_colour
from meas_deblend.report.style import new_figure, sky_axes
from meas_deblend.simulate import LSST_10Y, PRESETS, preset, simulate_field

# Parts of the large presets, so that a galaxy can be seen.
SMALLER = {
    "patch": {"shape": (300, 300)},
    "crowded": {"shape": (300, 300), "n_galaxies": (90, 90)},
    "poisoned": {"shape": (400, 400), "giant_radius": 5.0, "cluster_members": 150},
    "bright-star": {"shape": (301, 301), "region": 250},
}
NOISE = np.sqrt(LSST_10Y.sky[1:4])
# In units of the noise per pixel, so that all bands weigh the same.
STRETCH = AsinhStretch.from_images(simulate_field(preset("field", seed=4)).exposure.images[1:4] / NOISE[:, None, None])


def panel(axes: Any, name: str) -> None:
    """Draw one preset."""
    exposure = simulate_field(preset(name, seed=4, **SMALLER.get(name, {}))).exposure
    images = exposure.images[1:4] / NOISE[:, None, None]
    missing = ~np.isfinite(images).all(axis=0)
    show_colour(axes, np.nan_to_num(images), Box((0, 0), exposure.images.shape[1:]), STRETCH, missing)
    height, width = exposure.images.shape[1:]
    sky_axes(axes, f"{name} ({height} × {width})")


def main(folder: Path) -> None:
    """Draw all presets."""
    figure = new_figure(10.2, 10.8)
    for axes, name in zip(figure.subplots(3, 3).ravel(), PRESETS, strict=True):
        panel(axes, name)
    save_figure(figure, folder / "simulated_fields.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
