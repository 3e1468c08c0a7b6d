"""Which settings of two pipelines differ."""

from pydantic import BaseModel

from .dump import Notes
from .fields import walk_fields
from .layers import plain
from .marks import yaml_value
from .pipeline import Pipeline
from .resolve import CONNECTIONS

__all__ = ["differences"]

_ABSENT = "none"


def differences(one: Pipeline, other: Pipeline, name: str) -> Notes:
    """Return the settings of ``one`` that ``other`` has not, or has otherwise.

    Parameters
    ----------
    one, other : Pipeline
        Pipelines; labels that only one of them has are passed over.
    name : str
        What ``other`` is called in the notes.

    Returns
    -------
    mapping of str to mapping of str to str
        By label and dotted path, a note such as ``"hsc: 5"``.
    """
    found = {}
    for task in one.tasks:
        if task.label in other.labels:
            mine, theirs = _values(one, task.label), _values(other, task.label)
            found[task.label] = {
                path: f"{name}: {theirs.get(path, _ABSENT)}"
                for path, value in mine.items()
                if theirs.get(path) != value
            }
    return found


def _values(pipeline: Pipeline, label: str) -> dict[str, str]:
    """Return settings as text of YAML, in which 1 and true differ, and .nan equals itself."""
    resolved = pipeline.task(label).resolved
    renamed = {f"{CONNECTIONS}.{name}": dataset for name, dataset in resolved.connections.items()}
    fields = (field for field in walk_fields(resolved.config) if not isinstance(field.value, BaseModel))
    return renamed | {field.path: yaml_value(plain(field.value)) for field in fields}
