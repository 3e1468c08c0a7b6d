import pytest
from pydantic import BaseModel, ConfigDict, Field

from meas_deblend.exceptions import ConfigError
from meas_deblend.framework import Config, RegistryChoice, layer_from_assignment, layer_from_dict, layer_from_file
from meas_deblend.framework.layers import SURVEY
from meas_deblend.framework.resolve import resolve_config, survey_layer


def resolve(cls, *layers, label="fit", connections=()):
    return resolve_config(label, cls, layers, connections)


def test_without_layers_the_class_defaults_count(toys):
    resolved = resolve(toys.FitConfig)
    assert resolved.config == toys.FitConfig()
    assert [(item.value, str(item.origin)) for item in resolved.history("fit.max_iter")] == [(100, "class defaults")]


def test_set_is_set_even_when_equal_to_the_default(toys, write):
    low = layer_from_file(write("low.yaml", "fit:\n  fit:\n    max_iter: 50\n"), SURVEY)
    back = layer_from_assignment("fit:fit.max_iter=100")
    resolved = resolve(toys.FitConfig, low, back)
    assert resolved.config.fit.max_iter == 100
    rows = [(item.value, item.origin.layer, item.origin.line) for item in resolved.history("fit.max_iter")]
    assert rows == [(100, "class defaults", None), (50, "survey", 3), (100, "command line", None)]


def test_a_default_instance_is_kept_where_only_one_of_its_fields_is_set(toys):
    resolved = resolve(toys.FitConfig, layer_from_assignment("fit:deblender.multi.e_rel=0.5"))
    assert resolved.config.deblender.multi == toys.FitOptions(max_iter=30, e_rel=0.5)
    assert resolved.config.deblender.name == "multi"


def test_mappings_are_merged_key_by_key(toys):
    layers = [layer_from_assignment(text) for text in ("d:per_band.r=2", "d:per_band.g=3", "d:per_band={z: 4}")]
    resolved = resolve(toys.DetectConfig, *layers, label="d")
    assert resolved.config.per_band == {"g": 3.0, "r": 2.0, "z": 4.0}
    assert [item.value for item in resolved.history("per_band")] == [{"g": 1.0}, {"r": 2}, {"g": 3}, {"z": 4}]
    assert [item.value for item in resolved.history("per_band.g")] == [1.0, 3]


def test_lists_are_replaced_whole(toys):
    resolved = resolve(toys.DetectConfig, layer_from_assignment("d:bands=[z]"), label="d")
    assert resolved.config.bands == ("z",)


def test_enums_and_null_are_given_as_text(toys):
    layers = [layer_from_assignment("d:mode=exact"), layer_from_dict({"d": {"name": None}})]
    config = resolve(toys.DetectConfig, *layers, label="d").config
    assert config.mode is toys.Mode.EXACT
    assert config.name is None


def test_history_of_a_section_is_that_of_all_its_fields(toys):
    resolved = resolve(toys.FitConfig, layer_from_assignment("fit:fit.e_rel=0.1"))
    assert [(item.field, item.value) for item in resolved.history("fit")] == [
        ("fit.max_iter", 100),
        ("fit.e_rel", 1e-4),
        ("fit.e_rel", 0.1),
    ]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            "fit.max_itr",
            r"fit:fit\.max_itr: unknown setting; did you mean 'max_iter'\? Settings of fit: max",
        ),
        ("e_rel", r"fit:e_rel: unknown setting; did you mean 'fit\.e_rel'\?"),
        ("low.x", r"fit:low\.x: unknown setting"),
    ],
)
def test_history_of_what_is_no_field(toys, field, message):
    with pytest.raises(ConfigError, match=message):
        resolve(toys.FitConfig).history(field)


def refusal(cls, path, label):
    with pytest.raises(ConfigError) as caught:
        resolve_config(label, cls, [layer_from_file(path)])
    return str(caught.value)


def test_out_of_range_names_field_value_range_default_file_and_line(toys, write):
    path = write("over.yaml", "fit:\n  fit:\n    max_iter: 0\n")
    assert refusal(toys.FitConfig, path, "fit") == (
        "fit:fit.max_iter = 0: input should be greater than or equal to 1. "
        f"Allowed: an integer ≥ 1, ≤ 500; default 100. Set by {path}, line 3."
    )


@pytest.mark.parametrize("given", ["fifty", "'50'", "true", "50.5", "[50]", "null", "50.0"])
def test_wrong_type(toys, write, given):
    path = write("over.yaml", f"fit:\n  fit.max_iter: {given}\n")
    text = refusal(toys.FitConfig, path, "fit")
    assert text.startswith("fit:fit.max_iter = ")
    assert "Allowed: an integer ≥ 1, ≤ 500" in text
    assert text.endswith(f"Set by {path}, line 2.")


