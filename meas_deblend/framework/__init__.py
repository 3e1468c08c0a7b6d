"""How steps are declared, told what to do, wired and run.

A task has a `Config` and works on values in memory; a pipeline definition names the tasks' classes and wires them;
settings come in layers and every value remembers who set it. This package knows no task, no product and no
numerics by name: it loads the classes that a definition names.
"""

from .._registry import Registry
from ._memory import MemoryKeeper
from ._workers import check_jobs
from .apart import call_apart, can_call_apart
from .checkpoint import Checkpoint, Codec
from .classes import load_task_class, tuning_fields
from .config import Config, RegistryChoice
from .connections import Connection, Connections
from .definition import (
    PipelineDefinition,
    Subset,
    TaskDefinition,
    find_pipeline,
    known_labels,
    read_definition,
    shipped_pipelines,
)
from .describe import (
    history_rows,
    render_table,
    show_config,
    show_differences,
    show_history,
    show_pipeline,
    show_tasks,
    task_rows,
)
from .dump import dump_yaml
from .graph import WiredTask
from .layers import Layer, Setting, layer_from_assignment, layer_from_dict, layer_from_file
from .manifest import CHECKPOINT, atomic_write, prepare_output, resume_output, versions
from .marks import Origin
from .observers import LogObserver, Observer, SilentObserver, TerminalObserver, watching
from .ondemand import OnDemand
from .outcome import Outcome
from .pipeline import Pipeline, build_pipeline, load_pipeline
from .progress import progress
from .report import DataId, QuantumReport, RunResult
from .resolve import ResolvedConfig, resolve_config, survey_layer
from .runner import SerialExecutor, preparations, run_pipeline
from .schema import model_schema, settings_schema
from .task import PipelineTask, Task, TaskMetadata, TaskOutputs, TaskResult
from .units import Loop, Resumable, Workplace, iterate_units, map_units, once, working

__all__ = [
    "CHECKPOINT",
    "Checkpoint",
    "Codec",
    "Config",
    "Connection",
    "Connections",
    "DataId",
    "Layer",
    "LogObserver",
    "Loop",
    "MemoryKeeper",
    "Observer",
    "OnDemand",
    "Origin",
    "Outcome",
    "Pipeline",
    "PipelineDefinition",
    "PipelineTask",
    "QuantumReport",
    "Registry",
    "RegistryChoice",
    "ResolvedConfig",
    "Resumable",
    "RunResult",
    "SerialExecutor",
    "Setting",
    "SilentObserver",
    "Subset",
    "Task",
    "TaskDefinition",
    "TaskMetadata",
    "TaskOutputs",
    "TaskResult",
    "TerminalObserver",
    "WiredTask",
    "Workplace",
    "atomic_write",
    "build_pipeline",
    "call_apart",
    "can_call_apart",
    "check_jobs",
    "dump_yaml",
    "find_pipeline",
    "history_rows",
    "iterate_units",
    "known_labels",
    "layer_from_assignment",
    "layer_from_dict",
    "layer_from_file",
    "load_pipeline",
    "load_task_class",
    "map_units",
    "model_schema",
    "once",
    "preparations",
    "prepare_output",
    "progress",
    "read_definition",
    "render_table",
    "resolve_config",
    "resume_output",
    "run_pipeline",
    "settings_schema",
    "shipped_pipelines",
    "show_config",
    "show_differences",
    "show_history",
    "show_pipeline",
    "show_tasks",
    "survey_layer",
    "task_rows",
    "tuning_fields",
    "versions",
    "watching",
    "working",
]
