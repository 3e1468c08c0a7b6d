"""Data, model and residuals of a simulated blend, for the front page: python front_page.py FOLDER."""

import sys
from pathlib import Path

from meas_deblend.detect import exposure_psfs
from meas_deblend.report import Mark, Scene, field_figure, save_figure
from meas_deblend.scarlet import deblend_blend
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


def main(folder: Path) -> None:
    """Fit all sources together, at the positions at which they were simulated."""
    sky = simulate_sky(CONFIG)
    exposure = sky.exposure
    psfs = exposure_psfs(exposure).stamps
    blend = deblend_blend(exposure.images, exposure.variance, psfs, [(s.y, s.x) for s in sky.sources])
    scene = Scene(
        exposure.bands,
        exposure.images,
        blend.model(),
        exposure.variance,
        pixel_scale=exposure.pixel_scale,
        marks=tuple(Mark(str(s.id), s.y, s.x) for s in sky.sources),
    )
    save_figure(field_figure(scene), folder / "front_page.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
