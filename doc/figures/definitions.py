"""One picture for each group of words in explanation/conventions.md: python definitions.py FOLDER."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from meas_deblend.apportion import Apportioned, apportion
from meas_deblend.detect import exposure_psfs
from meas_deblend.geometry import Box, Footprint, Image
from meas_deblend.report import AsinhStretch, Mark, Outline, save_figure
from meas_deblend.report.overlays import border_segments, draw_marks, draw_outlines
from meas_deblend.report.panels import extent, show_colour
from meas_deblend.report.style import INK, PALETTE, new_figure, sky_axes
from meas_deblend.scarlet import Blend, deblend_blend
from meas_deblend.simulate import SimulatedSky, SkyConfig, observe, star_field, two_galaxies

CONFIG = SkyConfig(shape=(72, 110))
PIXELS_PER_POINT = 110 / (3.8 * 72)


@dataclass(frozen=True)
class Example:
    """Two overlapping galaxies and a star on its own, found, fitted and shared out."""

    sky: SimulatedSky
    stretch: AsinhStretch
    parents: tuple[Footprint, ...]
    blend: Blend
    shared: Apportioned

    @property
    def box(self) -> Box:
        """Box of the parent with two children."""
        return self.parents[0].box

    def cut(self, cube: Any) -> Any:
        """Cut the part of a full cube that lies on `box`."""
        return cube[(slice(None), *self.box.slices_in(self.sky.exposure.box))]


def make_example() -> Example:
    """Simulate, detect on the sum of the bands, fit and share out."""
    pair = two_galaxies(13.0, (20.5, 20.8), CONFIG)
    star = star_field(np.array([(22.0, 93.0)]), 21.5, CONFIG)
    sky = observe((*pair.sources, *star.sources), CONFIG)
    images, variance = sky.exposure.images, sky.exposure.variance
    noise = np.sqrt(np.median(variance, axis=(1, 2)))
    significance = ndimage.gaussian_filter((images / noise[:, None, None]).sum(axis=0) / np.sqrt(5), 1.5)
    labels, count = ndimage.label(significance > 1.2)
    found = [Footprint.from_mask(labels == k + 1) for k in range(count)]
    parents = tuple(sorted((f for f in found if f.area > 30), key=lambda f: -f.area))
    psfs = exposure_psfs(sky.exposure).stamps
    cut = (slice(None), *parents[0].box.slices_in(sky.exposure.box))
    y0, x0 = parents[0].box.origin
    centers = np.array([(s.y - y0, s.x - x0) for s in sky.sources[:2]])
    blend = deblend_blend(images[cut], variance[cut], psfs, centers)
    templates = [Image(blend.source_model(k), parents[0].box) for k in range(2)]
    shared = apportion(images[cut], parents[0], templates, np.zeros(images[cut].shape, dtype=bool), parents[0].box)
    return Example(sky, AsinhStretch.from_images(images, noise), parents, blend, shared)


def pixel_grid() -> Any:
    """Draw pixels, their centres, and a box."""
    figure = new_figure(5.4, 3.9)
    axes = figure.subplots()
    h, w = 5, 7
    box = Box((1, 2), (3, 4))
    inside = np.zeros((h, w))
    inside[box.slices_in(Box((0, 0), (h, w)))] = 1
    axes.imshow(inside, origin="lower", cmap="Blues", vmin=0, vmax=4, extent=extent(Box((0, 0), (h, w))))
    for y in range(h):
        for x in range(w):
            axes.plot(x, y, ".", color=INK, ms=4)
            axes.text(x, y + 0.12, f"({y}, {x})", ha="center", va="bottom", fontsize=6.5, color="#6B7280")
    for edge in border_segments(np.ones((h, w), dtype=bool), (0, 0)):
        axes.plot(*edge.T, color="#9CA3AF", lw=0.8)
    for k in range(1, max(h, w)):
        axes.axhline(k - 0.5, color="#D1D5DB", lw=0.6)
        axes.axvline(k - 0.5, color="#D1D5DB", lw=0.6)
    for edge in border_segments(np.ones(box.shape, dtype=bool), box.origin):
        axes.plot(*edge.T, color=PALETTE["blue"], lw=2)
    axes.plot(3.3, 2.25, "+", color=PALETTE["vermilion"], ms=11, mew=1.8, label="position (y, x) = (2.25, 3.3)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=8, frameon=False, numpoints=1)
    sky_axes(axes, "Box(origin=(1, 2), shape=(3, 4)): stop is (4, 6)")
    axes.set_xticks(range(w))
    axes.set_yticks(range(h))
    axes.set_xlabel("x (column)", fontsize=8.5)
    axes.set_ylabel("y (row)", fontsize=8.5)
    axes.set_xlim(-0.5, w - 0.5)
    axes.set_ylim(-0.5, h - 0.5)
    return figure


def families(example: Example) -> Any:
    """Draw a parent with two children, and an isolated object."""
    figure = new_figure(5.2, 3.6)
    axes = figure.subplots()
    show_colour(axes, example.sky.exposure.images, example.sky.exposure.box, example.stretch)
    sky_axes(axes, "parent, children, isolated object")
    draw_outlines(axes, [Outline(f) for f in example.parents], PIXELS_PER_POINT)
    marks = [Mark("", s.y, s.x) for s in example.sky.sources]
    draw_marks(axes, marks, PIXELS_PER_POINT)
    places = {"child 1": (12, 38), "child 2": (12, 72), "isolated": (5, 93)}
    for (name, (y, x)), mark in zip(places.items(), marks, strict=True):
        axes.annotate(name, (mark.x, mark.y), (x, y), color="white", fontsize=9, ha="center",
                      arrowprops={"arrowstyle": "-", "color": "white", "lw": 0.6})  # fmt: skip
    y1 = example.box.stop[0]
    axes.text(example.box.center[1], y1 + 1.5, "parent", color="white", fontsize=9, ha="center", va="bottom")
    return figure


def footprints(example: Example) -> Any:
    """Draw footprint, heavy footprint and segmentation image of the same two galaxies."""
    figure = new_figure(10.6, 3.6)
    axes = figure.subplots(1, 3)
    frame = example.box.grow(3)
    footprint = example.parents[0]
    axes[0].imshow(footprint.on(frame), origin="lower", cmap="Greys", vmin=0, vmax=3, extent=extent(frame))
    axes[0].plot([s.x for s in example.sky.sources[:2]], [s.y for s in example.sky.sources[:2]], "+",
                 color=PALETTE["vermilion"], ms=9, mew=1.6)  # fmt: skip
    sky_axes(axes[0], "footprint: a set of pixels, with peaks")
    child = example.shared.children[0]
    show_colour(axes[1], child.flux, child.box, example.stretch, ~child.footprint.on(child.box))
    sky_axes(axes[1], "heavy footprint: one child's pixels")
    owner = np.argmax([c.share.mean(axis=0) for c in example.shared.children], axis=0) + 1
    segments = np.where(footprint.mask, owner, 0)
    colours = np.array([(255, 255, 255), (86, 180, 233), (230, 159, 0)], dtype=np.uint8)[segments]
    axes[2].imshow(colours, origin="lower", extent=extent(example.box), interpolation="nearest")
    for number, source in enumerate(example.sky.sources[:2], start=1):
        axes[2].text(source.x, source.y, str(number), ha="center", va="center", fontsize=11, color=INK)
    sky_axes(axes[2], "segmentation: one number per pixel")
    for panel in (axes[0], axes[2]):
        panel.set_xlim(*extent(example.box)[:2])
        panel.set_ylim(*extent(example.box)[2:])
    return figure


def flavours(example: Example) -> Any:
    """Draw the three flavours of the model of one child, beside the data."""
    figure = new_figure(13.4, 3.6)
    axes = figure.subplots(1, 4)
    cubes = {
        "data": example.cut(example.sky.exposure.images),
        "1: deconvolved model": example.blend.source_model(0, convolved=False),
        "2: model as observed": example.blend.source_model(0),
        "3: re-apportioned pixels": example.shared.children[0].flux,
    }
    for panel, (title, cube) in zip(axes, cubes.items(), strict=True):
        show_colour(panel, cube, example.box, example.stretch)
        sky_axes(panel, title)
    return figure


def peaks_sources_components(example: Example) -> Any:
    """Draw the peaks of a blend, its sources and the components of one of them."""
    first = example.blend.sources[0]
    figure = new_figure(3.35 * (3 + len(first.components)), 3.4)
    axes = figure.subplots(1, 3 + len(first.components))
    show_colour(axes[0], example.cut(example.sky.exposure.images), example.box, example.stretch)
    marks = [Mark(str(k + 1), s.y, s.x) for k, s in enumerate(example.sky.sources[:2])]
    draw_marks(axes[0], marks, PIXELS_PER_POINT)
    sky_axes(axes[0], "two peaks")
    for k in range(2):
        show_colour(axes[1 + k], example.blend.source_model(k), example.box, example.stretch)
        sky_axes(axes[1 + k], f"source {k + 1}")
    for k, component in enumerate(first.components):
        box = component.box.shift(*example.box.origin)
        cube = np.stack([Image(plane, box).project(example.box).array for plane in component.cube])
        show_colour(axes[3 + k], cube, example.box, example.stretch)
        sky_axes(axes[3 + k], f"source 1, component {k + 1}")
    return figure


def main(folder: Path) -> None:
    """Draw all pictures into ``folder``."""
    example = make_example()
    save_figure(pixel_grid(), folder / "pixel_grid.png")
    save_figure(families(example), folder / "families.png")
    save_figure(footprints(example), folder / "footprints.png")
    save_figure(flavours(example), folder / "flavours.png")
    save_figure(peaks_sources_components(example), folder / "peaks_sources_components.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
