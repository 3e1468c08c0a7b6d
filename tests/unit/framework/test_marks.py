import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.exceptions import ConfigError
from meas_deblend.framework.layers import tree_values
from meas_deblend.framework.marks import Leaf, Origin, Section, parse_yaml, read_yaml, yaml_value

# Time per example says how busy the machine is, not whether the code is right.
QUICK = settings(deadline=None, max_examples=50)
FILE = Origin("user file", "a.yaml")

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


def parse(text):
    return parse_yaml(text, FILE)


def test_leaves_know_file_and_line_of_their_key():
    root = parse("# comment\nfit:\n  max_iter: 5\n  bands:\n    - g\n    - r\n")
    assert root.children["fit"].origin == Origin("user file", "a.yaml", 2)
    assert root.children["fit"].children["max_iter"] == Leaf(5, Origin("user file", "a.yaml", 3))
    assert root.children["fit"].children["bands"] == Leaf(["g", "r"], Origin("user file", "a.yaml", 4))
    assert str(root.children["fit"].children["max_iter"].origin) == "a.yaml, line 3"


def test_dotted_keys_are_paths():
    dotted = parse("fit.max_iter: 5\nfit.e_rel: 0.1\nother: 1\n")
    nested = parse("fit: {max_iter: 5, e_rel: 0.1}\nother: 1\n")
    assert tree_values(dotted) == tree_values(nested)
    assert dotted.children["fit"].children["e_rel"].origin.line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.5E3", 1500.0),
        ("-.5", -0.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("0x1f", 31),
        ("-7", -7),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("010", "010"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("y", "y"),
    ],
)
def test_core_schema(text, value):
    assert parse(f"key: {text}\n").children["key"].value == value


@QUICK
@given(values)
def test_values_survive_writing_and_reading(value):
    assert parse(f"key: {yaml_value(value)}\n").children["key"].value == value


@QUICK
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), values, max_size=4))
def test_mappings_survive_writing_and_reading(value):
    assert tree_values(parse(f"key: {yaml_value(value)}\n").children["key"]) == value


def test_empty_document_is_an_empty_section():
    assert parse("# nothing\n") == Section({}, FILE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fit: 1\nfit: 2\n", r"a\.yaml, line 2: 'fit' is given twice; before: a\.yaml, line 1"),
        ("fit: {a: 1}\nfit.a: 2\n", r"a\.yaml, line 2: 'a' is given twice; before: a\.yaml, line 1"),
        ("fit: 1\nfit.a: 2\n", "'fit' is given twice"),
        ("a: [1, 2\nb: 3\n", r"a\.yaml, line 2: not valid settings: "),
        ("a: &x 1\nb: *x\n", r"a\.yaml, line 2: not valid settings: aliases \(\*name\) are not supported"),
        ("a: !!python/object:os.system ls\n", r"a\.yaml, line 1: not valid settings: could not determine"),
        ("a: !!python/name:os.system\n", "not valid settings"),
        ("1: 2\n", r"a\.yaml, line 1: the key '1' is not text"),
        ("a..b: 2\n", r"line 1: the key '\.b' is not a name or a dotted path"),
        ("a.: 2\n", r"the key 'a\.' is not a name"),
        ("a: \x00\n", "not valid settings"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_without_a_file_the_layer_is_named():
    with pytest.raises(ConfigError, match=r"^command line: not valid settings"):
        parse_yaml("[1", Origin("command line"))


def test_unreadable_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read as a settings file"):
        read_yaml(tmp_path / "none.yaml", "user file")
