"""The schema that editors get: it takes what the reader takes, and refuses what it refuses."""

import importlib

import jsonschema
import pytest
import yaml

from meas_deblend import framework
from meas_deblend.exceptions import ConfigError
from meas_deblend.image import Survey
from meas_deblend.shipped import shipped_folder, surveys


@pytest.fixture(scope="module")
def pipeline():
    return framework.load_pipeline("multiband")


@pytest.fixture(scope="module")
def check(pipeline):
    schema = framework.settings_schema(pipeline)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", framework.shipped_pipelines())
def test_resolved_settings_fit_the_schema_of_their_pipeline(name):
    loaded = framework.load_pipeline(name, survey="hsc")
    schema = framework.settings_schema(loaded)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(framework.show_config(loaded)))


@pytest.mark.parametrize(
    "text",
    [
        "multi_band: {fit: {max_iter: 50}}",
        "multi_band: {fit.max_iter: 50}",
        "multi_band.fit.max_iter: 50",
        "multi_band:",
        "single_band: {connections: {parent_models: mine}}",
        "multi_band: {timeout: null}",
        "multi_band: {fit: {max_iter: -1}}",
        "multi_band: {fit: {max_iter: 1.5}}",
        "multi_band: {fit: {max_itr: 1}}",
        "multi_band: {fit: {stop: never}}",
        "multi_bnad: {fit: {max_iter: 1}}",
        "single_band: {connections: {models: mine}}",
        "multi_band: {ladder: full_multi_band}",
    ],
)
def test_the_schema_takes_what_the_reader_takes(check, tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    try:
        framework.load_pipeline("multiband", layers=[framework.layer_from_file(tmp_path / "mine.yaml")])
        taken = True
    except ConfigError:
        taken = False
    assert check.is_valid(yaml.safe_load(text)) == taken


def test_fields_have_descriptions_ranges_and_defaults(pipeline):
    schema = framework.settings_schema(pipeline, "multi_band")
    assert schema["title"] == "Settings of multi_band"
    field = schema["$defs"]["multi_band.FitConfig"]["properties"]["max_iter"]
    assert field["description"].startswith("Most updates")
    assert (field["type"], field["minimum"], field["default"]) == ("integer", 0, 100)


def test_former_names_are_marked(pipeline):
    fields = framework.settings_schema(pipeline, "deconvolve")["$defs"]["deconvolve.HierarchyConfig"]["properties"]
    assert fields["grow"]["deprecated"] is True
    assert fields["grow"]["description"] == "Called grow_size now."
    assert fields["grow"]["maximum"] == fields["grow_size"]["maximum"]


def test_choices_that_are_looked_up_are_offered():
    schema = framework.settings_schema(framework.load_pipeline("any_deblender"), "deblend")
    fields = schema["$defs"]["deblend.DeblenderChoice"]["properties"]
    assert {"none", "sep", "multi_band"} <= set(fields["name"]["enum"])
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"deblender": {"name": "sep", "sep": {"thresh": 2}}})
    assert not validator.is_valid({"deblender": {"name": "sepp"}})
    assert not validator.is_valid({"deblender": {"sep": {"thresh": -2}}})
    assert not validator.is_valid({"deblender": {"spe": {"thresh": 2}}})


def test_a_broken_plugin_costs_its_own_completion_only(monkeypatch):
    choice = importlib.import_module("meas_deblend_tasks.any_deblender").DeblenderChoice

    def options_class(name):
        raise ConfigError(f"{name} cannot be imported")

    monkeypatch.setattr(choice, "options_class", options_class)
    fields = framework.model_schema(choice)["properties"]
    assert fields["sep"] == {"description": "sep cannot be imported"}


@pytest.mark.parametrize("survey", surveys())
def test_survey_files_fit_their_schemas(survey):
    folder = shipped_folder("config") / survey
    labels = {
        label: framework.load_pipeline(name)
        for name in framework.shipped_pipelines()
        for label in framework.read_definition(name).tasks
    }
    for file in folder.iterdir():
        label = file.name.removesuffix(".yaml")
        schema = (
            framework.model_schema(Survey) if label == "survey" else framework.settings_schema(labels[label], label)
        )
        jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(file.read_text(encoding="utf-8")))
