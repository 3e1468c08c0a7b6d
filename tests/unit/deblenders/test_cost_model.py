"""Predicted costs, and how their coefficients are measured."""

import numpy as np
import pytest
from pydantic import ValidationError

from meas_deblend.deblenders import Cost, CostModel, MultiBandOptions, calibrate
from meas_deblend.deblenders.calibration import MEMORY_RESERVE, Measured, drawn_blend, fit_costs, measure_costs
from meas_deblend.deblenders.cost_model import OVERLAP, BlendSize, Coefficients, RungCost
from meas_deblend.deblenders.rungs import RUNG_NAMES
from meas_deblend.geometry import Box, Peak
from meas_deblend.profiles import ProfileFitConfig

TRUE = RungCost(
    seconds=Coefficients(constant=0.1, peak=0.02, peak_band=0.003, pair=1e-4, overlap=5e-4, repeat=7e-3, pixel=2e-6),
    memory=Coefficients(constant=1e6, peak=2e5, peak_band=3e4, pair=500, overlap=900, pixel=80),
)


def test_the_formula_by_hand():
    cost = CostModel(full_multi_band=TRUE).predict("full_multi_band", BlendSize(10, 1000, 5, 12, 30))
    of_sources = (0.02 + 5 * 0.003 + 10 * 1e-4) * 10 + 5 * 5e-4 * 12 + 5 * 7e-3 * 30
    assert cost.seconds == pytest.approx(0.1 + of_sources + 5 * 2e-6 * 1000)
    assert cost.memory == pytest.approx(1e6 + (2e5 + 5 * 3e4 + 10 * 500) * 10 + 5 * 900 * 12 + 5 * 80 * 1000)


def peaks_at(*places):
    return [Peak(k, y, x) for k, (y, x) in enumerate(places)]


def test_overlaps_are_pairs_next_to_each_other():
    box, config = Box((0, 0), (200, 300)), ProfileFitConfig()
    # The first two, and the second with the third, which is just within reach along x; the fourth is beyond.
    peaks = peaks_at((10, 10), (20, 30), (20, 30 + OVERLAP), (20 + OVERLAP + 1, 30))
    assert BlendSize.of(peaks, box, 3, config) == BlendSize(4, 60_000, 3, 2, 0)
    for few in ([], peaks_at((5, 5))):
        assert BlendSize.of(few, box, 3, config) == BlendSize(len(few), 60_000, 3)


def test_groups_that_are_cut_are_fitted_again_in_turns():
    box, chain = Box((0, 0), (20, 900)), peaks_at(*((10, OVERLAP * k) for k in range(42)))
    config = ProfileFitConfig(group_radius=30, group_size=40, turns=4)
    assert BlendSize.of(chain, box, 2, config) == BlendSize(42, 18_000, 2, 41, 3 * 41)
    # A gap in the middle, and neither half is cut; nor is what may stay one.
    apart = [peak for peak in chain if peak.x != 20 * OVERLAP]
    assert BlendSize.of(apart, box, 2, config).repeats == 0
    assert BlendSize.of(chain, box, 2, config.model_copy(update={"group_size": 42})).repeats == 0
    assert BlendSize.of(chain, box, 2, config.model_copy(update={"turns": 1})).repeats == 0


def test_turns_cost_the_more_the_more_crowded_they_are():
    # Four times the pairs per peak, twice the root.
    cost = Coefficients(repeat=1.0, crowding=1.0)
    assert cost.of(BlendSize(50, 1, 2, 50, 150)) == 2 * (150 + 150)
    assert cost.of(BlendSize(50, 1, 2, 200, 150)) == 2 * (150 + 300)
    assert cost.of(BlendSize(0, 1, 2)) == 0


def test_every_rung_has_costs_and_templates_are_cheaper_than_fits():
    for size in (BlendSize(1, 1000, 3), BlendSize(20, 10_000, 5, 100), BlendSize(300, 300_000, 6, 2000, 900)):
        full, profiles, one, symmetric, points, nothing = (CostModel().predict(rung, size) for rung in RUNG_NAMES)
        assert full.seconds > one.seconds > symmetric.seconds > points.seconds > nothing.seconds > 0
        assert profiles.seconds > one.seconds
        assert full.memory > one.memory > symmetric.memory > nothing.memory > 0
    with pytest.raises(ValueError, match="no costs of a rung 'fit'; known: full_multi_band, joint_profiles, one_comp"):
        CostModel().predict("fit", BlendSize(1, 1, 1))
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Coefficients(peak=-1.0)


def test_coefficients_are_found_again():
    sizes = [
        BlendSize(1, 1600, 5),
        BlendSize(1, 40_000, 5),
        BlendSize(5, 2000, 1, 8),
        BlendSize(5, 30_000, 2, 1),
        BlendSize(30, 12_000, 3, 90),
        BlendSize(80, 40_000, 5, 300, 240),
        BlendSize(90, 20_000, 1, 1500, 270),
        BlendSize(48, 16_000, 3, 400, 144),
        BlendSize(12, 9_000, 4, 50),
    ]
    model = CostModel(one_component=TRUE)
    measured = [Measured("one_component", size, model.predict("one_component", size)) for size in sizes]
    found = fit_costs(measured, CostModel())
    assert found.full_multi_band == CostModel().full_multi_band  # it was not measured
    for size in [*sizes, BlendSize(300, 100_000, 6, 2000, 900)]:
        expected, cost = (m.predict("one_component", size) for m in (model, found))
        # Coefficients are rounded to three digits.
        assert cost.seconds == pytest.approx(expected.seconds, rel=0.02)
        assert cost.memory == pytest.approx(MEMORY_RESERVE * expected.memory, rel=0.02)


def test_no_blend_takes_more_memory_than_predicted():
    rng = np.random.default_rng(2)
    sizes = [
        (int(p), int(a), int(b)) for p, a, b in zip([1, 3, 9, 20, 40, 80], 10 ** rng.uniform(3, 5, 6), [1, 2, 5] * 2)
    ]
    measured = [Measured("psf_templates", BlendSize(*s), Cost(rng.uniform(1, 2), rng.uniform(1e6, 9e6))) for s in sizes]
    found = fit_costs(measured, CostModel())
    for one in measured:
        predicted = found.predict("psf_templates", one.size).memory
        assert predicted >= MEMORY_RESERVE * one.cost.memory * 0.995  # of rounding


def test_calibration_measures_the_rungs_of_the_options():
    seen = []
    options = MultiBandOptions(ladder=("symmetric_templates", "psf_templates", "parent_only"))
    found = calibrate(options, [(1, 30, 1), (3, 40, 2)], seen.append)
    assert [(m.rung, m.size.peaks, m.size.area, m.size.bands) for m in seen] == [
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
