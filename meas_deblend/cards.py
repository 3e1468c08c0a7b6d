"""Evaluation cards: deblenders run over fields with truth, and the folders in which the results are kept."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chains import load_chain, load_chains
from .evaluate import FieldResult, ScoreTable, evaluate_field, make_card, metric_versions, open_fields, score_table
from .exceptions import InputError
from .framework import Layer, atomic_write, versions
from .products.column_file import read_columns, write_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .chains import DeblenderChain
    from .evaluate import FieldFolder

__all__ = ["Card", "CardJob", "make_cards", "read_card", "write_card"]

_OBJECTS, _CARD = "objects.parquet", "card.json"


@dataclass(frozen=True, slots=True)
class CardJob:
    """What is evaluated, and how.

    Parameters
    ----------
    fields : Path
        Folder with the fields.
    deblenders : tuple of str
        Names of the registry.
    layers : tuple of Layer
        Settings of their steps.
    survey : str
        Whose settings lie below.
    detect : bool
        Detect instead of giving the true centres.
    jobs : int
        Processes that work at the same time.
    """

    fields: Path
    deblenders: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    survey: str = "generic"
    detect: bool = False
    jobs: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """A card with the scores behind it.

    Parameters
    ----------
    name : str
        What it is called where there are several.
    values : dict
        Content of ``card.json``.
    table : ScoreTable
        Content of ``objects.parquet``.
    """

    name: str
    values: dict[str, Any]
    table: ScoreTable


def make_cards(job: CardJob, tell: Callable[[str, int, int], None] | None = None) -> Iterator[Card]:
    """Evaluate deblenders one after the other; each field is scored in one process.

    Parameters
    ----------
    job : CardJob
    tell : callable, optional
        Is told the deblender, the number of fields that are done, and that of all, after each field.

    Yields
    ------
    Card
        In the order of ``job.deblenders``. But for timings it does not depend on ``job.jobs``.

    Raises
    ------
    InputError
        If the fields cannot be used.
    ConfigError
        If there is no such deblender, or a setting does not fit.
    """
    if job.jobs < 1:
        raise InputError(f"the number of processes must be at least 1, got {job.jobs}")
    repeated = {name for name in job.deblenders if job.deblenders.count(name) > 1}
    if repeated or not job.deblenders:
        raise InputError(f"each deblender is named once, and at least one; got {', '.join(job.deblenders) or 'none'}")
    folder = open_fields(job.fields)
    for chain in load_chains(job.deblenders, job.layers, job.survey):
        results = []
        for result in _results(job, chain, folder):
            results.append(result)
            if tell is not None:
                tell(chain.deblender, len(results), len(folder))
        about = {
            "deblender": chain.deblender,
            "centres": "detected" if job.detect else "given",
            "fields": folder.name,
            "settings": chain.settings,
            "versions": versions() | metric_versions(),
        }
        values = make_card(results, folder.setting, about)
        yield Card(chain.deblender, values, score_table(results, folder.setting.bands))


def _results(job: CardJob, chain: DeblenderChain, folder: FieldFolder) -> Iterator[FieldResult]:
    """Scores of all fields, in their order."""
    if job.jobs == 1:
        for k in range(len(folder)):
            yield evaluate_field(folder.read(k), chain, k, detect=job.detect)
        return
    # New processes, not copies of this one: threads that libraries have started do not survive a fork.
    with ProcessPoolExecutor(job.jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_evaluate, job, chain.deblender, k) for k in range(len(folder))]
        for future in futures:
            yield future.result()


def _evaluate(job: CardJob, deblender: str, number: int) -> FieldResult:
    """Score one field in a process of its own: pipelines are not sent between processes, they are loaded again."""
    chain = load_chain(deblender, job.layers, job.survey)
    return evaluate_field(open_fields(job.fields).read(number), chain, number, detect=job.detect)


def write_card(card: Card, folder: Path) -> tuple[Path, ...]:
    """Write ``objects.parquet`` and, as the last, ``card.json``.

    Returns
    -------
    tuple of Path
        The files.
    """
    about = {"table": "scores", "bands": list(card.table.bands), "deblender": card.name}
    objects = write_columns(folder / _OBJECTS, card.table.columns(), about)
    path = folder / _CARD
    with atomic_write(path, "w") as stream:
        json.dump(card.values, stream, indent=1, ensure_ascii=False, allow_nan=False)
        stream.write("\n")
    return objects, path


def read_card(path: Path | str) -> Card:
    """Read a card.

    Parameters
    ----------
    path : path-like
        Its folder, or its ``card.json``.

    Raises
    ------
    InputError
        If there is no card, or it is damaged.
    """
    folder = Path(path).parent if Path(path).name == _CARD else Path(path)
    file = folder / _CARD
    if not file.is_file():
        below = sorted(str(found.parent) for found in folder.glob(f"*/{_CARD}")) if folder.is_dir() else []
        hint = f"; it has the cards {', '.join(below)}: name one of them" if below else ""
        raise InputError(f"{folder}: no {_CARD} in it{hint}")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        name = str(values["deblender"])
        bands = list(values["bands"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no evaluation card: {error!r}") from error
    columns, about = read_columns(folder / _OBJECTS)
    table = ScoreTable.from_columns(columns, about.get("bands", bands), str(folder / _OBJECTS))
    return Card(name, values, table)
