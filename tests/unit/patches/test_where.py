"""Conditions on quanta: what they say, and that they cannot say anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.patches import parse_where
from meas_deblend.patches.where import FIELDS

ROW = {
    "tract": 9813,
    "patch": "4,4",
    "label": "detect",
    "outcome": "degraded",
    "reason": "degraded",
    "error": "out of memory",
    "seconds": 75.0,
    "cpu_seconds": 60.0,
    "peak_memory_mb": 900.0,
    "attempt": 2,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("reason != 'ok'", True),
        ("reason == 'ok'", False),
        ("tract == 9813 and patch == '4,4'", True),
        ("seconds > 80 or attempt >= 2", True),
        ("not (seconds < 80)", False),
        ("10 < seconds <= 75", True),
        ("label in ('detect', 'measure')", True),
        ("label not in ['detect']", False),
        ("'memory' in error", True),
        ("peak_memory_mb > 1e3", False),
        ("tract > -1", True),
        ("60 <= seconds and (outcome == 'failed' or outcome == 'degraded')", True),
    ],
)
def test_what_conditions_say(text, holds):
    assert parse_where(text)(ROW) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be understood"),
        ("reason =! 'ok'", "cannot be understood"),
        ("reason = 'ok'", "cannot be understood: a condition compares fields with values"),
        ("reson == 'ok'", "no field 'reson'; did you mean 'reason'"),
        ("seconds", "it is no comparison"),
        ("seconds and tract", "'seconds' is no comparison"),
        ("seconds > 'long'", "a float cannot be compared so with a str"),
        ("reason < 3", "a str cannot be compared so with a int"),
        ("__import__('os').system('x')", "is not allowed"),
        ("(lambda: 1)() == 1", "is not allowed"),
        ("[x for x in tract] == 1", "is not allowed"),
        ("tract.real == 1", "'tract.real' is not allowed"),
        ("tract + 1 == 2", "is not allowed"),
        ("reason is 'ok'", "cannot be compared so"),
        ("f'{tract}' == 'x'", "is not allowed"),
        ("True", "is not allowed"),
        ("(" * 400 + "1" + ")" * 400, "cannot be understood"),
        ("reason == '" + "x" * 1000 + "'", "--where has 1012 characters; up to 1000"),
    ],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_anything_else_is_refused(text, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)")):
        parse_where(text)


@given(st.text(max_size=40))
@pytest.mark.filterwarnings("ignore")
def test_no_text_does_more_than_fail(text):
    try:
        found = parse_where(text)(ROW)
    except InputError:
        return
    assert isinstance(found, bool)


@given(st.sampled_from(sorted(FIELDS)), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.data())
def test_comparisons_are_those_of_the_values(field, sign, data):
    kind = FIELDS[field]
    value = data.draw({str: st.text("abc", max_size=3), int: st.integers(0, 9), float: st.floats(0, 9)}[kind])
    other = data.draw({str: st.text("abc", max_size=3), int: st.integers(0, 9), float: st.floats(0, 9)}[kind])
    expected = {"==": value == other, "!=": value != other, "<": value < other, "<=": value <= other,
                ">": value > other, ">=": value >= other}[sign]  # fmt: skip
    assert parse_where(f"{field} {sign} {other!r}")({**ROW, field: value}) is expected
