"""A resolved config as YAML that can be read again, with what each setting means and who set it."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from .fields import type_text
from .layers import CLASS_DEFAULTS, Setting, plain
from .marks import yaml_value
from .resolve import CONNECTIONS, ResolvedConfig

__all__ = ["dump_yaml"]

_WIDTH = 110
_INDENT = "  "


def dump_yaml(*resolved: ResolvedConfig[Any], comments: bool = True) -> str:
    """Return resolved configs as one YAML document with their labels at the top level.

    The document is complete: read as a ``-C`` file it gives equal configs, whatever the defaults are by then.

    Parameters
    ----------
    *resolved : ResolvedConfig
        The configs, in the order wanted.
    comments : bool
        Whether to say what each setting means, what it may be, and who set it when it is not the class's default.

    Returns
    -------
    str
        YAML, ending with a line end.
    """
    lines: list[str] = []
    for one in resolved:
        lines += [*_comment(_summary(one.config), "", comments), f"{one.label}:"]
        lines += _connections(one)
        lines += _section(one, one.config, "", comments)
    return "\n".join(lines) + "\n"


def _section(resolved: ResolvedConfig[Any], model: BaseModel, prefix: str, comments: bool) -> Iterator[str]:
    indent = _INDENT * (prefix.count(".") + 1)
    for name, value in model:
        info = type(model).model_fields.get(name)
        path = prefix + name
        if info is not None:
            yield from _comment(info.description or "", indent, comments)
        if isinstance(value, BaseModel):
            empty = not any(True for _ in value)
            yield f"{indent}{name}:{' {}' if empty else ''}"
            yield from _section(resolved, value, f"{path}.", comments)
            continue
        line = f"{indent}{name}: {yaml_value(plain(value))}"
        if not comments:
            yield line
            continue
        allowed = "" if info is None else type_text(info.annotation, info.metadata)
        yield f"{line}  # {'; '.join(filter(None, [allowed, _who(resolved.history(path))]))}"


def _connections(resolved: ResolvedConfig[Any]) -> Iterator[str]:
    if resolved.connections:
        yield f"{_INDENT}{CONNECTIONS}:"
        yield from (f"{_INDENT * 2}{name}: {dataset}" for name, dataset in resolved.connections.items())


def _who(settings: Sequence[Setting]) -> str:
    if not settings or settings[-1].origin.layer == CLASS_DEFAULTS:
        return ""
    last, first = settings[-1], settings[0]
    default = f" (default {yaml_value(first.value)})" if first.origin.layer == CLASS_DEFAULTS else ""
    place = f", {last.origin}" if last.origin.file is not None else ""
    return f"set by {last.origin.layer}{place}{default}"


def _summary(config: BaseModel) -> str:
    return (type(config).__doc__ or "").strip().partition("\n\n")[0]


def _comment(text: str, indent: str, comments: bool) -> Iterator[str]:
    if comments:
        for line in textwrap.wrap(" ".join(text.split()), _WIDTH - len(indent)):
            yield f"{indent}# {line}"
