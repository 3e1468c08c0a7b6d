"""Numbers of a card, and their intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.evaluate import Deblended, SourceImages, concatenate_scores, open_fields, score_field, summarise
from meas_deblend.evaluate.bootstrap import Bootstrap, interval, spread


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40))
def test_medians_and_means_of_resamples_are_those_of_the_resampled_objects(seed, n):
    rng = np.random.default_rng(seed)
    fields, values = rng.integers(0, 6, n), rng.normal(size=n)
    boot = Bootstrap.over(fields)
    index = np.searchsorted(boot.fields, fields)
    medians, means = boot.of_median(values, fields), boot.of_mean(values, fields)
    for k in (0, 17, 999):
        again = np.repeat(values, boot.counts[k].astype(int)[index])
        assert medians[k] == pytest.approx(np.median(again), abs=1e-12)
        assert means[k] == pytest.approx(np.mean(again), abs=1e-9)


def test_intervals_know_that_fields_are_the_unit():
    # Ten fields of 100 equal values each: only the fields differ, so the error is 1/√10, not 1/√1000.
    fields = np.repeat(np.arange(10), 100)
    values = np.repeat(np.random.default_rng(5).normal(size=10), 100)
    estimates = Bootstrap.over(fields).of_mean(values, fields)
    assert spread(estimates) == pytest.approx(values.std() / np.sqrt(10), rel=0.1)
    low, high = interval(estimates)
    assert low < values.mean() < high


def test_a_part_of_the_fields_may_have_no_object():
    boot = Bootstrap.over(np.arange(4))
    means = boot.of_mean(np.array([2.0]), np.array([1]))
    assert np.nanmin(means) == np.nanmax(means) == 2
    # (3/4)⁴ of the resamples lack the field.
    assert np.isnan(means).mean() == pytest.approx(0.316, abs=0.06)
    assert np.isnan(interval(np.array([np.nan]))).all()


def test_numbers_of_a_card(folder):
    fields = open_fields(folder)
    parts = [score_field(f, Deblended(SourceImages.nothing(f)), k) for k, f in enumerate(fields)]
    scores = concatenate_scores(parts)
    assert len(scores) == 7
    card = summarise(scores, fields.setting.bands, fields.setting.zeropoints)
    kappa = scores.kappa[:, 1]
    assert card["summary"]["n"] == 7
    assert card["summary"]["mean_abs_dF_F"] == pytest.approx(np.abs(kappa).mean())
    assert card["summary"]["median_abs_dF_F"] == pytest.approx(np.median(np.abs(kappa)))
    strong = kappa > 0.1
    assert strong.any()
    assert card["summary"]["p_gt_0p1_kappa_gt_0p1"] == 1
    assert card["summary"]["median_abs_dF_F_kappa_ge_0p1"] == pytest.approx(np.median(kappa[strong]))
    assert card["summary"]["unmodelled"] == 7
    assert set(card["bands"]) == {"g", "r", "i"}
    assert card["bands"]["r"]["model"]["mean"] == pytest.approx(-1)
    assert np.isnan(card["summary"]["child"]["mean_abs"])
    assert sum(b["n"] for b in card["bins"]["field"]["kappa"]) == 7
    assert card["pulls"]["model"]["mean"] < -5
    # All have g − r = 0 in the catalog; the images have 0.6 : 1.
    assert card["colours"]["dC_T"]["n"] == 7


def test_bias_by_contamination_without_models_is_the_contamination(folder):
    fields = open_fields(folder)
    scores = concatenate_scores([score_field(f, Deblended(SourceImages.nothing(f)), k) for k, f in enumerate(fields)])
    card = summarise(scores, fields.setting.bands, fields.setting.zeropoints)
    for part in card["bins"]["field"]["kappa"]:
        if part["n"]:
            assert (part["low"] or -np.inf) <= part["bias"] <= (part["high"] or np.inf)
