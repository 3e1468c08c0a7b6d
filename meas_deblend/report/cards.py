"""The page of an evaluation card: figures and tables in one HTML file beside its pictures."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._atomic import atomic_write
from .card_figures import (
    bias_figure,
    boxes_figure,
    colour_figure,
    cumulative_figure,
    likeness_figure,
    shape_figure,
)
from .save import save_figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..evaluate import ScoreTable

__all__ = ["write_card_page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1F2430; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid #E5E7EB; padding: .25rem .7rem; text-align: right; }
td:first-child, th:first-child { text-align: left; }
img { max-width: 100%; height: auto; } figure { margin: 1.5rem 0; } figcaption { color: #6B7280; }
dt { font-weight: 600; } .note { color: #B45309; }
"""

_CAPTIONS = {
    "cumulative": "How many sources have a relative flux error larger than a value.",
    "boxes": "Relative flux error δF/F against S/N, blendedness and contamination: quartiles, and 5 to 95 %; the "
    "numbers above are those of the sources.",
    "bias": "Mean relative flux error and its standard error (bootstrap over fields).",
    "colours": "Errors of the colour g − r measured on the field minus the neighbours' models.",
    "likeness": "How far models are from the truth in structural similarity and cosine.",
    "shapes": "Errors of the ellipticity of the models.",
}

_SUMMARY_ROWS = (
    ("sources", "n"),
    ("mean |δF/F|", "mean_abs_dF_F"),
    ("mean |δF/F|, κ ≥ 0.01", "mean_abs_dF_F_blended"),
    ("median |δF/F|", "median_abs_dF_F"),
    ("median |δF/F|, κ ≥ 0.1", "median_abs_dF_F_kappa_ge_0p1"),
    ("P(|δF/F| > 0.1), κ > 0.1", "p_gt_0p1_kappa_gt_0p1"),
    ("mean δF/F", "mean_dF_F"),
    ("own model: mean |error|", "model.mean_abs"),
    ("child: mean |error|", "child.mean_abs"),
    ("noise alone: mean |error|", "noise_mean_abs"),
    ("cosine", "cosine"),
    ("SSIM", "ssim"),
)

_ONCE_ROWS = (
    ("σ(e1), σ(e2) of models", ("sd_e1", "sd_e2")),
    ("failed shapes", ("failed_shapes",)),
    ("sources without a model", ("unmodelled",)),
    ("wall and processor seconds per field", ("seconds_per_field", "cpu_seconds_per_field")),
    ("peak memory of the chain [MiB]", ("peak_memory_mb",)),
)


def write_card_page(card: Mapping[str, Any], table: ScoreTable, folder: Path) -> tuple[Path, ...]:
    """Write ``index.html`` and its pictures.

    Parameters
    ----------
    card : mapping
        Content of ``card.json``.
    table : ScoreTable
        Scores behind it.
    folder : Path

    Returns
    -------
    tuple of Path
        The files.
    """
    zeropoints = card.get("zeropoints") or [None] * len(table.bands)
    figures = {
        "cumulative": cumulative_figure(table),
        "boxes": boxes_figure(table),
        "bias": bias_figure(card),
        "colours": colour_figure(table, zeropoints),
        "likeness": likeness_figure(table),
        "shapes": shape_figure(table),
    }
    drawn = {name: figure for name, figure in figures.items() if figure is not None}
    files = [save_figure(figure, folder / f"{name}.png") for name, figure in drawn.items()]
    page = folder / "index.html"
    with atomic_write(page, "w") as stream:
        stream.write(_page(card, tuple(drawn)))
    return (*files, page)


def _page(card: Mapping[str, Any], figures: Sequence[str]) -> str:
    title = f"{card['deblender']} on {card['fields']}"
    intro = (
        f"{card['n_fields']} fields, {card['summary']['n']} sources with κ ≤ 5; centres "
        f"{'given' if card['centres'] == 'given' else 'detected'}. Intervals: {card['definitions']['intervals']}."
    )
    parts = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(intro)}</p>",
        *(f'<p class="note">Not measured: {html.escape(f"{k}: {v}")}</p>' for k, v in card["missing"].items()),
        *(f'<p class="note">{html.escape(f"{k} failed: {v}")}</p>' for k, v in card["errors"].items()),
        _summary_table(card),
        _once_table(card),
        *(
            f'<figure><img src="{name}.png" alt="{name}"><figcaption>{_CAPTIONS[name]}</figcaption></figure>'
            for name in figures
        ),
        _definitions(card["definitions"]),
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _summary_table(card: Mapping[str, Any]) -> str:
    """Numbers of the reference band with intervals, and of all bands."""
    band, bands = card["band"], card["bands"]
    head = ["", f"{band}, all sources", "interval", *(f"{name}, S/N ≥ 5" for name in bands)]
    rows = []
    for title, key in _SUMMARY_ROWS:
        low_high = _find(card["summary"], f"{key}_ci")
        interval = "" if low_high is None or None in low_high else f"{low_high[0]:.3g} … {low_high[1]:.3g}"
        values = [_number(_find(bands[name], key)) for name in bands]
        rows.append([title, _number(_find(card["summary"], key)), interval, *values])
    return _html_table(head, rows)


def _once_table(card: Mapping[str, Any]) -> str:
    """Numbers that there is one of."""
    rows = [[title, ", ".join(_number(card["summary"].get(key)) for key in keys)] for title, keys in _ONCE_ROWS]
    rows += [[f"{name} (detection)", _number(value)] for name, value in (card["detection"] or {}).items()]
    rows += [[f"parents {name}", str(number)] for name, number in card["outcomes"].items()]
    return _html_table(["", ""], rows)


def _definitions(definitions: Mapping[str, str]) -> str:
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in definitions.items())
    return f"<h2>Definitions</h2><dl>{items}</dl>"


def _find(values: Mapping[str, Any], key: str) -> Any:
    """Value at a dotted path; None if there is none."""
    found: Any = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _html_table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>" + "".join(lines) + "</table>"
