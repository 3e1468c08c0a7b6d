"""Sphinx extension: reference pages that are made from the code, so that they cannot differ from it.

Pages are written to ``doc/reference/generated`` before Sphinx reads its sources. Whatever cannot be imported or
asked fails the build.
"""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from meas_deblend.cli import build_parser
from meas_deblend.framework import load_pipeline, shipped_pipelines, show_pipeline, show_tasks
from meas_deblend.framework.fields import model_of, type_text, walk_fields
from meas_deblend.image import Survey, load_survey
from meas_deblend.products import TABLES, columns_markdown, ladder_markdown, store_markdown
from meas_deblend.products.rubin_columns import rubin_columns_markdown
from meas_deblend.shipped import surveys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sphinx.application import Sphinx

    from meas_deblend.framework import Pipeline

DOC = Path(__file__).resolve().parents[1]
FOLDER = DOC / "reference" / "generated"
PACKAGES = ("geometry", "image", "models", "detect", "sdss", "scarlet", "apportion", "measure", "simulate",
            "deblenders", "evaluate", "inject", "products", "products.rubin", "profiles", "report", "framework",
             "access", "patches", "testing")  # fmt: skip


def write_pages(_app: Sphinx) -> None:
    """Write all pages; those that have not changed keep their date, so that Sphinx need not read them again."""
    names = sorted(shipped_pipelines(), key=lambda name: (name != "multiband", name))  # the usual one first
    pipelines = [load_pipeline(name) for name in names]
    pages = {
        "columns.md": columns_markdown(),
        "model-store.md": store_markdown(),
        "tasks.md": tasks_page(pipelines),
        "settings.md": settings_page(pipelines),
        "surveys.md": survey_page(),
        "command-line.md": command_line_page(build_parser()),
        "unreleased.inc": unreleased_page(),  # part of CHANGES.md, not a page
        "rubin-columns.inc": rubin_columns_markdown(),  # part of rubin-columns.md
        "contamination.inc": contamination_table(),  # part of explanation/contamination.md
        "ladder.inc": ladder_markdown(),  # part of explanation/ladder.md
        **api_pages(),
    }
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for stale in {p.name for p in FOLDER.iterdir()} - set(pages):
        (FOLDER / stale).unlink()


def contamination_table() -> str:
    """Table of the columns that tell how contaminated an object is, and how well it is described."""
    ends = ("Overlap", "OverlapFraction", "lendedness", "_chi2", "residualScore", "residualScoreErr", "deblend_nBands")
    chosen = [column for column in TABLES["objects"].columns if column.name.endswith(ends)]
    rows = [(f"`{column.name}`", column.unit, column.meaning) for column in chosen]
    return _table(("column", "unit", "meaning"), rows) + "\n"


def tasks_page(pipelines: list[Pipeline]) -> str:
    """Page with the tables of the pipelines' tasks, and their datasets."""
    parts = [
        "# Tasks\n\nDatasets in brackets are optional. `meas-deblend show tasks` prints the table, "
        "`meas-deblend show pipeline` the details."
    ]
    parts += [
        f"## {pipeline.name}\n\n{pipeline.description}\n\n{show_tasks(pipeline, markdown=True)}\n\n"
        f"```text\n{show_pipeline(pipeline)}\n```"
        for pipeline in pipelines
    ]
    return "\n\n".join(parts) + "\n"


def settings_page(pipelines: list[Pipeline]) -> str:
    """Page with all settings of all tasks: name, default, what is allowed, meaning."""
    parts = [
        "# Settings\n\nEvery setting of every task. On the command line a setting is "
        "`-c label:field=value`, in a file of settings\n\n```yaml\nlabel:\n  field: value\n```\n\nLayers, low to high: "
        "class defaults, `config/<survey>/<label>.yaml`, the pipeline definition's `config:` block, `-C` files in "
        "order, `-c` settings in order."
    ]
    # A task that several pipelines run has the same settings in all of them.
    tasks = {(task.label, task.task_class): task for pipeline in pipelines for task in pipeline.tasks}
    for (label, task_class), task in tasks.items():
        config = task.resolved.config
        title = f"## {label} ({task_class.__name__})"
        parts.append(f"{title}\n\n{_first_line(type(config).__doc__)}\n\n{_fields_table(config)}")
    return "\n\n".join(parts) + "\n"


