"""Every rung of the ladder and every reason, on made input."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from crowded_blends import draw, row_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from synthetic_models import assert_same_parent

from meas_deblend.apportion import reapportion_parent
from meas_deblend.deblenders import CostModel, MultiBandOptions, get_deblender, parent_without_models, plan_parent
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.deblenders.cost_model import BlendSize, Coefficients, RungCost
from meas_deblend.deblenders.descent import Descent
from meas_deblend.deblenders.profile import JointProfiles, JointProfilesOptions
from meas_deblend.deblenders.rungs import FITS, RUNG_NAMES
from meas_deblend.deblenders.shared_templates import TemplateWork
from meas_deblend.geometry import Footprint, Peak
from meas_deblend.models import FactorizedComponent, PointComponent, ProfileComponent, TemplateComponent
from meas_deblend.products import REASONS, RUNGS

HUGE = Coefficients(constant=1e15)
LADDER = tuple(rung for rung in RUNG_NAMES if rung != "joint_profiles")


@pytest.fixture(scope="module")
def row():
    return row_of(4)


def run(blend, **options):
    options = {"ladder": LADDER, **options}
    model = get_deblender("multi_band")(blend.exposure, blend.parent, MultiBandOptions(**options))
    return model, check(model, blend)


def check(model, blend):
    """What holds on every rung: a source for every peak, words of the vocabularies, no lost count."""
    assert [source.peak for source in model.sources] == list(blend.parent.footprint.peaks)
    for source in model.sources:
        assert source.rung in RUNGS
        assert source.rung
        assert source.reason in REASONS
        assert bool(source.components) != ("deblend_noModel" in source.flags)
    shared = reapportion_parent(blend.exposure, model)
    for account in shared.ledger:
        assert abs(account.imbalance) <= 1e-6 * np.nansum(np.abs(blend.exposure.images))
    return shared


def labels(model):
    return {(source.rung, source.reason) for source in model.sources}


def too_costly(kind, *rungs):
    """Costs by which some rungs are beyond any budget, whatever the size of the blend."""
    return CostModel(**{rung: RungCost(**{kind: HUGE}) for rung in rungs})


@pytest.mark.parametrize(
    ("kind", "reason"), [("memory", "over_memory_budget"), ("seconds", "over_cost_budget")], ids=["memory", "time"]
)
@pytest.mark.parametrize("depth", range(1, len(LADDER)))
def test_each_rung_is_reached_by_what_the_others_would_cost(row, depth, kind, reason):
    model, shared = run(row, cost=too_costly(kind, *LADDER[:depth]))
    rung = LADDER[depth]
    assert labels(model) == {(rung, reason)}
    assert (model.outcome, model.reason) == ("failed" if rung == "parent_only" else "degraded", reason)
    assert "predicted, more than the budget of" in model.message
    if rung == "parent_only":
        assert not any(source.components for source in model.sources)
        assert all(account.children == 0 for account in shared.ledger)
    else:
        # The noise of 100 pixels is 10, so 2 % of the fainter flux; PSFs are narrower than these sources.
        assert row.errors(shared).mean() < {"psf_templates": 0.25}.get(rung, 0.12)
    kinds = {"one_component": FactorizedComponent, "psf_templates": TemplateComponent}
    assert all(isinstance(c, kinds.get(rung, object)) for s in model.sources for c in s.components)


def test_the_first_rung_has_no_reason(row):
    model, shared = run(row)
    assert labels(model) == {("full_multi_band", "")}
    assert (model.outcome, model.reason, model.message) == ("ok", "", "")
    assert row.errors(shared).mean() < 0.1


def test_isolated_parents_that_are_not_fitted_are_the_parent_itself():
    blend = row_of(1)
    model, shared = run(blend, fit_isolated=False)
    assert labels(model) == {("parent_only", "")}
    assert model.outcome == "ok"
    assert shared.ledger[0].children == pytest.approx(shared.ledger[0].data)
    (part,) = plan_parent(blend.exposure, blend.parent, MultiBandOptions(fit_isolated=False))
    assert (part.rung, part.reason, part.cost.seconds) == ("parent_only", "", 0)


def test_profiles_are_fitted_where_the_full_fit_is_too_costly(row):
    model, shared = run(row, ladder=RUNG_NAMES, cost=too_costly("memory", "full_multi_band"))
    assert labels(model) == {("joint_profiles", "over_memory_budget")}
    parameters = [c for source in model.sources for c in source.components]
    assert all(isinstance(c, PointComponent | ProfileComponent) for c in parameters)
    assert row.errors(shared).mean() < 0.12


def test_profiles_in_another_resolution_are_kept_as_they_are_observed(row, monkeypatch):
    cost = too_costly("memory", "full_multi_band")
    same = row.errors(run(row, ladder=RUNG_NAMES, cost=cost)[1])
    monkeypatch.setattr(Descent, "_profile_options", lambda *_: JointProfilesOptions(model_psf_sigma=0.7))
    model, shared = run(row, ladder=RUNG_NAMES, cost=cost)
    assert labels(model) == {("joint_profiles", "over_memory_budget")}
    assert all(isinstance(c, TemplateComponent) for source in model.sources for c in source.components)
    assert row.errors(shared).mean() == pytest.approx(same.mean(), abs=0.02)


def test_profiles_that_fail_go_down(row, monkeypatch):
    def _without(exposure, parent, *_):
        return parent_without_models(exposure, parent, "joint_profiles", "no source has any light")

    monkeypatch.setattr(JointProfiles, "__call__", lambda _, *arguments: _without(*arguments))
    model, _ = run(row, ladder=("joint_profiles", *LADDER[1:]))
    assert labels(model) == {("one_component", "fit_failed")}
    assert model.message == "no source has any light"


def test_profiles_see_no_neighbours():
    blend = row_of(6)
    ladder = ("joint_profiles", "parent_only")
    whole = run(blend, ladder=ladder)[1]
    needed = CostModel().predict("joint_profiles", BlendSize(3, 25 * 30, 2, 3)).memory + 8 * blend.exposure.box.area
    model, shared = run(blend, ladder=ladder, memory_budget=needed / 1e6)
    assert labels(model) == {("joint_profiles", "split")}
    assert len(model.blends) > 1
    assert blend.errors(shared).mean() < blend.errors(whole).mean() + 0.02


def failing(monkeypatch, *rungs):
    """Let rungs raise an error, by what they call."""
    fit = BlendFitter.fit

    def _fit(self, *arguments):
        of = {2: "full_multi_band", 1: "one_component"}[self.config.max_components]
        if ("symmetric_templates" if self.config.max_iter == 0 else of) in rungs:
            raise FloatingPointError("made to fail")
        return fit(self, *arguments)

    def _raise(*_):
        raise ZeroDivisionError("this too")

    monkeypatch.setattr(BlendFitter, "fit", _fit)
    if "observed" in rungs:
        monkeypatch.setattr(TemplateWork, "symmetric", _raise)
    if "psf_templates" in rungs:
        monkeypatch.setattr(TemplateWork, "psf", _raise)


@pytest.mark.parametrize(
    ("rungs", "reached"),
    [
        (("full_multi_band",), "one_component"),
        (("full_multi_band", "one_component"), "symmetric_templates"),
        (("full_multi_band", "one_component", "symmetric_templates"), "symmetric_templates"),
        (("full_multi_band", "one_component", "symmetric_templates", "observed"), "psf_templates"),
        (("full_multi_band", "one_component", "symmetric_templates", "observed", "psf_templates"), "parent_only"),
    ],
)
def test_the_ladder_catches_failures(row, monkeypatch, rungs, reached):
    failing(monkeypatch, *rungs)
    model, shared = run(row)
    assert labels(model) == {(reached, "fit_failed")}
    assert model.message.startswith("FloatingPointError: made to fail")
    assert ("ZeroDivisionError: this too" in model.message) == ("observed" in rungs)
    if reached == "symmetric_templates":
        # Where a fit cannot even start, templates are made of the observed image.
        kind = TemplateComponent if reached in rungs else FactorizedComponent
        assert all(isinstance(c, kind) for source in model.sources for c in source.components)
        # Of four in a row, each of the inner two takes in what lies opposite of an outer one.
        assert np.median(row.errors(shared)) < (0.8 if reached in rungs else 0.12)


def test_failures_are_raised_where_they_are_not_caught(row, monkeypatch):
    failing(monkeypatch, "full_multi_band")
    with pytest.raises(FloatingPointError, match="made to fail"):
        run(row, catch_failures=False)
    failing(monkeypatch, "symmetric_templates")
    with pytest.raises(FloatingPointError, match="made to fail"):
        run(row, catch_failures=False, ladder=("symmetric_templates", "parent_only"))


def test_a_rung_that_would_do_the_same_again_is_left_out(row, monkeypatch):
    failing(monkeypatch, "one_component")
    model, _ = run(row, fit={"max_components": 1})
    assert labels(model) == {("symmetric_templates", "fit_failed")}
    assert model.message == "FloatingPointError: made to fail"


def test_a_failed_blend_does_not_take_a_rung_beyond_its_budget(row, monkeypatch):
    failing(monkeypatch, "full_multi_band")
    model, _ = run(row, cost=too_costly("memory", "one_component"))
    assert labels(model) == {("symmetric_templates", "fit_failed")}


FREE = CostModel(**{rung: RungCost() for rung in RUNG_NAMES})


def hanging(monkeypatch):
    fit = BlendFitter.fit

    def _fit(self, *arguments):
        if self.config.max_components == 2:
            time.sleep(30)
        return fit(self, *arguments)

    monkeypatch.setattr(BlendFitter, "fit", _fit)


def test_the_clock_ends_a_hung_fit(row, monkeypatch):
    run(row)  # all that is compiled is there
    hanging(monkeypatch)
    start = time.monotonic()
    model, _ = run(row, cost=FREE, cost_budget=0.2, timeout=2.5)
    assert 2.5 < time.monotonic() - start < 20
    assert labels(model) == {("one_component", "timeout")}
    assert (model.outcome, model.reason, model.message) == ("degraded", "timeout", "it was ended after 2.5 s")


def test_where_no_clock_can_be_watched_the_parent_says_so(row):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(row)[0]))
    thread.start()
    thread.join()
    assert found[0].warnings == ("timeout does not act outside the main thread of a process",)
    found.clear()
    thread = threading.Thread(target=lambda: found.append(run(row, timeout=None)[0]))
    thread.start()
    thread.join()
    assert found[0].warnings == ()


def test_the_clock_decides_nothing_else():
    with pytest.raises(ValidationError, match=r"timeout = 1000 s must be at least 4 × cost_budget = 1200 s, or null"):
        MultiBandOptions(timeout=1000)
    assert MultiBandOptions(timeout=None, cost_budget=1e6).timeout is None
    assert MultiBandOptions(timeout=1200).timeout == 1200


@pytest.mark.parametrize(
    ("ladder", "message"),
    [
        (("fit", "parent_only"), "there is no rung 'fit'; there are full_multi_band, joint_profiles, one_component"),
        (("psf_templates", "psf_templates", "parent_only"), "a rung stands on the ladder twice"),
        (("full_multi_band",), "the last rung must be parent_only, which cannot fail; got full_multi_band"),
        ((), "the last rung must be parent_only, which cannot fail; got none"),
    ],
)
def test_ladders_that_end_nowhere_are_refused(ladder, message):
    with pytest.raises(ValidationError, match=message):
        MultiBandOptions(ladder=ladder)


def test_the_ladder_has_all_rungs():
    assert MultiBandOptions().ladder == MultiBandOptions().rungs == RUNG_NAMES
    assert MultiBandOptions(fit={"max_components": 1}).rungs == tuple(r for r in RUNG_NAMES if r != "one_component")


def split_budget(blend, peaks):
    """Return a budget [Mbyte] for so many peaks of a row of sources, and for what its parent needs besides."""
    area = blend.exposure.box.area
    per_peak = area // len(blend.parent.footprint.peaks)
    return (CostModel().predict("full_multi_band", BlendSize(peaks, peaks * per_peak, 2)).memory + 8 * area) / 1e6


def test_a_blend_over_budget_is_split_along_its_valleys():
    blend = row_of(8)
    options = {"memory_budget": split_budget(blend, 4)}
    parts = plan_parent(blend.exposure, blend.parent, MultiBandOptions(**options))
    assert len(parts) > 1
    assert sorted(p.id for part in parts for p in part.footprint.peaks) == list(range(8))
    assert all(part.cost.memory <= options["memory_budget"] * 1e6 for part in parts)
    assert {(part.rung, part.reason, part.passes) for part in parts} == {("full_multi_band", "split", 2)}
    total = sum(part.footprint.on(blend.exposure.box).astype(int) for part in parts)
    assert np.all(total == 1)  # no pixel is lost, none is in two parts
    model, shared = run(blend, **options)
    assert labels(model) == {("full_multi_band", "split")}
    assert (model.outcome, model.reason) == ("ok", "split")
    assert f"split into {len(parts)} parts" in model.message
    assert [blend.box for blend in model.blends] == [part.footprint.box for part in parts]
    whole = run(blend)[1]
    # Neighbours are taken off, so that a split costs less than the noise.
    assert blend.errors(shared).mean() < blend.errors(whole).mean() + 0.01


def test_the_second_pass_sees_all_neighbours(monkeypatch):
    blend = row_of(8, spacing=5.0)
    budget = split_budget(blend, 4)
    twice = blend.errors(run(blend, memory_budget=budget)[1])
    monkeypatch.setattr("meas_deblend.deblenders.ladder.PASSES", 1)
    once = blend.errors(run(blend, memory_budget=budget)[1])
    assert twice.mean() < once.mean()


def test_parts_stay_what_they_were_if_their_second_fit_fails(monkeypatch):
    blend = row_of(8)
    fit, calls = BlendFitter.fit, []

    def _fit(self, index, footprint, *arguments):
        calls.append(footprint.peaks[0].id)
        if calls.count(footprint.peaks[0].id) == 2:
            raise FloatingPointError("only once")
        return fit(self, index, footprint, *arguments)

    monkeypatch.setattr(BlendFitter, "fit", _fit)
    model, shared = run(blend, memory_budget=split_budget(blend, 4))
    assert labels(model) == {("full_multi_band", "split")}
    assert "FloatingPointError: only once" in model.message
    assert blend.errors(shared).mean() < 0.2


def test_what_is_too_large_alone_goes_down_alone():
    # A source whose basin is most of the blend, and three small ones in a corner.
    small = [(8.0, 8.0 + 8 * k, (1500.0, 900.0), 1.0) for k in range(3)]
    blend = draw([(60.0, 60.0, (90000.0, 60000.0), 9.0), *small], (110, 110))
    alone = CostModel().predict("full_multi_band", BlendSize(1, 90 * 90, 2)).memory
    budget = (alone + 8 * 110 * 110) / 1e6
    assert CostModel().predict("one_component", BlendSize(1, 110 * 110, 2)).memory + 8 * 110 * 110 < budget * 1e6
    model, _ = run(blend, memory_budget=budget)
    found = [(source.rung, source.reason) for source in model.sources]
    assert found[0] == ("one_component", "over_memory_budget")
    assert set(found[1:]) == {("full_multi_band", "split")}
    assert (model.outcome, model.reason) == ("degraded", "over_memory_budget")


def test_time_is_that_of_all_passes_together():
    blend = row_of(8)
    pairs = RungCost(seconds=Coefficients(pair=1.0))
    # 64 s in one; four parts of two take 2 × 4 × 4 = 32 s, eight of one 16 s.
    for budget, parts, rung in ((65, 1, "full_multi_band"), (33, 4, "full_multi_band"), (15, 1, "one_component")):
        options = MultiBandOptions(ladder=LADDER, cost=CostModel(full_multi_band=pairs), cost_budget=budget)
        plan = plan_parent(blend.exposure, blend.parent, options)
        assert (len(plan), {part.rung for part in plan}) == (parts, {rung})
        assert sum(part.cost.seconds for part in plan) <= budget


def test_limits_bar_the_fits_and_keep_their_reason(row):
    parts = plan_parent(row.exposure, row.parent, MultiBandOptions(limits={"max_number_of_peaks": 3}))
    assert [(part.rung, part.reason) for part in parts] == [("symmetric_templates", "too_many_peaks")]
    assert not set(FITS) & {part.rung for part in parts}


def test_the_same_budget_gives_the_same_products():
    blend = row_of(8)
    budget = split_budget(blend, 3)
    first, second = (run(blend, memory_budget=budget)[0] for _ in range(2))
    assert_same_parent(first, second)


def test_without_a_deconvolved_image_valleys_are_those_of_the_data():
    blend = row_of(8)
    bare = replace(blend, parent=replace(blend.parent, detect_image=None))
    budget = split_budget(blend, 4)
    parts = plan_parent(bare.exposure, bare.parent, MultiBandOptions(memory_budget=budget))
    groups = [[p.id for p in part.footprint.peaks] for part in parts]
    assert sorted(k for group in groups for k in group) == list(range(8))
    # Neighbours in the row stay together.
    assert all(max(group) - min(group) == len(group) - 1 for group in groups)
    assert labels(run(bare, memory_budget=budget)[0]) == {("full_multi_band", "split")}


def test_point_sources_are_points_on_the_rung_of_the_psf():
    blend = draw([(12.0, 12.3, (3000.0, 1500.0), 0.0), (12.4, 22.0, (1500.0, 3000.0), 0.0)], (25, 35))
    exact = tuple(
        replace(p, position=(y, x)) for p, (y, x) in zip(blend.parent.footprint.peaks, ((12, 12.3), (12.4, 22)))
    )
    at = replace(blend.parent, footprint=blend.parent.footprint.with_peaks(exact))
    model, shared = run(replace(blend, parent=at), ladder=("psf_templates", "parent_only"))
    assert (model.outcome, labels(model)) == ("ok", {("psf_templates", "")})
    for source, (y, x), truth in zip(
        model.sources, ((12.0, 12.3), (12.4, 22.0)), blend.truth.sum(axis=(2, 3)), strict=True
    ):
        assert source.flags == {"deblend_deblendedAsPsf"}
        assert [fit.center for fit in source.psf_fits] == [(y, x)] * 2
        # √(4 π σ²) pixels of noise 1: 5 to 6, of fluxes of at least 1500.
        assert [fit.flux for fit in source.psf_fits] == pytest.approx(truth, rel=0.02)
    assert blend.errors(shared).max() < 0.03


def test_a_peak_without_a_template_says_so_on_a_rung_of_templates(monkeypatch):
    blend = row_of(3)
    failing(monkeypatch, "symmetric_templates")
    lost = Peak(9, 1, 1)  # nothing is there: the data are made negative
    images = blend.exposure.images.copy()
    images[:, :5, :5] = -3
    parent = replace(blend.parent, footprint=blend.parent.footprint.with_peaks((*blend.parent.footprint.peaks, lost)))
    given_ = replace(blend, exposure=replace(blend.exposure, images=images), parent=parent)
    model, _ = run(given_, ladder=("symmetric_templates", "parent_only"))
    assert [s.rung for s in model.sources] == ["symmetric_templates"] * 3 + ["parent_only"]
    assert model.sources[-1].reason == "template_failed"
    assert (model.outcome, model.reason) == ("degraded", "template_failed")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_nobody_is_lost_whatever_the_budget(data):
    places = data.draw(
        st.lists(st.tuples(st.integers(0, 24), st.integers(0, 64)), min_size=1, max_size=7), label="places"
    )
    budget = data.draw(st.floats(0.1, 8.0), label="memory budget")
    seconds = data.draw(st.floats(1e-3, 2.0), label="cost budget")
    blend = row_of(6)
    images, mask = blend.exposure.images.copy(), blend.exposure.mask.copy()
    images[:, :, data.draw(st.integers(0, 64))] = np.nan
    mask[data.draw(st.integers(0, 1))] = data.draw(st.sampled_from([0, 1]))
    peaks = tuple(Peak(k, y, x, 10.0 - k) for k, (y, x) in enumerate(places))
    holes = data.draw(st.integers(0, 3))
    member = np.ones(blend.exposure.box.shape, dtype=bool)
    member[:, 20 * holes : 20 * holes + 6] = holes == 0
    parent = replace(blend.parent, footprint=Footprint(blend.exposure.box, member, peaks))
    made = replace(blend, exposure=replace(blend.exposure, images=images, mask=mask), parent=parent)
    options = {
        "memory_budget": budget,
        "cost_budget": seconds,
        "timeout": None,
        "fit": {"max_iter": 5},
        "ladder": LADDER,
    }
    planned = plan_parent(made.exposure, parent, MultiBandOptions(**options))
    assert sorted(p.id for part in planned for p in part.footprint.peaks) == list(range(len(peaks)))
    model, _ = run(made, **options)
    first = {source.peak.id: source.rung for source in model.sources}
    for part in planned:
        for peak in part.footprint.peaks:
            assert LADDER.index(first[peak.id]) >= LADDER.index(part.rung)
