"""Nothing piles up over many fits."""

import os
from pathlib import Path

import numpy as np
from depth import examples

from meas_deblend.geometry import Box
from meas_deblend.scarlet import Component, Convolver, FitConfig, deblend_blend, model_psf, prepare_kernels
from meas_deblend.scarlet.component import scene

CONFIG = FitConfig(max_iter=2, point_source_snr=None)
F32 = np.dtype(np.float32)


def blend(seed):
    """Make a blend of its own size with PSFs of its own, so that nothing kept for one serves another."""
    rng = np.random.default_rng(seed)
    side = 13 + 2 * (seed % 5)
    psfs = np.stack([model_psf(sigma, 15) for sigma in rng.uniform(1.2, 2.0, 3)]).astype(np.float32)
    morph = model_psf(1.4, 9).astype(np.float32)
    centers = rng.integers(4, side - 4, (2, 2))
    parts = [Component((y, x), Box((y - 4, x - 4), (9, 9)), rng.uniform(50, 200, 3).astype(np.float32), morph)
             for y, x in centers.tolist()]  # fmt: skip
    images = Convolver(prepare_kernels(psfs), (side, side)).render(scene(parts, (3, side, side), F32))
    return images, np.ones_like(images), psfs, centers


def fit(seed):
    images, *others = blend(seed)
    return deblend_blend(images, *others, detect=images.sum(axis=0), config=CONFIG)


def memory():
    """Return the memory of this process, in bytes: its largest so far may have been another test's."""
    return os.sysconf("SC_PAGESIZE") * int(Path("/proc/self/statm").read_text().split()[1])


def test_memory_is_flat_over_hundreds_of_blends():
    for seed in range(50):
        fit(seed)
    before, more = memory(), examples(200)
    for seed in range(50, 50 + more):
        fit(seed)
    # A blend's arrays take 100 kB, so 200 of them would show; transforms of the last kernels are kept.
    assert memory() - before < 15e6
