"""The sentences of an explanation: numbers in words, one and several, what each flag says."""

import numpy as np
import pytest
from astropy.table import Table
from synthetic_models import make_parent

from meas_deblend._phrases import counted, number, percent, position, together
from meas_deblend.access._neighbours import neighbour_overlaps
from meas_deblend.access._row_facts import flag_facts, plain
from meas_deblend.access._sentences import fit_sentences, flag_sentences, outcome_sentences
from meas_deblend.apportion import render_templates
from meas_deblend.geometry import Box
from meas_deblend.products import CatalogLayout, declaration

LAYOUT = CatalogLayout(("g", "r", "i"), ("nJy",) * 3, (3.0, 6.0))


def test_one_and_several():
    assert [counted(n, "peak") for n in (0, 1, 2)] == ["0 peaks", "1 peak", "2 peaks"]
    assert counted(1, "child", "children") == "1 child"
    assert counted(3, "child", "children") == "3 children"


def test_lists_in_a_sentence():
    assert [together("gri"[:n]) for n in range(4)] == ["none", "g", "g and r", "g, r and i"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5678, "1235"), (12.345, "12.35"), (-0.5, "-0.5000"), (1e9, "1.000e+09"), (np.nan, "not known")],
)
def test_numbers_have_the_digits_that_they_deserve(value, text):
    assert number(value) == text


def test_percentages():
    assert [percent(f) for f in (0.34123, 0.0312, 0.00041, 1.0, -0.02)] == [
        "34 %",
        "3.1 %",
        "0.04 %",
        "100 %",
        "-2.0 %",
    ]


def test_places():
    assert position(3, 4.256, None) == "x = 3.00, y = 4.26"
    assert position(3, 4, (150.1, -2.5)) == "x = 3.00, y = 4.00 (RA 150.100000°, Dec -2.500000°)"


def fit(**changed):
    return {"iterations": 12, "stop_reason": "converged", "converged": True, "chi2": 1.031, "components": 1, **changed}


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (fit(), "The fit took 12 iterations and converged; its reduced χ² is 1.03 (a perfect model has 1)."),
        (fit(iterations=1, chi2=None), "The fit took 1 iteration and converged."),
        (
            fit(converged=False, stop_reason="max_iter", chi2=None),
            "The fit did not converge: it ended after 12 iterations, the most that the settings allow.",
        ),
        (
            fit(converged=False, stop_reason="diverged", chi2=None),
            "The fit did not converge: it ended after 12 iterations, as its log-likelihood was not finite any more.",
        ),
        (fit(converged=None, iterations=0, chi2=None), "Nothing was fitted iteratively."),
        (
            fit(converged=None, iterations=0),
            "Nothing was fitted iteratively; reduced χ² is 1.03 (a perfect model has 1).",
        ),
    ],
)
def test_how_a_fit_went(facts, text):
    assert list(fit_sentences(facts)) == [text]


def test_what_went_wrong_is_told_in_words():
    facts = {
        "kind": "object",
        "outcome": "degraded",
        "deblender": "multi_band",
        "rung": "",
        "reason": "too_many_peaks",
        "reason_meaning": "The parent has more peaks than the limit.",
        "message": "700 peaks exceed the limit of 600",
    }
    first, second, third = outcome_sentences(facts)
    assert first.startswith("Its parent was deblended by multi_band, but degraded: a lower rung")
    assert second == "The reason is too_many_peaks: the parent has more peaks than the limit."
    assert third == "In detail: 700 peaks exceed the limit of 600."
    fine = {**facts, "kind": "parent", "outcome": "ok", "reason": "", "message": ""}
    assert list(outcome_sentences(fine)) == ["It was deblended by multi_band as it was asked for."]


def made_row(**true):
    """Row of the objects table in which only these flags are set."""
    names = [c.name for c in declaration("objects").unfold(LAYOUT) if c.is_flag]
    return Table({name: [name in true] for name in names})[0]


