"""Importing the package must not cost what only reading needs."""

import subprocess
import sys


def test_import_loads_no_heavy_library():
    code = (
        "import sys, meas_deblend.image; "
        "print([m for m in ('astropy', 'numba', 'matplotlib', 'pyarrow', 'sep', 'pandas') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    assert result.stdout.strip() == "[]"
