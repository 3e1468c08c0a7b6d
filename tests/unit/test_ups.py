"""The EUPS table: a checkout that is set up and not installed works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = REPOSITORY / "ups" / "meas_deblend.table"

if not TABLE.is_file():
    pytest.skip("the table of EUPS belongs to a checkout", allow_module_level=True)

# The environment of these tests has the package installed: what is installed of it is hidden.
CHECK = """
import importlib.metadata as metadata
found = metadata.distribution
def hidden(name):
    if name.replace("-", "_") == "meas_deblend":
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.distribution = hidden
import meas_deblend, meas_deblend_tasks
from meas_deblend.framework import load_pipeline, versions
from meas_deblend.products.versions import release
assert {"numpy", "numba", "meas_deblend"} <= set(versions())
assert release() == meas_deblend.__version__
assert load_pipeline("multiband").labels
print(meas_deblend.__file__, meas_deblend_tasks.__file__)
"""


def test_what_the_table_sets_is_enough(tmp_path):
    set_up = re.findall(r"^envPrepend\((\w+), \$\{PRODUCT_DIR\}(.*)\)$", TABLE.read_text(), re.MULTILINE)
    assert len(set_up) == len(TABLE.read_text().splitlines())
    assert {name for name, _ in set_up} == {"PYTHONPATH"}
    path = os.pathsep.join(f"{REPOSITORY}{folder}" for _, folder in set_up)
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", CHECK], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = [REPOSITORY / "meas_deblend" / "__init__.py", REPOSITORY / "tasks" / "meas_deblend_tasks" / "__init__.py"]
    assert done.stdout.split() == [str(path) for path in ours]
