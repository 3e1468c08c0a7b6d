"""The ladder at work on a crowded blend, for the page that explains it: python ladder.py FOLDER."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from meas_deblend.apportion import reapportion_parent, render_templates
from meas_deblend.deblenders import MultiBand, MultiBandOptions, PlannedPart, plan_parent
from meas_deblend.detect import DeconvolveConfig, HierarchyConfig, deconvolve_exposure, split_parents
from meas_deblend.geometry import Footprint, Parent, Peak
from meas_deblend.image import MultibandExposure
from meas_deblend.models import ParentModel
from meas_deblend.report import save_figure
from meas_deblend.report.style import new_figure, sky_axes
from meas_deblend.simulate import (
    HSC_WIDE,
    Sersic,
    SimulatedComponent,
    SimulatedSky,
    SimulatedSource,
    SkyConfig,
    observe,
)

SIDE, COUNT = 150, 40
BUDGET = 10.0
RUNGS = ("full_multi_band", "one_component", "symmetric_templates", "psf_templates")


def crowd() -> SimulatedSky:
    """Simulate a large galaxy and many small ones on its outskirts, and beyond."""
    config = SkyConfig(bands=HSC_WIDE[:3], shape=(SIDE, SIDE), seed=5)
    rng = np.random.default_rng(5)

    def source(number: int, place: tuple[float, float], magnitude: float, radius: float) -> SimulatedSource:
        magnitudes = magnitude + rng.uniform(0, 1.2) * np.array([0.8, 0.3, 0.0])
        flux = tuple(float(f) for f in 10 ** (-0.4 * (magnitudes - config.zeropoint)))
        shape = Sersic(radius, 1.0, float(rng.uniform(0.5, 1)), float(rng.uniform(0, 180)))
        return SimulatedSource(number, *place, (SimulatedComponent(shape, flux),), is_star=False)

    small = [
        source(k + 2, tuple(rng.uniform(6, SIDE - 7, 2)), rng.uniform(21.5, 23.5), float(rng.uniform(1, 3)))
        for k in range(COUNT - 1)
    ]
    return observe([source(1, (70.0, 88.0), 19.0, 9.0), *small], config)


def blend_of(sky: SimulatedSky) -> Parent:
    """All of it as one blend."""
    exposure = sky.exposure
    total = np.array([image.array.sum() for image in sky.images])
    places = [(round(source.y), round(source.x)) for source in sky.sources]
    peaks = tuple(Peak(k, *place, float(f)) for k, (place, f) in enumerate(zip(places, total, strict=True)))
    parent = Parent(1, Footprint.from_box(exposure.box, peaks))
    deconvolved = deconvolve_exposure(exposure, [parent], DeconvolveConfig())
    return replace(split_parents([parent], deconvolved, HierarchyConfig())[0], blends=())


def errors(sky: SimulatedSky, model: ParentModel) -> np.ndarray:
    """|flux / true flux − 1| of the children, all bands."""
    truth = np.array([image.array.sum(axis=(1, 2)) for image in sky.images])
    children = reapportion_parent(sky.exposure, model).children
    return np.abs(np.array([np.asarray(child.flux).sum(axis=(1, 2)) for child in children]) / truth - 1)


def residual(sky: SimulatedSky, model: ParentModel) -> np.ndarray:
    """Subtract the model: what is left in units of the noise (y, x), middle band."""
    exposure = sky.exposure
    image = exposure.images[1].astype(float)
    for template in render_templates(model, exposure.box):
        image[template.box.slices_in(exposure.box)] -= template.array[1]
    return image / np.sqrt(exposure.variance[1])


def main(folder: Path) -> None:
    """Draw the blend, its parts, residuals, and what each rung costs and gives."""
    sky = crowd()
    parent, exposure, deblend = blend_of(sky), sky.exposure, MultiBand()
    tight = MultiBandOptions(memory_budget=BUDGET)
    models = {"split": deblend(exposure, parent, tight)}
    for rung in RUNGS:
        models[rung] = deblend(exposure, parent, MultiBandOptions(ladder=(rung, "parent_only")))
    figure = new_figure(12, 8)
    (sky_axis, parts_axis, score), (*residuals,) = figure.subplots(2, 3)
    stretched = np.arcsinh(exposure.images[1] / np.sqrt(np.median(exposure.variance[1])))
    sky_axis.imshow(stretched, origin="lower", cmap="gray")
    sky_axis.plot([s.x for s in sky.sources], [s.y for s in sky.sources], "+", color="tab:orange", ms=5, mew=0.8)
    sky_axes(sky_axis, f"one blend of {COUNT} peaks", ticks=False)
    draw_parts(parts_axis, exposure, plan_parent(exposure, parent, tight))
    for axis, name in zip(residuals, ("full_multi_band", "split", "psf_templates"), strict=True):
        drawn = axis.imshow(residual(sky, models[name]), origin="lower", vmin=-5, vmax=5, cmap="RdBu_r")
        sky_axes(axis, f"residual [noise]: {name}", ticks=False)
        figure.colorbar(drawn, ax=axis, shrink=0.8)
    options = MultiBandOptions()
    for rung, model in models.items():
        seconds = options.predict(
            RUNGS[0] if rung == "split" else rung, parent.footprint.peaks, parent.footprint.box, 3
        ).seconds
        if rung == "split":
            seconds = sum(part.cost.seconds for part in plan_parent(exposure, parent, tight))
        error = np.median(errors(sky, model))
        score.plot(seconds, error, "o", color="tab:red" if rung == "split" else "tab:blue")
        offset = {"split": (5, -12), "full_multi_band": (-75, 8)}.get(rung, (5, 5))
        score.annotate(rung, (seconds, error), textcoords="offset points", xytext=offset, fontsize=8)
    score.set(xscale="log", xlabel="predicted time [s]", ylabel="median |δF/F|", title="what a rung costs, and gives")
    score.margins(0.25)
    score.set_ylim(bottom=0)
    save_figure(figure, folder / "ladder.png")


def draw_parts(axis: Any, exposure: MultibandExposure, parts: Sequence[PlannedPart]) -> None:
    """Parts in shades, with the borders between them."""
    number = np.zeros(exposure.box.shape)
    for k, part in enumerate(parts):
        number[part.footprint.box.slices_in(exposure.box)][part.footprint.mask] = k + 1
        axis.plot([p.x for p in part.footprint.peaks], [p.y for p in part.footprint.peaks], ".", color="black", ms=3)
    axis.imshow(number % 3, origin="lower", cmap="Blues", vmin=-1, vmax=6)
    axis.contour(number, np.arange(len(parts)) + 0.5, colors="tab:red", linewidths=0.8)
    sky_axes(axis, f"{len(parts)} parts for a budget of {BUDGET:g} Mbyte", ticks=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
