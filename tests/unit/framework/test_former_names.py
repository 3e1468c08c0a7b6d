"""Settings that were renamed are still understood, with a warning that says what they are called now."""

import re
from collections.abc import Mapping
from typing import ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field

from meas_deblend.exceptions import ConfigError
from meas_deblend.framework import (
    Config,
    RegistryChoice,
    dump_yaml,
    layer_from_assignment,
    layer_from_dict,
    layer_from_file,
    resolve_config,
)


class Fit(BaseModel):
    """Options with a field that was renamed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    former_names: ClassVar[Mapping[str, str]] = {"iterations": "max_iter"}

    max_iter: int = Field(100, ge=1, description="Most iterations.")


class Method(RegistryChoice):
    """A choice whose options are looked up."""

    name: str = Field("fit", description="The method.")

    @classmethod
    def choice_names(cls):
        return ("fit", "none")

    @classmethod
    def options_class(cls, name):
        return Fit if name == "fit" else None


class Step(Config):
    """A section was renamed, and a field moved into it."""

    former_names: ClassVar[Mapping[str, str]] = {"fitting": "fit", "old.depth": "fit.max_iter"}

    fit: Fit = Field(Fit(), description="The fit.")
    method: Method = Field(Method(), description="The method.")


def resolve(*layers):
    return resolve_config("step", Step, layers)


@pytest.mark.parametrize(
    ("text", "field", "old"),
    [
        ("step:fit.iterations=7", "fit.max_iter", "fit.iterations"),
        ("step:fitting.max_iter=7", "fit.max_iter", "fitting"),
        ("step:old.depth=7", "fit.max_iter", "old.depth"),
        ("step:method.fit.iterations=7", "method.fit.max_iter", "method.fit.iterations"),
    ],
)
def test_a_former_name_sets_the_field_and_warns(text, field, old):
    with pytest.warns(FutureWarning, match=f"step:{re.escape(old)} is called .* now: .* Set by command line"):
        resolved = resolve(layer_from_assignment(text))
    *_, last = resolved.history(field)
    assert last.value == 7
    assert old not in dump_yaml(resolved).replace("fitting", "")


def test_history_has_both_names_under_the_present_one(tmp_path):
    (tmp_path / "old.yaml").write_text("step:\n  fit:\n    iterations: 50\n")
    low, high = layer_from_file(tmp_path / "old.yaml"), layer_from_assignment("step:fit.max_iter=60")
    with pytest.warns(FutureWarning, match=r"Set by .*old\.yaml, line 3"):
        resolved = resolve(low, high)
    assert resolved.config.fit.max_iter == 60
    rows = [(row.field, row.value, row.origin.line) for row in resolved.history("fit.max_iter")]
    assert rows == [("fit.max_iter", 100, None), ("fit.max_iter", 50, 3), ("fit.max_iter", 60, None)]
    # Who asks by the former name gets the same answer.
    assert resolved.history("fit.iterations") == resolved.history("fit.max_iter")
    assert resolved.history("fitting") == resolved.history("fit")


def test_errors_name_the_present_field(tmp_path):
    (tmp_path / "old.yaml").write_text("step:\n  fit:\n    iterations: 0\n")
    layer = layer_from_file(tmp_path / "old.yaml")
    with pytest.warns(FutureWarning), pytest.raises(ConfigError, match=r"step:fit\.max_iter = 0: .*old\.yaml, line 3"):
        resolve(layer)


def test_both_names_in_one_layer_are_refused():
    layer = layer_from_dict({"step": {"fit": {"iterations": 5, "max_iter": 6}}})
    with pytest.raises(ConfigError, match=r"step:fit\.max_iter is set twice: by .*former name fit\.iterations by"):
        resolve(layer)


def test_what_has_no_former_name_warns_of_nothing():
    assert resolve(layer_from_assignment("step:fit.max_iter=3")).config.fit.max_iter == 3


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"value": "other"}, "'value' cannot be a former name: there is a field of this name"),
        ({"old": "new"}, "the former name 'old' stands for 'new', which is no field"),
    ],
)
def test_declarations_are_checked(names, message):
    with pytest.raises(TypeError, match=message):

        class Wrong(Config):
            """Not a field."""

            former_names: ClassVar[Mapping[str, str]] = names

            value: int = Field(1, description="A value.")
            other: int = Field(1, description="Another.")
