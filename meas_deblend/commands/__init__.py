"""What the commands of ``meas-deblend`` do; each takes the parsed arguments and returns an exit code."""

from .calibrate import calibrate
from .demo import demo
from .evaluate import compare, evaluate
from .explain import explain
from .inject import inject
from .measure import measure
from .models import models_convert, models_extract, models_info, models_merge, models_verify
from .new_plugin import new_plugin
from .plan import plan
from .run import run
from .show import show_config, show_pipeline, show_run, show_survey, show_tasks
from .simulate import simulate
from .warmup import warmup

__all__ = [
    "calibrate",
    "compare",
    "demo",
    "evaluate",
    "explain",
    "inject",
    "measure",
    "models_convert",
    "models_extract",
    "models_info",
    "models_merge",
    "models_verify",
    "new_plugin",
    "plan",
    "run",
    "show_config",
    "show_pipeline",
    "show_run",
    "show_survey",
    "show_tasks",
    "simulate",
    "warmup",
]