def test_unknown_key_names_the_nearest_and_what_there_is(toys, write):
    path = write("over.yaml", "fit:\n  fit:\n    max_itre: 7\n")
    assert refusal(toys.FitConfig, path, "fit") == (
        "fit:fit.max_itre: unknown setting; did you mean 'max_iter'? Settings of fit: max_iter, e_rel. "
        f"Set by {path}, line 3."
    )


def test_unknown_section_has_a_line_too(toys, write):
    path = write("over.yaml", "fit:\n  low: 1\n  fti:\n    max_iter: 7\n")
    text = refusal(toys.FitConfig, path, "fit")
    assert "fit:fti: unknown setting; did you mean 'fit'?" in text
    assert text.endswith(f"Set by {path}, line 3.")


def test_a_field_of_a_section_below_is_found_by_its_name(toys, write):
    path = write("over.yaml", "fit: {e_rel: 7}\n")
    assert "unknown setting; did you mean 'fit.e_rel'?" in refusal(toys.FitConfig, path, "fit")


def test_not_one_of_the_choices(toys, write):
    path = write("over.yaml", "d: {mode: slow}\n")
    text = refusal(toys.DetectConfig, path, "d")
    assert text.startswith("d:mode = slow: input should be 'fast' or 'exact'. Allowed: one of \"fast\", \"exact\"")


def test_entries_of_lists_and_mappings(toys, write):
    path = write("over.yaml", "d:\n  bands: [g, 5]\n  per_band:\n    g: x\n")
    first, second = refusal(toys.DetectConfig, path, "d").splitlines()
    assert first.startswith("d:bands = [g, 5]: input should be a valid string. Allowed: a list, each entry text")
    assert first.endswith("line 2.")
    assert second.startswith("d:per_band.g = x: input should be a valid number")
    assert second.endswith("line 4.")


def test_all_that_is_wrong_is_said_at_once(toys, write):
    path = write("over.yaml", "d:\n  threshold: -1\n  mode: slow\n  nothing: 1\n")
    lines = refusal(toys.DetectConfig, path, "d").splitlines()
    assert [line.split()[0].rstrip(":") for line in lines] == ["d:threshold", "d:mode", "d:nothing"]


def test_a_value_where_a_section_belongs(toys, write):
    path = write("over.yaml", "fit:\n  fit: 5\n")
    text = refusal(toys.FitConfig, path, "fit")
    assert text.startswith("fit:fit = 5: ")
    assert "Allowed: a section of settings" in text
    assert text.endswith("line 2.")


def test_coupled_fields_name_all_who_may_be_to_blame(toys, write):
    path = write("over.yaml", "fit:\n  low: 9\n  fit.max_iter: 7\n")
    assert refusal(toys.FitConfig, path, "fit") == (
        f"fit: low (9) must be below high (3). Set here: fit.max_iter = 7 ({path}, line 3); low = 9 ({path}, line 2)."
    )


def test_unknown_choice(toys, write):
    path = write("over.yaml", "fit:\n  deblender: {name: mutli}\n")
    text = refusal(toys.FitConfig, path, "fit")
    assert text.startswith("fit:deblender.name = mutli: ")
    assert 'one of "none", "single", "multi"' in text


class Required(Config):
    """A config with a field that must be given."""

    size: int = Field(ge=1, description="Size, pixels.")


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: int = Field(2, description="Depth.")


class Either(Config):
    """A union of types, and a section that may be absent."""

    limit: int | str = Field(3, description="Limit.")
    inner: Inner | None = Field(None, description="Inner.")
    bare: Inner = Field(description="A section without a default has its class's.")


class PluginChoice(RegistryChoice):
    """A choice whose options are looked up."""

    name: str = Field("one", description="The choice.")

    @classmethod
    def choice_names(cls):
        return ("one", "two")

    @classmethod
    def options_class(cls, name):
        return Inner


class WithPlugins(Config):
    """A config with a choice that plug-ins may join."""

    choice: PluginChoice = Field(PluginChoice(), description="The choice.")


def test_a_value_that_must_be_given():
    with pytest.raises(ConfigError, match=r"^d:size: a value is needed: Allowed: an integer ≥ 1\.$"):
        resolve(Required, label="d")
    assert resolve(Required, layer_from_assignment("d:size=2"), label="d").config.size == 2


