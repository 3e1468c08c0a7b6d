"""The whole chain on eight sources in four parents: who belongs to whom, limits, failures, and a band without PSF."""

from dataclasses import replace

import numpy as np
import pytest
from eight_sources import BANDS, PEAKS, centers, eight_sources
from promises import assert_catalog_is_finite_or_flagged, assert_ledger_closes, assert_nobody_is_lost

import meas_deblend as md
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.exceptions import PipelineError

#: The disk with two points, and the two large disks.
THREE, LARGE = "three", "large"


def deblend(coadds, sources=None, **multi_band):
    return md.deblend(coadds, config={"multi_band": multi_band} if multi_band else None, sources=sources)


def parent_ids(result):
    """Identifiers of the parents with three peaks, and of the one with the largest box."""
    parents = result.parents
    (three,) = parents["parentObjectId"][parents["deblend_nPeaks"] == 3]
    largest = np.argmax(np.asarray(parents["bbox_width"]) * np.asarray(parents["bbox_height"]))
    return {THREE: int(three), LARGE: int(parents["parentObjectId"][largest])}


def reasons(result):
    """Reasons of the parents that have one, by identifier."""
    return {int(row["parentObjectId"]): str(row["deblend_reason"]) for row in result.parents if row["deblend_reason"]}


def same_objects(first, second, but=()):
    """Whether all objects have the same numbers in both runs, but those of some parents."""
    one, other = (table[~np.isin(table["parentObjectId"], but)] for table in (first.objects, second.objects))
    # Blends count on through all parents, so their numbers may move.
    names = [name for name in one.colnames if name != "deblend_blendId"]
    # Strings are as wide as the longest of the whole column.
    return all(
        one[name].tolist() == other[name].tolist()
        if one[name].dtype.kind == "U"
        else np.asarray(one[name]).tobytes() == np.asarray(other[name]).tobytes()
        for name in names
    )


@pytest.fixture(scope="module")
def result():
    return deblend(eight_sources())


def test_every_source_is_an_object(result):
    assert_nobody_is_lost(result)
    assert_ledger_closes(result, eight_sources())
    assert_catalog_is_finite_or_flagged(result)
    objects, parents = result.objects, result.parents
    assert len(objects) == 8
    assert sorted(parents["deblend_nPeaks"]) == PEAKS
    peaks = zip(objects["deblend_peak_center_y"], objects["deblend_peak_center_x"], strict=True)
    assert sorted((int(y), int(x)) for y, x in peaks) == centers()
    assert set(parents["deblend_outcome"]) == {"ok"}


def test_identifiers_tell_isolated_objects_from_children(result):
    objects, parents = result.objects, result.parents
    isolated = objects["parentObjectId"] == 0
    single = parents["deblend_nPeaks"] == 1
    assert list(objects["objectId"][isolated]) == list(parents["parentObjectId"][single])
    assert isolated.sum() == single.sum() == 1
    assert list(parents["deblend_isolatedParent"]) == list(single)
    assert objects["objectId"][~isolated].min() > parents["parentObjectId"].max()
    assert parents["deblend_nChild"][~single].sum() == len(objects) - isolated.sum()
    assert (np.diff(objects["parentObjectId"]) >= 0).all()
    for row in objects[~isolated]:
        (parent,) = parents[parents["parentObjectId"] == row["parentObjectId"]]
        assert row["deblend_parentNPeaks"] == row["deblend_parentNChild"] == parent["deblend_nPeaks"]


def test_models_are_kept_for_all_of_them(result):
    stored = result.models.store
    assert sorted(stored.parent_ids()) == sorted(int(i) for i in result.parents["parentObjectId"])
    for model in result.parent_models:
        assert all(model.footprint.contains(source.peak.y, source.peak.x) for source in model.sources)


def test_what_is_handed_on_is_shared_out(result):
    """The peak's pixel is that of the heavy footprint; heavy footprints add up to the image where all templates are."""
    coadds = eight_sources()
    rows = {int(row["objectId"]): row for row in result.objects}
    for model, shared in zip(result.parent_models, result.children, strict=True):
        for k, band in enumerate(BANDS):
            total = np.zeros(coadds.box.shape)
            held = np.ones(coadds.box.shape, dtype=bool)
            for source, child in zip(model.sources, shared.children, strict=True):
                heavy = child.heavy(k, source.peak).to_image(coadds.box).array
                total += heavy
                held &= child.heavy(k).to_image(coadds.box).array != 0
                assert not heavy[~model.footprint.on(coadds.box)].any()
                y, x = source.peak.y, source.peak.x
                assert rows[source.id][f"{band}_deblend_peak_instFlux"] == heavy[y, x]
                assert rows[source.id][f"{band}_deblend_dataCoverage"] == 1
            assert held.any()
            np.testing.assert_allclose(total[held], coadds.images[k][held], rtol=1e-6)


