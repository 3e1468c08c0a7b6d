"""Eight sources, as in the acceptance of Rubin's tasks: what is found, how it falls apart, how well it is sharpened."""

import numpy as np
import pytest
from scipy import ndimage

from meas_deblend.detect import (
    DeconvolveConfig,
    DetectConfig,
    HierarchyConfig,
    deconvolve_exposure,
    detect_bands,
    merge_detections,
    split_parents,
)
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure

SHAPE = (115, 115)
BANDS, SIGMAS = ("g", "r", "i"), (1.0, 1.2, 1.4)
NOISE = 0.025 / np.sqrt(3)
"""Standard deviation of uniform noise within ± 0.025."""
#: y, x, and the flux per band.
POINTS = ((30, 15, (8, 2, 1)), (12, 20, (1, 2, 8)), (32, 60, (1, 2, 8)), (16, 80, (8, 2, 1)))
#: y, x, scale lengths along the axes, angle, and the surface brightness per band in the middle.
DISKS = (
    (40, 20, 5.0, 2.0, -np.pi / 4, (2, 4, 8)),
    (25, 70, 5.0, 2.0, np.pi / 48, (2, 5, 8)),
    (75, 75, 5.0, 2.0, 0.0, (2, 10, 18)),
    (90, 90, 5.0, 2.0, np.pi / 2, (5, 10, 20)),
)


def intrinsic():
    """Draw the scene without seeing (band, y, x)."""
    scene = np.zeros((3, *SHAPE))
    yy, xx = np.indices(SHAPE)
    for y, x, a, b, angle, spectrum in DISKS:
        along, across = (xx - x) * np.cos(angle) + (yy - y) * np.sin(angle), (yy - y) * np.cos(angle)
        across = across - (xx - x) * np.sin(angle)
        profile = np.exp(-1.678 * np.hypot(along / a, across / b))
        scene += np.array(spectrum)[:, None, None] * profile
    for y, x, spectrum in POINTS:
        scene[:, y, x] += spectrum
    return scene


def seen(scene, sigma):
    return ndimage.gaussian_filter(scene, sigma, truncate=8)


@pytest.fixture(scope="module")
def exposure():
    scene, rng = intrinsic(), np.random.default_rng(0)
    images = np.stack([seen(plane, sigma) for plane, sigma in zip(scene, SIGMAS, strict=True)])
    images += rng.uniform(-0.025, 0.025, images.shape)
    variance = np.full(images.shape, NOISE**2, dtype=np.float32)
    psfs = tuple(GaussianPsf(sigma) for sigma in SIGMAS)
    mask = np.zeros(images.shape, dtype=np.int32)
    return MultibandExposure(BANDS, images.astype(np.float32), variance, mask, psfs, MaskPlanes({"BAD": 0}, ("BAD",)))


@pytest.fixture(scope="module")
def parents(exposure):
    return merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int).parents


def test_each_source_is_one_peak(parents):
    peaks = [peak.center for parent in parents for peak in parent.footprint.peaks]
    truth = [(y, x) for y, x, *_ in (*POINTS, *DISKS)]
    assert len(peaks) == len(truth)
    for y, x in truth:
        assert min(np.hypot(v - y, u - x) for v, u in peaks) < 1


def test_blends(exposure, parents):
    deconvolved = deconvolve_exposure(exposure, parents)
    split = split_parents(parents, deconvolved, HierarchyConfig())
    blends = [blend.peaks for parent in split for blend in parent.blends or (parent.footprint,)]
    assert sorted(len(peaks) for peaks in blends) == [1, 2, 2, 3]
    assert sum(len(parent.footprint.peaks) == 1 for parent in split) == 1


@pytest.mark.parametrize("use_footprints", [True, False])
@pytest.mark.parametrize(("band", "most"), [("g", 10), ("r", 10), ("i", 20)])
def test_deconvolved_image_is_near_the_truth(exposure, parents, band, most, use_footprints):
    config = DeconvolveConfig(model_psf_sigma=0.8, use_footprints=use_footprints)
    result = deconvolve_exposure(exposure.select([band]), parents, config)
    truth = seen(intrinsic()[BANDS.index(band)], 0.8)
    error = np.abs(result.detect_image.array - truth)
    for y, x, *_ in (*POINTS, *DISKS):
        error[y - 1 : y + 2, x - 1 : x + 2] = 0
    assert error.max() < most * NOISE
