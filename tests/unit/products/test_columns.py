"""The declarations are consistent, and everything made from them agrees."""

import pytest
from astropy.units import Unit

from meas_deblend.deblenders import RUNG_NAMES
from meas_deblend.exceptions import InputError
from meas_deblend.products import (
    OBJECT_FLAGS,
    OUTCOMES,
    REASON_FLAGS,
    REASONS,
    RUNGS,
    TABLES,
    CatalogLayout,
    Column,
    aperture_name,
    arrow_schema,
    columns_markdown,
    declaration,
    flux_factor,
    flux_unit,
    ladder_markdown,
)

LAYOUT = CatalogLayout.of_bands(("g", "HSC-R"), (27.0, None), (3.0, 4.5), "count")
STEPS = {"detect", "single_band", "multi_band", "apportion", "persist", "measure", "run"}


@pytest.mark.parametrize("name", TABLES)
def test_declared_names_are_unique_and_described(name):
    table = TABLES[name]
    unfolded = table.unfold(LAYOUT)
    assert len({column.name for column in unfolded}) == len(unfolded)
    assert set(table.key) <= {column.name for column in unfolded}
    for column in unfolded:
        assert not set("{}") & set(column.name + column.meaning + column.unit)
        assert column.meaning.endswith(".")
        assert column.set_by in STEPS
        if column.unit:
            Unit(column.unit)
    for column in table.columns:
        assert not (column.per_aperture and not column.per_band)


def test_families_unfold_over_bands_and_apertures():
    units = {column.name: column.unit for column in TABLES["objects"].unfold(LAYOUT)}
    assert [name for name in units if name.split("_")[1:] == ["psfFlux"]] == ["g_psfFlux", "HSC-R_psfFlux"]
    assert {
        name
        for name in units
        if name.split("_", 1)[1:2] and name.split("_", 1)[1].startswith("ap") and name.endswith("Flux")
    } == {
        "g_ap03Flux",
        "g_ap04_5Flux",
        "HSC-R_ap03Flux",
        "HSC-R_ap04_5Flux",
    }
    assert (units["g_psfFlux"], units["HSC-R_psfFlux"]) == ("nJy", "count")
    meanings = {column.name: column.meaning for column in TABLES["objects"].unfold(LAYOUT)}
    assert meanings["g_ap04_5Flux"] == "Flux of its pixels within 4.5 pixels of x, y in g."
    assert {column.unit for column in TABLES["ledger"].unfold(LAYOUT) if column.dtype == "float64"} == {"count"}


def test_every_flag_is_a_bool_and_object_flags_are_those_without_a_band():
    for table in TABLES.values():
        for column in table.columns:
            named = column.name.lower().endswith("flag")
            assert column.is_flag or not named
    assert {"deblend_noModel", "deblend_deblendedAsPsf", "deblend_skipped", "deblend_hasStrayFlux"} <= OBJECT_FLAGS
    assert not any("{" in name for name in OBJECT_FLAGS)


def test_point_sources_have_columns_per_band_in_image_units():
    columns = {column.name: column for column in TABLES["objects"].unfold(LAYOUT)}
    for band in LAYOUT.bands:
        assert columns[f"{band}_deblend_deblendedAsPsf"].is_flag
        for name, unit in (("psfCenter_x", "pix"), ("psfCenter_y", "pix"), ("psf_instFlux", "count")):
            column = columns[f"{band}_deblend_{name}"]
            assert (column.dtype, column.unit, column.nullable) == ("float64", unit, True)


def test_flags_of_reasons_repeat_what_the_reason_says():
    columns = {column.name: column for column in TABLES["parents"].columns}
    for flag, reason in REASON_FLAGS.items():
        assert columns[flag].is_flag
        assert REASONS[reason].kind == "skipped"
        assert columns[flag].meaning == f"The reason is {reason}. {REASONS[reason].meaning}"
        assert flag not in OBJECT_FLAGS


def test_older_versions_of_a_table_lack_what_came_later():
    for table in TABLES.values():
        old, new = table.unfold(LAYOUT, "1.0.0"), table.unfold(LAYOUT)
        assert set(old) <= set(new)
        assert {column.since for column in set(new) - set(old)} <= {"1.1.0", "1.2.0", "1.3.0"}
    parents = TABLES["parents"]
    first = [column.name for column in parents.columns if column.since == "1.0.0"]
    assert [column.name for column in parents.unfold(LAYOUT, "1.0.0")] == first
    assert {"deblend_tooManyPeaks", "deblend_parentTooBig", "deblend_masked"}.isdisjoint(first)


