"""The reference page of the catalogs, made from the declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .declarations import TABLES
from .vocabulary import OUTCOMES, REASONS, RUNGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .columns import TableDeclaration

__all__ = ["columns_markdown", "ladder_markdown"]

_HEAD = """# Catalog columns

This page is made from the declarations in `meas_deblend/products`. In names, `{band}` stands for each band and
`{aperture}` for each circular aperture: `ap06` has a radius of 6 pixels, `ap04_5` one of 4.5. The unit "flux" is nJy
in bands whose zero point is known, else the unit of the image; "image" is the unit of the image. For a flag, the
meaning is what `True` says. A float without a value is NaN where this page says so; integers, flags and strings always
have a value."""


def columns_markdown() -> str:
    """Write the Markdown reference page of all tables, outcomes, rungs and reasons."""
    sections = [_HEAD, *(_table_section(table) for table in TABLES.values())]
    sections.append(_vocabulary("Outcomes", ("outcome", "meaning"), OUTCOMES.items()))
    rungs = ((name or "(empty)", meaning) for name, meaning in RUNGS.items())
    sections.append(_vocabulary("Rungs", ("rung", "meaning"), rungs))
    reasons = ((reason.name or "(empty)", f"{reason.meaning} ({reason.kind})") for reason in REASONS.values())
    sections.append(_vocabulary("Reasons", ("reason", "meaning"), reasons))
    return "\n\n".join(sections) + "\n"


def ladder_markdown() -> str:
    """Write the Markdown tables of rungs, reasons and flags of deblending, for the page that explains the ladder."""
    rungs = [(f"`{name}`" if name else "(empty)", meaning) for name, meaning in RUNGS.items()]
    reasons = [(f"`{r.name}`" if r.name else "(empty)", r.kind, r.meaning) for r in REASONS.values()]
    flags: dict[str, list[str]] = {}
    meanings: dict[str, str] = {}
    for name in ("objects", "parents"):
        for column in (c for c in TABLES[name].columns if c.is_flag and "deblend_" in c.name):
            flags.setdefault(column.name, []).append(name)
            meanings.setdefault(column.name, column.meaning)
    rows = [(f"`{flag}`", ", ".join(tables), meanings[flag]) for flag, tables in flags.items()]
    parts = (
        _grid(("rung", "what was done"), rungs),
        _grid(("reason", "kind", "meaning"), reasons),
        _grid(("flag", "in", "what True says"), rows),
    )
    return "\n\n".join(parts) + "\n"


def _table_section(table: TableDeclaration) -> str:
    rows = [
        (f"`{c.name}`", c.dtype, c.unit, c.meaning, c.reference, c.set_by, "NaN" if c.nullable else "")
        for c in table.columns
    ]
    key = " and ".join(f"`{name}`" for name in table.key)
    head = f"## {table.name}\n\n{table.meaning} A row is identified by {key}.\n\n"
    return head + _grid(("column", "type", "unit", "meaning", "reference", "set by", "no value"), rows)


def _vocabulary(title: str, names: Sequence[str], rows: Iterable[tuple[str, str]]) -> str:
    return f"## {title}\n\n" + _grid(names, [(f"`{name}`", meaning) for name, meaning in rows])


def _grid(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
