"""Surveys as data: what is shipped, and what a user gets told who writes one."""

import pytest
from pydantic import ValidationError

from meas_deblend.exceptions import ConfigError
from meas_deblend.image import HduNames, SanityLimits, Survey, load_survey
from meas_deblend.shipped import surveys


@pytest.mark.parametrize("name", surveys())
def test_every_shipped_survey_is_valid_and_carries_its_name(name):
    survey = load_survey(name)
    assert survey.name == name
    assert survey.description


@pytest.mark.parametrize("model", [Survey, HduNames, SanityLimits])
def test_every_setting_is_described(model):
    assert all(field.description for field in model.model_fields.values())


def test_hsc_conventions():
    hsc = load_survey("hsc")
    assert (hsc.pixel_scale, hsc.zeropoint, hsc.units) == (0.168, 27.0, "count")
    assert hsc.mask_planes["NO_DATA"] == 8
    assert set(hsc.bad_planes) == {"BAD", "NO_DATA", "SAT", "SUSPECT", "EDGE"}
    assert hsc.band_of_filter("HSC-I2") == "i"


def test_lsst_conventions():
    lsst = load_survey("lsst")
    assert (lsst.pixel_scale, lsst.zeropoint, lsst.units) == (0.2, 31.4, "nJy")


def test_the_band_y_is_text_not_a_truth_value():
    assert load_survey("hsc").band_order[-1] == "y"
    assert load_survey("hsc").filters["HSC-Y"] == "y"


def test_bands_are_sorted_from_blue_to_red_with_unknown_ones_last():
    assert load_survey("generic").sort_bands(("z", "NB921", "g", "u")) == ("u", "g", "z", "NB921")


@pytest.mark.parametrize(
    ("physical", "band"), [("r DECam SDSS c0002 6415.0 1480.0", "r"), ("g", "g"), ("F814W", None), ("", None)]
)
def test_physical_filters_are_mapped_to_bands(physical, band):
    assert load_survey("generic").band_of_filter(physical) == band


def test_a_survey_is_passed_through():
    survey = Survey(name="mine")
    assert load_survey(survey) is survey


def test_an_unknown_survey_is_answered_with_those_that_there_are():
    with pytest.raises(
        ConfigError,
        match=r"no survey 'hcs': there are decam, des, euclid, generic, hsc, legacysurvey, lsst; did you mean 'hsc'\?",
    ):
        load_survey("hcs")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no survey file .*nothing\.yaml"):
        load_survey(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_survey_of_ones_own_is_read_from_a_file_or_its_folder(tmp_path, as_folder):
    path = tmp_path / "survey.yaml"
    path.write_text("name: mine\nzeropoint: 25\n")
    assert load_survey(tmp_path if as_folder else str(path)).zeropoint == 25.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\n\nzeropiont: 3\n", r"survey\.yaml:3: unknown setting 'zeropiont'; did you mean 'zeropoint'\?"),
        ("name: a\nhdus:\n  imgae: [A]\n", r"survey\.yaml:3: unknown setting 'hdus\.imgae'; did you mean 'image'\?"),
        ("name: a\npixel_scale: -1\n", r"survey\.yaml:2: pixel_scale: .*greater than 0; got -1"),
        ("name: a\nmask_planes:\n  BAD: 0\n  SAT: 70\n", r"survey\.yaml:4: mask_planes\.SAT: .*62; got 70"),
        ("name: a\nlimits:\n  sky_chi2: [2, 1]\n", r"survey\.yaml:2: limits: .*low < high"),
        ("zeropoint: 27\n", r"survey\.yaml:1: name: Field required"),
        ("name: [\n", r"survey\.yaml is not valid YAML"),
        ("- name\n", r"must hold settings as 'key: value', got list"),
    ],
)
def test_mistakes_are_answered_with_file_line_and_key(tmp_path, text, message):
    path = tmp_path / "survey.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_survey(path)


def test_all_mistakes_are_told_at_once(tmp_path):
    path = tmp_path / "survey.yaml"
    path.write_text("name: a\nzero: 1\nunit: 2\n")
    with pytest.raises(ConfigError, match=r"(?s)'zero'.*'unit'; did you mean 'units'"):
        load_survey(path)


def test_a_survey_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_survey("hsc").zeropoint = 1.0
