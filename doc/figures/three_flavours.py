"""The three flavours of one object's pixels, for tutorial/three-lines.md: python three_flavours.py FOLDER."""

import sys
from pathlib import Path

import numpy as np

import meas_deblend as md
from meas_deblend.report import save_figure
from meas_deblend.report.panels import extent
from meas_deblend.report.style import new_figure, sky_axes
from meas_deblend.simulate import SkyConfig, two_galaxies

CONFIG = SkyConfig(shape=(61, 81))
BAND = "i"


def main(folder: Path) -> None:
    """Two galaxies, deblended: the left one in the image and in its three flavours."""
    exposure = two_galaxies(9.0, (20.5, 20.8), CONFIG).exposure
    result = md.deblend(exposure)
    rows = result.objects
    source = result.models.source(int(rows["objectId"][np.argmin(rows["x"])]))
    box = source.parent.footprint.box.grow(3) & exposure.box
    band = exposure.bands.index(BAND)
    panels = {
        "the coadd": exposure.images[band][box.slices_in(exposure.box)],
        "re-apportioned pixels": source.reapportioned(exposure, BAND).to_image(box).array,
        "convolved model": source.model(BAND).project(box).array,
        "deconvolved model": source.model(BAND, convolved=False).project(box).array,
    }
    level = float(np.sqrt(np.median(exposure.variance[band])))
    figure = new_figure(9.0, 2.7)
    for k, (title, image) in enumerate(panels.items()):
        axes = figure.add_subplot(1, 4, k + 1)
        axes.imshow(
            np.arcsinh(image / (3 * level)), extent=extent(box), origin="lower", cmap="Greys", vmin=-0.3, vmax=5
        )
        sky_axes(axes, f"{title}\nΣ = {image.sum():.1f}")
    save_figure(figure, folder / "three_flavours.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
