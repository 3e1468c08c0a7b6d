"""Paired comparisons."""

import numpy as np
import pytest

from meas_deblend.evaluate import (
    Deblended,
    ScoreTable,
    SourceImages,
    compare_scores,
    concatenate_scores,
    models_from_array,
    open_fields,
    read_reference_scores,
    score_field,
)
from meas_deblend.exceptions import InputError


@pytest.fixture(scope="module")
def tables(folder):
    fields = open_fields(folder)

    def table(factor):
        parts = [
            score_field(f, Deblended(models_from_array(f.truth * factor, f)), k) if factor else
            score_field(f, Deblended(SourceImages.nothing(f)), k)
            for k, f in enumerate(fields)
        ]  # fmt: skip
        return ScoreTable(concatenate_scores(parts), fields.setting.bands, [f.name for f in fields])

    return {factor: table(factor) for factor in (0.0, 0.5, 0.75)}


def test_half_of_each_neighbour_is_half_the_error(tables):
    numbers = compare_scores(tables[0.0], tables[0.5])
    assert numbers["n"] == 7
    assert numbers["fields"] == 2
    assert numbers["field"]["mean_abs_ratio"] == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_allclose(numbers["field"]["mean_abs_ratio_ci"], 0.5, atol=1e-3)
    assert numbers["model"]["median_abs_ratio"] == pytest.approx(0.5, abs=1e-6)
    assert numbers["child"] is None
    better = compare_scores(tables[0.5], tables[0.75])
    assert better["field"]["mean_abs_blended_ratio"] == pytest.approx(0.5, abs=2e-3)


def test_a_part_of_the_galaxies_in_another_order(tables):
    table = tables[0.5]
    part = ScoreTable(table.scores.take(np.array([6, 2, 0])), table.bands, table.field_names)
    assert compare_scores(tables[0.0], part)["n"] == 3
    assert compare_scores(part, tables[0.0])["field"]["mean_abs_ratio"] == pytest.approx(2, abs=1e-2)


def test_other_fields_are_refused(tables):
    table = tables[0.0]
    renamed = ScoreTable(table.scores, table.bands, ["a", "b"])
    with pytest.raises(InputError, match=r"no galaxy in common: field_000, field_001, … and a, b"):
        compare_scores(table, renamed)
    swapped = ScoreTable(table.scores, table.bands, table.field_names[::-1])
    with pytest.raises(InputError, match="the true fluxes differ"):
        compare_scores(table, swapped)
    with pytest.raises(InputError, match="the bands differ: g, r, i and u, g, r"):
        compare_scores(table, ScoreTable(table.scores, ("u", "g", "r"), table.field_names))


def test_columns_and_back(tables):
    table = tables[0.5]
    columns = table.columns()
    np.testing.assert_allclose(columns["r_dF_F"], table.scores.field_error[:, 1])
    again = ScoreTable.from_columns(columns, table.bands, "here")
    assert again.keys == table.keys
    np.testing.assert_array_equal(again.scores.Fd, table.scores.Fd)
    np.testing.assert_array_equal(again.scores.e_true, table.scores.e_true)
    del columns["g_Fd"]
    with pytest.raises(InputError, match="here: no column g_Fd; a table that 'evaluate' wrote is expected"):
        ScoreTable.from_columns(columns, table.bands, "here")


def test_published_scores_of_other_fields(tables, tmp_path, folder):
    scores = tables[0.5].scores
    path = tmp_path / "scores.npz"
    truth = {"field": scores.field, "F": scores.F, "Fb": scores.Fb, "F0": scores.F0, "e0": scores.e_true}
    own = {"Fd": scores.Fd, "Fm": scores.Fm, "cos": scores.cos, "ssim": scores.ssim, "e": scores.e}
    content = {f"small/{k}": v for k, v in truth.items()} | {f"small/half/{k}": v for k, v in own.items()}
    np.savez(path, **content)
    published = read_reference_scores(path, "small", ("g", "r", "i"))
    assert list(published) == ["half"]
    numbers = compare_scores(published["half"], tables[0.5])
    assert numbers["field"]["mean_abs_ratio"] == pytest.approx(1)
    assert numbers["child"] is None
    with pytest.raises(InputError, match="no scores of the fields 'large'; it has small"):
        read_reference_scores(path, "large", ("g", "r", "i"))
    with pytest.raises(InputError, match="cannot be read as an npz file of scores"):
        read_reference_scores(folder / "nothing.npz", "small", ("g", "r", "i"))
