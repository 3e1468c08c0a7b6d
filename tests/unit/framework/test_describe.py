import subprocess
import sys

import pytest

from meas_deblend.exceptions import ConfigError, PipelineError
from meas_deblend.framework import (
    history_rows,
    layer_from_assignment,
    layer_from_file,
    load_pipeline,
    show_config,
    show_history,
    show_pipeline,
    show_tasks,
    task_rows,
)
from meas_deblend.framework.resolve import resolve_config


def test_table_of_tasks(chain):
    pipeline = load_pipeline(chain)
    assert show_tasks(pipeline) == (
        "label    task         config         inputs          outputs\n"
        "-------  -----------  -------------  --------------  -------------------\n"
        "detect   DetectTask   DetectConfig   image           peaks, [background]\n"
        "fit      FitTask      FitConfig      peaks, [prior]  models\n"
        "measure  MeasureTask  MeasureConfig  models          catalog"
    )
    assert task_rows(pipeline)[1].inputs == "peaks, [prior]"
    assert show_tasks(pipeline, markdown=True).splitlines()[:3] == [
        "| label   | task        | config        | inputs         | outputs             |",
        "| ------- | ----------- | ------------- | -------------- | ------------------- |",
        "| detect  | DetectTask  | DetectConfig  | image          | peaks, [background] |",
    ]


def test_history_table(chain, write):
    path = write("over.yaml", "fit:\n  fit.max_iter: 50\n")
    layers = [layer_from_file(path), layer_from_assignment("fit:fit.max_iter=60")]
    pipeline = load_pipeline(chain, layers=layers)
    rows = history_rows(pipeline, "fit", "fit.max_iter")
    assert [(row.value, row.layer, row.file, row.line) for row in rows] == [
        ("100", "class defaults", "", ""),
        ("50", "user file", str(path), "2"),
        ("60", "command line", "", ""),
    ]
    lines = show_history(pipeline, "fit", "fit.max_iter").splitlines()
    assert lines[0].split() == ["field", "value", "layer", "file", "line"]
    assert lines[3].split() == ["fit.max_iter", "50", "user", "file", str(path), "2"]
    with pytest.raises(ConfigError, match="did you mean 'max_iter'"):
        show_history(pipeline, "fit", "fit.max_itr")
    with pytest.raises(PipelineError, match="no task labelled 'fits'"):
        show_history(pipeline, "fits", "fit.max_iter")


def test_config_of_one_task_or_of_all(chain, write):
    pipeline = load_pipeline(chain)
    assert show_config(pipeline, "fit").startswith("# How bright numbers are fitted.\nfit:\n")
    layer = layer_from_file(write("all.yaml", show_config(pipeline)))
    assert list(layer.labels) == ["detect", "fit", "measure"]
    for task in pipeline.tasks:
        again = resolve_config(task.label, task.task_class.ConfigClass, [layer])
        assert again.config == task.resolved.config


def test_pipeline_in_words(chain):
    assert show_pipeline(load_pipeline(chain)) == (
        "chain: Find, fit, measure.\n"
        "\n"
        "inputs\n"
        "  image: list, Numbers.\n"
        "  prior: float (optional), Added to each.\n"
        "\n"
        "detect: toy_tasks.DetectTask\n"
        "  <- image: list per tract, patch, Numbers.\n"
        "  -> peaks: list per tract, patch, Bright numbers.\n"
        "  -> background: float per tract, patch (optional), Mean of the rest.\n"
        "\n"
        "fit: toy_tasks.FitTask\n"
        "  <- peaks: list per tract, patch, Bright numbers.\n"
        "  <- prior: float (optional), Added to each.\n"
        "  -> models: list per tract, patch, Halves.\n"
        "\n"
        "measure: toy_tasks.MeasureTask\n"
        "  <- models: list per tract, patch, Halves.\n"
        "  -> catalog: dict per tract, patch, Sums.\n"
        "\n"
        "subsets\n"
        "  early: detect, fit (All but measuring.)"
    )


def test_importing_the_framework_loads_nothing_heavy():
    heavy = ["numpy", "scipy", "numba", "astropy", "matplotlib", "pyarrow", "sep", "rich"]
    code = f"import sys, meas_deblend.framework; print([name for name in {heavy} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own interpreter
    assert done.stdout.strip() == "[]"
