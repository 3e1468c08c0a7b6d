"""The multi-band engine on the bench blends: cost in yardsticks, likelihood, and flux error against truth.

usage: MEAS_DEBLEND_DATA=... python tests/benchmarks/engine.py [case ...]

Cost is that of a whole call of deblend_blend (kernels, initialisation, spectra, fit), CPU time, one thread, float32,
divided by Y of the same run; the reference's cost and likelihood stand in reference.json. The flux error is the rms
over sources and bands of flux / true flux - 1.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from meas_deblend.scarlet import FitConfig, deblend_blend

sys.path.insert(0, str(Path(__file__).parent))
from yardstick import cpu_seconds, yardstick

CONFIGS = {"production": FitConfig.production(), "default": FitConfig()}


def fit(case: dict, config: FitConfig):
    """Deblend one bench blend as the reference runs did."""
    footprint = case.get("footprint")
    arrays = [case[name].astype(np.float32) for name in ("images", "variance", "psfs")]
    return deblend_blend(*arrays, case["centers"], footprint=footprint, detect=case["detect"], config=config)


def row(case: dict, config: FitConfig, y: float) -> tuple[float, ...]:
    """Cost [Y], iterations, logL and flux error of one case."""
    blend = fit(case, config)
    cost = cpu_seconds(lambda: fit(case, config), repeats=3) / y
    error = np.nan
    if "true_flux" in case:
        flux = np.array([source.flux for source in blend.sources])
        error = float(np.sqrt(np.mean((flux / case["true_flux"] - 1) ** 2)))
    return cost, blend.iterations, blend.logL, error


def main(names: list[str]) -> None:
    """Print one row per case and configuration."""
    folder = Path(os.environ["MEAS_DEBLEND_DATA"]) / "bench"
    reference = json.loads((folder / "reference.json").read_text())["cases"]
    print(f"{'case':14}{'config':12}{'cost [Y]':>10}{'ref. / cost':>13}{'iterations':>12}{'logL':>12}{'flux rms':>10}")
    for name in names or list(reference):
        case = dict(np.load(folder / f"{name}.npz"))
        known = reference[name]["production"]
        print(
            f"{name:14}{'reference':12}{known['cost_in_yardsticks']:10.0f}{1:13.1f}{known['iters']:12}{known['logL']:12.1f}"
        )
        for label, config in CONFIGS.items():
            y = yardstick()
            cost, iterations, log_l, error = row(case, config, y)
            ratio = known["cost_in_yardsticks"] / cost
            print(f"{'':14}{label:12}{cost:10.0f}{ratio:13.1f}{iterations:12}{log_l:12.1f}{error:10.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
