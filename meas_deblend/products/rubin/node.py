"""Values of somebody else's JSON, checked when they are taken out: a file may hold anything."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exceptions import CorruptModelError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

__all__ = ["COORDINATE_LIMIT", "IDENTIFIER_LIMIT", "Node", "identifier"]

IDENTIFIER_LIMIT = 2**63 - 1
COORDINATE_LIMIT = 2**31 - 1
"""Boxes are stored as 32-bit integers."""


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and where it stands.

    Parameters
    ----------
    value : object
        What the JSON parser gave.
    where : str
        File and keys, for messages: "models.json: blends/12/origin".
    """

    value: Any
    where: str

    def error(self, what: str) -> CorruptModelError:
        """Error that says where the value stands."""
        return CorruptModelError(self.about(what))

    def about(self, what: str) -> str:
        """Return a sentence that says where the value stands."""
        return f"{self.where.removesuffix(': ')} {what}"

    def child(self, key: str, value: Any) -> Node:
        """Return a value below this one."""
        return Node(value, f"{self.where}{'' if self.where.endswith(': ') else '/'}{key}")

    def __getitem__(self, key: str) -> Node:
        found = self.get(key)
        if found is None:
            raise self.error(f"lacks the key {key!r}")
        return found

    def get(self, *keys: str) -> Node | None:
        """Value of the first of ``keys`` that is there and is not null."""
        mapping = self.mapping()
        for key in keys:
            if mapping.get(key) is not None:
                return self.child(key, mapping[key])
        return None

    def mapping(self) -> dict[str, Any]:
        """Return the JSON object."""
        if not isinstance(self.value, dict):
            raise self.error(f"is {_kind(self.value)}; it must be an object")
        return self.value

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and values of a JSON object."""
        return ((key, self.child(key, value)) for key, value in self.mapping().items())

    def entries(self) -> list[Node]:
        """Values of a list."""
        if not isinstance(self.value, list):
            raise self.error(f"is {_kind(self.value)}; it must be a list")
        return [self.child(str(k), value) for k, value in enumerate(self.value)]

    def text(self, allowed: Sequence[str] | None = None) -> str:
        """Return a text; one of ``allowed`` if that is given."""
        if not isinstance(self.value, str):
            raise self.error(f"is {_kind(self.value)}; it must be a text")
        if allowed is not None and self.value not in allowed:
            raise ModelError(self.about(f"is {self.value[:40]!r}; this release knows {', '.join(allowed)}"))
        return self.value

    def number(self) -> float:
        """Return a number as float; the texts "nan", "inf" and "-inf" stand for what JSON lacks."""
        if self.value in ("nan", "inf", "-inf"):
            return float(self.value)
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error(f"is {_kind(self.value)}; it must be a number")
        try:
            return float(self.value)
        except OverflowError:
            raise self.error("is a number beyond all floats") from None

    def integer(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``; floats are rounded, because positions of peaks may be either."""
        value = self.number()
        exact = self.value if isinstance(self.value, int) else round(value) if math.isfinite(value) else None
        if exact is None or not low <= exact <= high:
            raise self.error(f"is {str(self.value)[:40]}; it must be an integer from {low} to {high}")
        return exact

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.error(f"is {_kind(self.value)}; it must be true or false")
        return self.value

    def integers(self, count: int, low: int, high: int) -> tuple[int, ...]:
        """Return a list of ``count`` integers from ``low`` to ``high``."""
        parts = self.entries()
        if len(parts) != count:
            raise self.error(f"has {len(parts)} values; it must have {count}")
        return tuple(part.integer(low, high) for part in parts)

    def position(self) -> tuple[float, float]:
        """Return a list of two finite numbers."""
        numbers = [part.number() for part in self.entries()]
        if len(numbers) != 2 or not all(abs(number) <= COORDINATE_LIMIT for number in numbers):
            raise self.error(f"is not a pair of coordinates: {str(self.value)[:60]}")
        return numbers[0], numbers[1]

    def texts(self) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(part.text() for part in self.entries())

    def array(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return an array of that shape from a flat list of numbers in row-major order.

        The list is as long as the file made it, so a shape that claims more never costs memory.
        """
        if not isinstance(self.value, list):
            raise self.error(f"is {_kind(self.value)}; it must be a list of numbers")
        if len(self.value) != math.prod(shape):
            raise self.error(f"has {len(self.value)} values, which do not make shape {shape}")
        try:
            values = np.asarray(self.value) if self.value else np.zeros(0)
        except (ValueError, OverflowError):
            raise self.error("is not a flat list of numbers") from None
        if values.ndim != 1 or values.dtype.kind not in "biuf":
            raise self.error("is not a flat list of numbers")
        with np.errstate(over="ignore"):
            out = values.astype(dtype).reshape(shape)
        if out.dtype.kind == "f" and not np.array_equal(np.isinf(out).ravel(), np.isinf(values)):
            raise self.error(f"holds a number beyond {out.dtype}")
        return out


def identifier(key: str, node: Node) -> int:
    """Read an identifier that is a key of a JSON object, or the name of an archive's entry."""
    if not re.fullmatch(r"[0-9]{1,19}", key) or not 0 <= int(key) <= IDENTIFIER_LIMIT:
        raise node.error(f"is under the key {key[:40]!r}, which is not an identifier (0 … {IDENTIFIER_LIMIT})")
    return int(key)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