def test_flags_are_put_together_by_band_and_aperture():
    set_flags = ("deblend_noModel", "g_zeroFlux", "i_zeroFlux", "r_ap06Flux_flag", "merge_peak_g")
    facts = flag_facts("objects", made_row(**dict.fromkeys(set_flags, True)), LAYOUT)
    assert [(fact["name"], fact["bands"]) for fact in facts] == [
        ("deblend_noModel", []),
        ("zeroFlux", ["g", "i"]),
        ("ap06Flux_flag", ["r"]),
    ]
    first, *rest = flag_sentences(facts)
    assert first == "3 flags are set:"
    assert rest[1] == "- zeroFlux (g and i): it received no flux in g and i."
    assert rest[2].startswith("- ap06Flux_flag (r): what it flags could not be measured, or too much")
    assert next(flag_sentences(facts[:1])) == "1 flag is set:"
    assert list(flag_sentences([])) == ["No flag is set."]


def test_flags_that_say_the_same_are_put_together():
    names = ("g_centroid_flag", "g_sdssCentroid_flag", "g_convolved_kronFlux_flag", "g_kronFlux_flag")
    facts = flag_facts("objects", made_row(**dict.fromkeys(names, True)), LAYOUT)
    lines = list(flag_sentences(facts))
    assert "- centroid_flag, sdssCentroid_flag (g): what each of them flags is not to be trusted." in lines
    assert any(line.startswith("- kronFlux_flag, convolved_kronFlux_flag (g): what each") for line in lines)
    # Without a model, what would be measured on it is only counted.
    facts = flag_facts("objects", made_row(deblend_noModel=True, **dict.fromkeys(names, True)), LAYOUT)
    first, *_, last = flag_sentences(facts)
    assert (first, last) == ("5 flags are set:", "- 1 of what would be measured on its model, as it has none.")


def test_rungs_are_told():
    facts = {"kind": "object", "outcome": "ok", "deblender": "multi_band", "reason": "", "message": ""}
    rung = {"rung": "psf_templates", "rung_meaning": "The PSF at the peak was scaled to every band."}
    assert list(outcome_sentences(facts | rung))[1] == (
        "It is on the rung psf_templates: the PSF at the peak was scaled to every band."
    )
    one = facts | rung | {"kind": "parent", "rungs": {"psf_templates": 4}}
    assert list(outcome_sentences(one))[1].startswith("Its children are on the rung psf_templates: the PSF at the peak")
    several = facts | rung | {"kind": "parent", "rungs": {"full_multi_band": 3, "psf_templates": 1}}
    assert list(outcome_sentences(several))[1] == (
        "Its children are on these rungs: 3 full_multi_band, 1 psf_templates."
    )


def test_every_declared_flag_can_be_told():
    row = made_row(**{c.name: True for c in declaration("objects").unfold(LAYOUT) if c.is_flag})
    for fact in flag_facts("objects", row, LAYOUT):
        assert "{" not in fact["name"] + fact["meaning"]


def test_values_as_json_has_them():
    row = Table({"a": np.array([np.float32(1.5)]), "b": [np.nan], "c": ["x"], "d": np.array([3], np.int32)})[0]
    assert [plain(row, name) for name in "abcde"] == [1.5, None, "x", 3, None]
    assert type(plain(row, "d")) is int


def test_parts_of_neighbours_add_up_to_what_is_not_its_own():
    parent = make_parent(1, [(20, 35), (22, 38), (24, 55)])
    parts = neighbour_overlaps(parent, 100)
    # The near one first; the far one shares hardly anything.
    assert next(iter(parts)) == 101
    frame = Box((-50, -50), (150, 150))
    cubes = [np.maximum(image.project(frame).array, 0).astype(float) for image in render_templates(parent, frame)]
    total = (cubes[0] * sum(cubes)).sum()
    assert parts[101] == pytest.approx((cubes[0] * cubes[1]).sum() / total, rel=1e-4)
    assert sum(parts.values()) == pytest.approx(1 - (cubes[0] ** 2).sum() / total, rel=1e-4)


def test_an_object_alone_has_no_neighbours():
    assert neighbour_overlaps(make_parent(2, [(22, 30)]), 2) == {}
