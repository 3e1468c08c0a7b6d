"""Segmentation: every pixel belongs to one object, and a peak without a segment has no model."""

import numpy as np
import pytest

from meas_deblend.apportion import render_templates
from meas_deblend.deblenders import get_deblender
from meas_deblend.geometry import Footprint, Parent, Peak
from meas_deblend.image import ImagePsf, MultibandExposure


def sky(places, fluxes, shape=(60, 60), sigma=2.0):
    """Exposure with round sources of unit noise, and a parent over the whole image."""
    yy, xx = np.indices(shape)
    image = sum(
        f * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2) for (y, x), f in zip(places, fluxes, strict=True)
    )
    cube = np.stack([image, 0.5 * image]) + np.random.default_rng(3).normal(size=(2, *shape))
    y, x = np.indices((21, 21)) - 10
    psf = ImagePsf(np.exp(-0.5 * (x**2 + y**2) / sigma**2))
    exposure = MultibandExposure(
        ("g", "r"), cube.astype(np.float32), np.ones_like(cube), np.zeros(cube.shape, np.int32), (psf, psf)
    )
    peaks = tuple(Peak(k, int(y), int(x)) for k, (y, x) in enumerate(places))
    return exposure, Parent(5, Footprint.from_box(exposure.box, peaks))


def test_two_sources_share_no_pixel():
    exposure, parent = sky([(30, 22), (30, 38)], [100, 60])
    deblender = get_deblender("sep")
    model = deblender(exposure, parent, deblender.Options())
    assert model.outcome == "ok"
    first, second = (t.project(exposure.box).array for t in render_templates(model, exposure.box))
    assert not ((first > 0) & (second > 0)).any()
    # A Gaussian of σ = 2 has the flux 2π·4·height; the segment at 1.5σ of the noise holds nearly all of it.
    assert first[0].sum() == pytest.approx(100 * 8 * np.pi, rel=0.05)
    assert second[0].sum() == pytest.approx(60 * 8 * np.pi, rel=0.06)


def test_a_peak_beside_a_brighter_one_in_the_same_segment_has_no_model():
    exposure, parent = sky([(30, 30), (31, 32)], [100, 5])
    deblender = get_deblender("sep")
    model = deblender(exposure, parent, deblender.Options())
    assert model.outcome == "degraded"
    assert model.reason == "template_failed"
    assert "peaks 1" in model.message
    assert bool(model.sources[0].components)
    assert not model.sources[1].components


def test_a_sky_without_anything_has_no_models():
    exposure, parent = sky([(30, 30)], [0.0])
    deblender = get_deblender("sep")
    model = deblender(exposure, parent, deblender.Options(thresh=50.0))
    assert model.outcome == "failed"
    assert "deblend_noModel" in model.sources[0].flags
