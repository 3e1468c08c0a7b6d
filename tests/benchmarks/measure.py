"""What measuring costs: objects of a simulated sky in five bands, by the Task that a run uses.

usage: python tests/benchmarks/measure.py [objects]

Objects are discs and stars in parents of one to four, with PSFs as stamps, as coadds have them. Printed: Y per object,
and what 10 000 objects would cost, for re-apportioning and for measuring.
"""

import sys
import time
import warnings
from dataclasses import replace

import numpy as np
from yardstick import yardstick

from meas_deblend.apportion import reapportion_parent
from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.image import ImagePsf
from meas_deblend.models import BlendModel, FactorizedComponent, ParentModel, SourceModel
from meas_deblend.scarlet import model_psf
from meas_deblend.simulate import HSC_WIDE, PointSource, Sersic, SimulatedComponent, SimulatedSource, SkyConfig, observe
from meas_deblend_tasks.measure import MeasureTask

CELL, SIGMA = 60, 0.8


def main(count: int = 1000) -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(1)
    groups, total = [], 0
    while total < count:
        groups.append(int(rng.choice([1, 1, 1, 2, 3, 4])))
        total += groups[-1]
    side = int(np.ceil(np.sqrt(len(groups))))
    config = SkyConfig(bands=HSC_WIDE, shape=(CELL * side, CELL * side))
    sky = observe(sources_of(rng, groups, side, config), config)
    psfs = tuple(pad([ImagePsf(psf.image(0, 0).stamp) for psf in sky.exposure.psfs]))
    exposure = replace(sky.exposure, psfs=psfs)
    parents = parents_of(sky, groups, exposure)
    unit = yardstick()
    start = time.process_time()
    children = [reapportion_parent(exposure, parent) for parent in parents]
    middle = time.process_time()
    MeasureTask().measure(exposure, parents, children, {})
    end = time.process_time()
    for name, seconds in (("re-apportioning", middle - start), ("measuring", end - middle)):
        per_object = seconds / total
        print(
            f"{name:16} {1e3 * per_object:7.2f} ms = {per_object / unit:6.1f} Y per object of {len(HSC_WIDE)} bands; "
            f"10 000: {10_000 * per_object / unit:9.0f} Y"
        )
    print(f"{total} objects, {len(parents)} parents, Y = {1e3 * unit:.3f} ms")


def sources_of(rng: np.random.Generator, groups: list[int], side: int, config: SkyConfig) -> list[SimulatedSource]:
    """Groups of sources, each in its cell."""
    out = []
    for cell, count in enumerate(groups):
        middle = (np.array(divmod(cell, side)) + 0.5) * CELL
        for k in range(count):
            angle = 2 * np.pi * k / count + rng.uniform(0, 1)
            y, x = middle + (0 if count == 1 else rng.uniform(5, 8)) * np.array([np.sin(angle), np.cos(angle)])
            color = np.linspace(rng.uniform(-0.3, 1.0), 0, len(config.bands))
            flux = 10 ** (-0.4 * (rng.uniform(21, 24) + color - config.zeropoint))
            star = rng.uniform() < 0.3
            profile = (
                PointSource() if star else Sersic(rng.uniform(1, 3), 1.0, rng.uniform(0.5, 1), rng.uniform(0, 180))
            )
            out.append(SimulatedSource(len(out) + 1, y, x, (SimulatedComponent(profile, tuple(flux)),), is_star=star))
    return out


def parents_of(sky, groups: list[int], exposure) -> list[ParentModel]:
    """Models as a fit would give them: each source's image, sharpened to the model PSF by its shape alone."""
    parents, at = [], 0
    kernel = model_psf(SIGMA, 15).astype(np.float32)
    psf_images = np.stack([psf.stamp for psf in pad(exposure.psfs)]).astype(np.float32)
    level = np.sqrt(np.median(exposure.variance, axis=(1, 2)))[:, None, None]
    for number, count in enumerate(groups, start=1):
        members, at = list(range(at, at + count)), at + count
        box = Box((round(sky.sources[members[0]].y), round(sky.sources[members[0]].x)), (1, 1)).grow(28) & exposure.box
        light = np.zeros((len(level), *box.shape))
        for k in members:
            light += sky.images[k].project(box).array
        footprint_mask = (light > level).any(axis=0)
        peaks = tuple(Peak(m, round(sky.sources[k].y), round(sky.sources[k].x)) for m, k in enumerate(members))
        for peak in peaks:
            footprint_mask[peak.y - box.origin[0], peak.x - box.origin[1]] = True
        footprint = replace(Footprint.from_mask(footprint_mask, box.origin), peaks=peaks)
        sources = []
        for m, k in enumerate(members):
            inner = Box((peaks[m].y, peaks[m].x), (1, 1)).grow(12) & exposure.box
            morph = np.maximum(sky.images[k].project(inner).array.mean(axis=0), 0).astype(np.float32) ** 2
            spectrum = np.array(sky.sources[k].flux, dtype=np.float32) / max(float(morph.sum()), 1e-30)
            sources.append(SourceModel(10_000 + k, peaks[m], (FactorizedComponent(inner, spectrum, morph),)))
        blend = BlendModel(1_000_000 + number, footprint.box, tuple(sources))
        parents.append(ParentModel(number, footprint, (blend,), psf_images, kernel, "multi_band"))
    return parents


def pad(psfs) -> list[ImagePsf]:
    """Stamps of one size."""
    size = max(psf.stamp.shape[0] for psf in psfs)
    return [ImagePsf(np.pad(psf.stamp, (size - psf.stamp.shape[0]) // 2)) for psf in psfs]


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
