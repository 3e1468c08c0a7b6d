"""Interrupts in disguise end a run, however failures are dealt with."""

import pytest

from meas_deblend._interrupt import raise_interrupt
from meas_deblend.framework import SerialExecutor


def disguised():
    """What the compiler's dispatcher raises when Ctrl-C is pressed while it compiles."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as interrupt:
        raise SystemError("CPUDispatcher returned a result with an exception set") from interrupt


def test_an_interrupt_is_found_under_other_errors():
    def twice():
        try:
            disguised()
        except SystemError:
            raise ValueError("while that was handled") from None

    for covered in (disguised, twice):
        try:
            covered()
        except Exception as error:
            with pytest.raises(KeyboardInterrupt):
                raise_interrupt(error)


def test_other_errors_are_left_alone():
    try:
        raise ValueError("an ordinary failure")
    except ValueError as error:
        raise_interrupt(error)


def test_the_executor_does_not_keep_an_interrupt_to_itself():
    with pytest.raises(KeyboardInterrupt):
        SerialExecutor().submit(disguised)
