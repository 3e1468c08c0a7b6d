"""Blends of one parent are fitted apart, but share light in the seeing of the data."""

import numpy as np
import pytest

from meas_deblend.apportion import render_templates
from meas_deblend.deblenders import MultiBandOptions, get_deblender
from meas_deblend.geometry import Box, Footprint, Parent, Peak
from meas_deblend.image import GaussianPsf, MultibandExposure

BRIGHT, FAINT = (25, 18), (25, 29)
FLUX = {BRIGHT: 20000.0, FAINT: 400.0}
BLENDS = (Box((17, 24), (17, 13)), Box((12, 4), (27, 20)))  # of the faint source, then of the bright one


@pytest.fixture(scope="module")
def exposure():
    """Two stars eleven pixels apart, 50 : 1, on three bands of seeing 5 to 6 pixels."""
    psfs = tuple(GaussianPsf(sigma) for sigma in (2.1, 2.3, 2.5))
    images = np.random.default_rng(3).normal(0, 1, (3, 51, 51))
    for (y, x), flux in FLUX.items():
        for image, psf in zip(images, psfs, strict=True):
            stamp = psf.image(y, x).stamp
            where = Box((y, x), (1, 1)).grow(stamp.shape[0] // 2)
            here, there = where.overlap_slices(Box((0, 0), (51, 51)))
            image[there] += flux * stamp[here]
    ones = np.ones_like(images, dtype=np.float32)
    return MultibandExposure(("g", "r", "i"), images.astype(np.float32), ones, ones.astype(np.int32) * 0, psfs)


def models(exposure, **options):
    """Total light of each source's model (band,), faint one first; and Σ models − data on the pixels between them."""
    peaks = tuple(Peak(k, y, x, FLUX[y, x]) for k, (y, x) in enumerate((FAINT, BRIGHT)))
    blends = tuple(Footprint.from_box(box, (peak,)) for box, peak in zip(BLENDS, peaks, strict=True))
    parent = Parent(1, Footprint.from_box(exposure.box, peaks), blends)
    fitted = get_deblender("multi_band")(exposure, parent, MultiBandOptions(**options))
    assert fitted.outcome == "ok"
    assert [source.peak.id for source in fitted.sources] == [0, 1]
    templates = [template.project(exposure.box).array for template in render_templates(fitted, exposure.box)]
    between = (sum(templates) - exposure.images)[:, 20:31, 22:27]
    return [t.sum(axis=(1, 2)) for t in templates], between


def test_a_bright_blend_is_not_modelled_again_by_its_neighbour(exposure):
    (faint, _), between = models(exposure)
    (faint_apart, _), between_apart = models(exposure, subtract_neighbours=False)
    # Alone, the faint source takes the bright one's wing for its own; the noise of its flux is about 15.
    assert np.abs(faint / FLUX[FAINT] - 1).max() < 0.3
    assert (faint_apart / FLUX[FAINT] - 1).min() > np.abs(faint / FLUX[FAINT] - 1).max()
    assert between.mean() < 0.5 * between_apart.mean()


def test_the_order_of_blends_stays_that_of_the_parent(exposure):
    peaks = tuple(Peak(k, y, x, FLUX[y, x]) for k, (y, x) in enumerate((FAINT, BRIGHT)))
    blends = tuple(Footprint.from_box(box, (peak,)) for box, peak in zip(BLENDS, peaks, strict=True))
    parent = Parent(1, Footprint.from_box(exposure.box, peaks), blends)
    fitted = get_deblender("multi_band")(exposure, parent, MultiBandOptions())
    assert [blend.box for blend in fitted.blends] == list(BLENDS)
    assert [blend.id for blend in fitted.blends] == [0, 1]