def test_alternatives_of_a_union_are_one_error():
    with pytest.raises(ConfigError) as caught:
        resolve(Either, layer_from_assignment("d:limit=[1]"), label="d")
    assert len(str(caught.value).splitlines()) == 1
    assert "Allowed: an integer or text; default 3." in str(caught.value)


def test_sections_that_may_be_absent():
    assert resolve(Either).config.inner is None
    assert resolve(Either).config.bare == Inner()
    set_below = layer_from_assignment("fit:inner.depth=5")
    assert resolve(Either, set_below).config.inner == Inner(depth=5)
    gone = layer_from_assignment("fit:inner=null")
    assert resolve(Either, set_below, gone).config.inner is None


def test_options_of_a_looked_up_choice_have_history_and_errors():
    resolved = resolve(WithPlugins, layer_from_assignment("fit:choice.two.depth=7"))
    assert resolved.config.choice.two == Inner(depth=7)
    assert [(item.value, item.origin.layer) for item in resolved.history("choice.two.depth")] == [
        (2, "class defaults"),
        (7, "command line"),
    ]
    assert [item.value for item in resolved.history("choice.one.depth")] == [2]
    with pytest.raises(ConfigError, match=r"fit:choice\.two\.dept: unknown setting; did you mean 'depth'"):
        resolve(WithPlugins, layer_from_assignment("fit:choice.two.dept=7"))
    with pytest.raises(ConfigError, match=r"fit:choice\.two\.depth = x: input should be a valid integer.*command line"):
        resolve(WithPlugins, layer_from_assignment("fit:choice.two.depth=x"))
    with pytest.raises(ConfigError, match=r"fit:choice\.name = tow: there is no choice of this name; .* 'two'"):
        resolve(WithPlugins, layer_from_assignment("fit:choice.name=tow"))


def test_connections_are_no_part_of_the_config(toys):
    layer = layer_from_assignment("fit:connections.peaks=brightest")
    resolved = resolve(toys.FitConfig, layer, connections=("peaks", "models"))
    assert resolved.connections == {"peaks": "brightest"}
    assert resolved.config == toys.FitConfig()
    assert [item.value for item in resolved.history("connections.peaks")] == ["brightest"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "fit:connections.peask=x",
            "of this name; did you mean 'peaks'.*Connections: peaks, models. Set by",
        ),
        ("fit:connections.peaks=5", "fit:connections.peaks: the name of a dataset is expected"),
        ("fit:connections.peaks='a b'", "the name of a dataset is expected"),
        ("fit:connections=5", "fit:connections: names of datasets are expected below it. Set by command line"),
    ],
)
def test_wrong_connections(toys, text, message):
    with pytest.raises(ConfigError, match=message):
        resolve(toys.FitConfig, layer_from_assignment(text), connections=("peaks", "models"))


def test_survey_folder_holds_one_file_per_label(toys, write, tmp_path):
    write("sky/survey.yaml", "description: A survey.\n")
    path = write("sky/fit.yaml", "fit:\n  max_iter: 7\n")
    write("sky/measure.yaml", "# nothing yet\n")
    write("sky/README.md", "Not settings.\n")
    layer = survey_layer(tmp_path / "sky", ["fit"], ["fit", "measure"])
    resolved = resolve(toys.FitConfig, layer)
    assert resolved.config.fit.max_iter == 7
    setting = resolved.history("fit.max_iter")[-1]
    assert (setting.origin.layer, setting.origin.file, setting.origin.line) == ("survey", str(path), 2)
    assert set(layer.labels) == {"fit"}


def test_survey_file_for_no_task(write, tmp_path):
    path = write("sky/mutli_band.yaml", "a: 1\n")
    with pytest.raises(ConfigError) as caught:
        survey_layer(tmp_path / "sky", ["multi_band"], ["multi_band"])
    assert str(caught.value) == (
        f"{path}: no pipeline has a task labelled 'mutli_band'; did you mean 'multi_band'? Labels: multi_band"
    )


def test_survey_file_that_holds_no_settings(write, tmp_path):
    write("sky/fit.yaml", "- 1\n")
    with pytest.raises(ConfigError, match=r"fit\.yaml, line 1: settings are expected, not the value \[1\]"):
        survey_layer(tmp_path / "sky", ["fit"], ["fit"])


def test_unknown_survey(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no survey 'hcs'; did you mean 'hsc'\? Surveys: .*hsc"):
        survey_layer("hcs", [], [])
    with pytest.raises(ConfigError, match="there is no such folder with a survey's settings"):
        survey_layer(f"{tmp_path}/none", [], [])
