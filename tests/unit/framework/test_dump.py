import pytest
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meas_deblend.framework import dump_yaml, layer_from_assignment, layer_from_dict, layer_from_file
from meas_deblend.framework.resolve import resolve_config


def reload(write, resolved, text):
    layer = layer_from_file(write("dumped.yaml", text))
    return resolve_config(resolved.label, type(resolved.config), [layer], ("peaks", "models"))


def test_dump_says_meaning_range_and_who_set_it(toys, write):
    path = write("over.yaml", "fit:\n  fit:\n    max_iter: 50\n")
    resolved = resolve_config("fit", toys.FitConfig, [layer_from_file(path), layer_from_assignment("fit:low=2")])
    assert dump_yaml(resolved) == (
        "# How bright numbers are fitted.\n"
        "fit:\n"
        "  # The fit.\n"
        "  fit:\n"
        "    # Most iterations of a fit.\n"
        f"    max_iter: 50  # an integer ≥ 1, ≤ 500; set by user file, {path}, line 3 (default 100)\n"
        "    # Relative change of the loss at which a fit has converged.\n"
        "    e_rel: 0.0001  # a number > 0\n"
        "  # The deblender.\n"
        "  deblender:\n"
        "    # The way that is used.\n"
        '    name: multi  # one of "none", "single", "multi"\n'
        "    # Options of single.\n"
        "    single:\n"
        "      # How strongly.\n"
        "      strength: 1.0  # a number ≥ 0, ≤ 10\n"
        "    # Options of multi.\n"
        "    multi:\n"
        "      # Most iterations of a fit.\n"
        "      max_iter: 30  # an integer ≥ 1, ≤ 500\n"
        "      # Relative change of the loss at which a fit has converged.\n"
        "      e_rel: 0.0001  # a number > 0\n"
        "  # Lower end, pixels.\n"
        "  low: 2  # an integer; set by command line (default 1)\n"
        "  # Upper end, pixels.\n"
        "  high: 3  # an integer\n"
    )


@pytest.mark.parametrize("comments", [True, False])
def test_dump_reads_back_as_the_same_config(toys, write, comments):
    given_values = {"fit": {"low": -5, "deblender": {"name": "single"}, "connections": {"peaks": "brightest"}}}
    resolved = resolve_config("fit", toys.FitConfig, [layer_from_dict(given_values)], ("peaks",))
    text = dump_yaml(resolved, comments=comments)
    again = reload(write, resolved, text)
    assert again.config == resolved.config
    assert again.connections == {"peaks": "brightest"}
    assert ("#" in text) is comments


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(15))
@given(
    threshold=st.floats(min_value=0, exclude_min=True, allow_nan=False),
    name=st.none() | st.text(max_size=8),
    bands=st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3),
    mode=st.sampled_from(["fast", "exact"]),
)
def test_any_config_reads_back(toys, write, threshold, name, bands, mode):
    values = {"threshold": threshold, "name": name, "bands": bands, "mode": mode, "per_band": {"r": 1}}
    resolved = resolve_config("d", toys.DetectConfig, [layer_from_dict({"d": values})])
    assert reload(write, resolved, dump_yaml(resolved)).config == resolved.config


def test_a_config_without_fields_reads_back(toys, write):
    resolved = resolve_config("measure", toys.MeasureConfig, [])
    assert dump_yaml(resolved) == "# Nothing to set.\nmeasure:\n"
    assert reload(write, resolved, dump_yaml(resolved)).config == resolved.config


def test_several_labels_are_one_document(toys, write):
    both = [resolve_config("fit", toys.FitConfig, []), resolve_config("d", toys.DetectConfig, [])]
    layer = layer_from_file(write("all.yaml", dump_yaml(*both)))
    assert list(layer.labels) == ["fit", "d"]
    for one in both:
        assert resolve_config(one.label, type(one.config), [layer]).config == one.config
