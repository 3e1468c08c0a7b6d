from enum import Enum
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from meas_deblend.exceptions import ConfigError
from meas_deblend.framework.layers import (
    check_labels,
    history,
    layer_from_assignment,
    layer_from_dict,
    layer_from_file,
    merge,
    plain,
    tree_values,
)
from meas_deblend.framework.marks import Leaf, Origin, Section

# Time per example says how busy the machine is, not whether the code is right.
QUICK = settings(deadline=None, max_examples=50)
# Paths that are never above one another, so that "the last one that sets a path" is the whole rule.
PATHS = ("a", "b.a", "b.b", "c.a.a", "c.a.b", "c.b")


def section_of(settings, layer):
    """A tree from {path: value}, by hand."""
    root = {}
    for path, value in settings.items():
        below = root
        *parents, last = path.split(".")
        for name in parents:
            below = below.setdefault(name, {})
        below[last] = value

    def convert(item):
        if isinstance(item, dict):
            return Section({name: convert(child) for name, child in item.items()}, Origin(layer))
        return Leaf(item, Origin(layer))

    return convert(root)


layers_strategy = st.lists(st.dictionaries(st.sampled_from(PATHS), st.integers(0, 3)), min_size=1, max_size=6)


@QUICK
@given(layers_strategy)
def test_the_last_layer_that_sets_a_field_wins(given_layers):
    trees = [section_of(one, f"layer {number}") for number, one in enumerate(given_layers)]
    merged = trees[0]
    for tree in trees[1:]:
        merged = merge(merged, tree)
    expected = {path: value for one in given_layers for path, value in one.items()}
    found = {path: history([merged], path)[0].value for path in PATHS if history([merged], path)}
    assert found == expected


@QUICK
@given(layers_strategy)
def test_history_holds_every_layer_that_set_a_field_in_order(given_layers):
    trees = [section_of(one, f"layer {number}") for number, one in enumerate(given_layers)]
    for path in PATHS:
        expected = [(path, one[path], f"layer {number}") for number, one in enumerate(given_layers) if path in one]
        assert [(item.field, item.value, item.origin.layer) for item in history(trees, path)] == expected


@QUICK
@given(layers_strategy, st.integers(1, 5))
def test_merging_is_associative(given_layers, cut):
    trees = [section_of(one, "x") for one in given_layers]

    def fold(items):
        result = items[0]
        for item in items[1:]:
            result = merge(result, item)
        return result

    cut = min(cut, len(trees) - 1)
    whole = tree_values(fold(trees))
    if cut:
        assert tree_values(merge(fold(trees[:cut]), fold(trees[cut:]))) == whole


def test_a_value_replaces_a_section_and_is_part_of_the_history_below_it():
    low, high = section_of({"b.a": 1, "b.b": 2}, "low"), section_of({"b": None}, "high")
    assert tree_values(merge(low, high)) == {"b": None}
    assert [(item.field, item.value) for item in history([low, high], "b.a")] == [("b.a", 1), ("b", None)]
    assert tree_values(merge(merge(low, high), section_of({"b.a": 3}, "top"))) == {"b": {"a": 3}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("fit:max_iter=50", {"max_iter": 50}),
        ("fit:fit.max_iter=50", {"fit": {"max_iter": 50}}),
        ("fit:e_rel=1e-4", {"e_rel": 1e-4}),
        ("fit:bands=[g, r]", {"bands": ["g", "r"]}),
        ("fit:name=a=b", {"name": "a=b"}),
        ("fit:name=null", {"name": None}),
        ("fit:name=''", {"name": ""}),
        ("fit:name=a:b", {"name": "a:b"}),
    ],
)
def test_assignments(text, value):
    layer = layer_from_assignment(text)
    assert tree_values(layer.labels["fit"]) == value
    assert layer.name == "command line"


@pytest.mark.parametrize("text", ["", "fit", "fit:max_iter", "max_iter=5", "fit:=5", "fit:a=", "fit:a..b=5", ":a=5"])
def test_what_is_no_assignment(text):
    with pytest.raises(ConfigError, match=r"command line: .* is not a setting; the form is label:field\.sub=value"):
        layer_from_assignment(text)


def test_assignment_of_broken_yaml():
    with pytest.raises(ConfigError, match="command line: not valid settings"):
        layer_from_assignment("fit:a=[1")


def test_file_has_labels_at_its_top_level(write):
    path = write("over.yaml", "fit: {fit: {max_iter: 50}}\ndetect:\n")
    layer = layer_from_file(path)
    assert tree_values(layer.labels["fit"]) == {"fit": {"max_iter": 50}}
    assert layer.labels["detect"] == Section({}, Origin("user file", str(path), 2))
    assert layer.labels["fit"].children["fit"].origin == Origin("user file", str(path), 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fit: 5\n", r"over\.yaml, line 1: 'fit' needs settings below it, not the value 5"),
        ("- fit\n", r"over\.yaml, line 1: labels of tasks are expected at the top level, not \['fit'\]"),
    ],
)
def test_files_without_labels(write, text, message):
    with pytest.raises(ConfigError, match=message):
        layer_from_file(write("over.yaml", text))


class Colour(Enum):
    RED = "red"


class Options(BaseModel):
    size: int = 3
    colour: Colour = Colour.RED


def test_dict_layer_takes_what_python_has():
    layer = layer_from_dict(
        {
            "fit": {
                "options": Options(size=3),
                "colour": Colour.RED,
                "path": PurePosixPath("a/b"),
                "number": np.float32(0.5),
                "count": np.int64(4),
                "bands": ("g", "r"),
                "names": {"z", "y"},
                "deep.value": True,
            }
        }
    )
    assert tree_values(layer.labels["fit"]) == {
        "options": {"size": 3},  # what was set counts, even when it is the default; what was not set does not
        "colour": "red",
        "path": "a/b",
        "number": 0.5,
        "count": 4,
        "bands": ["g", "r"],
        "names": ["y", "z"],
        "deep": {"value": True},
    }
    assert layer.labels["fit"].origin == Origin("argument config")


def test_dict_layer_refuses_what_is_not_data():
    with pytest.raises(ConfigError, match=r"argument config: .* of type object is not plain data"):
        layer_from_dict({"fit": {"x": object()}})
    with pytest.raises(ConfigError, match="argument config: 'fit' needs settings below it, not the value 5"):
        layer_from_dict({"fit": 5})


def test_plain_keeps_types_exact():
    values = plain([np.float64(1.5), True, Colour.RED, None, np.bool_(True), "x"])
    assert [type(value) for value in values] == [float, bool, str, type(None), bool, str]


def test_unknown_label_lists_labels_and_the_nearest(write):
    path = write("over.yaml", "detect:\n  threshold: 5\nmulti_bnad: {x: 1}\n")
    with pytest.raises(ConfigError) as caught:
        check_labels(layer_from_file(path), ["detect", "multi_band"])
    assert str(caught.value) == (
        "there is no task labelled 'multi_bnad'; did you mean 'multi_band'? "
        f"Labels: detect, multi_band. Set by {path}, line 3."
    )
