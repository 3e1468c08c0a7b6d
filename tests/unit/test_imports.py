"""What importing the package costs."""

import argparse
import json
import subprocess
import sys

import pytest

from meas_deblend.cli import build_parser
from meas_deblend.commands import MODULES, command

HEAVY = ("numba", "matplotlib", "pyarrow", "astropy.table", "scipy.optimize", "sep", "rich")


def modules_after(code, *options):
    """Names of the modules that are loaded once a fresh interpreter has run ``code``."""
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- our own command
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1])), done.stderr


def test_import_loads_nothing_heavy():
    modules, _ = modules_after("import meas_deblend")
    assert not modules & set(HEAVY)
    assert "meas_deblend.api" not in modules


@pytest.mark.parametrize(
    "module", ["meas_deblend", "meas_deblend.cli", "meas_deblend.access", "meas_deblend.framework"]
)
def test_doors_are_light(module):
    modules, _ = modules_after(f"import {module}")
    assert not modules & {"numba", "matplotlib", "pyarrow", "astropy.table"}


def test_figures_of_a_run_load_no_simulations():
    modules, _ = modules_after("import meas_deblend.pictures")
    assert not modules & {"matplotlib", "meas_deblend.inject", "meas_deblend.simulate", "meas_deblend.evaluate"}


def test_importing_everything_warns_of_nothing():
    code = (
        "import meas_deblend as md, meas_deblend.cli, meas_deblend.commands, meas_deblend.report\n"
        "for name in md.__all__: getattr(md, name)\n"
        "from meas_deblend.framework import load_pipeline, shipped_pipelines\n"
        "for name in shipped_pipelines(): load_pipeline(name)\n"
        "import meas_deblend.scarlet, meas_deblend.sdss, meas_deblend.simulate"
    )
    modules, errors = modules_after(code, "-W", "error")
    assert errors == ""
    assert "meas_deblend_tasks.measure" in modules


def test_help_does_not_load_the_commands():
    code = (
        "import contextlib, io\nfrom meas_deblend.cli import main\n"
        "for words in (['--help'], ['run', '--help'], ['show', 'config', '--help']):\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        main(words)\n"
        "    assert 'usage: meas-deblend' in out.getvalue()"
    )
    modules, _ = modules_after(code)
    assert not modules & {*HEAVY, "numpy", "astropy", "pydantic", "meas_deblend.commands"}


def functions_of(parser):
    """Return the names of the functions behind a parser's commands, and theirs."""
    found = {parser.get_default("function")} - {None}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(*map(functions_of, action.choices.values()))
    return found


def test_every_command_has_a_function_and_every_function_a_command():
    names = functions_of(build_parser())
    assert names == set(MODULES)
    for name in names:
        assert command(name).__name__ == name


def test_a_command_imports_what_it_needs():
    modules, _ = modules_after("from meas_deblend.commands import command\ncommand('run')")
    for name in ("simulate", "inject", "evaluate", "commands.demo", "commands.explain", "deblenders.calibration"):
        assert f"meas_deblend.{name}" not in modules
