"""Detection in parts, done by whoever and in any order, is detection in one go."""

import numpy as np
from threadpoolctl import threadpool_limits

from meas_deblend.detect import DetectConfig, detect_bands
from meas_deblend.framework import Loop, Workplace, iterate_units, working
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure
from meas_deblend.measure import measure_noise


def exposure():
    """Forty stars on noise in three bands, 160 pixels wide, with a masked column."""
    rng = np.random.default_rng(5)
    shape = (150, 160)
    y, x = np.indices(shape)
    images = rng.normal(0, 1, (3, *shape))
    for cy, cx, flux in zip(rng.uniform(0, 150, 40), rng.uniform(0, 160, 40), 10 ** rng.uniform(2, 4, 40), strict=True):
        images += flux / (2 * np.pi * 4) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 8)
    mask = np.zeros(images.shape, dtype=np.int32)
    mask[1, :, 80] = 1
    psfs = tuple(GaussianPsf(sigma) for sigma in (1.9, 2.0, 2.1))
    planes = MaskPlanes({"BAD": 0}, ("BAD",))
    return MultibandExposure(
        tuple("gri"), images.astype(np.float32), np.ones(images.shape, np.float32), mask, psfs, planes
    )


def in_processes(function, places, shared):
    with working(Workplace(2)):
        yield from iterate_units(function, places, shared, loop=Loop(ahead=False))


def alone_each_time(function, places, shared):
    """Last place first; with one thread, as the processes have."""
    with threadpool_limits(limits=1):
        found = {place: function(shared, place) for place in reversed(places)}
    return [found[place] for place in places]


def test_bands_and_tiles_may_be_done_by_any_process_in_any_order():
    coadds = exposure()
    config = DetectConfig(tile_size=64)
    expected = detect_bands(coadds, config)
    assert sum(len(found.peaks) for found in expected.values()) > 60
    for each in (in_processes, alone_each_time):
        found = detect_bands(coadds, config, each)
        for band, one in expected.items():
            np.testing.assert_array_equal(found[band].footprint, one.footprint)
            assert (found[band].peaks, found[band].fwhm) == (one.peaks, one.fwhm)


def test_noise_may_be_measured_by_any_process():
    coadds = exposure()
    detected = np.zeros(coadds.box.shape, dtype=bool)
    detected[40:60] = True
    expected, found = (measure_noise(coadds, detected, 2, each=each) for each in (alone_each_time, in_processes))
    for name in ("xi", "variance_ratio", "pixels"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (expected.pixels > 1000).all()
