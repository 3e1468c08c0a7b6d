"""Interrupts in disguise end a run, however failures are dealt with."""

import pytest

from meas_deblend._interrupt import raise_interrupt
from meas_deblend.framework import SerialExecutor


def press():
    raise KeyboardInterrupt


def disguised():
    """What the compiler's dispatcher raises when Ctrl-C is pressed while it compiles."""
    try:
        press()
    except KeyboardInterrupt as interrupt:
        raise SystemError("CPUDispatcher returned a result with an exception set") from interrupt


def twice():
    try:
        disguised()
    except SystemError:
        raise ValueError("while that was handled") from None


@pytest.mark.parametrize(("action", "error"), [(disguised, SystemError), (twice, ValueError)])
def test_an_interrupt_is_found_under_other_errors(action, error):
    with pytest.raises(error) as caught:
        action()
    with pytest.raises(KeyboardInterrupt):
        raise_interrupt(caught.value)


def test_other_errors_are_left_alone():
    raise_interrupt(ValueError("an ordinary failure"))


def test_the_executor_does_not_keep_an_interrupt_to_itself():
    with pytest.raises(KeyboardInterrupt):
        SerialExecutor().submit(disguised)
