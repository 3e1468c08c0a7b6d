"""From what a chain of steps made of a field to what is scored."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..apportion import render_templates
from ..exceptions import PipelineError
from ..geometry import Image
from .images import SourceImages
from .matching import Match, count_detection, match_objects
from .memory import MemoryMeter
from .scores import Deblended
from .scoring import score_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ..apportion import Apportioned
    from ..image import MultibandExposure
    from ..models import ParentModel
    from .fields import Field
    from .matching import Detection
    from .scores import Scores

__all__ = ["Chain", "ChainResult", "FieldResult", "evaluate_field"]


@dataclass(frozen=True, slots=True, eq=False)
class ChainResult:
    """What a chain made of an exposure.

    Parameters
    ----------
    parent_models : tuple of ParentModel
    children : tuple of Apportioned
        Per parent, in the same order; its children in the order of the parent's sources.
    seconds, cpu_seconds : mapping of str to float
        Wall time, and processor time of all threads, by step.
    """

    parent_models: tuple[ParentModel, ...]
    children: tuple[Apportioned, ...]
    seconds: Mapping[str, float] = dataclass_field(default_factory=dict)
    cpu_seconds: Mapping[str, float] = dataclass_field(default_factory=dict)


class Chain(Protocol):
    """Detection, deblending and re-apportioning with one deblender."""

    @property
    def deblender(self) -> str:
        """Name of the deblender."""
        ...

    def __call__(self, exposure: MultibandExposure, sources: Mapping[str, Any] | None) -> ChainResult:
        """Deblend.

        Parameters
        ----------
        exposure : MultibandExposure
        sources : mapping, optional
            Positions to deblend at: id, x, y; detected peaks if there are none.

        Raises
        ------
        PipelineError
            If a step failed.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FieldResult:
    """One field, scored.

    Parameters
    ----------
    name : str
    scores : Scores
    seconds, cpu_seconds : mapping of str to float
        Wall time, and processor time of all threads, of each step; empty where the chain failed.
    scoring_seconds : float
        Wall time of the scoring.
    memory_mb : float, optional
        Most memory that the chain needed on top of what was in use before it [MiB]; None where the system does not
        tell.
    outcomes : mapping of str to int
        Number of parents by outcome, and by the reason for one that is not "ok", as "degraded: reason".
    detection : Detection, optional
        Counts of detection against truth; None for given centres.
    error : str
        Why the chain failed; every source is then scored as not modelled.
    """

    name: str
    scores: Scores
    seconds: Mapping[str, float] = dataclass_field(default_factory=dict)
    cpu_seconds: Mapping[str, float] = dataclass_field(default_factory=dict)
    scoring_seconds: float = 0.0
    memory_mb: float | None = None
    outcomes: Mapping[str, int] = dataclass_field(default_factory=dict)
    detection: Detection | None = None
    error: str = ""


def evaluate_field(field: Field, chain: Chain, number: int = 0, *, detect: bool = False) -> FieldResult:
    """Run a chain on a field and score what it made.

    Parameters
    ----------
    field : Field
    chain : Chain
    number : int
        Index of the field.
    detect : bool
        Detect; otherwise the true centres are given.

    Returns
    -------
    FieldResult
    """
    exposure = field.exposure()
    with MemoryMeter() as meter:
        try:
            result = chain(exposure, None if detect else field.sources)
            error = ""
        except PipelineError as problem:
            result, error = ChainResult((), ()), str(problem)
    start = time.perf_counter()
    positions = np.array([s.peak.center for m in result.parent_models for s in m.sources]).reshape(-1, 2)
    match = match_objects(field, positions) if detect else _given(field, result.parent_models)
    deblended = _deblended(field, chain.deblender, result, match)
    scores = score_field(field, deblended, number)
    return FieldResult(
        field.name,
        scores,
        result.seconds,
        result.cpu_seconds,
        time.perf_counter() - start,
        meter.peak_mb,
        _outcomes(result.parent_models),
        count_detection(field, positions, match) if detect else None,
        error,
    )


def _given(field: Field, models: Sequence[ParentModel]) -> Match:
    """Match by name: objects at given centres carry the index of their source."""
    object_of = np.full(len(field.x), -1, dtype=np.int64)
    names = [source.peak.name for model in models for source in model.sources]
    source_of = np.array([int(name) for name in names], dtype=np.int64)
    object_of[source_of] = np.arange(len(names))
    return Match(object_of, source_of)


def _deblended(field: Field, deblender: str, result: ChainResult, match: Match) -> Deblended:
    """Models and children in the order of the field's sources."""
    children = [Image(child.flux, child.box) for shared in result.children for child in shared.children]
    models: list[Image] = []
    # Without deblending nothing is known of the neighbours: the templates are the image itself, and no models.
    if deblender != "none":
        models = [template for model in result.parent_models for template in render_templates(model, field.box)]
    spare = np.flatnonzero(match.source_of < 0)
    return Deblended(
        SourceImages.of(field, _ordered(models, match)),
        SourceImages.of(field, _ordered(children, match)),
        SourceImages.of(field, [models[k] for k in spare]).total() if models and len(spare) else None,
    )


def _ordered(images: Sequence[Image], match: Match) -> list[Image | None]:
    return [images[k] if 0 <= k < len(images) else None for k in match.object_of]


def _outcomes(models: Sequence[ParentModel]) -> dict[str, int]:
    labels = [model.outcome if not model.reason else f"{model.outcome}: {model.reason}" for model in models]
    return dict(sorted(Counter(labels).items()))
