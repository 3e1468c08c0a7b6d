"""What injection says of two deblenders on a simulated sky: python injection.py FOLDER."""

import sys
from pathlib import Path

import numpy as np

from meas_deblend.chains import load_chains
from meas_deblend.inject import InjectionConfig, RandomConfig, describe_sky, random_catalog, run_injection
from meas_deblend.report import injection_figure, save_figure
from meas_deblend.simulate import BandConfig, SkyConfig, simulate_sky

SKY = SkyConfig(
    bands=tuple(BandConfig(name=name, seeing=0.75, depth=26.5) for name in "gr"),
    shape=(130, 150),
    n_galaxies=12,
    n_stars=2,
    galaxy_magnitudes=(20.0, 24.0),
    seed=8,
)


def main(folder: Path) -> None:
    """Inject 72 sources into twelve copies of a sky, half of them beside what is there."""
    exposure = simulate_sky(SKY).exposure
    chains = load_chains(["single_band", "multi_band"])
    known = describe_sky(exposure, chains[-1])
    catalog = random_catalog(exposure, known, 72, RandomConfig(), rng=np.random.default_rng(1))
    config = InjectionConfig(density=None, realizations=12, gain=2500.0)
    result = run_injection(exposure, catalog, chains, config, known=known)
    save_figure(injection_figure(result.summary), folder / "injection.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
