"""``meas-deblend calibrate``: settings that a run takes, and how good they are."""

import importlib

import pytest
import yaml
from command_line import call

from meas_deblend.deblenders import Cost, CostModel
from meas_deblend.deblenders.calibration import Measured
from meas_deblend.deblenders.cost_model import BlendSize
from meas_deblend.framework import load_pipeline
from meas_deblend.framework.layers import layer_from_file

FAST = ("-c", "multi_band:ladder=[psf_templates, parent_only]")


@pytest.fixture
def module(monkeypatch):
    """The command's module, with few and small blends."""
    found = importlib.import_module("meas_deblend.commands.calibrate")
    monkeypatch.setattr(found, "BLENDS", ((1, 30, 1), (3, 40, 2), (6, 50, 2)))
    monkeypatch.setattr(found, "HELD_OUT", ((2, 36, 2),))
    return found


def test_the_settings_are_those_that_a_run_takes(module, tmp_path, capsys):
    file = tmp_path / "costs.yaml"
    assert call("calibrate", "--out", file, *FAST) == 0
    printed = capsys.readouterr()
    assert f"written to {file}: use it with -C {file}" in printed.out
    assert "psf_templates: on 1 blend not fitted to, predicted / measured is " in printed.out
    assert "psf_templates, 1 peak on 900 pixels in 1 band: " in printed.err
    assert file.read_text().startswith("# What blends cost on the machine")
    given = yaml.safe_load(file.read_text())["multi_band"]["cost"]
    assert list(given) == ["psf_templates"]  # the only rung that was measured
    pipeline = load_pipeline("multiband", layers=[layer_from_file(file)])
    cost = pipeline.task("multi_band").resolved.config.cost
    assert cost.psf_templates.model_dump() == given["psf_templates"]
    assert cost.full_multi_band == CostModel().full_multi_band
    # A file is not replaced unasked.
    assert call("calibrate", "--out", file, *FAST) == 2
    assert "is there already" in capsys.readouterr().err


def test_without_a_file_the_settings_are_printed(module, capsys):
    assert call("calibrate", *FAST) == 0
    assert yaml.safe_load(capsys.readouterr().out)["multi_band"]["cost"]["psf_templates"]["seconds"]["constant"] >= 0


def test_how_far_predictions_are_off(module):
    model = CostModel()
    sizes = [BlendSize(peaks, 900, 2) for peaks in (1, 2, 3)]
    costs = [model.predict("one_component", size) for size in sizes]
    # Measured: half, the same, and twice of what is predicted in time; the same in memory.
    measured = [
        Measured("one_component", size, Cost(cost.seconds * factor, cost.memory))
        for size, cost, factor in zip(sizes, costs, (0.5, 1.0, 2.0), strict=True)
    ]
    (found,) = module.accuracies(model, measured)
    assert found.seconds == pytest.approx((0.5, 1.0, 2.0))
    assert found.memory == pytest.approx((1.0, 1.0, 1.0))
    assert found.sentence() == (
        "one_component: on 3 blends not fitted to, predicted / measured is 0.50 to 2.00 (median 1.00) for time and "
        "1.00 to 1.00 (median 1.00) for memory"
    )


def test_a_pipeline_without_costs(capsys):
    assert call("calibrate", "--pipeline", "none") == 2
    assert "the pipeline 'none' has no step with a cost model" in capsys.readouterr().err
