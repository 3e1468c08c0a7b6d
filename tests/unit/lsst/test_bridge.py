"""Settings as pydantic models and as lsst.pex.config classes say the same."""

import json
import math
import pickle
from enum import Enum
from typing import Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ConfigDict, Field

from meas_deblend.exceptions import ConfigError
from meas_deblend.framework import RegistryChoice, load_task_class, read_definition, shipped_pipelines
from meas_deblend.framework.fields import model_of, validate_strictly
from meas_deblend.framework.layers import plain

pex = pytest.importorskip("lsst.pex.config", reason="Rubin's middleware is not installed")
bridge = pytest.importorskip("meas_deblend_tasks.lsst.bridge")

CONFIGS = sorted(
    {
        load_task_class(task).ConfigClass
        for name in shipped_pipelines()
        for task in read_definition(name).tasks.values()
    },
    key=lambda cls: cls.__name__,
)


def leaves(model, path=()):
    """Every setting below a model: its path and its declaration."""
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), info, value


def other_values(info, value):
    """Values that a setting may be changed to; the model decides which of them it takes."""
    if isinstance(value, bool):
        return [not value]
    kinds = [info.annotation, *get_args(info.annotation)]
    named = next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())
    if isinstance(value, int | float):
        return [value + 2, value - 1] if isinstance(value, int) else [value / 2, value + 1]
    if isinstance(value, tuple):
        return [list(value[1:]), [item + 1 for item in value if not isinstance(item, str)]]
    if isinstance(value, dict):
        return [{"SAT": 0.5, **value}]
    if value is None:
        return [1, 0.5, "other"]
    return [item for item in named if item != value] or ["sep" if value != "sep" else "none", "other"]


def changed(model, path, value):
    """The model with another value at a path, or None where it does not take it."""
    values = plain(model)
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    try:
        return validate_strictly(type(model), values)
    except ValueError:
        return None


def same(one, other):
    """Whether two configs say the same; the options of a choice that is not active may be left out."""
    return one == other or all(
        getattr(value, "chosen", value) == getattr(getattr(other, name), "chosen", getattr(other, name))
        for name, value in one
    )


@pytest.mark.parametrize("model", CONFIGS, ids=lambda cls: cls.__name__)
class TestEveryConfig:
    def test_defaults_are_those_of_the_model(self, model):
        config = bridge.config_class(model)()
        config.validate()
        assert bridge.model_from(config, model) == model()

    def test_every_setting_goes_both_ways(self, model):
        missed = []
        for path, info, value in leaves(model()):
            others = [changed(model(), path, other) for other in other_values(info, value)]
            others = [other for other in others if other is not None and other != model()]
            if not others:
                missed.append(".".join(path))
            for other in others[:1]:
                assert same(bridge.model_from(bridge.config_from(other), model), other), path
        # What this takes are names of installed plug-ins.
        assert set(missed) <= {"measurement.plugins"}

    def test_saved_configs_are_read_back(self, model):
        # All settings that may be changed one by one, as far as they can be changed together.
        instance = model()
        for path, info, value in leaves(instance):
            for other in other_values(info, value)[:1]:
                instance = changed(instance, path, other) or instance
        read = bridge.config_class(model)()
        read.loadFromString(bridge.config_from(instance).saveToString())
        assert same(bridge.model_from(read, model), instance)

    def test_every_field_has_the_description_as_its_doc(self, model):
        config = bridge.config_class(model)
        for name, info in model.model_fields.items():
            assert config._fields[name].doc.startswith(info.description)


def test_configs_can_be_sent_to_other_processes():
    model = CONFIGS[0]
    config = bridge.config_class(model)()
    assert pickle.loads(pickle.dumps(config)).compare(config)  # noqa: S301 - our own bytes


