"""A resolved config as YAML that can be read again, with what each setting means and who set it."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel

from .fields import type_text
from .layers import CLASS_DEFAULTS, Setting, plain
from .marks import yaml_value
from .resolve import CONNECTIONS, ResolvedConfig

__all__ = ["Notes", "dump_yaml"]

_WIDTH = 110
_INDENT = "  "


Notes: TypeAlias = Mapping[str, Mapping[str, str]]
"""By label and dotted path: what else there is to say of a setting."""


def dump_yaml(*resolved: ResolvedConfig[Any], comments: bool = True, only: Notes | None = None) -> str:
    """Return resolved configs as one YAML document with their labels at the top level.

    The document is complete: read as a ``-C`` file it gives equal configs, whatever the defaults are by then.

    Parameters
    ----------
    *resolved : ResolvedConfig
        The configs, in the order wanted.
    comments : bool
        Whether to say what each setting means, what it may be, and who set it when it is not the class's default.
    only : mapping of str to mapping of str to str, optional
        Write only the settings that stand here, by label and dotted path, each with its note.

    Returns
    -------
    str
        YAML, ending with a line end.
    """
    lines: list[str] = []
    for one in resolved:
        notes = None if only is None else only.get(one.label, {})
        style = _Style(comments, notes, one.histories() if comments else {})
        body = [*_connections(one, notes), *_section(one.config, style)]
        if body or only is None:
            lines += [*_comment(_summary(one.config), "", comments), f"{one.label}:", *body]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Style:
    """What is written of the settings: with comments or without, and all (None) or those that have notes."""

    comments: bool
    notes: Mapping[str, str] | None
    histories: Mapping[str, Sequence[Setting]]

    def takes(self, path: str) -> bool:
        """Return whether a setting, or one below a section, is written."""
        return self.notes is None or any(note == path or note.startswith(f"{path}.") for note in self.notes)

    def note(self, path: str) -> str:
        """Return what else there is to say of a setting."""
        return "" if self.notes is None else self.notes[path]


def _section(model: BaseModel, style: _Style, prefix: str = "") -> Iterator[str]:
    indent = _INDENT * (prefix.count(".") + 1)
    for name, value in model:
        info = type(model).model_fields.get(name)
        path = prefix + name
        if not style.takes(path):
            continue
        if info is not None:
            yield from _comment(info.description or "", indent, style.comments)
        if isinstance(value, BaseModel):
            empty = not any(True for _ in value)
            yield f"{indent}{name}:{' {}' if empty else ''}"
            yield from _section(value, style, f"{path}.")
            continue
        line = f"{indent}{name}: {yaml_value(plain(value))}"
        if not style.comments:
            yield line
            continue
        allowed = "" if info is None else type_text(info.annotation, info.metadata)
        # A note says what the setting is compared with: the default would be one value too many.
        who = _who(style.histories[path], default=style.notes is None)
        said = "; ".join(filter(None, [allowed, who, style.note(path)]))
        yield f"{line}  # {said}" if said else line


def _connections(resolved: ResolvedConfig[Any], notes: Mapping[str, str] | None) -> list[str]:
    wanted = {
        name: dataset
        for name, dataset in resolved.connections.items()
        if notes is None or f"{CONNECTIONS}.{name}" in notes
    }
    lines = [f"{_INDENT * 2}{name}: {dataset}" for name, dataset in wanted.items()]
    return [f"{_INDENT}{CONNECTIONS}:", *lines] if lines else []


def _who(settings: Sequence[Setting], *, default: bool) -> str:
    if not settings or settings[-1].origin.layer == CLASS_DEFAULTS:
        return ""
    last, first = settings[-1], settings[0]
    before = f" (default {yaml_value(first.value)})" if default and first.origin.layer == CLASS_DEFAULTS else ""
    place = f", {last.origin}" if last.origin.file is not None else ""
    return f"set by {last.origin.layer}{place}{before}"


def _summary(config: BaseModel) -> str:
    return (type(config).__doc__ or "").strip().partition("\n\n")[0]


def _comment(text: str, indent: str, comments: bool) -> Iterator[str]:
    if comments:
        for line in textwrap.wrap(" ".join(text.split()), _WIDTH - len(indent)):
            yield f"{indent}# {line}"
