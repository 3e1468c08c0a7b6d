"""Every pipeline definition with every survey: loaded, validated, wired; and what a definition and a survey may not."""

import itertools
from pathlib import Path

import pytest

from meas_deblend import framework
from meas_deblend.exceptions import ConfigError, PipelineError
from meas_deblend.image import load_survey
from meas_deblend.shipped import shipped_folder, surveys

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = framework.shipped_pipelines()
SURVEYS = surveys()
CATALOGS = {"objects", "parents", "ledger"}


def test_no_file_is_passed_over():
    folder = ROOT / "tasks" / "pipelines"
    assert set(PIPELINES) == {path.stem for path in folder.glob("*.yaml")}
    # Each is there for Rubin's middleware too.
    assert set(PIPELINES) == {path.stem for path in (folder / "lsst").glob("*.yaml")}
    assert set(SURVEYS) == {path.name for path in (ROOT / "config").iterdir()}
    assert {"multiband", "single_band", "none"} <= set(PIPELINES)
    assert {"generic", "hsc", "lsst", "decam", "legacysurvey", "des", "euclid"} <= set(SURVEYS)


@pytest.mark.parametrize("survey", SURVEYS)
@pytest.mark.parametrize("name", PIPELINES)
def test_definition_with_survey(name, survey):
    pipeline = framework.load_pipeline(name, survey=survey)
    assert pipeline.name == name
    # All that has to be given are the images; all that people read is made, and whatever rebuilds the pixels.
    assert set(pipeline.inputs) - {"source_list", "selection", "edits"} == {"coadds"}
    outputs = {item.dataset for task in pipeline.tasks for item in task.outputs}
    assert outputs >= {*CATALOGS, "models", "children", "parent_models"}
    assert load_survey(survey).name == survey
    for subset in pipeline.subsets:
        assert pipeline.only([subset]).labels == tuple(
            label for label in pipeline.labels if label in pipeline.subsets[subset].labels
        )


@pytest.mark.parametrize("survey", SURVEYS)
@pytest.mark.parametrize("name", PIPELINES)
def test_resolved_settings_read_back_as_they_are(name, survey, tmp_path):
    pipeline = framework.load_pipeline(name, survey=survey)
    (tmp_path / "all.yaml").write_text(framework.show_config(pipeline))
    again = framework.load_pipeline(name, layers=[framework.layer_from_file(tmp_path / "all.yaml")])
    for one, other in zip(pipeline.tasks, again.tasks, strict=True):
        assert one.resolved.config == other.resolved.config
        assert one.resolved.connections == other.resolved.connections


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*/*.yaml")), ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_every_setting_of_a_survey_takes_effect(file):
    if file.stem == "survey":
        return  # not about a task; the test above reads it
    known = [name for name in PIPELINES if file.stem in framework.read_definition(name).tasks]
    assert known
    for name in known:
        resolved = framework.load_pipeline(name, survey=file.parent.name).task(file.stem).resolved
        settings = [setting for section in type(resolved.config).model_fields for setting in resolved.history(section)]
        found = [setting for setting in settings if setting.origin.file == str(file)]
        assert found
        for setting in found:
            before, last = resolved.history(setting.field)
            assert last == setting
            assert last.value != before.value, "the default need not be set"


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*/*.yaml")), ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_every_setting_of_a_survey_has_its_reason(file):
    for block in file.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip()]
        settings = [line for line in lines if not line.lstrip().startswith("#")]
        if file.stem == "survey":  # one setting at the top level and its reason, or settings with one reason
            assert "#" in block or not settings, f"{file}: there is no comment beside {settings[0]!r}"
            continue
        for before, line in itertools.pairwise(lines):
            if not line.lstrip().startswith("#") and not line.endswith(":"):
                assert before.lstrip().startswith("#"), f"{file}: there is no comment above {line!r}"


@pytest.mark.parametrize("name", PIPELINES)
def test_shipped_definitions_do_not_tune(name):
    assert framework.tuning_fields(framework.read_definition(name)) == ()


def test_a_definition_that_tunes_is_refused(tmp_path):
    text = (ROOT / "tasks" / "pipelines" / "multiband.yaml").read_text()
    tuned = text.replace("MultiBandTask\n", "MultiBandTask\n    config:\n      fit.max_iter: 50\n")
    assert tuned != text
    (tmp_path / "tuned.yaml").write_text(tuned)
    with pytest.raises(PipelineError, match=r"tuned\.yaml: a definition holds wiring .*sets multi_band:fit\.max_iter"):
        framework.load_pipeline(tmp_path / "tuned.yaml")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("      connections.seed_models: parent_models\n", "wait for each other: 'multi_band' needs 'parent_m"),
        ("      connections.split_parents: parent_model\n", "input 'split_parents'"),
    ],
)
def test_a_definition_with_a_cycle_or_without_an_input_is_refused(tmp_path, block, message):
    text = (ROOT / "tasks" / "pipelines" / "multiband.yaml").read_text()
    wired = text.replace("MultiBandTask\n", "MultiBandTask\n    config:\n" + block)
    (tmp_path / "wired.yaml").write_text(wired)
    with pytest.raises(PipelineError, match=message):
        framework.run_pipeline(framework.load_pipeline(tmp_path / "wired.yaml"), {"coadds": None})


def test_of_two_files_the_later_wins_and_history_shows_both(tmp_path):
    for name, value in (("first", 50), ("second", 60)):
        (tmp_path / f"{name}.yaml").write_text(f"multi_band:\n  fit:\n    max_iter: {value}\n")
    layers = [framework.layer_from_file(tmp_path / f"{name}.yaml") for name in ("first", "second")]
    pipeline = framework.load_pipeline("multiband", layers=layers)
    assert pipeline.task("multi_band").resolved.config.fit.max_iter == 60
    rows = framework.history_rows(pipeline, "multi_band", "fit.max_iter")
    assert [(row.value, row.layer, Path(row.file).name, row.line) for row in rows] == [
        ("100", "class defaults", "", ""),
        ("50", "user file", "first.yaml", "3"),
        ("60", "user file", "second.yaml", "3"),
    ]


def test_a_survey_file_for_an_unknown_label_is_refused(tmp_path):
    (tmp_path / "survey.yaml").write_text("name: mine\ndescription: My images.\n")
    (tmp_path / "multi_bands.yaml").write_text("fit: {max_iter: 50}\n")
    for name in PIPELINES:
        with pytest.raises(ConfigError, match=r"no pipeline has a task labelled 'multi_bands'; did you mean 'multi_b"):
            framework.load_pipeline(name, survey=tmp_path)


def test_a_survey_file_of_another_pipeline_is_no_error(tmp_path):
    (tmp_path / "survey.yaml").write_text("name: mine\ndescription: My images.\n")
    (tmp_path / "multi_band.yaml").write_text("fit: {max_iter: 50}\n")
    assert framework.load_pipeline("multiband", survey=tmp_path).task("multi_band").resolved.config.fit.max_iter == 50
    assert "multi_band" not in framework.load_pipeline("none", survey=tmp_path).labels


def test_readme_shows_the_tasks():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = "<!-- tasks table: begin -->", "<!-- tasks table: end -->"
    table = text[text.index(begin) + len(begin) : text.index(end)].strip()
    expected = framework.show_tasks(framework.load_pipeline("multiband"), markdown=True)
    assert table == expected, f"the table of tasks in README.md must be\n\n{expected}\n"


def test_shipped_folders_are_those_of_the_checkout():
    assert shipped_folder("pipelines") == ROOT / "tasks" / "pipelines"
    assert shipped_folder("config") == ROOT / "config"
