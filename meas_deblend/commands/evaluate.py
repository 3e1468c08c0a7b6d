"""``meas-deblend evaluate`` and ``meas-deblend compare``: deblenders against truth, and against each other."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cards import Card, CardJob, make_cards, read_card, write_card
from ..evaluate import compare_scores, read_reference_scores, summarise
from ..exceptions import InputError
from ..framework import atomic_write, prepare_output, versions
from ._settings import layers_of, say, shown_warnings, start_log

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

__all__ = ["compare", "evaluate"]

_RECORD = "evaluation.json"
_WAYS = {"field": "|dF/F|", "model": "own model", "child": "child"}


def evaluate(options: argparse.Namespace) -> int:
    """Score deblenders on fields with truth, and write one card each.

    Returns
    -------
    int
        0; 1 if a deblender failed on every field.
    """
    start_log()
    # Each of many fields would have its own lines; of these only warnings are of interest.
    logging.getLogger("meas_deblend").setLevel(logging.WARNING)
    names = tuple(options.deblenders)
    job = CardJob(Path(options.fields), names, tuple(layers_of(options)), options.survey, options.detect, options.jobs)
    cards: list[Card] = []
    files: list[Path] = []
    folder = prepare_output(options.out, options.overwrite, record=_RECORD)
    with shown_warnings():
        for card in make_cards(job, _tell):
            place = folder if len(names) == 1 else folder / card.name
            files += write_card(card, place)
            if not options.no_figures:
                from ..report.cards import write_card_page  # noqa: PLC0415 - matplotlib takes its time

                files += write_card_page(card.values, card.table, place)
            cards.append(card)
    for line in _table({card.name: card.values for card in cards}):
        say(line)
    for card in cards:
        for metric, reason in card.values["missing"].items():
            say(f"{card.name}: {metric} not measured: {reason}")
        for field, error in card.values["errors"].items():
            say(f"{card.name}: {field} failed, its sources count as not modelled: {error}")
    _write_record(folder, files)
    say(f"written to {folder}")
    return int(any(card.values["summary"]["failed_fields"] == card.values["n_fields"] for card in cards))


def _tell(deblender: str, done: int, total: int) -> None:
    """Show on a terminal how far it is."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{deblender}: {done} of {total} fields" + ("\n" if done == total else ""))
        sys.stderr.flush()


def _write_record(folder: Path, files: Sequence[Path]) -> None:
    """Write which files belong to the evaluation, so that a later one can take their place."""
    record = {"files": [str(path.relative_to(folder)) for path in files], "versions": dict(versions())}
    with atomic_write(folder / _RECORD, "w") as stream:
        json.dump(record, stream, indent=1)


def compare(options: argparse.Namespace) -> int:
    """Put cards side by side, each paired with the first, and with published scores of the same fields.

    Returns
    -------
    int
        0.
    """
    cards = _named([read_card(path) for path in options.cards])
    tables = {name: card.table for name, card in cards.items()}
    values: dict[str, Any] = {name: card.values for name, card in cards.items()}
    if options.reference:
        first = next(iter(cards.values()))
        fields, bands = str(first.values["fields"]), first.table.bands
        for name, table in read_reference_scores(options.reference, fields, bands).items():
            tables[name] = table
            values[name] = summarise(table.scores, bands, [None] * len(bands))
    elif len(cards) == 1:
        raise InputError("one card has nothing to be compared with: give another one, or --reference")
    for line in _table(values):
        say(line)
    names = list(tables)
    pairs = [(names[0], name) for name in names[1 : len(cards)]]
    pairs += [(reference, name) for reference in names[len(cards) :] for name in cards]
    compared = {f"{other} / {name}": compare_scores(tables[name], tables[other]) for name, other in pairs}
    for title, numbers in compared.items():
        for line in _ratio_lines(title, numbers):
            say(line)
    if options.figure:
        from ..report.card_figures import comparison_figure  # noqa: PLC0415 - matplotlib takes its time
        from ..report.save import save_figure  # noqa: PLC0415 - matplotlib takes its time

        save_figure(comparison_figure(tables), options.figure)
    if options.out:
        with atomic_write(Path(options.out), "w") as stream:
            json.dump(compared, stream, indent=1, default=float)
    return 0


def _named(cards: Sequence[Card]) -> dict[str, Card]:
    """Cards by the name of their deblender, numbered where there are several of one."""
    out: dict[str, Card] = {}
    for card in cards:
        name, k = card.name, 2
        while name in out:
            name, k = f"{card.name} ({k})", k + 1
        out[name] = card
    return out


_COLUMNS = (
    ("n", "n", "{:d}"),
    ("mean|dF/F|", "mean_abs_dF_F", "{:.4f}"),
    ("95 %", "mean_abs_dF_F_ci", "{0[0]:.4f} … {0[1]:.4f}"),
    ("blended", "mean_abs_dF_F_blended", "{:.4f}"),
    ("median", "median_abs_dF_F", "{:.5f}"),
    ("median κ≥0.1", "median_abs_dF_F_kappa_ge_0p1", "{:.4f}"),
    ("P(>0.1|κ>0.1)", "p_gt_0p1_kappa_gt_0p1", "{:.3f}"),
    ("own", "model.mean_abs", "{:.4f}"),
    ("child", "child.mean_abs", "{:.4f}"),
    ("cos", "cosine", "{:.4f}"),
    ("SSIM", "ssim", "{:.4f}"),
    ("σ(e1)", "sd_e1", "{:.3f}"),
    ("failed", "failed_shapes", "{:d}"),
    ("CPU s/field", "cpu_seconds_per_field", "{:.2f}"),
)


def _table(cards: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Table of the summaries, for people."""
    rows = [["deblender", *(title for title, _, _ in _COLUMNS)]]
    for name, card in cards.items():
        rows.append([name, *(_cell(card["summary"], key, form) for _, key, form in _COLUMNS)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cell(summary: Mapping[str, Any], key: str, form: str) -> str:
    value: Any = summary
    for part in key.split("."):
        value = value.get(part) if value is not None else None
    missing = value is None or value != value or (isinstance(value, list) and None in value)  # noqa: PLR0124 - NaN
    return "–" if missing else form.format(value)


def _ratio_lines(title: str, numbers: Mapping[str, Any]) -> list[str]:
    lines = [f"\n{title}: {numbers['n']} galaxies of {numbers['fields']} fields, paired"]
    for way, label in _WAYS.items():
        if numbers[way] is None:
            continue
        parts = [
            f"{what} × {_with_interval(numbers[way], f'{key}_ratio')}"
            for what, key in (
                ("mean", "mean_abs"),
                ("blended", "mean_abs_blended"),
                ("median", "median_abs"),
                ("median κ≥0.1", "median_abs_kappa_ge_0p1"),
            )
        ]
        parts.append(f"P(>0.1|κ>0.1) {_with_interval(numbers[way], 'p_gt_0p1_kappa_gt_0p1_difference', sign=True)}")
        lines.append(f"  {label}: " + ", ".join(parts))
    return lines


def _with_interval(numbers: Mapping[str, Any], key: str, *, sign: bool = False) -> str:
    form = "{:+.3f}" if sign else "{:.3f}"
    low, high = numbers[f"{key}_ci"]
    return f"{form.format(numbers[key])} ({form.format(low)} … {form.format(high)})"