def test_columns_of_the_same_name_have_the_same_type_and_unit_in_all_tables():
    seen = {}
    for table in TABLES.values():
        for column in table.columns:
            assert seen.setdefault(column.name, (column.dtype, column.unit)) == (column.dtype, column.unit)


def test_only_floats_can_be_without_a_value():
    with pytest.raises(ValueError, match="a: only float columns"):
        Column("a", "int32", "", "b.", "run", nullable=True)


def test_reasons_and_outcomes():
    assert REASONS[""].kind == "none"
    # A split blend is what was asked for; all other reasons say what was not tried, or failed.
    assert {reason.kind for name, reason in REASONS.items() if name not in {"", "split"}} == {"skipped", "failed"}
    assert REASONS["split"].kind == "none"
    assert list(RUNGS) == ["", *RUNG_NAMES]
    assert all(meaning.endswith(".") for meaning in RUNGS.values())
    assert all(name == reason.name and reason.meaning.endswith(".") for name, reason in REASONS.items())
    assert set(OUTCOMES) == {"ok", "degraded", "failed"}


def test_reference_page_lists_everything():
    page = columns_markdown()
    for table in TABLES.values():
        section = page.split(f"## {table.name}\n")[1].split("\n## ")[0]
        for column in table.columns:
            line = next(line for line in section.splitlines() if line.startswith(f"| `{column.name}` "))
            assert column.meaning in line
            assert column.dtype in line
    for word in (*OUTCOMES, *filter(None, RUNGS), *filter(None, REASONS)):
        assert f"| `{word}` |" in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {8, 3}


@pytest.mark.parametrize("name", TABLES)
def test_arrow_schema_carries_units_and_descriptions(name):
    schema = arrow_schema(name, LAYOUT)
    for field, column in zip(schema, TABLES[name].unfold(LAYOUT), strict=True):
        assert field.name == column.name
        assert not field.nullable
        assert field.metadata[b"unit"].decode() == column.unit
        assert field.metadata[b"description"].decode() == column.meaning
        assert str(field.type) == {"float32": "float", "float64": "double"}.get(column.dtype, column.dtype)


def test_flux_units_follow_the_zero_point():
    assert (flux_unit(27.0), flux_unit(None), flux_unit(None, "adu")) == ("nJy", "count", "adu")
    # 31.4 mag is 1 nJy; 5 mag are a factor of 100.
    assert flux_factor(31.4) == 1.0
    assert flux_factor(26.4) == pytest.approx(100, rel=1e-12)
    assert flux_factor(None) == 1.0


@pytest.mark.parametrize(
    ("radius", "name"), [(3, "ap03"), (12.0, "ap12"), (4.5, "ap04_5"), (100, "ap100"), (0.5, "ap00_5")]
)
def test_aperture_names(radius, name):
    assert aperture_name(radius) == name


@pytest.mark.parametrize("radius", [0, -1, 2.25])
def test_apertures_without_a_name_are_refused(radius):
    with pytest.raises(InputError, match="at most one decimal, got"):
        aperture_name(radius)


def test_layouts_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="bands must differ"):
        CatalogLayout(("g", "g"))
    with pytest.raises(InputError, match="1 flux units for 2 bands"):
        CatalogLayout(("g", "r"), ("nJy",))
    with pytest.raises(InputError, match="apertures must differ from each other, got ap03, ap03"):
        CatalogLayout(("g",), aperture_radii=(3, 3.0))
    assert CatalogLayout(("g", "r"), image_unit="adu").flux_units == ("adu", "adu")


def test_unknown_table_is_told():
    with pytest.raises(
        InputError, match="no table 'object'; there are objects, parents, ledger, patch_ledger, timings"
    ):
        declaration("object")


def test_columns_of_equal_layouts_are_unfolded_once():
    layouts = [CatalogLayout(("g", "r"), ("nJy", "nJy"), (3.0,)) for _ in range(2)]
    first, again = (declaration("objects").unfold(layout) for layout in layouts)
    assert first is again
    assert declaration("parents").unfold(layouts[0]) is not first
    assert [c.name for c in declaration("objects").unfold(CatalogLayout(("g",)))] != [c.name for c in first]


def test_the_page_of_the_ladder_lists_every_rung_reason_and_flag():
    page = ladder_markdown()
    flags = {c.name for name in ("objects", "parents") for c in TABLES[name].columns if c.is_flag}
    for name in (*RUNGS, *REASONS, *(flag for flag in flags if "deblend_" in flag)):
        assert f"| `{name}` |" in page or not name
