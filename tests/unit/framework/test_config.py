from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meas_deblend.framework import Config, RegistryChoice
from meas_deblend.framework.config import registry_fields
from meas_deblend.framework.fields import type_text


class Plugin(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: int = Field(2, ge=1, description="Depth.")


class OpenChoice(RegistryChoice):
    """Choices that are looked up: a plug-in is imported when it is asked for, and only then."""

    name: str = Field("plain", description="The choice.")

    @classmethod
    def choice_names(cls):
        return ("plain", "plugin", "broken")

    @classmethod
    def options_class(cls, name):
        if name == "broken":
            raise RuntimeError("imported without need")
        return Plugin if name == "plugin" else None


def test_a_field_without_description_is_refused():
    with pytest.raises(TypeError, match=r"the config field BadConfig\.size has no description"):

        class BadConfig(Config):
            size: int = 3


def test_nested_options_must_be_documented_too():
    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")
        size: int = 3

    with pytest.raises(TypeError, match=r"the config field Outer\.options\.size has no description"):

        class Outer(Config):
            options: Options = Field(Options(), description="Options.")


@pytest.mark.parametrize("settings", [{"frozen": True}, {"extra": "forbid"}])
def test_nested_options_must_be_frozen_and_strict(settings):
    class Options(BaseModel):
        model_config = ConfigDict(**settings)
        size: int = Field(3, description="Size.")

    with pytest.raises(TypeError, match=r"field Outer\.options must be frozen and refuse unknown keys"):

        class Outer(Config):
            options: Options | None = Field(None, description="Options.")


def test_configs_are_frozen_and_strict(toys):
    config = toys.DetectConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.threshold = 3
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        toys.DetectConfig(treshold=3)


def test_inactive_choices_keep_their_values(toys):
    choice = toys.DeblenderChoice(name="single", multi={"max_iter": 7})
    assert choice.chosen == toys.SingleOptions()
    assert choice.model_copy(update={"name": "multi"}).chosen == toys.FitOptions(max_iter=7)
    assert toys.DeblenderChoice(name="none").chosen is None


def test_choices_of_plugins_are_validated_when_they_are_set():
    choice = OpenChoice(name="plugin", plugin={"depth": 5})
    assert choice.chosen == Plugin(depth=5)
    assert OpenChoice(plugin=Plugin(depth=4)).plugin == Plugin(depth=4)
    assert OpenChoice(name="plugin").chosen == Plugin()
    assert OpenChoice().chosen is None
    assert OpenChoice.model_validate_json('{"name": "plugin", "plugin": {"depth": 3}}').chosen.depth == 3


@pytest.mark.parametrize(
    ("values", "loc", "message"),
    [
        ({"name": "plugin", "plugin": {"depth": 0}}, ("plugin", "depth"), "greater than or equal to 1"),
        ({"plugin": {"dept": 1}}, ("plugin", "dept"), "Extra inputs are not permitted"),
        ({"plugin": 5}, ("plugin",), "Input should be"),
        ({"name": "plugn"}, ("name",), r"did you mean 'plugin'\? Choices: plain, plugin, broken"),
        ({"plugn": {}}, ("plugn",), "unknown setting; did you mean 'plugin'"),
        ({"plain": {}}, ("plain",), "unknown setting"),
    ],
)
def test_what_is_wrong_with_a_choice_is_located(values, loc, message):
    with pytest.raises(ValidationError, match=message) as caught:
        OpenChoice(**values)
    assert caught.value.errors()[0]["loc"] == loc


def test_a_broken_choice_is_an_error_when_it_is_chosen():
    with pytest.raises(RuntimeError, match="imported without need"):
        OpenChoice(name="broken")


def test_registry_fields_are_found_at_any_depth(toys):
    class Outer(Config):
        inner: toys.FitConfig = Field(toys.FitConfig(), description="Inner.")
        choice: OpenChoice = Field(OpenChoice(), description="Choice.")

    assert registry_fields(Outer) == ("inner.deblender", "choice")


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Annotated[int, Field(ge=1, le=5)], "an integer ≥ 1, ≤ 5"),
        (Annotated[float, Field(gt=0)] | None, "a number > 0 or null"),
        (tuple[str, ...], "a list, each entry text"),
        (tuple[int, float], "a list of 2: an integer, a number"),
        (dict[str, float], "a mapping from text to a number"),
        (Annotated[list[str], Field(min_length=1)], "a list, each entry text at least 1 long"),
        (bool, "true or false"),
        (Plugin, "a section of settings"),
    ],
)
def test_types_in_words(annotation, text):
    assert type_text(annotation) == text


def test_choices_in_words(toys):
    assert type_text(toys.Mode) == 'one of "fast", "exact"'
    assert type_text(toys.DeblenderChoice.model_fields["name"].annotation) == 'one of "none", "single", "multi"'