def test_two_parents_beyond_limits_say_which(result):
    limits = {"max_footprint_area": 2000, "max_number_of_peaks": 2}
    limited = deblend(eight_sources(), limits=limits)
    ids = parent_ids(limited)
    assert reasons(limited) == {ids[THREE]: "too_many_peaks", ids[LARGE]: "parent_too_big"}
    assert limited.parents["deblend_skipped"].sum() == 2
    assert limited.parents["deblend_tooManyPeaks"].sum() == limited.parents["deblend_parentTooBig"].sum() == 1
    # They have children all the same, from below on the ladder.
    assert len(limited.objects) == 8
    assert not limited.objects["deblend_noModel"].any()
    assert_ledger_closes(limited, eight_sources())
    assert same_objects(result, limited, but=list(ids.values()))


def test_a_blend_with_too_many_masked_pixels_says_so(result):
    coadds, where = eight_sources(), parent_ids(result)
    (model,) = (m for m in result.parent_models if m.id == where[THREE])
    mask, member = coadds.mask.copy(), model.footprint.on(coadds.box)
    # A fifth of its pixels have no data, in one band.
    rows, columns = (index[::5] for index in np.nonzero(member))
    mask[1, rows, columns] = 2
    y, x = np.array(centers()).T
    damaged, places = replace(coadds, mask=mask), {"y": y, "x": x}
    masked = deblend(damaged, places, limits={"mask_limits": {"NO_DATA": 0.1}})
    assert reasons(masked) == {parent_ids(masked)[THREE]: "masked"}
    assert masked.parents["deblend_masked"].sum() == 1
    children = masked.objects[masked.objects["parentObjectId"] == parent_ids(masked)[THREE]]
    assert len(children) == 3
    assert (children["r_deblend_dataCoverage"] < 1).all()
    assert (children["g_deblend_dataCoverage"] == 1).all()
    tolerated = deblend(damaged, places, limits={"mask_limits": {"NO_DATA": 0.3}})
    assert reasons(tolerated) == {}


@pytest.fixture
def failing(monkeypatch, result):
    """Let every joint fit of the three sources raise an error."""
    fit, wanted = BlendFitter.fit, parent_ids(result)[THREE]

    def _fit(self, *arguments, **keywords):
        if self.parent.id == wanted:
            raise ZeroDivisionError("made to fail")
        return fit(self, *arguments, **keywords)

    monkeypatch.setattr(BlendFitter, "fit", _fit)
    return wanted


def test_an_error_costs_its_parent_only(result, failing):
    failed = deblend(eight_sources())
    assert reasons(failed) == {failing: "fit_failed"}
    (row,) = failed.parents[failed.parents["parentObjectId"] == failing]
    assert "ZeroDivisionError: made to fail" in row["deblend_message"]
    assert row["deblend_failed"]
    assert not row["deblend_skipped"]
    assert len(failed.objects) == 8
    assert same_objects(result, failed, but=[failing])
    assert_ledger_closes(failed, eight_sources())


def test_an_error_that_is_not_caught_is_raised(failing):
    with pytest.raises(PipelineError, match=r"ZeroDivisionError: made to fail"):
        deblend(eight_sources(), catch_failures=False)
    assert failing


def test_a_band_without_psf_is_left_to_the_others():
    coadds = eight_sources()
    missing = replace(coadds, psfs=(coadds.psfs[0], None, coadds.psfs[2]))
    result = deblend(missing)
    assert_nobody_is_lost(result)
    assert_ledger_closes(result, missing)
    assert len(result.objects) == 8
    assert result.parents["deblend_incompleteData"].all()
    assert (result.objects["deblend_nBands"] == 2).all()
    assert result.objects["r_psfFlux_flag"].all()
    assert not result.objects["g_psfFlux_flag"].any()


def test_residuals_are_noise_where_the_model_can_follow(result):
    scores = result.objects["deblend_residualScore", "deblend_residualScoreErr"]
    assert np.isfinite(scores["deblend_residualScore"]).all()
    # The isolated point has one component, and cannot follow its noise: 5 σ of what noise alone does.
    (isolated,) = scores[result.objects["parentObjectId"] == 0]
    assert abs(isolated["deblend_residualScore"] - 1) < 5 * isolated["deblend_residualScoreErr"]
