"""Every setting of every task has an effect: it is read where its options are declared, or by whoever runs them."""

import ast
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

import meas_deblend
import meas_deblend_tasks
from meas_deblend.framework import load_pipeline, shipped_pipelines
from meas_deblend.image import Survey

LIBRARY, TASKS = (Path(package.__file__).parent for package in (meas_deblend, meas_deblend_tasks))


# Looked up by the kind of plane, in a loop; and shown by the documentation.
READ_ELSEWHERE = {"hdus.weight", "description"}


@cache
def attributes_read(folder):
    """Names of all attributes that are read in the modules of a folder."""
    nodes = (node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def readers(model):
    """Attributes read in the package that declares the options, by the deblenders and by the tasks."""
    modules = (base.__module__ for base in model.__mro__)
    own = {LIBRARY / module.split(".")[1] for module in modules if module.startswith("meas_deblend.")}
    return set().union(*map(attributes_read, (own - {LIBRARY / "framework"}) | {LIBRARY / "deblenders", TASKS}))


def settings(model, path=""):
    """Dotted path of each field, nested ones included, and the names of its model that are read."""
    for name, field in model.model_fields.items():
        yield f"{path}{name}", readers(model)
        below = field.annotation
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from settings(below, f"{path}{name}.")


def configs():
    tasks = {task.task_class for name in shipped_pipelines() for task in load_pipeline(name).tasks}
    return sorted({task.ConfigClass for task in tasks}, key=lambda config: config.__name__)


@pytest.mark.parametrize("config", [*configs(), Survey], ids=lambda config: config.__name__)
def test_every_setting_is_read(config):
    unread = {path for path, read in settings(config) if path.rpartition(".")[2] not in read}
    assert unread - READ_ELSEWHERE == set()


def test_nested_settings_are_looked_at():
    (multi_band,) = (config for config in configs() if config.__name__ == "MultiBandConfig")
    assert {"fit.max_iter", "templates.fit_psfs", "limits.max_number_of_peaks"} <= {p for p, _ in settings(multi_band)}
