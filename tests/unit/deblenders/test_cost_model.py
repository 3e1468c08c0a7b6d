"""Predicted costs, and how their coefficients are measured."""

import numpy as np
import pytest
from pydantic import ValidationError

from meas_deblend.deblenders import Cost, CostModel, MultiBandOptions, calibrate
from meas_deblend.deblenders.calibration import MEMORY_RESERVE, Measured, drawn_blend, fit_costs, measure_costs
from meas_deblend.deblenders.cost_model import Coefficients, RungCost
from meas_deblend.deblenders.rungs import RUNG_NAMES

TRUE = RungCost(
    seconds=Coefficients(constant=0.1, peak=0.02, peak_band=0.003, pair=1e-4, pixel=2e-6),
    memory=Coefficients(constant=1e6, peak=2e5, peak_band=3e4, pair=500, pixel=80),
)


def test_the_formula_by_hand():
    cost = CostModel(full_multi_band=TRUE).predict("full_multi_band", 10, 1000, 5)
    assert cost.seconds == pytest.approx(0.1 + (0.02 + 5 * 0.003 + 10 * 1e-4) * 10 + 5 * 2e-6 * 1000)
    assert cost.memory == pytest.approx(1e6 + (2e5 + 5 * 3e4 + 10 * 500) * 10 + 5 * 80 * 1000)


def test_every_rung_has_costs_and_templates_are_cheaper_than_fits():
    for size in ((1, 1000, 3), (20, 10_000, 5), (300, 300_000, 6)):
        full, profiles, one, symmetric, points, nothing = (CostModel().predict(rung, *size) for rung in RUNG_NAMES)
        assert full.seconds > one.seconds > symmetric.seconds > points.seconds > nothing.seconds > 0
        assert profiles.seconds > one.seconds
        assert full.memory > one.memory > symmetric.memory > nothing.memory > 0
    with pytest.raises(ValueError, match="no costs of a rung 'fit'; known: full_multi_band, joint_profiles, one_comp"):
        CostModel().predict("fit", 1, 1, 1)
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Coefficients(peak=-1.0)


def test_coefficients_are_found_again():
    sizes = [
        (1, 1600, 5),
        (1, 40_000, 5),
        (5, 2000, 1),
        (5, 30_000, 2),
        (30, 12_000, 3),
        (80, 40_000, 5),
        (90, 20_000, 1),
    ]
    model = CostModel(one_component=TRUE)
    measured = [Measured("one_component", *size, model.predict("one_component", *size)) for size in sizes]
    found = fit_costs(measured, CostModel())
    assert found.full_multi_band == CostModel().full_multi_band  # it was not measured
    for size in [*sizes, (300, 100_000, 6)]:
        expected, cost = (m.predict("one_component", *size) for m in (model, found))
        # Coefficients are rounded to three digits.
        assert cost.seconds == pytest.approx(expected.seconds, rel=0.02)
        assert cost.memory == pytest.approx(MEMORY_RESERVE * expected.memory, rel=0.02)


def test_no_blend_takes_more_memory_than_predicted():
    rng = np.random.default_rng(2)
    sizes = [
        (int(p), int(a), int(b)) for p, a, b in zip([1, 3, 9, 20, 40, 80], 10 ** rng.uniform(3, 5, 6), [1, 2, 5] * 2)
    ]
    measured = [Measured("psf_templates", *s, Cost(rng.uniform(1, 2), rng.uniform(1e6, 9e6))) for s in sizes]
    found = fit_costs(measured, CostModel())
    for one in measured:
        predicted = found.predict("psf_templates", one.peaks, one.area, one.bands).memory
        assert predicted >= MEMORY_RESERVE * one.cost.memory * 0.995  # of rounding


def test_calibration_measures_the_rungs_of_the_options():
    seen = []
    options = MultiBandOptions(ladder=("symmetric_templates", "psf_templates", "parent_only"))
    found = calibrate(options, [(1, 30, 1), (3, 40, 2)], seen.append)
    assert [(m.rung, m.peaks, m.area, m.bands) for m in seen] == [
        ("symmetric_templates", 1, 900, 1),
        ("psf_templates", 1, 900, 1),
        ("symmetric_templates", 3, 1600, 2),
        ("psf_templates", 3, 1600, 2),
    ]
    assert all(m.cost.seconds > 0 and m.cost.memory > 1e4 for m in seen)
    assert found.full_multi_band == CostModel().full_multi_band
    assert found.psf_templates != CostModel().psf_templates


def test_blends_are_drawn_the_same_each_time():
    (first, parent), (second, _) = (drawn_blend(3, 40, 2) for _ in range(2))
    assert np.array_equal(first.images, second.images)
    assert len(parent.footprint.peaks) == 3
    assert parent.detect_image is not None
    assert not parent.blends


def test_a_rung_that_fails_is_not_measured(monkeypatch):
    def _fail(*_):
        raise FloatingPointError("made to fail")

    monkeypatch.setattr("meas_deblend.deblenders.shared_templates.TemplateWork.psf", _fail)
    with pytest.raises(FloatingPointError, match="made to fail"):
        measure_costs(MultiBandOptions(ladder=("psf_templates", "parent_only")), [(1, 30, 1)])
