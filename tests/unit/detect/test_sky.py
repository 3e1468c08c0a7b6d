"""Sky objects: where nothing is."""

import numpy as np
import pytest

from meas_deblend.detect import SKY, Detections, SkyObjectsConfig, add_sky_objects, is_sky
from meas_deblend.geometry import Box, Footprint, Parent, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure


def exposure(shape=(120, 150), bands=("g", "r")):
    images = np.random.default_rng(0).normal(size=(len(bands), *shape)).astype(np.float32)
    mask = np.zeros(images.shape, dtype=np.int32)
    mask[1, :, 70:80] = 1
    images[0, 100:104, 20] = np.nan
    return MultibandExposure(
        bands, images, np.ones_like(images), mask, (None,) * len(bands), MaskPlanes({"BAD": 0}, ("BAD",))
    )


PARENT = Parent(1, Footprint.from_box(Box((20, 20), (40, 40)), (Peak(0, 40, 40, 9.0, ("g",)),)))
FOUND = Detections((PARENT,), {1: ("g",)})


def placed(config, where=None, patch=(3, 4)):
    return add_sky_objects(FOUND, exposure() if where is None else where, config, lambda n: n + 1, patch)


@pytest.mark.parametrize("radius", [1, 4, 8])
def test_sky_objects_touch_neither_parents_nor_bad_pixels_nor_one_another(radius):
    more = placed(SkyObjectsConfig(n_sources=10, source_radius=radius))
    assert [parent.id for parent in more.parents] == list(range(1, 12))
    assert more.parents[0] is PARENT
    sky = more.parents[1:]
    assert all(is_sky(parent) for parent in sky)
    assert not is_sky(PARENT)
    frame = exposure().box
    taken = PARENT.footprint.on(frame).astype(int)
    bad = exposure().bad.any(axis=0)
    for parent in sky:
        (peak,) = parent.footprint.peaks
        assert peak.bands == (SKY,)
        assert np.isnan(peak.value)
        assert frame.encloses(parent.footprint.box)
        assert parent.footprint.box.center == (peak.y, peak.x)
        assert parent.footprint.area == pytest.approx(np.pi * radius**2, rel=0.6 / radius)
        assert not (parent.footprint.on(frame) & bad).any()
        taken += parent.footprint.dilate(1, frame).on(frame) & ~parent.footprint.on(frame)
        assert not (taken > 0)[parent.footprint.on(frame)].any()
        taken += parent.footprint.on(frame)
    assert more.footprint_bands == {1: ("g",), **dict.fromkeys(range(2, 12), ())}


def test_positions_follow_from_seed_and_patch():
    def places(**settings):
        patch = settings.pop("patch", (3, 4))
        more = placed(SkyObjectsConfig(n_sources=5, source_radius=3, **settings), patch=patch)
        return [parent.footprint.box.origin for parent in more.parents[1:]]

    assert places() == places()
    assert places() != places(seed=1)
    assert places() != places(patch=(3, 5))


def test_there_is_not_always_room():
    assert placed(SkyObjectsConfig()) is FOUND
    assert len(placed(SkyObjectsConfig(n_sources=4, n_trial_sources=1)).parents) <= 2
    assert 3 < len(placed(SkyObjectsConfig(n_sources=500, source_radius=12)).parents) < 40
    assert placed(SkyObjectsConfig(n_sources=3, source_radius=70)).parents == (PARENT,)


def test_a_band_cannot_be_called_sky():
    with pytest.raises(ValueError, match="a band is called 'sky', which is what marks sky objects"):
        placed(SkyObjectsConfig(n_sources=1), exposure(bands=("g", "sky")))
