"""The arguments of ``meas-deblend``: one function per command, that adds its parser.

Only the standard library is imported, so that ``--help`` answers at once. What a command does is in `commands`, under
the name that the parser's default ``function`` gives.
"""

from ._patches import add_status, add_tile
from .developing import add_new_plugin
from .evaluating import SIMULATE_PRESETS, add_compare, add_evaluate, add_simulate
from .injecting import add_inject
from .lsst import add_lsst
from .machine import add_calibrate, add_warmup
from .models import add_models
from .running import add_demo, add_measure, add_plan, add_run
from .showing import add_explain, add_export, add_show

__all__ = ["ADD_COMMANDS", "SIMULATE_PRESETS"]

ADD_COMMANDS = (
    add_run,
    add_plan,
    add_status,
    add_tile,
    add_demo,
    add_measure,
    add_explain,
    add_show,
    add_export,
    add_simulate,
    add_evaluate,
    add_compare,
    add_inject,
    add_models,
    add_lsst,
    add_warmup,
    add_calibrate,
    add_new_plugin,
)
"""In the order of ``meas-deblend --help``."""
