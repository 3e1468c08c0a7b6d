"""Some parents deblended alone: everything about them is as in a run on the whole patch."""

import numpy as np
import pytest
import small_sky

import meas_deblend as md
from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box

CONFIG = {"multi_band": {"fit": {"max_iter": 20}}}
KEYS = {"objects": "parentObjectId", "parents": "parentObjectId", "ledger": "parentObjectId"}


def deblend(**chosen):
    return md.deblend(small_sky.exposure(), config=CONFIG, **chosen)


@pytest.fixture(scope="module")
def whole():
    return deblend()


@pytest.fixture(scope="module")
def alone(whole):
    """The parent with four peaks, which comes last."""
    return deblend(only=int(whole.parents["parentObjectId"][-1]))


def same(one, other):
    """Whether rows are the same, NaN being equal to NaN."""
    assert one.colnames == other.colnames
    for name in one.colnames:
        left, right = np.asarray(one[name]), np.asarray(other[name])
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name
    return True


def test_the_parent_has_identical_rows(whole, alone):
    parent = whole.parents["parentObjectId"][-1]
    for name, key in KEYS.items():
        mine, theirs = (getattr(result, name) for result in (alone, whole))
        assert (theirs[key] == parent).any()
        assert same(mine[mine[key] == parent], theirs[theirs[key] == parent])
    mine, theirs = alone.flux_covariance, whole.flux_covariance
    assert same(mine[mine["parent"] == parent], theirs[theirs["parent"] == parent])
    assert same(alone.noise_correlation, whole.noise_correlation)


def test_the_parent_has_identical_models(whole, alone):
    one, other = alone.parent_models[-1], whole.parent_models[-1]
    assert [blend.id for blend in one.blends] == [blend.id for blend in other.blends]
    for mine, theirs in zip(one.sources, other.sources, strict=True):
        assert (mine.id, mine.peak, mine.flags) == (theirs.id, theirs.peak, theirs.flags)
        for left, right in zip(mine.components, theirs.components, strict=True):
            assert left.box == right.box
            assert np.array_equal(left.spectrum, right.spectrum)
            if hasattr(left, "morph"):
                assert np.array_equal(left.morph, right.morph)


def test_others_keep_their_rows_and_say_why(whole, alone):
    assert list(alone.parents["parentObjectId"]) == list(whole.parents["parentObjectId"])
    assert list(alone.parents["deblend_reason"]) == ["not_selected", "not_selected", ""]
    assert list(alone.parents["deblend_skipped"]) == [True, True, False]
    counts = next(report.counts for report in alone.reports if report.label == "multi_band")
    assert counts == {"not_selected": 2, "ok": 1, "sources": sum(small_sky.PEAKS)}
    assert list(alone.objects["objectId"]) == list(whole.objects["objectId"])
    left_out = alone.objects["deblend_reason"] == "not_selected"
    assert left_out.sum() == sum(small_sky.PEAKS[:2])
    assert alone.objects["deblend_noModel"][left_out].all()


def test_a_box_selects_the_same(alone):
    (y0, x0), (height, width) = (
        alone.parent_models[-1].footprint.box.origin,
        alone.parent_models[-1].footprint.box.shape,
    )
    by_text = deblend(bbox=f"{x0}:{x0 + width},{y0}:{y0 + height}")
    by_box = deblend(bbox=Box((y0, x0), (height, width)), only=[3])
    for result in (by_text, by_box):
        assert same(result.objects, alone.objects)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"only": [99]}, r"only: 99 is no parent of these coadds .*; parents are 1, 2, 3$"),
        ({"only": 1.5}, r"only takes identifiers of parents, which are whole numbers; got 1\.5"),
        ({"only": ["1"]}, r"only takes identifiers of parents, which are whole numbers; got '1'"),
        ({"bbox": (0, 1, 2, 3)}, r'bbox must be "X0:X1,Y0:Y1" or a Box, got \(0, 1, 2, 3\)'),
        ({"bbox": "900:910,0:9"}, r"bbox x 900:910, y 0:9 lies off the image, which is x 0:90, y 0:76"),
    ],
)
def test_what_cannot_be_selected(chosen, message):
    with pytest.raises(InputError, match=message):
        deblend(**chosen)


@pytest.mark.parametrize("pipeline", ["none", "single_band", "any_deblender"])
def test_every_pipeline_leaves_the_others_out(pipeline, caplog):
    result = md.deblend(small_sky.exposure(), pipeline=pipeline, only=2)
    assert list(result.parents["deblend_reason"]) == ["not_selected", "", "not_selected"]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_what_children_received_adds_up_to_the_ledger(whole):
    owners = np.where(whole.objects["parentObjectId"] == 0, whole.objects["objectId"], whole.objects["parentObjectId"])
    for line in whole.ledger:
        got = whole.objects[f"{line['band']}_deblend_instFlux"][owners == line["parentObjectId"]].sum()
        # The children's pixels are kept in single precision.
        assert got == pytest.approx(line["children"] + line["outside"], rel=1e-6)
