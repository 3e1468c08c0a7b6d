"""What became of an object or a parent, as facts and in sentences."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._phrases import counted
from ..exceptions import ModelError
from ._object_story import object_facts, object_sentences
from ._parent_story import parent_facts, parent_sentences

if TYPE_CHECKING:
    from ..geometry import IntArray
    from ._row_facts import Facts
    from .run import Run

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The story of one object or parent.

    Parameters
    ----------
    facts : dict
        What is known, by name; plain values that JSON can hold.
    sentences : tuple of str
        The same for people; lines that start with a dash belong to the sentence before them.
    python : tuple of str
        Lines of Python that look at it.
    """

    facts: Facts
    sentences: tuple[str, ...]
    python: tuple[str, ...]

    def to_json(self) -> str:
        """Facts, sentences and Python lines as JSON."""
        return json.dumps({**self.facts, "sentences": self.sentences, "python": self.python}, indent=2)

    def __str__(self) -> str:
        code = "\n".join(f"    {line}" for line in self.python)
        return "\n".join(self.sentences) + f"\nTo look at it in Python:\n\n{code}"

    __repr__ = __str__


def explain(run: Run, identifier: int) -> Explanation:
    """Tell the story of an object or a parent from what its run left.

    Parameters
    ----------
    run : Run
    identifier : int
        Of an object, or of a parent; that of an isolated object is also its parent's, and means the object.

    Returns
    -------
    Explanation

    Raises
    ------
    ModelError
        If the run has neither; the message tells what there is near it.
    """
    objects, parents = (np.asarray(table[name]) for table, name in
                        ((run.objects, "objectId"), (run.parents, "parentObjectId")))  # fmt: skip
    if identifier in objects:
        facts = object_facts(run, identifier)
        return Explanation(facts, tuple(object_sentences(facts)), _look_at_object(run, facts))
    if identifier in parents:
        facts = parent_facts(run, identifier)
        return Explanation(facts, tuple(parent_sentences(facts)), _look_at_parent(run, facts))
    raise ModelError(
        f"there is neither an object nor a parent {identifier} in {run.folder}: "
        f"{_there_are(objects, identifier, 'object')}; {_there_are(parents, identifier, 'parent')}"
        f"{_if_blend(run, identifier)}"
    )


def _there_are(known: IntArray, identifier: int, what: str) -> str:
    numbers = np.unique(known)
    if not numbers.size:
        return f"it has no {what}s"
    near = np.sort(numbers[np.argsort(np.abs(numbers - identifier), kind="stable")[:3]])
    text = f"{counted(len(numbers), what)} from {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"1 {what}"
    return f"{text}, of which {', '.join(map(str, near))} {'are' if len(near) > 1 else 'is'} nearest"


def _if_blend(run: Run, identifier: int) -> str:
    members = run.objects[np.asarray(run.objects["deblend_blendId"]) == identifier]
    if not len(members):
        return ""
    return f". It is the identifier of a blend, with the objects {', '.join(str(n) for n in members['objectId'])}"


def _look_at_object(run: Run, facts: Facts) -> tuple[str, ...]:
    band = (facts["bands"]["peak"] or facts["bands"]["all"])[0]
    return (
        "import meas_deblend as md",
        f'run = md.open_run("{run.folder}")',
        f"source = run.source({facts['id']})",
        f'model = source.model("{band}")  # as seen in {band}: model.array, model.box',
        f'pixels = source.reapportioned("{band}")  # its own part of the data',
        "row = source.row  # of the objects table",
    )


def _look_at_parent(run: Run, facts: Facts) -> tuple[str, ...]:
    band = (facts["bands"]["parent"] or facts["bands"]["all"])[0]
    return (
        "import meas_deblend as md",
        f'run = md.open_run("{run.folder}")',
        f"blend = run.blend({facts['id']})",
        f'model = blend.model("{band}")  # sum of all models over blend.box',
        f'children = run.objects[run.objects["parentObjectId"] == {facts["id"]}]',
    )
