"""Tasks: a config, and a ``run`` on values in memory."""

import logging
import os
import re
import time
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from .._names import listing
from .._resident import peak_memory_mb
from ..exceptions import PipelineError
from ._signature import check_signature
from .config import Config
from .connections import Connections
from .outcome import Outcome

__all__ = ["PipelineTask", "Task", "TaskMetadata", "TaskOutputs", "TaskResult"]

ConfigT = TypeVar("ConfigT", bound=Config)

LOGGER_ROOT = "meas_deblend"


@dataclass(frozen=True)
class TaskOutputs:
    """Base of what tasks return, for those that have more to say of themselves than the values.

    A plain frozen dataclass will do where the outcome is `Outcome.OK` and there is nothing to count.
    """

    @property
    def outcome(self) -> Outcome:
        """What became of the work, `Outcome.OK` unless overridden."""
        return Outcome.OK

    @property
    def counts(self) -> Mapping[str, int]:
        """Numbers for the report, such as ``{"parents": 12}``."""
        return {}


@dataclass(frozen=True, slots=True)
class TaskMetadata:
    """What one execution of a task took.

    Parameters
    ----------
    seconds : float
        Wall time.
    cpu_seconds : float
        Processor time of this process, all its threads together, and of its worker processes.
    peak_memory_mb : float
        Highest resident memory of the process so far, in MiB: it includes what ran before in the same process.
    counts : mapping of str to int
        What the outputs count.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a task made, what became of it, and what it took.

    Parameters
    ----------
    outputs : dataclass
        What ``run`` returned.
    outcome : Outcome
        Never `Outcome.FAILED` or `Outcome.NO_WORK`: these are exceptions of ``run``.
    metadata : TaskMetadata
        Timings, memory, counts.
    """

    outputs: Any
    outcome: Outcome
    metadata: TaskMetadata


def _config_argument(cls: type) -> type[Config] | None:
    """Return the config class in ``class X(Task[ThatConfig])``, or None."""
    for base in cls.__dict__.get("__orig_bases__", ()):
        origin = typing.get_origin(base)
        if isinstance(origin, type) and issubclass(origin, Task):
            argument = typing.get_args(base)[0]
            if isinstance(argument, type) and issubclass(argument, Config):
                return argument
    return None


class Task(Generic[ConfigT]):
    """A step of work: a config, and ``run(...)`` on values in memory, which returns a frozen dataclass.

    The config class is named once, as ``class DetectTask(Task[DetectConfig])`` or as ``ConfigClass``. Tasks keep
    nothing on self but what they were made with, so that an instance may run any number of times.

    Parameters
    ----------
    config : Config, optional
        The class's defaults when it is left out.
    label : str, optional
        Name in the pipeline and in the log; from the class's name when it is left out: ``MultiBandTask`` is
        ``multi_band``.
    """

    ConfigClass: ClassVar[type[Config]] = Config

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        named = _config_argument(cls)
        if named is not None:
            own = cls.__dict__.get("ConfigClass", named)
            if own is not named:
                raise TypeError(f"{cls.__name__}: ConfigClass is {own.__name__}, but the base says {named.__name__}")
            cls.ConfigClass = named

    def __init__(self, config: ConfigT | None = None, *, label: str | None = None) -> None:
        given = self.ConfigClass() if config is None else config
        if not isinstance(given, self.ConfigClass):
            raise TypeError(
                f"{type(self).__name__} needs a {self.ConfigClass.__name__} as config, not a {type(given).__name__}"
            )
        self.config = typing.cast("ConfigT", given)
        self.label = label or _label_of(type(self))
        self.log = logging.getLogger(f"{LOGGER_ROOT}.{self.label}")

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work; subclasses say what goes in and what comes out."""
        raise NotImplementedError(f"{type(self).__name__} has no run method")


class PipelineTask(Task[ConfigT]):
    """A task that can be wired: its `Connections` name what ``run`` takes and returns.

    The names of the inputs are the arguments of ``run``; optional inputs have a default. The names of the outputs
    are the fields of the frozen dataclass that ``run`` returns. Both are checked when the class is made.
    """

    connections: ClassVar[Connections]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "run" in cls.__dict__ or "connections" in cls.__dict__:
            connections = getattr(cls, "connections", None)
            if not isinstance(connections, Connections):
                raise TypeError(f"{cls.__name__} has no connections: declare its inputs and outputs as Connections")
            check_signature(f"{cls.__name__}.run", cls.run, connections)

    def prepare(self) -> None:
        """Load what ``run`` needs, such as compiled code; this may be left out, and may happen in another thread.

        A run with several processes does it while they are at an earlier step, and the processes that it starts later
        have what was loaded.
        """

    def execute(self, inputs: Mapping[str, object]) -> TaskResult:
        """Run on inputs by connection name, and measure.

        Parameters
        ----------
        inputs : mapping of str to object
            Values by the name of the connection; optional ones may be left out.

        Returns
        -------
        TaskResult
            Outputs, outcome, and what it took.

        Raises
        ------
        PipelineError
            When an input is missing or unknown, or an output is missing. Errors of ``run`` pass through.
        """
        _check_given(self, inputs)
        start, cpu_start = time.perf_counter(), _cpu_seconds()
        outputs = self.run(**inputs)
        seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - cpu_start
        for connection in self.connections.outputs:
            if not connection.optional and getattr(outputs, connection.name, None) is None:
                raise PipelineError(f"'{self.label}' did not make its output '{connection.name}'")
        said = outputs if isinstance(outputs, TaskOutputs) else TaskOutputs()
        metadata = TaskMetadata(seconds, cpu_seconds, peak_memory_mb(), dict(said.counts))
        return TaskResult(outputs, said.outcome, metadata)


def _cpu_seconds() -> float:
    """Processor time of this process and of its workers that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _label_of(cls: type) -> str:
    name = cls.__name__.removesuffix("Task") or cls.__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _check_given(task: PipelineTask[Any], inputs: Mapping[str, object]) -> None:
    known = {connection.name: connection for connection in task.connections.inputs}
    unknown = [name for name in inputs if name not in known]
    missing = [name for name, connection in known.items() if name not in inputs and not connection.optional]
    if unknown or missing:
        raise PipelineError(
            f"'{task.label}' takes the inputs ({listing(known)}); missing: {listing(missing)}; "
            f"unknown: {listing(unknown)}"
        )
