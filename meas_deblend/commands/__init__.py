"""What the commands of ``meas-deblend`` do; each takes the parsed arguments and returns an exit code."""

from .demo import demo
from .run import run
from .show import show_config, show_pipeline, show_tasks

__all__ = ["demo", "run", "show_config", "show_pipeline", "show_tasks"]
