"""What a stamp shows of a blended galaxy, for the how-to page about stamps: python stamps.py FOLDER."""

import sys
from pathlib import Path

import numpy as np

import meas_deblend as md
from meas_deblend.report import save_figure
from meas_deblend.report.style import new_figure, sky_axes
from meas_deblend.simulate import SkyConfig, simulate_sky

CONFIG = SkyConfig(
    shape=(88, 116),
    n_galaxies=16,
    n_stars=2,
    galaxy_magnitudes=(18.5, 23.5),
    red_fraction=0.4,
    companion_fraction=0.5,
    min_separation=1.2,
    seed=31,
)
SOFTENING = 3.0
"""In σ: fainter pixels are shown linearly, brighter ones logarithmically."""


def main(folder: Path) -> None:
    """Draw one object of the largest blend."""
    exposure = simulate_sky(CONFIG).exposure
    models = md.deblend(exposure).models
    blend = max(models.blends(), key=lambda blend: len(blend.sources))
    brightest = sorted(blend.sources, key=lambda source: -source.model().array.sum())
    number = brightest[1].id
    k = exposure.band_index("r")
    subtracted, filled = (next(models.stamps(exposure, way, [number])) for way in ("subtracted", "noise-filled"))
    cut = subtracted.box.slices_in(exposure.box)
    sigma = float(np.sqrt(np.median(exposure.variance[k])))
    panels = {
        "the coadd (r)": exposure.images[k][cut],
        'neighbours="subtracted"': subtracted.image[k],
        'neighbours="noise-filled"': filled.image[k],
        "the object's own model": subtracted.model[k],
    }
    top = np.arcsinh(subtracted.image[k].max() / sigma / SOFTENING)
    figure = new_figure(11, 3.2)
    axes = figure.subplots(1, 4)
    y, x = subtracted.position
    for axis, (title, image) in zip(axes, panels.items(), strict=True):
        axis.imshow(np.arcsinh(image / sigma / SOFTENING), origin="lower", cmap="magma", vmin=-0.5, vmax=top)
        axis.plot(x, y, "+", color="cyan", ms=8, mew=1.2)
        sky_axes(axis, title, ticks=False)
    save_figure(figure, folder / "stamps.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