def survey_page() -> str:
    """Page with the shipped surveys and the fields of a survey file."""
    head = (
        "# Surveys\n\nWhat `config/<survey>/survey.yaml` may say about a survey's files. A survey of your own is a "
        "folder with such a file: `--survey path/to/folder`. These are shipped:\n\n"
    )
    shipped = [load_survey(name) for name in surveys()]
    head += _table(("survey", "what it is"), [(f"`{s.name}`", s.description) for s in shipped]) + "\n\n"
    return head + _table(("field", "default", "takes", "meaning"), _class_rows(Survey)) + "\n"


def command_line_page(parser: argparse.ArgumentParser) -> str:
    """Page with the help text of every command."""
    parts = ["# Command line"]
    for name, command in _commands(parser):
        # A fixed width: the help text otherwise depends on the terminal of whoever builds.
        command.formatter_class = _fixed_width(command.formatter_class)
        parts.append(f"## {name}\n\n```text\n{command.format_help().rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def unreleased_page() -> str:
    """List the changes since the last release: the fragments of ``doc/changes``, in the order of their kinds."""
    settings = tomllib.loads((DOC.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    parts = []
    for kind in settings["type"]:
        fragments = sorted((DOC / "changes").glob(f"*.{kind['directory']}.md"))
        if fragments:
            items = "\n".join("- " + f.read_text(encoding="utf-8").strip().replace("\n", "\n  ") for f in fragments)
            parts.append(f"### {kind['name']}\n\n{items}")
    body = "\n\n".join(parts) or "Nothing yet."
    return body + "\n"


def api_pages() -> dict[str, str]:
    """Pages of the Python interface: one per package, and their list."""
    pages = {}
    for name in ("meas_deblend", *(f"meas_deblend.{p}" for p in PACKAGES)):
        module = import_module(name)
        members = "\n".join(f"   {member}" for member in module.__all__ if not member.startswith("__"))
        body = f"```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```"
        pages[f"api-{name.rpartition('.')[2]}.md"] = f"# {name}\n\n{body}\n" if members else f"# {name}\n"
    entries = "\n".join(name.removesuffix(".md") for name in pages)
    head = "# Python interface\n\nThe names that `__all__` of each package lists; the rest may change without notice."
    pages["api.md"] = f"{head}\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    return pages


def separate_literals(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    r"""Let a literal end before a letter: ``units``² and `Task`s read well in the source, but RST wants a ``\ ``."""
    # Literals are consumed from the left, so that what lies between two of them is not taken for one.
    lines[:] = [
        re.sub(r"((`+)[^`]+\2)([\w²]?)", lambda m: f"{m[1]}\\ {m[3]}" if m[3] else m[1], line) for line in lines
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the build."""
    app.connect("autodoc-process-docstring", separate_literals)
    app.connect("builder-inited", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _fields_table(config: BaseModel) -> str:
    rows = []
    for field in walk_fields(config):
        if isinstance(field.value, BaseModel) or field.info is None:
            continue
        takes = type_text(field.info.annotation, field.info.metadata)
        rows.append((f"`{field.path}`", _value(field.value), takes, field.info.description or ""))
    return _table(("field", "default", "takes", "meaning"), rows) if rows else "It has no settings."


def _class_rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Rows of the fields of a class; the fields of a section take its place."""
    for name, info in model.model_fields.items():
        below = model_of(info.annotation)
        if below is not None:
            yield from _class_rows(below, f"{prefix}{name}.")
            continue
        default = "required" if info.is_required() else _value(info.get_default(call_default_factory=True))
        yield f"`{prefix}{name}`", default, type_text(info.annotation, info.metadata), info.description or ""


def _value(value: object) -> str:
    plain = json.loads(json.dumps(value, default=str))
    return f"`{json.dumps(plain, ensure_ascii=False)}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield parser.prog, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _commands(command)


def _fixed_width(formatter: type[argparse.HelpFormatter]) -> Any:
    def make(prog: str, **options: Any) -> argparse.HelpFormatter:
        return formatter(prog, **{**options, "width": 100})

    return make


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0] if text else ""
