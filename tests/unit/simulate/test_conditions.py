"""Survey conditions: the published table, what follows from it, and other packages' tables."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from meas_deblend.exceptions import InputError
from meas_deblend.simulate import LSST_10Y, BandConditions, SurveyConditions, survey_conditions


def test_the_published_table():
    table = {b.name: (b.zeropoint, b.sky_magnitude, b.fwhm, b.visits) for b in LSST_10Y.bands}
    assert table == {
        "u": (26.40, 22.99, 0.90, 56),
        "g": (28.26, 22.26, 0.86, 80),
        "r": (28.10, 21.20, 0.81, 184),
        "i": (27.78, 20.48, 0.79, 184),
        "z": (27.39, 19.60, 0.77, 160),
        "y": (26.56, 18.61, 0.76, 160),
    }
    assert [b.seconds for b in LSST_10Y.bands] == [1680, 2400, 5520, 5520, 4800, 4800]


def test_electrons_are_counted_from_the_zero_point():
    r = LSST_10Y.band("r")
    assert r.electrons(28.10) == pytest.approx(5520)
    assert r.electrons(25.60) == pytest.approx(55200)
    assert r.electrons(r.image_zeropoint) == pytest.approx(1)
    both = LSST_10Y.electrons(np.full((3, 6), 25.0))
    assert both.shape == (3, 6)
    np.testing.assert_allclose(both[:, 2], r.electrons(25.0))


def test_sky_and_seeing_are_those_of_the_given_fields(data_dir):
    psf = np.load(data_dir / "fields" / "psf.npz")
    np.testing.assert_allclose(LSST_10Y.sky, psf["sky"], rtol=1e-6)
    np.testing.assert_allclose(LSST_10Y.fwhm_pixels, psf["fwhm_pix"], rtol=1e-12)


def test_signal_to_noise_is_that_of_the_given_fields(data_dir):
    field = np.load(data_dir / "fields" / "test" / "field_000.npz")
    snr = LSST_10Y.signal_to_noise("r", field["r_ab"], (0.2 * field["a"], 0.2 * field["b"]))
    # Stored in single precision.
    np.testing.assert_allclose(snr, field["r_band_snr"], rtol=3e-6)


def test_signal_to_noise_of_a_star_against_the_formula():
    counts, area = 5520 * 10 ** (-0.4 * (24.0 - 28.1)), 2.266 * (0.81 / 0.2) ** 2
    sky = 5520 * 10 ** (-0.4 * (21.2 - 28.1)) * 0.04
    assert LSST_10Y.signal_to_noise("r", np.array([24.0]), (np.zeros(1), np.zeros(1)))[0] == pytest.approx(
        counts / np.sqrt(counts + sky * area)
    )


def test_unknown_bands_are_refused():
    with pytest.raises(InputError, match="survey LSST has no band 'K'; there are u, g, r, i, z, y"):
        LSST_10Y.band("K")
    with pytest.raises(ValidationError, match="no magnitudes in band 'K'; there are u, g, r, i, z, y"):
        BandConditions(name="K", zeropoint=26, sky_magnitude=20, fwhm=0.8, visits=1, wavelength=2200)
    with pytest.raises(ValidationError, match="named once each, got r, r"):
        SurveyConditions(**{**LSST_10Y.model_dump(), "bands": (LSST_10Y.bands[2], LSST_10Y.bands[2])})


class Quantity:
    """A number with a unit, as the packages have them."""

    def __init__(self, value):
        self.value = value


def fake_package(filters=("g", "Y", "IE")):
    def band(name):
        return SimpleNamespace(
            zeropoint=Quantity(27.0), sky_brightness=Quantity(21.4), psf_fwhm=Quantity(0.8),
            full_exposure_time=Quantity(600.0), effective_wavelength=Quantity(480.0),
        )  # fmt: skip

    def get_survey(name):
        if name != "HSC":
            raise ValueError(f"no {name}")
        return SimpleNamespace(
            name="HSC", pixel_scale=Quantity(0.168), mirror_diameter=Quantity(8.2), obscuration=Quantity(0.2),
            available_filters=list(filters), get_filter=band,
        )  # fmt: skip

    return SimpleNamespace(get_survey=get_survey)


def test_conditions_of_another_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "galcheat", fake_package())
    hsc = survey_conditions("galcheat:HSC")
    assert (hsc.name, hsc.pixel_scale, hsc.names) == ("HSC", 0.168, ("g", "y"))
    assert hsc.band("g").seconds == 600
    with pytest.raises(InputError, match="galcheat has no survey 'Hubble': no Hubble"):
        survey_conditions("galcheat:Hubble")
    monkeypatch.setitem(sys.modules, "galcheat", fake_package(filters=("IE",)))
    with pytest.raises(InputError, match=r"no band for which sources have magnitudes \(u, g, r, i, z, y\); it has IE"):
        survey_conditions("galcheat:HSC")


def test_a_package_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "surveycodex", None)
    with pytest.raises(InputError, match="need the package surveycodex, which is not installed: pip install surveyc"):
        survey_conditions("surveycodex:DES")


def test_names_of_conditions():
    assert survey_conditions("LSST") is LSST_10Y
    for name in ("hst", "galcheat", "galcheat:", "other:HSC"):
        with pytest.raises(InputError, match="are not known: give lsst, or galcheat:SURVEY or surveycodex:SURVEY"):
            survey_conditions(name)
