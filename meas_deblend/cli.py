"""The command line ``meas-deblend``: the arguments, and which command they go to.

Only the parser is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING

from . import __version__
from ._collector import collector_at_rest, leave_without_collecting
from ._heap import keep_freed_memory
from .exceptions import MeasDeblendError
from .parsers import ADD_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="meas-deblend", description="Deblend multi-band sky images: every detected object gets its own pixels."
    )
    parser.add_argument("--version", action="version", version=f"meas_deblend {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for add in ADD_COMMANDS:
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        0 if it worked, 1 if the run failed, 2 if the input or a setting cannot be used.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if arguments is None:
        leave_without_collecting()
        keep_freed_memory()
    options, unknown = build_parser().parse_known_args(given)
    if unknown:
        # The parser itself would answer with the usage of all commands, which has nothing of this one's.
        named = f"meas-deblend {options.command}"
        sys.stderr.write(f"{named}: error: unrecognized arguments: {' '.join(unknown)}; see {named} --help\n")
        return 2
    options.command_line = ("meas-deblend", *given)
    log = logging.getLogger("meas_deblend")
    before = log.handlers, log.level, log.propagate
    try:
        with collector_at_rest():
            from .commands import command  # noqa: PLC0415 - keeps --help fast

            function = command(options.function)
        return function(options)
    except MeasDeblendError as error:
        sys.stderr.write(f"meas-deblend: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("meas-deblend: interrupted\n")
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    finally:
        # A command sends the log to the terminal; whoever calls this from Python gets theirs back.
        log.handlers, log.level, log.propagate = before


if __name__ == "__main__":
    sys.exit(main())
