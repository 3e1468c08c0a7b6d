"""Data, model and residuals of a simulated sky, for the front page: python front_page.py FOLDER."""

import sys
from pathlib import Path

import meas_deblend as md
from meas_deblend.pictures import field_scene
from meas_deblend.report import field_figure, save_figure
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
    """Run the whole chain."""
    exposure = simulate_sky(CONFIG).exposure
    result = md.deblend(exposure)
    save_figure(field_figure(field_scene(result, exposure)), folder / "front_page.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
