"""The single-band deblender: cost in yardsticks and memory in images, on skies drawn here.

usage: python tests/benchmarks/single_band.py [parent] [exposure]

`parent`: ten galaxies and stars in one parent of 100×100 pixels, against the version that goes pixel by pixel (the
oracle of the tests). `exposure`: 2000 sources on 2000×2000 pixels in one band, detection included; memory is what
tracemalloc counts above the inputs, in units of one float32 image.
"""

import sys
import tracemalloc
from pathlib import Path

import numpy as np
from yardstick import cpu_seconds, yardstick

from meas_deblend.image import GaussianPsf, MultibandExposure
from meas_deblend.sdss import SingleBandConfig, deblend_parent

sys.path.insert(0, str(Path(__file__).parents[1]))


def sky(shape, n, seed):
    """Exponential galaxies and stars in noise of 1, brightest first: image and positions (n, 2)."""
    rng = np.random.default_rng(seed)
    psf = GaussianPsf(1.8)
    image = rng.normal(size=shape)
    peaks = np.stack([rng.uniform(8, s - 8, n) for s in shape], axis=1)
    flux = np.sort(10 ** rng.uniform(2.5, 4.5, n))[::-1]
    for k, (y, x) in enumerate(peaks):
        scale = 0 if k % 3 == 2 else rng.uniform(1.0, 2.5)
        q, angle = rng.uniform(0.4, 1.0), rng.uniform(0, np.pi)
        y0, x0 = int(y) - 25, int(x) - 25
        iy, ix = np.mgrid[max(y0, 0) : min(y0 + 51, shape[0]), max(x0, 0) : min(x0 + 51, shape[1])]
        dy, dx = iy - y, ix - x
        u, v = dx * np.cos(angle) + dy * np.sin(angle), (dy * np.cos(angle) - dx * np.sin(angle)) / q
        profile = np.exp(-0.5 * (dy**2 + dx**2) / 1.8**2) if scale == 0 else np.exp(-np.sqrt(u**2 + v**2 + 2) / scale)
        image[iy, ix] += flux[k] * profile / profile.sum()
    return image, peaks, psf


def parent() -> None:
    """Ten sources in one parent."""
    image, peaks, psf = sky((100, 100), 10, 7)
    peaks, variance = np.round(peaks), np.ones_like(image)
    unit = yardstick()
    for name, config in (("task", SingleBandConfig()), ("core", SingleBandConfig.core())):
        cost = cpu_seconds(lambda config=config: deblend_parent(image, variance, psf, peaks, config=config), 9) / unit
        print(f"parent of 10 peaks, 100×100, {name}: {cost:.0f} Y (limit 400)")
    from single_band_by_pixel import deblend_by_pixel  # noqa: PLC0415 - found beside the tests

    config = SingleBandConfig.core()
    slow = cpu_seconds(lambda: deblend_by_pixel(image, variance, psf, peaks, np.ones(image.shape, bool), config), 1)
    print(f"pixel by pixel, core: {slow / unit:.0f} Y, {slow / unit / cost:.0f} times as much")


def exposure() -> None:
    """Two thousand sources on one exposure."""
    from meas_deblend_tasks.deblend import SingleBandTask  # noqa: PLC0415 - a script of two parts
    from meas_deblend_tasks.detect import DetectTask  # noqa: PLC0415

    image, _, psf = sky((2000, 2000), 2000, 3)
    shape = (1, *image.shape)
    coadds = MultibandExposure(
        ("r",), image.astype(np.float32).reshape(shape), np.ones(shape, np.float32), np.zeros(shape, np.int32), (psf,)
    )
    unit, costs, peaks_of, found = yardstick(), {}, {}, {}

    def measure(name, action):
        costs[name] = cpu_seconds(action, 1) / unit
        tracemalloc.start()
        found[name] = action()
        peaks_of[name] = tracemalloc.get_traced_memory()[1] / image.size / 4
        tracemalloc.stop()

    measure("detect", lambda: DetectTask().run(coadds))
    measure("single_band", lambda: SingleBandTask().run(coadds, found["detect"].detections))
    models = found["single_band"].parent_models
    print(f"exposure: {sum(len(m.sources) for m in models)} peaks in {len(models)} parents")
    for name, cost in costs.items():
        print(f"  {name}: {cost:.0f} Y, memory {peaks_of[name]:.1f} images above the inputs")
    print(f"  together: {sum(costs.values()):.0f} Y (limit 200 000)")


if __name__ == "__main__":
    for part in sys.argv[1:] or ["parent", "exposure"]:
        {"parent": parent, "exposure": exposure}[part]()
