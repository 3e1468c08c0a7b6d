"""What the starting point of the multi-band fit brings, on simulated skies with truth.

For each starting point: the error of the fluxes in circles of 6 pixels on the re-apportioned pixels, against the same
circles on each source's own noiseless image, with the true positions given; and what the fit did. Sources that share
a parent, with more than 20 sigma of flux in the i band.

usage: python tests/benchmarks/seeding.py [number of skies]
"""

import sys
from time import perf_counter

import numpy as np

import meas_deblend as md
from meas_deblend.geometry import Image
from meas_deblend.measure import aperture_weights
from meas_deblend.simulate import SkyConfig, simulate_sky

STARTS = {
    "detect": {"multi_band": {"init": "detect"}},
    "single_band": {"multi_band": {"init": "templates"}},
    "no fit, detect": {"multi_band": {"init": "detect", "fit": {"max_iter": 0}}},
    "no fit, single_band": {"multi_band": {"init": "templates", "fit": {"max_iter": 0}}},
}
RADIUS = 6.0
BAND = "i"


def true_aperture(image: Image, k: int, position: tuple[float, float]) -> float:
    """Flux of one source's noiseless image within the circle."""
    weights = aperture_weights(position, RADIUS)
    return float((weights.array * image.project(weights.box).array[k]).sum())


def errors(start: dict, skies: list) -> dict:
    """Relative flux errors of blended sources, log-likelihoods, iterations and seconds."""
    delta, log_l, iterations, begin = [], 0.0, [], perf_counter()
    for sky in skies:
        table = {"x": sky.truth["x"], "y": sky.truth["y"], "id": sky.truth["id"].astype(str)}
        result = md.deblend(sky.exposure, config=start, sources=table)
        k = sky.exposure.bands.index(BAND)
        scale = 10 ** (0.4 * (31.4 - sky.exposure.zeropoints[k]))
        images = {str(source.id): image for source, image in zip(sky.sources, sky.images, strict=True)}
        log_l += float(np.nansum(result.parents["deblend_logL"]))
        iterations += [int(n) for n in result.parents["deblend_iterations"]]
        for row in result.objects:
            truth = true_aperture(images[str(row["sourceName"])], k, (row["y"], row["x"])) * scale
            if row["parentObjectId"] and truth > 20 * row[f"{BAND}_ap06FluxErr"]:
                delta.append(row[f"{BAND}_ap06Flux"] / truth - 1)
    d = np.array(delta)
    return {
        "n": len(d),
        "mean": np.abs(d).mean(),
        "median": np.median(np.abs(d)),
        "p(>0.1)": (np.abs(d) > 0.1).mean(),
        "bias": np.median(d),
        "logL": log_l,
        "iterations": np.mean(iterations),
        "seconds": perf_counter() - begin,
    }


def main(n_skies: int = 6) -> None:
    """Print one row per starting point."""
    skies = [simulate_sky(SkyConfig(seed=seed)) for seed in range(100, 100 + n_skies)]
    rows = {name: errors(start, skies) for name, start in STARTS.items()}
    print("start".ljust(20) + "".join(key.rjust(12) for key in next(iter(rows.values()))))
    for name, row in rows.items():
        print(name.ljust(20) + "".join(f"{value:12.4g}" for value in row.values()))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
