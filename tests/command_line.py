"""The command line, called in this process."""

import logging

from meas_deblend.cli import main


def call(*arguments):
    """Run ``meas-deblend`` with these arguments; return its exit code, and leave the log as it was."""
    log = logging.getLogger("meas_deblend")
    before = log.handlers, log.level, log.propagate
    try:
        return main([str(argument) for argument in arguments])
    finally:
        log.handlers, log.level, log.propagate = before


def coadd_arguments(files):
    """``--coadd`` with the file of each band."""
    return ["--coadd", *(f"{band}={path}" for band, path in files.items())]