class Kind(Enum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    low: float = Field(1.0, ge=0, lt=10, description="Lower.")
    high: float = Field(2.0, gt=0, description="Higher.")


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Kind = Field(Kind.RED, description="Colour.")
    old: int = Field(3, description="Another.", deprecated="use new")
    inner: Inner = Field(Inner(low=0.5), description="A section with defaults of its own.")
    pair: tuple[int, int] = Field((1, 2), description="Two.")
    table: dict[str, float] = Field({"a": 1.0}, description="By name.")
    limit: float | None = Field(None, gt=0, description="Or none.")


class TestKinds:
    def test_enums(self):
        config = bridge.config_class(Outer)()
        assert config.kind == "red"
        config.kind = "blue"
        assert bridge.model_from(config, Outer).kind is Kind.BLUE
        with pytest.raises(pex.FieldValidationError, match="not allowed"):
            config.kind = "green"

    def test_sections_keep_the_defaults_that_they_have_where_they_are_nested(self):
        assert bridge.config_class(Outer)().inner.low == 0.5
        assert bridge.config_class(Inner)().low == 1.0

    def test_ends_of_ranges(self):
        config = bridge.config_class(Inner)()
        config.low = 0
        for field, value in (("low", 10), ("low", -1e-9), ("high", 0), ("high", -math.inf)):
            with pytest.raises(pex.FieldValidationError, match="outside of valid range"):
                setattr(config, field, value)

    def test_fixed_lengths(self):
        config = bridge.config_class(Outer)()
        config.pair = [1, 2, 3]
        with pytest.raises(pex.FieldValidationError, match="length"):
            config.validate()

    def test_optional(self):
        config = bridge.config_class(Outer)()
        assert config.limit is None
        config.limit = 2
        assert bridge.model_from(config, Outer).limit == 2.0

    def test_deprecated(self):
        with pytest.warns(FutureWarning, match="use new"):
            bridge.config_class(Outer)().old = 4

    def test_what_must_fit_each_other(self):
        config = bridge.config_class(next(c for c in CONFIGS if c.__name__ == "MultiBandConfig"))()
        config.ladder = ["no_such_rung"]
        with pytest.raises(pex.FieldValidationError, match="there is no rung 'no_such_rung'"):
            config.validate()

    def test_kinds_that_have_no_field_are_refused(self):
        class Odd(BaseModel):
            anything: dict[str, list[int]] = Field({}, description="What.")

        with pytest.raises(TypeError, match=r"no field for Odd\.anything"):
            bridge.config_class(Odd)

    def test_names_of_methods_are_refused(self):
        class Odd(BaseModel):
            update: int = Field(1, description="What.")

        with pytest.raises(TypeError, match=r"Odd\.update has the name of a method"):
            bridge.config_class(Odd)


class TestRegistryFields:
    def model(self):
        return next(cls for cls in CONFIGS if cls.__name__ == "AnyDeblenderConfig")

    def test_choices_are_found_by_name(self):
        config = bridge.config_class(self.model())()
        assert config.deblender.name == "sep"
        config.deblender.name = "multi_band"
        config.deblender["multi_band"].fit.max_iter = 7
        chosen = bridge.model_from(config, self.model()).deblender
        assert chosen.name == "multi_band"
        assert chosen.chosen.fit.max_iter == 7

    def test_what_is_not_chosen_keeps_its_settings(self):
        config = bridge.config_class(self.model())()
        config.deblender["multi_band"].fit.max_iter = 7
        made = bridge.model_from(config, self.model())
        assert made.deblender.name == "sep"
        assert bridge.config_from(made).deblender["multi_band"].fit.max_iter == 7

    def test_unknown_choices_are_refused(self):
        config = bridge.config_class(self.model())()
        with pytest.raises(pex.FieldValidationError, match="no_such"):
            config.deblender.name = "no_such"

    def test_a_choice_that_is_not_installed_is_no_matter_until_it_is_made(self):
        class Lacking(RegistryChoice):
            """Of two choices one cannot be loaded."""

            name: str = Field("there", description="Which.")

            @classmethod
            def choice_names(cls):
                return ("there", "lacking")

            @classmethod
            def options_class(cls, name):
                if name == "lacking":
                    raise ConfigError("'lacking' needs a package that is not installed")
                return Inner

        class Holder(BaseModel):
            choice: Lacking = Field(Lacking(name="there"), description="A choice.")

        config = bridge.config_class(Holder)()
        config.choice["there"].low = 3.0
        config.validate()
        assert config.saveToString()
        assert bridge.model_from(config, Holder).choice.chosen.low == 3.0
        config.choice.name = "lacking"
        with pytest.raises(ConfigError, match="needs a package that is not installed"):
            config.validate()

    def test_it_is_a_registry_field_on_our_side(self):
        assert issubclass(model_of(self.model().model_fields["deblender"].annotation), RegistryChoice)


def test_values_are_plain_data():
    """What is read from a config can be written as JSON."""
    for model in CONFIGS:
        json.dumps(plain(bridge.model_from(bridge.config_class(model)(), model)))
