"""What goes into a task and what comes out, declared as data."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .._names import listing

__all__ = ["Connection", "Connections"]


@dataclass(frozen=True, slots=True)
class Connection:
    """One input or output of a task.

    Parameters
    ----------
    name : str
        Name of the argument of ``run``, or of the field of what it returns.
    dataset : str
        Name of the dataset, unless the definition renames it: ``connections.<name>: other``.
    storage : str
        Name of the Python type, for example ``MultibandExposure``; who makes and who takes a dataset must agree.
    dimensions : tuple of str
        What a data ID of the dataset consists of, for example ``("tract", "patch")``.
    optional : bool
        Whether the task runs without this input, or may leave this output out (None).
    doc : str
        What it is.
    """

    name: str
    dataset: str
    storage: str
    dimensions: tuple[str, ...]
    optional: bool = False
    doc: str = field(kw_only=True)

    def __post_init__(self) -> None:
        for value in (self.name, self.dataset):
            if not value.isidentifier():
                raise TypeError(f"the connection {self.name!r} has the name {value!r}, which is not an identifier")
        if not self.doc.strip():
            raise TypeError(f"the connection '{self.name}' has no doc: say what it is")


@dataclass(frozen=True, slots=True)
class Connections:
    """All inputs and outputs of a task.

    Parameters
    ----------
    inputs, outputs : tuple of Connection
        Names are unique over both.
    """

    inputs: tuple[Connection, ...] = ()
    outputs: tuple[Connection, ...] = ()

    def __post_init__(self) -> None:
        names = self.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TypeError(f"connections with the same name: {listing(twice)}")

    def __iter__(self) -> Iterator[Connection]:
        yield from self.inputs
        yield from self.outputs

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all connections, inputs first."""
        return tuple(connection.name for connection in self)
