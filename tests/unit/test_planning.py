"""What is planned is what a run does."""

import numpy as np
import pytest
import small_sky

import meas_deblend as md
from meas_deblend.deblenders import MultiBandOptions
from meas_deblend.deblenders.cost_model import BlendSize
from meas_deblend.exceptions import ConfigError, InputError, NoWorkFoundError
from meas_deblend.planning import ParentPlan, Plan

FIT = {"fit": {"max_iter": 4}, "flux_errors": "none"}


def settings(**changed):
    return {"multi_band": {**FIT, **changed}}


def as_run(result):
    """Rung and reason of every peak that a run modelled, by parent and peak."""
    return {(m.id, s.peak.id): (s.rung, s.reason) for m in result.parent_models for s in m.sources}


def as_planned(made):
    return {
        (one.id, peak.id): (part.rung, part.reason)
        for one in made.parents
        for part in one.parts
        for peak in part.footprint.peaks
    }


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"memory_budget": 4.7},  # four peaks are too many together
        {"memory_budget": 4.2},
        {"memory_budget": 3.0},
        {"cost_budget": 0.02, "timeout": None},
        {"limits": {"max_number_of_peaks": 3}},
        {"ladder": ["one_component", "psf_templates", "parent_only"]},
        {"fit_isolated": False},
    ],
)
def test_a_run_takes_the_rungs_that_were_planned(changed):
    coadds, config = small_sky.exposure(), settings(**changed)
    made, result = md.plan(coadds, config=config), md.deblend(coadds, config=config)
    assert as_planned(made) == as_run(result)
    # What was asked to be hard is hard: the cases are not all alike.
    assert bool(made.reasons) == bool({"memory_budget", "cost_budget", "limits"} & set(changed))


def test_costs_are_those_of_the_model():
    made = md.plan(small_sky.exposure(), config=settings())
    assert sorted(one.peaks for one in made.parents) == sorted(small_sky.PEAKS)
    assert [one.seconds for one in made.parents] == sorted((one.seconds for one in made.parents), reverse=True)
    options = MultiBandOptions.model_validate(FIT)
    alone = next(one for one in made.parents if one.peaks == 1)
    cost = options.cost.predict("full_multi_band", BlendSize(1, alone.box.area, 2))
    assert (alone.seconds, alone.memory) == pytest.approx((cost.seconds, cost.memory / 1e6))
    assert made.seconds == pytest.approx(sum(one.seconds for one in made.parents))


def test_a_selection_is_planned_alone():
    made = md.plan(small_sky.exposure(), only=2)
    assert ([one.id for one in made.parents], made.left_out) == ([2], 2)
    with pytest.raises(InputError, match="only: 9 is no parent"):
        md.plan(small_sky.exposure(), only=9)


def test_sky_objects_are_not_planned():
    config = {"detect": {"sky_objects": {"n_sources": 1}}}
    made = md.plan(small_sky.exposure(), config=config)
    assert (len(made.parents), made.sky, made.left_out) == (3, 1, 0)
    assert made.as_dict()["sky_objects"] == 1


def test_nothing_to_plan():
    with pytest.raises(NoWorkFoundError, match="nothing detected above"):
        md.plan(small_sky.noise_only())
    with pytest.raises(ConfigError, match="the pipeline 'single_band' has no step with a ladder"):
        md.plan(small_sky.exposure(), pipeline="single_band")


def made_plan(*seconds):
    class Stub(ParentPlan):
        seconds = property(lambda self: self.area)

    stubs = [Stub(k, 1, s, None, 1, (), ()) for k, s in enumerate(seconds)]
    return Plan(tuple(stubs), 0, 0, MultiBandOptions())


def test_elapsed_time_is_that_of_the_busiest_process():
    made = made_plan(10.0, 4.0, 3.0, 2.0)
    # 10 in one, 4 + 3 + 2 in the other.
    assert [made.elapsed(jobs) for jobs in (1, 2, 3, 8)] == [19.0, 10.0, 10.0, 10.0]
    assert made_plan(6.0, 5.0, 4.0, 3.0, 2.0).elapsed(2) == 11.0


def test_plain_values_add_up():
    values = md.plan(small_sky.exposure(), config=settings(memory_budget=4.2)).as_dict()
    total = values["total"]
    assert sum(total["parents_by_rung"].values()) == total["parents"] == len(values["parents"]) == 3
    assert sum(total["peaks_by_rung"].values()) == total["peaks"] == sum(small_sky.PEAKS)
    assert total["seconds"] == pytest.approx(np.sum([one["seconds"] for one in values["parents"]]))
