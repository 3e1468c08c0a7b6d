"""Interrupts that arrive in disguise.

Only builtins are used, so that any package may import this module.
"""

__all__ = ["raise_interrupt"]


def raise_interrupt(error: BaseException) -> None:
    """Raise KeyboardInterrupt if an error was caused by one; else return.

    Who presses Ctrl-C while a kernel is compiled gets a SystemError from the compiler's dispatcher, with the
    interrupt as its cause. Whoever goes on after errors calls this first, so that the run ends.

    Parameters
    ----------
    error : BaseException
        What was caught.

    Raises
    ------
    KeyboardInterrupt
        If there is one in the chain of causes.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        cause = cause.__cause__ or cause.__context__
