"""How many examples a property is tried on: few after an edit, many where MEAS_DEBLEND_DEEP says so."""

import os

DEEP = "MEAS_DEBLEND_DEEP"


def examples(number: int) -> int:
    """Return ``number``, times what the environment variable MEAS_DEBLEND_DEEP says, a whole number above 0."""
    return number * int(os.environ.get(DEEP, "1"))
