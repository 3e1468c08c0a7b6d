"""The family of errors and warnings that meas_deblend raises.

Each message says what was given, what is allowed and, where it is known, where the value was set.
"""

__all__ = [
    "ConfigError",
    "CorruptModelError",
    "InputError",
    "InputWarning",
    "MeasDeblendError",
    "ModelError",
    "NoWorkFoundError",
    "PipelineError",
    "WorkerDiedError",
]


class MeasDeblendError(Exception):
    """Base class of all errors that this package raises on purpose."""


class InputError(MeasDeblendError, ValueError):
    """Data that a caller gave cannot be used: the message names the file or argument and what was expected."""


class ConfigError(MeasDeblendError, ValueError):
    """A setting is unknown, of the wrong type or out of range: the message says where it was set."""


class PipelineError(MeasDeblendError):
    """A pipeline definition cannot be wired or run."""


class ModelError(MeasDeblendError):
    """A stored model cannot be read, or does not hold what was asked for."""


class CorruptModelError(ModelError):
    """A model store is damaged, or was made to do harm: what it declares and what it holds do not fit each other."""


class NoWorkFoundError(MeasDeblendError):
    """There is nothing to do: no usable band, no detection. A run reports this; it is not a failure."""


class WorkerDiedError(MeasDeblendError):
    """A worker process was ended from outside, for example because memory ran out: the message names its unit."""


class InputWarning(UserWarning):
    """Data look wrong but can be used: the message says by how much and what was done about it."""
