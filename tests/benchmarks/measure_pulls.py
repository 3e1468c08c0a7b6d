"""Pulls of catalog fluxes: (measured − the same estimator on the noiseless isolated truth) / error.

usage: python tests/benchmarks/measure_pulls.py
           [isolated|pairs [white|correlated [fields [first seed [FILE.npz [default|late]]]]]]
       python tests/benchmarks/measure_pulls.py report FILE.npz ...

Each field has 100 cells of 52 × 52 pixels in r and i, with one source in each, or with two that are 5 to 12 pixels
apart; a third of the sources are stars, the others Sérsic profiles; S/N from 10 to 500. The whole chain runs with the
true positions given, with all settings as they are, or with a late look for point sources. Noise is white, or has
Σξ = 2. kappa is the contamination of a source by its neighbour, Σ t (T − t) / Σ t², with t and T the noiseless images
of source and cell. Printed per flux: number, mean and standard deviation of the pulls within 5, half the width between
the 16th and 84th percentile, and the part beyond 5.
"""

import sys
import warnings
from dataclasses import replace

import numpy as np

import meas_deblend as md
from meas_deblend.geometry import Box
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.measure import MeasureConfig, NoiseCorrelation, PsfShapes, Scene, Target, measure_sky
from meas_deblend.products import flux_factor
from meas_deblend.simulate import (
    HSC_WIDE,
    PointSource,
    Sersic,
    SimulatedComponent,
    SimulatedSource,
    SkyConfig,
    correlated_noise,
    correlation_kernel,
    observe,
)

BANDS, CELL, SIDE = HSC_WIDE[1:3], 52, 10
CONFIG = SkyConfig(bands=BANDS, shape=(CELL * SIDE, CELL * SIDE))
FLUXES = ("ap03", "ap06", "ap09", "ap12", "ellipse", "kron", "psf", "gaap")
LATE = {"multi_band": {"fit": {"late_points": True, "point_source_snr": 25.0}}}
KAPPAS = ((0.0, 1e-3), (1e-3, 0.1), (0.1, 0.3), (0.3, 1.0), (1.0, np.inf))


def draw(rng: np.random.Generator, pairs: bool) -> list[SimulatedSource]:
    """Sources of one field."""
    out = []
    for row in range(SIDE):
        for column in range(SIDE):
            y, x = (CELL * (k + 0.5) + rng.uniform(-0.5, 0.5) for k in (row, column))
            places = [(y, x)]
            if pairs:
                angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(5, 12) / 2
                dy, dx = distance * np.sin(angle), distance * np.cos(angle)
                places = [(y - dy, x - dx), (y + dy, x + dx)]
            out += [source(rng, len(out) + k + 1, place) for k, place in enumerate(places)]
    return out


def source(rng: np.random.Generator, number: int, place: tuple[float, float]) -> SimulatedSource:
    """A star or a galaxy."""
    star = rng.uniform() < 1 / 3
    flux = 10 ** (-0.4 * (rng.uniform(21.3, 25.3) + np.array([rng.uniform(0, 0.8), 0.0]) - CONFIG.zeropoint))
    shape = (rng.uniform(0.8, 4.0), rng.choice([0.5, 1.0, 2.5]), rng.uniform(0.4, 1.0), rng.uniform(0, 180))
    profile = PointSource() if star else Sersic(*shape)
    return SimulatedSource(number, *place, (SimulatedComponent(profile, tuple(flux)),), is_star=star)


def truth_of(sky, k: int, psfs: PsfShapes, config: MeasureConfig) -> np.ndarray:
    """Fluxes (F, B) of one source alone, without noise."""
    image = sky.images[k]
    box = Box((round(sky.sources[k].y), round(sky.sources[k].x)), (1, 1)).grow(60)
    cube = image.project(box).array
    # The variance decides how bands are weighted in ellipses, so it is that of the sky.
    sky_level = np.median(sky.exposure.variance, axis=(1, 2))
    ones = np.broadcast_to(sky_level[:, None, None], cube.shape).copy()
    exposure = MultibandExposure(
        sky.exposure.bands, cube, ones, np.zeros(cube.shape, np.int32), sky.exposure.psfs, MaskPlanes()
    )
    scene = Scene(exposure, np.zeros(box.shape, dtype=bool), NoiseCorrelation.white(len(cube)))
    center = sky.sources[k].y - box.origin[0], sky.sources[k].x - box.origin[1]
    return measure_sky(scene, Target(center, 1), psfs, config).flavors["reapportioned"].fluxes.flux


