"""Conditions on quanta, such as ``reason != 'ok' and seconds > 60``: parsed into a tree, never run as code."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from .._names import listing, suggestion
from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FIELDS", "parse_where"]

Value = Any

FIELDS: dict[str, type] = {
    "tract": int,
    "patch": str,
    "label": str,
    "outcome": str,
    "reason": str,
    "error": str,
    "seconds": float,
    "cpu_seconds": float,
    "peak_memory_mb": float,
    "attempt": int,
}
"""What a condition may ask of a quantum: the columns of its row, and their types."""

_LONGEST = 1000
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ALLOWED = (
    "a condition compares fields with values: reason != 'ok', seconds > 60, label in ('detect', 'measure'), "
    "'memory' in error, joined by and, or, not and parentheses"
)


def parse_where(text: str) -> Callable[[Mapping[str, Value]], bool]:
    """Turn a condition into a function of a row.

    Parameters
    ----------
    text : str
        Comparisons (== != < <= > >= in, not in) of fields (`FIELDS`) with numbers, texts in quotation marks and
        lists of them, joined by and, or, not and parentheses.

    Returns
    -------
    callable
        Takes a row, a mapping of field to value, and returns a bool.

    Raises
    ------
    InputError
        If it is not such a condition; the message says what is wrong and what is allowed.

    Examples
    --------
    >>> condition = parse_where("reason != 'ok' and not (seconds < 60)")
    >>> condition({"reason": "degraded", "seconds": 75.0})
    True
    """
    if len(text) > _LONGEST:
        raise InputError(f"--where has {len(text)} characters; up to {_LONGEST} are allowed")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        kind, found = _read(tree, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"--where {text!r} cannot be understood: {_ALLOWED}") from error
    if kind is not bool:
        raise _refused(text, "it is no comparison")
    return found


def _read(node: ast.expr, text: str) -> tuple[type, Callable[[Mapping[str, Value]], Any]]:
    """Type of a part of the condition, and the function that gives its value."""
    if isinstance(node, ast.BoolOp):
        parts = [_truth(part, text) for part in node.values]
        together = all if isinstance(node.op, ast.And) else any
        return bool, lambda row: together(part(row) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand, text)
        return bool, lambda row: not inner(row)
    if isinstance(node, ast.Compare):
        return bool, _comparison(node, text)
    if isinstance(node, ast.Name):
        if node.id not in FIELDS:
            raise InputError(f"--where: no field {node.id!r}{suggestion(node.id, FIELDS)} There are: {listing(FIELDS)}")
        name = node.id
        return FIELDS[name], lambda row: row[name]
    value = _literal(node, text)
    return type(value), lambda _: value


def _truth(node: ast.expr, text: str) -> Callable[[Mapping[str, Value]], bool]:
    kind, found = _read(node, text)
    if kind is not bool:
        raise _refused(text, f"{ast.unparse(node)!r} is no comparison")
    return found


def _comparison(node: ast.Compare, text: str) -> Callable[[Mapping[str, Value]], bool]:
    """Chains such as 10 < seconds < 60 too."""
    sides = [_read(side, text) for side in (node.left, *node.comparators)]
    links = []
    for (left, a), comparison, (right, b) in zip(sides, node.ops, sides[1:], strict=False):
        test = _COMPARISONS.get(type(comparison))
        if test is None or not _comparable(left, type(comparison), right):
            raise _refused(text, f"a {left.__name__} cannot be compared so with a {right.__name__}")
        links.append((a, test, b))
    return lambda row: all(test(a(row), b(row)) for a, test, b in links)


def _comparable(left: type, comparison: type[ast.cmpop], right: type) -> bool:
    if comparison in (ast.In, ast.NotIn):
        return right is tuple or (left is str and right is str)
    return left is right or {left, right} <= {int, float}


def _literal(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) in (str, int, float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand, text)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_literal(item, text) for item in node.elts)
    raise _refused(text, f"{ast.unparse(node)!r} is not allowed")


def _refused(text: str, why: str) -> InputError:
    return InputError(f"--where {text!r}: {why}; {_ALLOWED}")
