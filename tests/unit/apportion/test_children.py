"""Children that are made when they are asked for are those that are kept."""

import numpy as np
import pytest

from meas_deblend.apportion import ApportionConfig, apportion, child_boxes, split
from meas_deblend.geometry import Box, Footprint, Image, Peak

FRAME = Box((5, 7), (30, 40))


def shared(config=None, *, flat=False, count=4):
    rng = np.random.default_rng(3)
    images = rng.normal(size=(2, *FRAME.shape)).astype(np.float32)
    bad = rng.random(images.shape) < 0.05
    templates = []
    for origin in rng.integers(0, 20, (count, 2)):
        box = Box((int(origin[0]), int(origin[1])), (15, 18))
        templates.append(Image(rng.normal(0.5, 1.0, (2, *box.shape)), box))
    templates.append(Image(np.ones((2, 3, 3)), Box((90, 90), (3, 3))))
    inside = Box((8, 9), (20, 30))
    footprint = Footprint(inside, rng.random(inside.shape) < 0.8, (Peak(0, 10, 12),))
    if flat:
        images, bad, templates = images[0], bad[0], [Image(t.array[0], t.box) for t in templates]
    return apportion(images, footprint, templates, bad, FRAME, config=config)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("outside", [False, True])
def test_children_on_demand_are_those_that_are_kept(monkeypatch, flat, outside):
    config = ApportionConfig(keep_outside=outside)
    kept = shared(config, flat=flat)
    monkeypatch.setattr(split, "_KEPT", -1)
    made = shared(config, flat=flat)
    assert isinstance(kept.children, tuple)
    assert not isinstance(made.children, tuple)
    assert made.ledger == kept.ledger
    assert child_boxes(made.children) == child_boxes(kept.children)
    for one, other in zip(made.children, kept.children, strict=True):
        assert one.box == other.box
        for name in ("flux", "share", "masked"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
    assert len(made.children[1:3]) == 2
    np.testing.assert_array_equal(made.children[-2].flux, kept.children[-2].flux)
    with pytest.raises(IndexError):
        made.children[5]
    assert repr(made.children) == "<5 children, on demand>"


def test_an_only_child_on_demand_takes_all(monkeypatch):
    monkeypatch.setattr(split, "_KEPT", -1)
    only = shared(count=0)
    total = sum(row.children for row in only.ledger)
    assert total == pytest.approx(float(only.children[0].flux.sum(dtype=np.float64)), rel=1e-5)
    assert child_boxes(only.children) == (Box((8, 9), (20, 30)),)
