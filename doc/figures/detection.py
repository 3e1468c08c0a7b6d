"""What detection and deconvolution make of a small field, for explanation/detection.md: python detection.py FOLDER."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from meas_deblend.detect import (
    DeconvolveConfig,
    DetectConfig,
    Detections,
    HierarchyConfig,
    SkyObjectsConfig,
    add_sky_objects,
    deconvolve_exposure,
    detect_bands,
    is_sky,
    merge_detections,
    split_parents,
)
from meas_deblend.geometry import Footprint, Parent
from meas_deblend.report import AsinhStretch, save_figure
from meas_deblend.report.overlays import border_segments
from meas_deblend.report.panels import extent, show_colour
from meas_deblend.report.style import PALETTE, new_figure, sky_axes
from meas_deblend.simulate import (
    PointSource,
    Sersic,
    SimulatedComponent,
    SimulatedSky,
    SimulatedSource,
    SkyConfig,
    observe,
)

CONFIG = SkyConfig(shape=(90, 120))
#: y, x, i-band magnitude, colour between neighbouring bands, half-light radius in pixels (0: a star).
SOURCES = (
    (62.0, 22.0, 20.6, 0.25, 4.0),
    (66.4, 31.5, 21.6, 0.10, 2.0),
    (56.0, 40.0, 22.2, 0.30, 1.5),
    (60.5, 50.5, 21.9, 0.05, 0.0),
    (25.0, 26.0, 21.2, 0.15, 2.5),
    (28.5, 33.0, 22.4, 0.30, 0.0),
    (30.0, 80.0, 21.0, 0.20, 3.0),
    (70.0, 92.0, 21.8, 0.10, 0.0),
    (73.0, 99.5, 22.6, 0.20, 1.5),
)


def simulated() -> SimulatedSky:
    """Draw the field."""
    offsets = np.arange(len(CONFIG.bands)) - 2
    sources = []
    for number, (y, x, magnitude, color, radius) in enumerate(SOURCES, start=1):
        flux = tuple(float(f) for f in 10 ** (-0.4 * (magnitude - color * offsets - CONFIG.zeropoint)))
        profile = PointSource() if radius == 0 else Sersic(radius, 1.0, 0.7, 40.0 * number)
        sources.append(SimulatedSource(number, y, x, (SimulatedComponent(profile, flux),), is_star=radius == 0))
    return observe(sources, CONFIG)


def outline(axes: Any, footprint: Footprint, color: str, width: float) -> None:
    """Draw the border of a footprint."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - as the library does

    axes.add_collection(
        LineCollection(list(border_segments(footprint.mask, footprint.box.origin)), colors=color, linewidths=width)
    )


def found_in(sky: SimulatedSky) -> tuple[Detections, Any, tuple[Parent, ...]]:
    """Detect, place sky objects, deconvolve and split."""
    config = DetectConfig()
    found = merge_detections(detect_bands(sky.exposure, config), config, lambda n: n + 1)
    deconvolved = deconvolve_exposure(sky.exposure, found.parents, DeconvolveConfig())
    parents = split_parents(found.parents, deconvolved, HierarchyConfig())
    placed = add_sky_objects(found, sky.exposure, SkyObjectsConfig(n_sources=4, source_radius=5), lambda n: n + 1)
    return placed, deconvolved, parents


def main(folder: Path) -> None:
    """Draw the image with parents and peaks, and the deconvolved image with blends."""
    sky = simulated()
    placed, deconvolved, parents = found_in(sky)
    images, box = sky.exposure.images, sky.exposure.box
    stretch = AsinhStretch.from_images(images, sky.exposure.noise_rms)
    figure = new_figure(12.4, 4.9)
    left, right = figure.subplots(1, 2)
    show_colour(left, images, box, stretch)
    for parent in placed.parents:
        outline(left, parent.footprint, PALETTE["sky"] if is_sky(parent) else "white", 0.8)
    peaks = [peak.center for parent in parents for peak in parent.footprint.peaks]
    left.plot([x for _, x in peaks], [y for y, _ in peaks], "+", color="white", ms=7, mew=1.0)
    sky_axes(left, "parents with their peaks, and sky objects (blue)")
    significance = np.arcsinh(deconvolved.significance / 3)
    right.imshow(significance, origin="lower", cmap="magma", extent=extent(box))
    for parent in parents:
        outline(right, parent.footprint, "white", 0.6)
        for k, blend in enumerate(parent.blends):
            outline(right, blend, list(PALETTE.values())[1 + k % 4], 1.3)
    sky_axes(right, "deconvolved, sum over bands: parents and their blends")
    save_figure(figure, folder / "detection.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
