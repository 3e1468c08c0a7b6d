"""Survey conditions from galcheat or surveycodex, where one of them is installed.

Both are collections of published survey parameters with the same interface; surveycodex succeeded galcheat.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from ..exceptions import InputError
from .colors import BANDS
from .conditions import LSST_10Y, BandConditions, SurveyConditions

__all__ = ["SOURCES", "survey_conditions"]

#: Packages that may be asked for a survey.
SOURCES = ("galcheat", "surveycodex")
_VISIT = 30.0


def survey_conditions(name: str) -> SurveyConditions:
    """Conditions of a survey by name.

    Parameters
    ----------
    name : str
        ``lsst`` for the built-in ten years of LSST; ``galcheat:HSC``, ``surveycodex:DES`` … for what the package
        of that name says. Bands for which sources have no magnitudes (ugrizy) are left out.

    Returns
    -------
    SurveyConditions
        A full exposure counts as visits of 30 s.

    Raises
    ------
    InputError
        If the name is not understood, the package is not installed, or it has no such survey or no usable band.
    """
    if name.lower() == "lsst":
        return LSST_10Y
    source, colon, survey = name.partition(":")
    if not colon or source not in SOURCES or not survey:
        raise InputError(
            f"survey conditions {name!r} are not known: give lsst, or galcheat:SURVEY or surveycodex:SURVEY, "
            "e.g. galcheat:HSC"
        )
    try:
        package = import_module(source)
    except ImportError as error:
        raise InputError(
            f"survey conditions {name!r} need the package {source}, which is not installed: pip install {source}, "
            "or use lsst"
        ) from error
    return _convert(_look_up(package, source, survey), name)


def _look_up(package: Any, source: str, survey: str) -> Any:
    try:
        with warnings.catch_warnings():
            # galcheat 1.x announces its successor on each call; that is no news to who asked for it by name.
            warnings.simplefilter("ignore")
            return package.get_survey(survey)
    except (KeyError, ValueError, AttributeError, FileNotFoundError) as error:
        raise InputError(f"{source} has no survey {survey!r}: {error}") from error


def _convert(survey: Any, label: str) -> SurveyConditions:
    """Turn a survey, whose numbers may carry units, into conditions."""
    bands: list[BandConditions] = []
    for filter_name in survey.available_filters:
        band = filter_name.lower()
        if band not in BANDS or band in [b.name for b in bands]:
            continue
        numbers = survey.get_filter(filter_name)
        try:
            bands.append(
                BandConditions(
                    name=band,
                    zeropoint=_plain(numbers.zeropoint),
                    sky_magnitude=_plain(numbers.sky_brightness),
                    fwhm=_plain(numbers.psf_fwhm),
                    visits=_plain(numbers.full_exposure_time) / _VISIT,
                    visit_seconds=_VISIT,
                    wavelength=_plain(numbers.effective_wavelength),
                )
            )
        except (TypeError, ValidationError) as error:
            raise InputError(f"{label}: band {filter_name} cannot be used: {error}") from error
    if not bands:
        raise InputError(
            f"{label}: no band for which sources have magnitudes ({', '.join(BANDS)}); it has "
            f"{', '.join(survey.available_filters)}"
        )
    return SurveyConditions(
        name=str(survey.name),
        pixel_scale=_plain(survey.pixel_scale),
        mirror_diameter=_plain(survey.mirror_diameter),
        obscuration=_plain(survey.obscuration),
        bands=tuple(bands),
    )


def _plain(value: Any) -> float:
    """Drop the unit of a quantity: both packages use arcsec, m, s, nm and mag."""
    return float(getattr(value, "value", value))
