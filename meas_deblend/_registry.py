"""Things by name: those of the package, those registered in the session, those of installed plug-ins.

Only the standard library and this package's errors and messages are used, so that any package may import this module.
"""

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from ._names import listing, suggestion
from .exceptions import ConfigError

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Things by name: each name once.

    Plug-ins are listed without being imported; one that cannot be imported is an error when it is asked for, and
    the rest of the registry goes on working. Those count that are installed when a process first asks.

    Parameters
    ----------
    kind : str
        What is registered, for messages, for example ``"deblender"``.
    group : str, optional
        Group of entry points through which other distributions join.
    check : callable, optional
        Called with what a plug-in's entry point names and a description of the plug-in; returns what is handed
        out, or raises `ConfigError`. Without it a plug-in is handed out as it is.
    """

    def __init__(self, kind: str, group: str | None = None, check: Callable[[Any, str], T] | None = None) -> None:
        self.kind = kind
        self.group = group
        self._check = check
        self._registered: dict[str, T] = {}

    def register(self, name: str, item: T) -> T:
        """Make something known under a name, in this process; doing so twice with the same thing is allowed.

        Returns
        -------
        T
            The same.

        Raises
        ------
        ConfigError
            If the name belongs to something else; the message says to what.
        """
        if self._registered.get(name, item) is not item:
            raise ConfigError(
                f"there is a {self.kind} '{name}' already, {self._registered[name]!r}: choose another name"
            )
        self._registered[name] = item
        return item

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted; plug-ins are listed whether or not they can be imported."""
        return tuple(sorted({*self._registered, *(entry.name for entry in self._entry_points())}))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> T:
        """Return what is registered under a name; a plug-in is imported now.

        Raises
        ------
        ConfigError
            If there is none of that name (the message lists the names and says which is nearest), more than one
            claims it, or the plug-in cannot be imported or is not what it should be.
        """
        plugins = [entry for entry in self._entry_points() if entry.name == name]
        if len(plugins) + (name in self._registered) > 1:
            own = [f"{self._registered[name]!r}"] if name in self._registered else []
            claims = listing([*own, *map(_describe, plugins)])
            raise ConfigError(f"the {self.kind} '{name}' is claimed more than once: {claims}; uninstall a plug-in")
        if plugins:
            return self._load(plugins[0])
        if name in self._registered:
            return self._registered[name]
        known = self.names()
        raise ConfigError(f"there is no {self.kind} '{name}'{suggestion(name, known)} Known: {listing(known)}")

    def _load(self, entry: importlib.metadata.EntryPoint) -> T:
        """Import a plug-in: whatever it raises is told with its name, since the user may not know that it is there."""
        source = _describe(entry)
        try:
            item = entry.load()
        except Exception as error:
            raise ConfigError(
                f"the {self.kind} '{entry.name}' cannot be imported: {source}: {type(error).__name__}: {error}"
            ) from error
        return cast("T", item) if self._check is None else self._check(item, source)

    def _entry_points(self) -> tuple[importlib.metadata.EntryPoint, ...]:
        if self.group is None:
            return ()
        return _found(self.group, importlib.metadata.entry_points, tuple(sys.path))


@lru_cache(maxsize=32)
def _found(group: str, find: Callable[..., Any], path: tuple[str, ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Entry points of a group among the distributions on ``path``: all of their files are read, so it is done once."""
    del path
    return tuple(find(group=group))


def _describe(entry: importlib.metadata.EntryPoint) -> str:
    """Where a plug-in comes from, so that it can be found and uninstalled."""
    owner = f"installed by {entry.dist.name} {entry.dist.version}" if entry.dist else "of an unknown distribution"
    return f"plug-in {entry.value} ({owner})"
