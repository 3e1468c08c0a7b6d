"""A registry that fills itself: by decorator from inside, by entry point from outside."""

import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar, cast

from ..exceptions import ConfigError, PipelineError
from ._names import listing, suggestion

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Things by name: each name once.

    Plug-ins are listed without being imported; one that cannot be imported is an error when it is asked for, and
    the rest of the registry goes on working.

    Parameters
    ----------
    kind : str
        What is registered, for messages, for example ``"deblender"``.
    group : str, optional
        Group of entry points through which other distributions join.
    """

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self._registered: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers under a name.

        Raises
        ------
        ValueError
            The name is taken; the message says by whom.
        """

        def keep(item: T) -> T:
            if name in self._registered and self._registered[name] is not item:
                raise ValueError(f"the {self.kind} '{name}' is already registered: {self._registered[name]!r}")
            self._registered[name] = item
            return item

        return keep

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted, those of plug-ins included."""
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
            No such name; the message lists the names and says which is nearest.
        PipelineError
            The plug-in cannot be imported, or two claim the same name.
        """
        entries = [entry for entry in self._entry_points() if entry.name == name]
        owners = [f"{entry.value} (of {_distribution(entry)})" for entry in entries]
        if name in self._registered and not entries:
            return self._registered[name]
        if not entries:
            known = self.names()
            raise ConfigError(f"there is no {self.kind} '{name}'{suggestion(name, known)} Known: {listing(known)}")
        try:
            item = cast("T", entries[0].load())
        except Exception as error:
            raise PipelineError(
                f"the plug-in {self.kind} '{name}' cannot be imported from {owners[0]}: {type(error).__name__}: {error}"
            ) from error
        # A module that both registers by decorator and is an entry point names the same thing twice: that is one.
        claims = [*owners, *(["this package"] if self._registered.get(name, item) is not item else [])]
        if len(claims) > 1:
            raise PipelineError(f"the {self.kind} '{name}' is claimed more than once: {listing(claims)}")
        return item

    def _entry_points(self) -> tuple[importlib.metadata.EntryPoint, ...]:
        return () if self.group is None else tuple(importlib.metadata.entry_points(group=self.group))


def _distribution(entry: importlib.metadata.EntryPoint) -> str:
    return "an unknown distribution" if entry.dist is None else entry.dist.name
