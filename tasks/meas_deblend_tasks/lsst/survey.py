"""What a survey changes, for configs that are not read by our own runner."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from meas_deblend.framework import Config, known_labels, resolve_config, survey_layer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["survey_settings"]

ConfigT = TypeVar("ConfigT", bound=Config)


def survey_settings(survey: str | Path, label: str, config_class: type[ConfigT]) -> ConfigT:
    """Return the settings of a task for a survey: class defaults, and ``config/<survey>/<label>.yaml`` above them.

    Raises
    ------
    ConfigError
        No such survey, or one of its files cannot be used.
    """
    layer = survey_layer(survey, (label,), (label, *known_labels()))
    return resolve_config(label, config_class, [layer]).config
