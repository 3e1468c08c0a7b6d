"""``meas-deblend calibrate``: what blends cost on this machine, as a file of settings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from .._atomic import atomic_write
from .._phrases import counted
from ..deblenders import MultiBandOptions
from ..deblenders.calibration import BLENDS, fit_costs, measure_costs
from ..exceptions import ConfigError
from ..framework import load_pipeline
from ._settings import check_free, layers_of, say, start_log

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..deblenders import CostModel
    from ..deblenders.calibration import Measured

__all__ = ["HELD_OUT", "Accuracy", "accuracies", "calibrate"]

HELD_OUT = ((2, 60, 3), (8, 120, 2), (20, 120, 5), (50, 180, 2))
"""Peaks, side in pixels and bands of the blends that the coefficients are tried on, and are not fitted to."""


def calibrate(options: argparse.Namespace) -> int:
    """Measure what drawn blends cost, and print or write the coefficients as settings.

    Returns
    -------
    int
        0.

    Raises
    ------
    InputError
        If the file that is to be written is there, and ``--overwrite`` is not given.
    ConfigError
        If the pipeline has no step with a cost model.
    """
    if options.out is not None:
        check_free(options.out, overwrite=options.overwrite)
    start_log()
    label, chosen = _step(options)
    model = fit_costs(measure_costs(chosen, BLENDS, _show), chosen.cost)
    found = accuracies(model, measure_costs(chosen, HELD_OUT, _show))
    text = _settings_text(label, model, found)
    if options.out is None:
        say(text.rstrip())
        return 0
    with atomic_write(Path(options.out), "w") as stream:
        stream.write(text)
    for one in found:
        say(one.sentence())
    say(f"written to {options.out}: use it with -C {options.out}")
    return 0


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well predictions for a rung do on blends that they were not fitted to.

    Parameters
    ----------
    rung : str
    blends : int
        How many there were.
    seconds, memory : tuple of float
        Least, median and largest ratio of predicted to measured.
    """

    rung: str
    blends: int
    seconds: tuple[float, float, float]
    memory: tuple[float, float, float]

    def sentence(self) -> str:
        """Tell it."""
        time, memory = (f"{low:.2f} to {high:.2f} (median {middle:.2f})" for low, middle, high in
                        (self.seconds, self.memory))  # fmt: skip
        return (
            f"{self.rung}: on {counted(self.blends, 'blend')} not fitted to, predicted / measured is {time} for time "
            f"and {memory} for memory"
        )


def accuracies(model: CostModel, held_out: Sequence[Measured]) -> tuple[Accuracy, ...]:
    """Compare predictions with measurements, rung by rung."""
    found = []
    for rung in dict.fromkeys(one.rung for one in held_out):
        own = [one for one in held_out if one.rung == rung]
        costs = [model.predict(rung, one.size) for one in own]
        seconds = [cost.seconds / one.cost.seconds for cost, one in zip(costs, own, strict=True)]
        memory = [cost.memory / one.cost.memory for cost, one in zip(costs, own, strict=True)]
        found.append(Accuracy(rung, len(own), _spread(seconds), _spread(memory)))
    return tuple(found)


def _spread(ratios: Sequence[float]) -> tuple[float, float, float]:
    return min(ratios), float(np.median(ratios)), max(ratios)


def _step(options: argparse.Namespace) -> tuple[str, MultiBandOptions]:
    """Label and settings of the step whose costs are predicted."""
    pipeline = load_pipeline(options.pipeline, survey=options.survey, layers=layers_of(options))
    for task in pipeline.tasks:
        if isinstance(task.resolved.config, MultiBandOptions):
            return task.label, task.resolved.config
    raise ConfigError(f"the pipeline '{pipeline.name}' has no step with a cost model; 'multiband' has one")


def _settings_text(label: str, model: CostModel, found: Sequence[Accuracy]) -> str:
    rungs = {one.rung: getattr(model, one.rung).model_dump(mode="json") for one in found}
    head = ["What blends cost on the machine that this was measured on, by meas-deblend calibrate."]
    comments = "".join(f"# {line}\n" for line in (*head, *(one.sentence() for one in found)))
    return comments + yaml.safe_dump({label: {"cost": rungs}}, sort_keys=False)


def _show(one: Measured) -> None:
    sys.stderr.write(
        f"{one.rung}, {counted(one.size.peaks, 'peak')} on {one.size.area} pixels in "
        f"{counted(one.size.bands, 'band')}: "
        f"{one.cost.seconds:.3f} s, {one.cost.memory / 1e6:.1f} Mbyte\n"
    )