def run(kind: str, noise: str, seed: int, settings: dict) -> dict[str, np.ndarray]:
    """Pulls, contamination and kind of all sources of one field."""
    rng = np.random.default_rng((seed, kind == "pairs"))
    sky = observe(draw(rng, kind == "pairs"), CONFIG.model_copy(update={"seed": seed}))
    exposure = sky.exposure
    if noise == "correlated":
        variance = exposure.variance.astype(np.float64)
        images = sky.noiseless() + correlated_noise(rng, variance, correlation_kernel(2.0))
        exposure = replace(exposure, images=images.astype(np.float32))
    positions = {"x": sky.truth["x"], "y": sky.truth["y"], "id": sky.truth["id"]}
    table = md.deblend(exposure, config=settings, sources=positions).objects
    order = np.argsort([int(name) for name in table["sourceName"]])
    rows = table[order]
    config = MeasureConfig()
    psfs = PsfShapes(exposure.psfs, config)
    truth = np.array([truth_of(sky, k, psfs, config) for k in range(len(sky.sources))])
    total = sky.noiseless()
    kappa, sn = np.zeros((2, len(rows), len(BANDS)))
    for k, image in enumerate(sky.images):
        here, there = image.box.overlap_slices(exposure.box)
        t = image.array[(slice(None), *here)]
        kappa[k] = (t * (total[(slice(None), *there)] - t)).sum(axis=(1, 2)) / (t**2).sum(axis=(1, 2))
    out = {"kappa": np.abs(kappa), "star": np.array([s.is_star for s in sky.sources])}
    for f, name in enumerate(FLUXES):
        for kind_of, prefix in (("", ""), ("undeblended ", "undeblended_")):
            pulls = np.full((len(rows), len(BANDS)), np.nan)
            for b, band in enumerate(exposure.bands):
                factor = flux_factor(exposure.zeropoints[b])
                column = f"{band}_{prefix}{name}Flux"
                good = ~rows[f"{band}_{name}Flux_flag"]
                difference = np.asarray(rows[column]) - truth[:, f, b] * factor
                pulls[:, b] = np.where(good, difference / rows[f"{column}Err"], np.nan)
                if name == "psf":
                    sn[:, b] = rows[column] / rows[f"{column}Err"]
            out[kind_of + name] = pulls
    fluxes = np.array([s.flux for s in sky.sources])
    for name in ("psf", "model"):
        pulls = [
            (np.asarray(rows[f"{band}_{name}Flux"]) - fluxes[:, b] * flux_factor(exposure.zeropoints[b]))
            / rows[f"{band}_{name}FluxErr"]
            for b, band in enumerate(exposure.bands)
        ]
        stars = out["star"][:, None] if name == "psf" else True
        out[f"{name} against total"] = np.where(stars, np.array(pulls).T, np.nan)
    return out | {"sn": sn}


def report(results: list[dict[str, np.ndarray]]) -> None:
    """Print the table."""
    joined = {name: np.concatenate([one[name] for one in results]) for name in results[0]}
    kappa = joined["kappa"].mean(axis=1)
    print(f"{'kappa':>16} {'flux':<20}{'n':>6}{'mean':>8}{'width':>8}{'68 %':>8}{'> 5':>8}")
    for low, high in KAPPAS:
        chosen = (kappa >= low) & (kappa < high)
        if not chosen.any():
            continue
        for name, values in joined.items():
            if name in ("kappa", "star", "sn"):
                continue
            pulls = values[chosen].ravel()
            pulls = pulls[np.isfinite(pulls)]
            if not pulls.size:
                continue
            core = pulls[np.abs(pulls) < 5]
            half = np.diff(np.percentile(pulls, (15.87, 84.13)))[0] / 2
            print(
                f"{low:7.3f} – {high:6.3f} {name:<20}{pulls.size:6}{core.mean():8.2f}{core.std():8.2f}{half:8.2f}"
                f"{np.mean(np.abs(pulls) >= 5):8.3f}"
            )


def main(
    kind: str = "isolated",
    noise: str = "white",
    fields: int = 10,
    first: int = 1,
    file: str = "",
    points: str = "default",
) -> None:
    """Run and print; or print what runs have kept."""
    warnings.simplefilter("ignore")
    if kind == "report":
        report([dict(np.load(name)) for name in sys.argv[2:]])
        return
    settings = {"default": {}, "late": LATE}[points]
    results = [run(kind, noise, seed, settings) for seed in range(int(first), int(first) + int(fields))]
    report(results)
    if file:
        np.savez(file, **{name: np.concatenate([one[name] for one in results]) for name in results[0]})


if __name__ == "__main__":
    main(*sys.argv[1:])
